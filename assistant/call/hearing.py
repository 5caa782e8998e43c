"""The caller's last seconds of sound, kept for a model session that is not ready yet.

A session takes a second to open, and may be lost in the middle of a sentence. What the caller says
meanwhile is handed to the new session in order; so is a sentence the lost session had not understood.
"""

from __future__ import annotations

from collections import deque

from assistant.call.commands import Command, HearCaller
from assistant.call.events import CallerAudio
from assistant.call.transcript import Transcript

KEPT_MS = 10_000
ONSET_MS = 400  # voice detection reports a beginning a little late


class Hearing:
    """The caller's sound of the last 10 s, and from where a new session must hear it."""

    def __init__(self) -> None:
        self.repeats = False  # what will be flushed begins before the session was lost
        self._kept: deque[tuple[int, bytes]] = deque()
        self._flush_from_ms = 0
        self._understood_ms = 0

    def understood(self, at_ms: int) -> None:
        """The model gave a sign of life: what it has heard before is known to it, or awaits words."""
        self._understood_ms = at_ms

    def keep(self, event: CallerAudio) -> None:
        self._kept.append((event.at_ms, event.payload))
        while self._kept[0][0] < event.at_ms - KEPT_MS:
            self._kept.popleft()

    def flush(self) -> list[Command]:
        """What the new session must hear, in order."""
        self.repeats = False
        return [HearCaller(payload) for at_ms, payload in self._kept if at_ms >= self._flush_from_ms]

    def lost(self, at_ms: int, transcript: Transcript, *, was_ready: bool) -> None:
        """The session is gone. What it had not put into words is to be heard again by the next.

        A socket can be dead for seconds before it is known to be: nothing of that time was understood.
        """
        if not was_ready:
            return  # it never heard anything: everything kept is still news
        self._flush_from_ms = self._understood_ms
        for item_id in transcript.awaiting_words():
            began_ms = transcript.began_ms(item_id)
            if began_ms is not None and began_ms >= at_ms - KEPT_MS:
                self._flush_from_ms = min(self._flush_from_ms, began_ms - ONSET_MS)
                self.repeats = True
                transcript.drop(item_id)
