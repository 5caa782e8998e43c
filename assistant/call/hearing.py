"""The caller's last seconds of sound, kept for a model session that is not ready yet.

A session takes a second to open, and may be lost in the middle of a sentence. What the caller says
meanwhile is handed to the new session in order; so is a sentence the lost session had not understood.
"""

from __future__ import annotations

from collections import deque

from assistant.audio import SILENCE
from assistant.call.commands import Command, HearCaller
from assistant.call.events import CallerAudio
from assistant.call.transcript import Transcript

KEPT_MS = 10_000
ONSET_MS = 400  # voice detection reports a beginning a little late
LOOK_MS = 1_000  # how often what is not needed any more is looked for


class Hearing:
    """The caller's sound of the last 10 s, as far as a new session might have to hear it."""

    def __init__(self, transcript: Transcript) -> None:
        self.repeats = False  # what will be flushed begins before the session was lost
        self._transcript = transcript
        # Two rows and not one of pairs: the garbage collector goes through pairs, and there are many.
        self._kept: deque[bytes] = deque()
        self._times_ms: deque[int] = deque()
        self._flush_from_ms = 0
        self._understood_ms = 0
        self._looked_ms = 0
        self._awaited = True  # a session is to be handed what is kept

    def understood(self, at_ms: int) -> None:
        """The model gave a sign of life: what it has heard before is known to it, or awaits words."""
        self._understood_ms = at_ms

    def keep(self, event: CallerAudio) -> None:
        self._kept.append(event.payload)
        self._times_ms.append(event.at_ms)
        if event.at_ms - self._looked_ms >= LOOK_MS:
            self._looked_ms = event.at_ms
            self._forget(event.at_ms)

    def silence(self, from_ms: int) -> None:
        """What was kept since then is for nobody: silence takes its place."""
        for n in range(len(self._kept) - 1, -1, -1):
            if self._times_ms[n] < from_ms:
                return
            self._kept[n] = SILENCE * len(self._kept[n])

    def _forget(self, at_ms: int) -> None:
        from_ms = self._flush_from_ms if self._awaited else self._needed_from_ms(at_ms)[0] - ONSET_MS
        from_ms = max(from_ms, at_ms - KEPT_MS)
        while self._times_ms and self._times_ms[0] < from_ms:
            self._times_ms.popleft()
            self._kept.popleft()

    def flush(self) -> list[Command]:
        """What the new session must hear, in order."""
        self.repeats = self._awaited = False
        if self._times_ms:
            self._flush_from_ms = max(self._flush_from_ms, self._times_ms[-1] - KEPT_MS)
        kept = zip(self._times_ms, self._kept, strict=True)
        return [HearCaller(payload) for at_ms, payload in kept if at_ms >= self._flush_from_ms]

    def lost(self, at_ms: int, *, was_ready: bool) -> None:
        """The session is gone. What it had not put into words is to be heard again by the next.

        A socket can be dead for seconds before it is known to be: nothing of that time was understood.
        """
        if not was_ready:
            return  # it never heard anything: everything kept is still news
        self._awaited = True
        self._flush_from_ms, unwritten = self._needed_from_ms(at_ms)
        for item_id in unwritten:
            self.repeats = True
            self._transcript.drop(item_id)

    def _needed_from_ms(self, at_ms: int) -> tuple[int, list[str]]:
        """From where a session that began now would have to hear the caller, and the items in that."""
        from_ms, unwritten = self._understood_ms, []
        for item_id in self._transcript.awaiting_words():
            began_ms = self._transcript.began_ms(item_id)
            if began_ms is not None and began_ms >= at_ms - KEPT_MS:
                from_ms = min(from_ms, began_ms - ONSET_MS)
                unwritten.append(item_id)
        return from_ms, unwritten
