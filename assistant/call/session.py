"""The model's session: ready, lost, and what the one in its place must be told.

A session may be lost at any moment. The call reconnects once; the phone does not notice, what is queued
there plays on. The new session knows nothing, so it is told what was said, hears again what the lost one
had not understood, gets the answers of tools the other had asked for, and is asked for the reply that
was due or cut off.
"""

from __future__ import annotations

from assistant.call.commands import (
    Command,
    ConnectModel,
    CreateReply,
    DeclareTools,
    RemindModel,
    StartTimer,
    StopTimer,
    TellModel,
)
from assistant.call.hearing import Hearing
from assistant.call.replies import Replies
from assistant.call.tools import ToolRuns
from assistant.call.transcript import Transcript
from assistant.call.voice import Voice

RECONNECT_MS = 2_000  # from the loss to a usable session
OWED_MS = 1_500  # a new session answers what it heard again by itself within this


class Session:
    """The model's session of one call.

    ready: it can be used. may_reconnect: it has not been lost yet. owed: a reply the lost one did not give.
    """

    def __init__(self, transcript: Transcript, voice: Voice, replies: Replies, tools: ToolRuns) -> None:
        self.ready = False
        self.may_reconnect = True
        self.owed: CreateReply | None = None
        self.hearing = Hearing(transcript)
        self._transcript = transcript
        self._voice = voice
        self._replies = replies
        self._tools = tools
        self._level = ""  # what every session has to know of the caller's, once it was raised
        self._news = ""  # what the next one has to know besides what was said

    @property
    def goes_on(self) -> bool:
        """True when there is a conversation that a new session must go on with."""
        return not self.may_reconnect and bool(self._transcript.turns())

    def lost(self, at_ms: int) -> list[Command]:
        """There is no session any more; nothing of it will come."""
        self.owed = self._replies.lost()
        self.hearing.lost(at_ms, was_ready=self.ready)
        self.ready = False
        self._transcript.epoch += 1
        self._tools.epoch += 1
        return [
            StopTimer("reply_due"),
            StopTimer("silence"),
            StopTimer("retry"),
            *self._voice.model_gone(at_ms),
        ]

    def reconnect(self, at_ms: int) -> list[Command]:
        """Once in a call: begin a new one at once."""
        self.may_reconnect = False
        return [ConnectModel(), StartTimer("reconnect", at_ms + RECONNECT_MS), *self.lost(at_ms)]

    def remind(self) -> list[Command]:
        """What was said before this session began."""
        return [RemindModel(self._transcript.turns())]

    def resume(self, at_ms: int) -> list[Command]:
        """In the middle of a call: what it must hear again, and time to answer that."""
        wait = [StartTimer("owed", at_ms + OWED_MS)] if self.hearing.repeats else []
        return [
            *self.level(),
            *self._tools.put_off_answers(),
            *self.tell_news(),
            *self.hearing.flush(),
            *wait,
        ]

    def level_reached(self, note: str) -> list[Command]:
        """The caller may do more from now on; `note` says so to this session and to any after it."""
        self._level = note
        return self.level() if self.ready else []

    def level(self) -> list[Command]:
        """The caller's level, if it was raised. A session that has just begun may be older than that, and
        have the tools of before."""
        return [DeclareTools(), TellModel(self._level)] if self._level else []

    def owe_news(self, note: str) -> None:
        """Something has happened that the next session has to know, and to speak about."""
        self._news = note
        self.owe()

    def tell_news(self) -> list[Command]:
        """What this session has to know besides what was said, once."""
        news, self._news = self._news, ""
        return [TellModel(news)] if news else []

    def owe(self) -> None:
        """A reply will be wanted from the next session."""
        self.owed = self.owed or CreateReply("")

    def take_owed(self) -> CreateReply | None:
        """The reply that is to be asked for now. A tool still at work will ask for it itself."""
        owed, self.owed = self.owed, None
        if owed is not None and self._tools.running and not (owed.say or owed.ask):
            return None
        return owed
