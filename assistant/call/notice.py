"""The notice that the call is recorded is heard to its end.

A caller who speaks into it does not stop it: nothing of theirs may be recorded before they have heard it.
Their sound still flows to the model. What the model says to it (that somebody speaks, what they said, its
answer) waits here, in order, until the sentence is out, and happens then as if it had arrived a little late.
Only a notice whose whole sound is at the phone can be waited for; another is cut, and asked for again.
"""

from __future__ import annotations

from assistant.call.commands import Command, StartTimer
from assistant.call.events import Event, SpeechStarted
from assistant.call.voice import Voice

PATIENCE_MS = 1_000  # how much later than computed the sentence may be heard to its end
TIMER = "notice"


class Notice:
    """Events of the model that wait for the end of the notice."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._waiting: list[Event] = []
        self._latest_ms = 0

    @property
    def sounding(self) -> bool:
        """True while the model's events wait."""
        return bool(self._waiting)

    def hold(self, event: Event, at_ms: int) -> list[Command] | None:
        """Let an event wait, if it must. None: it need not."""
        if self._waiting:
            self._waiting.append(event)
            return []
        if not isinstance(event, SpeechStarted):
            return None
        remaining_ms = self._voice.notice_remaining_ms(at_ms)
        if not remaining_ms:
            return None
        self._waiting.append(event)
        self._latest_ms = at_ms + remaining_ms + PATIENCE_MS
        return [StartTimer(TIMER, at_ms + remaining_ms)]

    def still_sounding(self, at_ms: int) -> list[Command]:
        """The sentence should be out: time for the rest of it when it is not; else nothing."""
        remaining_ms = self._voice.notice_remaining_ms(at_ms)
        if not remaining_ms or at_ms >= self._latest_ms:
            return []
        return [StartTimer(TIMER, min(at_ms + remaining_ms, self._latest_ms))]

    def take(self) -> list[Event]:
        """What has waited, in order."""
        waiting, self._waiting = self._waiting, []
        return waiting
