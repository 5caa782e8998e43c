"""The owner's phone is rung in the middle of a call: the caller is away, and may come back.

Another document takes the place of the one that holds the stream, so the stream ends and the call does not.
Until it is known what came of it the call is parked: the model's session is kept, the words that are still to
come are written down, and nothing is said, because nobody would hear it. When the owner cannot be reached, a
new stream begins, and the call goes on where it was; all times go on counting, and what was queued at the
phone is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.commands import Command, StartTimer, StopTimer
from assistant.call.ending import Ending
from assistant.call.floor import Floor
from assistant.call.keypad import NOT_CONFIRMED
from assistant.call.plan import CallPlan
from assistant.call.replies import Replies
from assistant.call.session import Session
from assistant.call.tools import ToolRuns
from assistant.call.transcript import WORDS, Transcript
from assistant.call.voice import Voice, keep

SLACK_MS = 15_000  # how much longer than the owner's phone rings the caller may stay away
SCREENING_MS = 50_000  # from the moment it is picked up: who is calling and why, and time to press 1
LEAST_LEFT_MS = 30_000  # of the longest time a call may take, for whoever comes back

NOT_REACHED = (
    "The owner's phone was rung, but the owner could not be reached, and the caller is back on the line. "
    "Say so at once, and offer to take a message."
)
# Those of a conversation that stands still.
TIMERS = (
    "silence",
    "reply_due",
    "owed",
    "retry",
    "wish",
    "closing",
    "keys",
    "notice",
    "reconnect",
    "not_ready",
)


class Parking:
    """Whether the caller is away, and what the model's side says meanwhile."""

    def __init__(
        self,
        plan: CallPlan,
        floor: Floor,
        voice: Voice,
        session: Session,
        ending: Ending,
        replies: Replies,
        tools: ToolRuns,
        transcript: Transcript,
    ) -> None:
        self.parked = False
        self.ready: ev.ModelReady | None = None  # the session became ready while nobody was there
        self.hopeless = False  # it was lost, and there will be no other
        self._plan = plan
        self._floor = floor
        self._voice = voice
        self._session = session
        self._ending = ending
        self._replies = replies
        self._tools = tools
        self._transcript = transcript
        self._limit_ms = 0  # of the longest time a call may take, what was left

    def park(self, limit_at_ms: int) -> list[Command]:
        """The stream is over because the owner is being rung. limit_at_ms: when the call's time is up."""
        now_ms = self._floor.now_ms
        self.parked = True
        self._limit_ms = max(LEAST_LEFT_MS, limit_at_ms - now_ms)
        away_ms = self._plan.ring_ms + SLACK_MS
        timers: list[Command] = [StopTimer(timer) for timer in ("limit", "transfer", *TIMERS)]
        return [*timers, StartTimer("parked", now_ms + away_ms), *self._fall_silent(now_ms), do.Park()]

    def _fall_silent(self, now_ms: int) -> list[Command]:
        """Nobody hears the rest of what is being said, and nobody goes on speaking."""
        was_speaking, was_replying = self._floor.caller_speaking, self._replies.active is not None
        self._floor.caller_speaking = self._floor.caller_types = False
        self._replies.caller_began()
        cut, cut_off = self._voice.line_away(now_ms)
        self._replies.stale |= cut_off
        if not self._session.ready:
            return cut
        commit: list[Command] = [do.CommitCaller()] if was_speaking else []  # no more sound would end it
        return [*([do.CancelReply()] if was_replying else []), *cut, *commit]

    def picked_up(self) -> list[Command]:
        """The owner, or a mailbox, is being asked to press 1."""
        return [StartTimer("parked", self._floor.now_ms + SCREENING_MS)]

    def back(self) -> list[Command]:
        """The caller is on the line again. What is said to them is not decided here."""
        self.parked = False
        self._ending.not_transferred()
        now_ms = self._floor.now_ms
        limit = StartTimer("limit", now_ms + self._limit_ms)
        return [StopTimer("parked"), limit, *self._voice.line_back(now_ms)]

    @property
    def limit_at_ms(self) -> int:
        """When the time of a call that has just come back is up."""
        return self._floor.now_ms + self._limit_ms

    # --- the model's side, meanwhile ---

    def handle(self, event: ev.Event) -> list[Command]:
        """Take one event of a call that is parked."""
        if handler := _HANDLERS.get(type(event)):
            return handler(self, event)
        return []

    def _words(self, event: ev.Event) -> list[Command]:
        return keep(self._transcript.take(event))

    def _model_ready(self, event: ev.ModelReady) -> list[Command]:
        self.ready = event
        return []

    def _reply_started(self, event: ev.ReplyStarted) -> list[Command]:
        self._replies.started(event.response_id)
        self._replies.cut()
        return [do.CancelReply()]

    def _reply_audio(self, event: ev.ReplyAudio) -> list[Command]:
        self._voice.drop(event)
        return []

    def _reply_done(self, event: ev.ReplyDone) -> list[Command]:
        over = self._voice.reply_over(event.response_id, self._floor.now_ms)
        return [*over, *self._replies.done(event)]

    def _tool_finished(self, event: ev.ToolFinished) -> list[Command]:
        no_key: list[Command] = []  # nobody can press one
        if isinstance(event.then, ev.ThenConfirm):
            no_key = [do.DropTool(event.tool_call_id), *self._told(NOT_CONFIRMED)]
        if self._session.ready:
            return [*self._tools.finished(event), *no_key]
        self._tools.put_off(event)
        return no_key

    def _told(self, note: str) -> list[Command]:
        return [do.TellModel(note)] if self._session.ready else []

    def _tool_confirmed(self, event: ev.ToolConfirmed) -> list[Command]:
        if not self._tools.awaits(event):
            return []
        if self._session.ready:
            return self._tools.report(event)
        self._tools.put_off(event)
        return []

    def _model_lost(self, event: ev.ModelLost) -> list[Command]:
        self.ready = None
        self.hopeless |= event.fatal or not self._session.may_reconnect
        return self._session.lost(self._floor.now_ms)


_HANDLERS: dict[type[ev.Event], Callable[[Parking, Any], list[Command]]] = {
    ev.ModelReady: Parking._model_ready,
    ev.ReplyStarted: Parking._reply_started,
    ev.ReplyAudio: Parking._reply_audio,
    ev.ReplyDone: Parking._reply_done,
    ev.ToolFinished: Parking._tool_finished,
    ev.ToolConfirmed: Parking._tool_confirmed,
    ev.ModelLost: Parking._model_lost,
    **dict.fromkeys(WORDS, Parking._words),
}
