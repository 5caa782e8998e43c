"""One phone call without I/O: give it events, carry out what it returns.

The path of a call through this machine:

    CallStarted                -> the opening is heard at once, where its sound is kept
    ModelReady                 -> else it is asked for
    ReplyAudio                 -> played, with marks that tell how much was heard
    SpeechStarted              -> barge-in: clear, and tell the model what was heard
    SpeechStopped              -> the model answers by itself; its answer is due
    ReplyDone with tool calls  -> tools run beside the loop; the batch is answered by one response
    end_call, silence, limit   -> a goodbye, heard to its end, then the hang-up
    ModelLost                  -> one reconnect with the conversation so far, or else the fallback:
                                  the phone's socket is closed and the caller comes to the tone
    CallerGone                 -> late words are waited for, then the call is over

It owns no socket, thread or clock. `replies` knows who may ask the model to speak, `voice` what was
heard, `transcript` who said what, `tools` which tools run, `ending` how we say goodbye, `session` what a
new model session must be told, `opening` what is said first, `notice` what may not be cut off, and
`parting` what comes after the caller is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.commands import Command, StartTimer, StopTimer
from assistant.call.disclosure import Disclosure
from assistant.call.ending import WENT_ON, Ending
from assistant.call.notice import TIMER as NOTICE
from assistant.call.notice import Notice
from assistant.call.opening import Opening
from assistant.call.parting import Parting
from assistant.call.plan import CallPlan
from assistant.call.replies import Replies
from assistant.call.session import Session
from assistant.call.tools import ToolRun, ToolRuns
from assistant.call.transcript import WORDS, Transcript
from assistant.call.voice import Voice, keep

NOT_READY_MS = 5_000  # from the stream's start to a usable model, else the fallback
REPLY_DUE_MS = 8_000  # a reply that is due and says nothing for so long: the model is lost
RETRY_MS = 1_500  # a reply that failed is asked for once more
KEYS_MS = 2_000  # keys pressed within this of each other are one number


class Call:
    """One phone call."""

    def __init__(self, plan: CallPlan) -> None:
        self._plan = plan
        self._now_ms = 0
        self._caller_speaking = False
        self._transcript = Transcript(transcribes=plan.transcribes)
        self._voice = Voice(self._transcript, Disclosure(plan.disclosure), plan.notice_ends_ms)
        self._opening = Opening(plan, self._transcript, self._voice)
        self._notice = Notice(self._voice)
        self._replies = Replies()
        self._tools = ToolRuns()
        self._ending = Ending(plan, self._replies, self._voice)
        self._session = Session(self._transcript, self._voice, self._replies, self._tools)
        self._parting = Parting(self._transcript, self._voice)
        self._reply_seen_ms = 0
        self._spoke = False  # the active response has sounded
        self._keys = ""

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return self._parting.over

    @property
    def ended_because(self) -> str | None:
        """Why the assistant's part ended, in the contract's words, once it is known."""
        return self._parting.because

    def handle(self, event: ev.Event) -> list[Command]:
        """Take one event; return what must now be done, in order."""
        self._now_ms = max(self._now_ms, event.at_ms)
        if self.ended:
            return []
        if self._parting.caller_gone:
            return self._parting.handle(event)
        if handler := _OF_THE_HOUSE.get(type(event)):
            return handler(self, event)
        if type(event) not in _OF_THE_MODEL:
            return []
        waiting = self._notice.hold(event, self._now_ms)
        return self._model_says(event) if waiting is None else waiting

    def _model_says(self, event: ev.Event) -> list[Command]:
        if not isinstance(event, ev.ModelLost):
            self._session.hearing.understood(self._now_ms)
        return _OF_THE_MODEL[type(event)](self, event)

    def _notice_is_out(self) -> list[Command]:
        """What the model has said meanwhile happens now."""
        return [command for event in self._notice.take() for command in self._model_says(event)]

    # --- the phone ---

    def _call_started(self, event: ev.CallStarted) -> list[Command]:
        return [
            StartTimer("not_ready", event.at_ms + NOT_READY_MS),
            StartTimer("limit", event.at_ms + self._plan.max_call_ms),
            *self._voice.began(event.at_ms),
            *self._opening.begin(event.at_ms),
        ]

    def _caller_audio(self, event: ev.CallerAudio) -> list[Command]:
        self._session.hearing.keep(event)
        recorded = self._voice.hear(event)
        return [do.HearCaller(event.payload), *recorded] if self._session.ready else recorded

    def _caller_pressed(self, event: ev.CallerPressed) -> list[Command]:
        if self._ending.final:
            return []
        self._keys += event.digit
        went_on = self._ending.caller_began()
        return [StopTimer("silence"), StartTimer("keys", event.at_ms + KEYS_MS), *went_on]

    def _keys_complete(self) -> list[Command]:
        if self._ending.final:
            return []
        if not self._session.ready:
            return [StartTimer("keys", self._now_ms + KEYS_MS)]
        keys, self._keys = self._keys, ""
        return self._tell(f"The caller pressed these keys of the keypad: {' '.join(keys)}")

    def _tell(self, note: str) -> list[Command]:
        """Something the model should speak about; a speaking caller will be answered anyway."""
        return [do.TellModel(note), *([] if self._caller_speaking else self._ask())]

    def _mark_returned(self, event: ev.MarkReturned) -> list[Command]:
        was_idle = self._voice.idle
        commands = self._voice.mark_returned(event)
        return commands + (self._settle() if self._voice.idle and not was_idle else [])

    def _settle(self) -> list[Command]:
        if not (self._session.ready or self._ending.needs_no_model):
            return []
        return self._ending.settle(
            self._now_ms, caller_speaking=self._caller_speaking, tools_running=self._tools.running
        )

    def _ask(self, say: str = "", ask: str = "") -> list[Command]:
        return [*self._replies.wish(say, ask), *self._reply_is_due()]

    # --- the caller speaks ---

    def _speech_started(self, event: ev.SpeechStarted) -> list[Command]:
        self._transcript.caller_began(event.item_id, event.at_ms)
        self._caller_speaking = True
        self._session.owed = None
        self._voice.answer_due(None)
        if self._ending.final:
            return []
        timers = ("silence", "owed", "retry", "reply_due")
        self._replies.caller_began()
        self._tools.caller_began()
        barge_in, cut_off = self._voice.cut(self._now_ms)
        self._replies.stale |= cut_off
        commands = [*map(StopTimer, timers), *self._ending.caller_began()]
        ask_again = self._ask_for_notice(cut_off=bool(barge_in))
        return [*barge_in, *self._opening.interrupted(), *commands, *ask_again]

    def _ask_for_notice(self, *, cut_off: bool) -> list[Command]:
        """A disclosure that was not heard is asked for again: before it is, nothing is recorded."""
        note = self._voice.disclosure.ask_again(cut_off=cut_off)
        return [do.TellModel(note)] if note else []

    def _speech_stopped(self, event: ev.SpeechStopped) -> list[Command]:
        self._transcript.take(event)
        self._caller_speaking = False
        if self._ending.final:
            return []
        self._voice.answer_due(event.at_ms)
        self._replies.caller_stopped()
        return self._reply_is_due()

    def _words(self, event: ev.Event) -> list[Command]:
        return keep(self._transcript.take(event))

    # --- the model replies ---

    def _reply_is_due(self) -> list[Command]:
        self._reply_seen_ms = self._now_ms
        return [StopTimer("silence"), StartTimer("reply_due", self._now_ms + REPLY_DUE_MS)]

    def _reply_started(self, event: ev.ReplyStarted) -> list[Command]:
        self._replies.started(event.response_id)
        self._spoke = False
        self._session.owed = None
        ours = self._replies.running
        if ours is not None and self._plan.opening and ours.say == self._plan.opening:
            self._opening.asked_of(event.response_id)
        return [*self._reply_is_due(), StopTimer("owed"), *self._cancel_if_unwanted()]

    def _cancel_if_unwanted(self) -> list[Command]:
        """A reply asked for before we knew that the caller speaks would talk over them; and once the time
        is up, nothing but our goodbye is said."""
        ours = self._replies.running is not None
        unwanted = not ours if self._ending.final else self._caller_speaking
        if not unwanted or self._replies.active is None:
            return []
        self._replies.cut()
        return [do.CancelReply()]

    def _reply_audio(self, event: ev.ReplyAudio) -> list[Command]:
        self._reply_seen_ms = self._now_ms
        self._opening.listen(event)
        if event.response_id in self._replies.stale:
            self._voice.drop(event)
            return []
        self._spoke = True
        return self._voice.speak(event, self._now_ms)

    def _reply_audio_done(self, event: ev.ReplyAudioDone) -> list[Command]:
        self._reply_seen_ms = self._now_ms
        return self._voice.sound_done(event.item_id, self._now_ms)

    def _reply_done(self, event: ev.ReplyDone) -> list[Command]:
        overtaken = event.response_id in self._replies.stale
        waiting = self._replies.done(event)
        commands = [*self._voice.reply_over(event.response_id, self._now_ms), *waiting]
        commands += self._opening.reply_over(event)
        commands += self._reply_is_due() if self._replies.due else [StopTimer("reply_due")]
        if event.status == "failed":
            return commands + self._reply_failed(event, overtaken=overtaken)
        overtaken |= self._caller_speaking
        commands += self._tools.run(event.tool_calls, spoke=self._spoke, overtaken=overtaken)
        return commands + self._ending.reply_over(self._now_ms) + self._settle()

    def _reply_failed(self, event: ev.ReplyDone, *, overtaken: bool) -> list[Command]:
        if overtaken and not event.fatal:
            return []
        if event.fatal or not self._replies.may_retry():
            return self._ending.hang_up(self._now_ms) if self._ending.parted else self._fall_back()
        return [StartTimer("retry", self._now_ms + RETRY_MS)]

    def _reply_refused(self, event: ev.ReplyRefused) -> list[Command]:
        self._replies.refused(event.event_id)
        if self._replies.running is None:
            self._voice.opening(None)
        return [*self._reply_is_due(), *self._cancel_if_unwanted()]

    # --- tools ---

    def _tool_finished(self, event: ev.ToolFinished) -> list[Command]:
        run = self._tools.at_work(event.tool_call_id)
        if run is None:
            return []  # it has been answered
        if not self._session.ready:
            return self._put_off(event, run)
        commands = [*self._tools.finished(event), *self._wish_for(event, run)]
        if not (self._tools.running or self._caller_speaking or self._ending.wished):
            # One response for the whole batch. A speaking caller will be answered anyway.
            commands += self._ask()
        return commands + self._settle()

    def _put_off(self, event: ev.ToolFinished, run: ToolRun) -> list[Command]:
        self._tools.put_off(event)
        commands = self._wish_for(event, run)
        if not (self._tools.running or self._ending.wished):
            self._session.owe()
        return commands

    def _wish_for(self, event: ev.ToolFinished, run: ToolRun) -> list[Command]:
        """A hang-up that the caller has meanwhile talked over is not wanted any more."""
        if event.then is None:
            return []
        if run.overtaken and isinstance(event.then, ev.ThenHangUp):
            return [WENT_ON] if self._session.ready else []
        return self._ending.wish(event.then, spoke=run.spoke, at_ms=self._now_ms)

    def _transfer_failed(self, event: ev.TransferFailed) -> list[Command]:
        self._ending.transfer_failed()
        note = "The owner's phone could not be rung. Tell the caller, and offer to take a message."
        return self._tell(note) if self._session.ready else []

    # --- the model's session ---

    def _model_ready(self, event: ev.ModelReady) -> list[Command]:
        self._session.ready = True
        commands: list[Command] = [StopTimer("not_ready"), StopTimer("reconnect")]
        if self._session.goes_on:
            return commands + self._resume()
        # The opening is told or asked for before the caller's early sound is handed on: it comes first.
        if self._opening.kept:
            return [*commands, *self._opening.tell(), *self._session.hearing.flush(), *self._settle()]
        opening = self._ask(self._plan.opening, "" if self._plan.opening else self._plan.greet_ask)
        return commands + opening + self._session.hearing.flush()

    def _resume(self) -> list[Command]:
        answers_by_itself = self._session.hearing.repeats
        commands = self._session.resume(self._now_ms)
        if self._ending.because:
            return commands + self._with_due(self._ending.say_goodbye(self._now_ms))
        if self._session.owed is None or not self._session.owed.say:
            commands += self._ask_for_notice(cut_off=True)
        return commands if answers_by_itself else commands + self._pay_owed()

    def _pay_owed(self) -> list[Command]:
        owed = self._session.take_owed()
        return self._ask(owed.say, owed.ask) if owed is not None else self._settle()

    def _model_lost(self, event: ev.ModelLost) -> list[Command]:
        self._opening.session_lost()
        if self._ending.needs_no_model:
            return self._session.lost(self._now_ms)
        if event.fatal or not self._session.may_reconnect:
            return self._fall_back()
        self._caller_speaking = False
        return self._session.reconnect(self._now_ms)

    # --- the end ---

    def _fall_back(self, reason: str = "the assistant has failed") -> list[Command]:
        """No way back to a model: the caller comes to the apology and the tone."""
        return self._leave("model_failed", 1011, reason)

    def _shut_down(self, event: ev.ShutDown) -> list[Command]:
        before = self._notice_is_out()
        return before if self.ended else before + self._leave("shut_down", 1001, "going away")

    def _hang_up_failed(self, event: ev.HangUpFailed) -> list[Command]:
        """The apology is the lesser evil than a line that stays open."""
        return self._leave("assistant_ended", 1000, "could not hang up")

    def _leave(self, because: str, code: int, reason: str) -> list[Command]:
        """Why it was decided to end the call stays the reason, not what followed from it."""
        decided = self._ending.because if self._ending.hanging_up else None
        return self._parting.leave(decided or because, code, reason, self._now_ms)

    def _caller_gone(self, event: ev.CallerGone) -> list[Command]:
        before = self._notice_is_out()
        if self.ended:
            return before
        because = self._ending.decided or ("caller_hung_up" if event.hung_up else "line_lost")
        commands = before + self._parting.caller_left(because, self._now_ms)
        if not self._session.ready:
            return [*commands, *self._parting.give_up(self._now_ms)]
        return commands + self._parting.wait_for_words(
            self._now_ms, speaking=self._caller_speaking, replying=self._replies.active is not None
        )

    # --- timers ---

    def _timer_fired(self, event: ev.TimerFired) -> list[Command]:
        match event.timer:
            case "not_ready" | "reconnect":
                return self._fall_back("the assistant was not ready in time")
            case "reply_due":
                return self._still_due()
            case "retry":
                return self._retry()
            case "owed":
                return self._pay_owed()
            case "keys":
                return self._keys_complete()
            case timer if timer == NOTICE:
                return self._notice.still_sounding(self._now_ms) or self._notice_is_out()
            case "silence":
                return self._with_due(self._ending.silent(self._now_ms))
            case "wish":
                return self._ending.wish_overdue(self._now_ms)
            case "limit":
                return self._time_up()
            case "closing":
                return self._ending.hang_up(self._now_ms)
            case "hung_up":
                return self._leave("assistant_ended", 1000, "the hang-up was not followed by an end")
        return []

    def _still_due(self) -> list[Command]:
        # What waits for the end of the notice may be a sign of life.
        due_ms = (self._now_ms if self._notice.sounding else self._reply_seen_ms) + REPLY_DUE_MS
        if self._now_ms < due_ms:
            return [StartTimer("reply_due", due_ms)]
        if not self._replies.busy:
            return []
        return self._model_lost(ev.ModelLost("a reply was due and never came", at_ms=self._now_ms))

    def _retry(self) -> list[Command]:
        return self._with_due(self._replies.again()) if not self._caller_speaking else []

    def _time_up(self) -> list[Command]:
        """Whatever is being said is cut short for the goodbye."""
        commands = self._notice_is_out()
        if not self._ending.time_up() or not self._session.ready:
            return commands  # a new session says it first of all; without one the caller comes to the tone
        barge_in, cut_off = self._voice.cut(self._now_ms)
        commands += [*barge_in, *self._opening.interrupted()]
        self._replies.stale |= cut_off
        if self._replies.active:
            self._replies.cut()
            commands.append(do.CancelReply())
        commands += [StopTimer("silence"), *self._ending.say_goodbye(self._now_ms)]
        return self._with_due(commands)

    def _with_due(self, commands: list[Command]) -> list[Command]:
        asked = any(isinstance(command, do.CreateReply) for command in commands)
        return commands + (self._reply_is_due() if asked else [])


_Handlers = dict[type[ev.Event], Callable[[Call, Any], list[Command]]]

_OF_THE_MODEL: _Handlers = {
    ev.ModelReady: Call._model_ready,
    ev.SpeechStarted: Call._speech_started,
    ev.SpeechStopped: Call._speech_stopped,
    ev.ReplyStarted: Call._reply_started,
    ev.ReplyAudio: Call._reply_audio,
    ev.ReplyAudioDone: Call._reply_audio_done,
    ev.ReplyDone: Call._reply_done,
    ev.ReplyRefused: Call._reply_refused,
    ev.ModelLost: Call._model_lost,
    **dict.fromkeys(WORDS, Call._words),
}

_OF_THE_HOUSE: _Handlers = {
    ev.CallStarted: Call._call_started,
    ev.CallerAudio: Call._caller_audio,
    ev.CallerPressed: Call._caller_pressed,
    ev.MarkReturned: Call._mark_returned,
    ev.CallerGone: Call._caller_gone,
    ev.ToolFinished: Call._tool_finished,
    ev.TransferFailed: Call._transfer_failed,
    ev.TimerFired: Call._timer_fired,
    ev.HangUpFailed: Call._hang_up_failed,
    ev.ShutDown: Call._shut_down,
}
