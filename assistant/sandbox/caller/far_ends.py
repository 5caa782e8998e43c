"""What a phone can be connected to besides a media stream: a voice, a recorder, a keypad's listener.

Each takes part in the phone's 20 ms ticks and says when it is `done`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from assistant.audio import BYTES_PER_MS, decode_ulaw, encode_ulaw, level, silence
from assistant.sandbox.caller.handset import FRAME_MS, VOICE_LEVEL

# How long a sentence takes: about 15 characters a second.
MS_PER_CHARACTER = 65
BEEP_MS = 500
ROWS_HZ, COLUMNS_HZ = (697, 770, 852, 941), (1209, 1336, 1477, 1633)


def tone(hz: float, ms: int) -> bytes:
    """A plain tone, as loud as a voice."""
    at = np.arange(ms * BYTES_PER_MS) / (1000 * BYTES_PER_MS)
    return encode_ulaw((np.sin(2 * math.pi * hz * at) * 4000).astype(np.int16))


def key_tone(key: str, ms: int) -> bytes:
    """What a key of the keypad sounds like: the tone of its row and the tone of its column."""
    row, column = divmod("123A456B789C*0#D".index(key), 4)
    both = [decode_ulaw(tone(hz, ms)) // 2 for hz in (ROWS_HZ[row], COLUMNS_HZ[column])]
    return encode_ulaw(both[0] + both[1])


_VOICE, _BEEP = tone(200, FRAME_MS), tone(1000, FRAME_MS)


class Voice:
    """A text read out; what the caller says meanwhile is heard by nobody."""

    real_time = False

    def __init__(self, text: str) -> None:
        self._left_ms = len(text) * MS_PER_CHARACTER
        self.done = self._left_ms <= 0

    def exchange(self, frame: bytes) -> bytes:
        self._left_ms -= FRAME_MS
        self.done = self._left_ms <= 0
        return _VOICE

    def press(self, key: str) -> None:
        """Keys do not stop it."""


class Quiet:
    """Silence of a certain length (ringing, a pause)."""

    real_time = False

    def __init__(self, ms: float) -> None:
        self._left_ms = ms
        self.done = ms <= 0

    def exchange(self, frame: bytes) -> bytes:
        self._left_ms -= FRAME_MS
        self.done = self._left_ms <= 0
        return silence(FRAME_MS)

    def press(self, key: str) -> None:
        """Keys go nowhere."""


class Keypad:
    """`<Gather>`: reads out its text while it collects keys; time counts from the last key or word."""

    real_time = False

    def __init__(self, text: str, *, timeout_ms: int, most: int, finish: str) -> None:
        self.keys = ""
        self.finished_by = ""
        self.done = False
        self._voice_ms = len(text) * MS_PER_CHARACTER
        self._timeout_ms = timeout_ms
        self._most = most
        self._finish = finish
        self._waited_ms = 0

    def exchange(self, frame: bytes) -> bytes:
        if self._voice_ms > 0:
            self._voice_ms -= FRAME_MS
            return _VOICE
        self._waited_ms += FRAME_MS
        self.done = self.done or self._waited_ms >= self._timeout_ms
        return silence(FRAME_MS)

    def press(self, key: str) -> None:
        self._voice_ms = self._waited_ms = 0
        if key == self._finish:
            self.finished_by = key
        else:
            self.keys += key
        self.done = bool(self.finished_by) or len(self.keys) >= self._most


class Recorder:
    """`<Record>`: a beep, then the caller's words until silence, a key, or the longest it may be."""

    real_time = False

    def __init__(
        self, *, beep: bool, timeout_ms: int, most_ms: int, finish: str, on_tone: Callable[[], None]
    ) -> None:
        self.done = False
        self.finished_by = ""
        self.listening = not beep
        self._on_tone = on_tone
        self._beep_ms = BEEP_MS if beep else 0
        self._timeout_ms = timeout_ms
        self._most_ms = most_ms
        self._finish = finish
        self._kept = bytearray()
        self._last_voice = 0  # end of the last voice, in bytes of what was kept

    def exchange(self, frame: bytes) -> bytes:
        if self._beep_ms > 0:
            self._beep_ms -= FRAME_MS
            if self._beep_ms <= 0:
                self.listening = True
                self._on_tone()
            return _BEEP
        if not self.done:
            self._keep(frame)
        return silence(FRAME_MS)

    def press(self, key: str) -> None:
        if self.listening and key in self._finish:
            self.finished_by = key
            self.done = True

    @property
    def payload(self) -> bytes:
        """What was said, the silence after it trimmed; empty when nothing was."""
        return bytes(self._kept[: self._last_voice])

    def _keep(self, frame: bytes) -> None:
        self._kept += frame
        if level(frame) >= VOICE_LEVEL:
            self._last_voice = len(self._kept)
        quiet_ms = (len(self._kept) - self._last_voice) // BYTES_PER_MS
        self.done = quiet_ms >= self._timeout_ms or len(self._kept) >= self._most_ms * BYTES_PER_MS
