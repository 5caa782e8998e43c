"""The owner's PIN, while it is typed on a telephone.

Keys sound, and whoever hears the line or a recording of it can tell which they were. So from the first key
until a moment after the last the caller's sound is silence to everybody; and the digits are handed out once,
to be compared, and are shown to nobody.

A caller may type on while one PIN is being compared: they have noticed a slip, or think that nothing happens.
Those keys are gathered too and compared next, if that is still wanted then: thrown away they would leave half
a PIN behind, which costs a try. And they may type it once more when it was right: then it is silenced as
before, and passed over.
"""

from __future__ import annotations

from assistant.audio import SILENCE
from assistant.call.events import CallerAudio

MOST_DIGITS = 8
TYPING_MS = 5_000  # without a key for so long, the entry is over
AFTER_MS = 2_000  # the same where nothing is compared any more: nobody hears the caller meanwhile
TONE_MS = 300  # the last key sounds on
LETTERS = "ABCD"  # keys that telephones do not have


class PinEntry:
    """What is typed on one call.

    wanted: the owner's level can be reached, and has not been. open: keys are being gathered. comparing: an
    answer is awaited. hushed: the caller's sound has to go through `without_tones`.
    """

    def __init__(self, *, wanted: bool) -> None:
        self.wanted = wanted
        self.open = False
        self.comparing = False
        self.hushed = False
        self._digits = ""
        self._next = ""  # complete, and to be compared when that is over
        self._hushed_until_ms = 0

    def press(self, key: str) -> None:
        """One more key; the first opens the entry."""
        self.open = self.hushed = True
        if key == "*":
            self._digits = ""
        elif key != "#":
            self._digits += key

    @property
    def full(self) -> bool:
        """No PIN is longer."""
        return len(self._digits) >= MOST_DIGITS

    @property
    def pause_ms(self) -> int:
        """The entry is over so long after its last key."""
        return TYPING_MS if self.wanted else AFTER_MS

    def close(self, at_ms: int, *, compare: bool) -> str:
        """It is over. Returns the digits that are to be compared now, if there are any.

        compare: False when it is too late for that, or they were no PIN.
        """
        digits, self._digits, self.open = self._digits, "", False
        self._hushed_until_ms = at_ms + TONE_MS
        if not (self.wanted and compare):
            return ""
        if self.comparing:
            self._next = digits or self._next
            return ""
        self.comparing = bool(digits)
        return digits

    def compared(self, *, granted: bool | None) -> str:
        """The answer is here. Returns what is to be compared next, if anything is."""
        self.wanted = not granted
        digits, self._next = self._next if self.wanted else "", ""
        self.comparing = bool(digits)
        return digits

    def hush(self, at_ms: int) -> None:
        """A key sounds that is no part of a PIN."""
        self.hushed = True
        self._hushed_until_ms = max(self._hushed_until_ms, at_ms + TONE_MS)

    def without_tones(self, event: CallerAudio) -> CallerAudio:
        """The caller's sound, or silence in its place."""
        if not self.open and event.at_ms > self._hushed_until_ms:
            self.hushed = False
            return event
        return CallerAudio(SILENCE * len(event.payload), event.timestamp_ms, at_ms=event.at_ms)
