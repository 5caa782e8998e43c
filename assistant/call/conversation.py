"""The conversation with the model on one call: its session, what it says, the tools it calls.

What it says goes to the caller, what they interrupt is cut off, and it is told what was heard; what must not
be cut off is waited for. A tool it has called is answered by one response for all that were called at once.
A session that is lost is replaced once, and the new one goes on where the other was.

It ties the parts together; `machine` has the other half of a call: the line, the keys, the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.commands import Command, StartTimer, StopTimer
from assistant.call.disclosure import Disclosure
from assistant.call.ending import WENT_ON, Ending
from assistant.call.floor import Floor
from assistant.call.keypad import Keypad
from assistant.call.notice import TIMER as NOTICE
from assistant.call.notice import Notice
from assistant.call.opening import Opening
from assistant.call.parking import NOT_REACHED, Parking
from assistant.call.parting import Parting
from assistant.call.plan import CallPlan
from assistant.call.replies import Replies
from assistant.call.session import Session
from assistant.call.tools import ToolRun, ToolRuns
from assistant.call.transcript import WORDS, Transcript
from assistant.call.voice import Voice, keep

NOT_READY_MS = 5_000  # from the stream's start to a usable model, else the fallback
RETRY_MS = 1_500  # a reply that failed is asked for once more


class Conversation:
    """What the model's side of one call says, and what is done about it.

    voice, session, ending, floor, keypad, parking, parting: the parts that have to do with the line as well.
    """

    def __init__(self, plan: CallPlan) -> None:
        self._plan = plan
        self._transcript = Transcript(transcribes=plan.transcribes)
        self.voice = Voice(self._transcript, Disclosure(plan.disclosure), plan.notice_ends_ms)
        self._opening = Opening(plan, self._transcript, self.voice)
        self._notice = Notice(self.voice)
        self._replies = Replies()
        self._tools = ToolRuns()
        self.ending = Ending(plan, self._replies, self.voice)
        self.session = Session(self._transcript, self.voice, self._replies, self._tools)
        self.floor = Floor(self._replies, self._tools, self.ending, self.session)
        self.keypad = Keypad(plan, self.floor, self.ending, self.session, self._tools)
        self.parting = Parting(self._transcript, self.voice)
        self.parking = Parking(
            plan,
            self.floor,
            self.voice,
            self.session,
            self.ending,
            self._replies,
            self._tools,
            self._transcript,
        )
        self._spoke = False  # the active response has sounded

    # --- from the line ---

    def begin(self) -> list[Command]:
        """The phone's stream has begun: the model is given its time, and the kept opening goes out."""
        return [
            StartTimer("not_ready", self.floor.now_ms + NOT_READY_MS),
            *self.voice.began(self.floor.now_ms),
            *self._opening.begin(self.floor.now_ms),
        ]

    def handle(self, event: ev.Event) -> list[Command]:
        """The model's side says something; it happens now, or when the notice is out."""
        if type(event) not in _HANDLERS:
            return []
        if isinstance(event, ev.ModelLost):
            return self._model_lost(event)
        waiting = self._notice.hold(event, self.floor.now_ms)
        return self._happens(event) if waiting is None else waiting

    def _happens(self, event: ev.Event) -> list[Command]:
        if not isinstance(event, ev.ModelReady):  # it has heard nothing yet
            self.session.hearing.understood(event.at_ms)
        return _HANDLERS[type(event)](self, event)

    def _notice_is_out(self) -> list[Command]:
        """What the model has said meanwhile happens now."""
        return [command for event in self._notice.take() for command in self._happens(event)]

    def take_note(self) -> list[Command]:
        """What the model has said meanwhile will not happen; who spoke, and the words, still count."""
        commands: list[Command] = []
        for event in self._notice.take():
            self.session.hearing.understood(event.at_ms)
            match event:
                case ev.SpeechStarted(item_id):
                    self._transcript.caller_began(item_id, event.at_ms)
                    self.floor.caller_speaking = True
                case ev.SpeechStopped():
                    self._transcript.take(event)
                    self.floor.caller_speaking = False
                    self.session.owe()
                case ev.CallerCommitted() | ev.CallerTranscribed() | ev.TranscriptionFailed():
                    commands += self._words(event)
        return commands

    def timer_fired(self, timer: str) -> list[Command]:
        """One of the timers that are set here, or by the parts for us."""
        match timer:
            case "not_ready" | "reconnect":
                return self._fall_back("the assistant was not ready in time")
            case "reply_due":
                return self._still_due()
            case "retry":
                return self.floor.ask_again()
            case "owed":
                return self._pay_owed()
            case "silence":
                return self.floor.silent()
            case timer if timer == NOTICE:
                return self._notice.still_sounding(self.floor.now_ms) or self._notice_is_out()
        return []

    def time_up(self) -> list[Command]:
        """The call has lasted as long as it may: whatever is being said is cut short for the goodbye."""
        says_goodbye = self.ending.time_up()
        commands = self._notice_is_out()
        if not says_goodbye or not self.session.ready:
            return commands  # a new session says it first of all; without one the caller comes to the tone
        barge_in, cut_off = self.voice.cut(self.floor.now_ms)
        commands += [*barge_in, *self._opening.interrupted()]
        self._replies.stale |= cut_off
        if self._replies.active:
            self._replies.cut()
            commands.append(do.CancelReply())
        commands += [StopTimer("silence"), *self.ending.say_goodbye(self.floor.now_ms)]
        return self.floor.with_due(commands)

    def caller_is_back(self) -> list[Command]:
        """The owner was rung in vain: whoever speaks first, it is the assistant."""
        parking = self.parking
        commands = parking.back()
        if parking.hopeless:
            return commands + self._fall_back()
        commands += self.keypad.caller_is_back()
        if parking.ready:
            self.session.owe_news(NOT_REACHED)
            ready, parking.ready = parking.ready, None
            return commands + self._model_ready(ready)
        if not self.session.ready:
            commands += self.session.reconnect(self.floor.now_ms)
            self.session.owe_news(NOT_REACHED)
            return commands
        if self.ending.because:
            return commands + self.floor.with_due(self.ending.say_goodbye(self.floor.now_ms))
        return [*commands, *self._ask_for_notice(cut_off=True), *self.floor.tell(NOT_REACHED)]

    def caller_is_away(self) -> list[Command]:
        """The owner is rung: nobody is there to be spoken with, until it is known what came of it."""
        return [*self.keypad.caller_is_away(), *self.take_note()]

    def greeting_was_cut(self) -> list[Command]:
        """The caller was taken away from the opening: the model learns how far it was heard."""
        return self._opening.interrupted() if self.session.ready else []

    def leave(self, because: str, code: int, reason: str) -> list[Command]:
        """Close the line without a hang-up: the caller comes to the apology and the tone.

        Why it was decided to end the call stays the reason, not what followed from it.
        """
        said = [*self.keypad.line_over(), *self.take_note()]
        decided = self.ending.because if self.ending.hanging_up else None
        return said + self.parting.leave(decided or because, code, reason, self.floor.now_ms)

    def wait_for_words(self) -> list[Command]:
        """The caller is gone; their last words may still come, if there is a session to understand them."""
        if not self.session.ready:
            return self.parting.give_up(self.floor.now_ms)
        return self.parting.wait_for_words(
            self.floor.now_ms, speaking=self.floor.caller_speaking, replying=self._replies.active is not None
        )

    # --- the caller speaks ---

    def _speech_started(self, event: ev.SpeechStarted) -> list[Command]:
        self._transcript.caller_began(event.item_id, event.at_ms)
        self.floor.caller_speaking = True
        self.session.owed = None
        self.voice.answer_due(None)
        if self.ending.final:
            return []
        timers = ("silence", "owed", "retry", "reply_due")
        self._replies.caller_began()
        self._tools.caller_began()
        barge_in, cut_off = self.voice.cut(self.floor.now_ms)
        self._replies.stale |= cut_off
        commands = [*map(StopTimer, timers), *self.ending.caller_began()]
        ask_again = self._ask_for_notice(cut_off=bool(barge_in))
        return [*barge_in, *self._opening.interrupted(), *commands, *ask_again]

    def _ask_for_notice(self, *, cut_off: bool) -> list[Command]:
        """A disclosure that was not heard is asked for again: before it is, nothing is recorded."""
        note = self.voice.disclosure.ask_again(cut_off=cut_off)
        return [do.TellModel(note)] if note else []

    def _speech_stopped(self, event: ev.SpeechStopped) -> list[Command]:
        self._transcript.take(event)
        self.floor.caller_speaking = False
        if self.ending.final:
            return []
        self.voice.answer_due(event.at_ms)
        self._replies.caller_stopped()
        return self.floor.reply_is_due()

    def _words(self, event: ev.Event) -> list[Command]:
        return keep(self._transcript.take(event))

    # --- the model replies ---

    def _still_due(self) -> list[Command]:
        # What waits for the end of the notice may be a sign of life.
        seen_ms = self.floor.now_ms if self._notice.sounding else self.floor.reply_seen_ms
        in_time = self.floor.in_time(seen_ms)
        if in_time or not self._replies.busy:
            return in_time
        return self._model_lost(ev.ModelLost("a reply was due and never came", at_ms=self.floor.now_ms))

    def _reply_started(self, event: ev.ReplyStarted) -> list[Command]:
        self._replies.started(event.response_id)
        self._spoke = False
        self.session.owed = None
        ours = self._replies.running
        if ours is not None and self._plan.opening and ours.say == self._plan.opening:
            self._opening.asked_of(event.response_id)
        commands = [*self.floor.reply_is_due(), StopTimer("owed"), *self.floor.cancel_if_unwanted()]
        return commands + self.floor.take_up()

    def _reply_audio(self, event: ev.ReplyAudio) -> list[Command]:
        self.floor.reply_seen_ms = self.floor.now_ms
        self._opening.listen(event)
        if event.response_id in self._replies.stale:
            self.voice.drop(event)
            return []
        self._spoke = True
        self.floor.reply_sounds()
        return self.voice.speak(event, self.floor.now_ms)

    def _reply_audio_done(self, event: ev.ReplyAudioDone) -> list[Command]:
        self.floor.reply_seen_ms = self.floor.now_ms
        return self.voice.sound_done(event.item_id, self.floor.now_ms)

    def _reply_done(self, event: ev.ReplyDone) -> list[Command]:
        overtaken = event.response_id in self._replies.stale
        waiting = self._replies.done(event)
        failed = event.status == "failed"
        over = self.voice.reply_over(event.response_id, self.floor.now_ms, failed=failed)
        commands = [*over, *waiting]
        commands += self._opening.reply_over(event)
        if event.status == "completed":
            self.floor.reply_sounds()
        commands += self.floor.reply_is_due() if self._replies.due else [StopTimer("reply_due")]
        if failed:
            return commands + self._reply_failed(event, overtaken=overtaken)
        overtaken |= self.floor.caller_speaking
        commands += self._tools.run(event.tool_calls, spoke=self._spoke, overtaken=overtaken)
        return commands + self.ending.reply_over(self.floor.now_ms) + self.floor.settle()

    def _reply_failed(self, event: ev.ReplyDone, *, overtaken: bool) -> list[Command]:
        if overtaken and not event.fatal:
            return []
        if event.fatal or not self._replies.may_retry():
            return self.ending.hang_up(self.floor.now_ms) if self.ending.parted else self._fall_back()
        return [StartTimer("retry", self.floor.now_ms + RETRY_MS)]

    def _reply_refused(self, event: ev.ReplyRefused) -> list[Command]:
        self._replies.refused(event.event_id)
        if self._replies.running is None:
            self.voice.opening(None)
        return [*self.floor.reply_is_due(), *self.floor.cancel_if_unwanted()]

    # --- tools ---

    def tool_finished(self, event: ev.ToolFinished) -> list[Command]:
        """A tool that the model has called has an answer, and perhaps a wish for the call."""
        run = self._tools.at_work(event.tool_call_id)
        if run is None:
            return []  # it has been answered
        if not self.session.ready:
            return self._put_off(event, run)
        return self._spoken_about([*self._tools.finished(event), *self._wish_for(event, run)])

    def tool_confirmed(self, event: ev.ToolConfirmed) -> list[Command]:
        """A tool that had asked the caller for a key has got it, and an answer."""
        if not self._tools.awaits(event):
            return []
        if self.session.ready:
            return self._spoken_about(self._tools.report(event))
        self._tools.put_off(event)
        return self._owed_after([])

    def _spoken_about(self, answers: list[Command]) -> list[Command]:
        if not (self._tools.running or self.floor.caller_speaking or self.ending.wished):
            # One response for the whole batch. A speaking caller will be answered anyway.
            answers += self.floor.ask()
        return answers + self.floor.settle()

    def _put_off(self, event: ev.ToolFinished, run: ToolRun) -> list[Command]:
        self._tools.put_off(event)
        return self._owed_after(self._wish_for(event, run))

    def _owed_after(self, commands: list[Command]) -> list[Command]:
        if not (self._tools.running or self.ending.wished):
            self.session.owe()
        return commands

    def _wish_for(self, event: ev.ToolFinished, run: ToolRun) -> list[Command]:
        """A hang-up that the caller has meanwhile talked over is not wanted any more."""
        if event.then is None:
            return []
        if isinstance(event.then, ev.ThenConfirm):
            return self.keypad.ask_for(event.then.key, event.tool_call_id)
        if run.overtaken and isinstance(event.then, ev.ThenHangUp):
            return [WENT_ON] if self.session.ready else []
        return self.ending.wish(event.then, spoke=run.spoke, at_ms=self.floor.now_ms)

    # --- the model's session ---

    def _model_ready(self, event: ev.ModelReady) -> list[Command]:
        self.session.ready = True
        commands: list[Command] = [StopTimer("not_ready"), StopTimer("reconnect")]
        if self.session.goes_on:
            return commands + self._resume()
        # The opening is told or asked for before the caller's early sound is handed on: it comes first.
        if self._opening.kept:
            commands += self._opening.tell()
        else:
            commands += self.floor.ask(self._plan.opening, "" if self._plan.opening else self._plan.greet_ask)
        commands += [*self.session.level(), *self.session.hearing.flush()]
        if news := self.session.tell_news():
            notice = self._ask_for_notice(cut_off=True) if self._opening.kept else []
            commands += [*notice, *news, *self.floor.ask()]
        return [*commands, *self.floor.take_up(), *self.floor.settle()]

    def _resume(self) -> list[Command]:
        answers_by_itself = self.session.hearing.repeats
        reminder = self._opening.tell() if self._opening.is_all_that_was_said else self.session.remind()
        commands = [*reminder, *self.session.resume(self.floor.now_ms)]
        if self.ending.because:
            return commands + self.floor.with_due(self.ending.say_goodbye(self.floor.now_ms))
        still_heard = self.voice.notice_remaining_ms(self.floor.now_ms) > 0
        if not still_heard and (self.session.owed is None or not self.session.owed.say):
            commands += self._ask_for_notice(cut_off=True)
        return commands if answers_by_itself else commands + self._pay_owed()

    def _pay_owed(self) -> list[Command]:
        owed = self.session.take_owed()
        commands = self.floor.ask(owed.say, owed.ask) if owed is not None else []
        return [*commands, *self.floor.take_up()] or self.floor.settle()

    def _model_lost(self, event: ev.ModelLost) -> list[Command]:
        self._opening.session_lost()
        if self.ending.needs_no_model:
            return self.take_note() + self.session.lost(self.floor.now_ms)
        if event.fatal or not self.session.may_reconnect:
            return self._fall_back()
        # An answer that waited for the end of the notice is lost with the session: another is owed.
        said = self.take_note()
        owed = self.session.owed is not None and not self.floor.caller_speaking
        self.floor.caller_speaking = False
        commands = [*said, *self.session.reconnect(self.floor.now_ms)]
        if owed:
            self.session.owe()
        return commands

    def _fall_back(self, reason: str = "the assistant has failed") -> list[Command]:
        """No way back to a model: the caller comes to the apology and the tone."""
        return self.leave("model_failed", 1011, reason)


_HANDLERS: dict[type[ev.Event], Callable[[Conversation, Any], list[Command]]] = {
    ev.ModelReady: Conversation._model_ready,
    ev.SpeechStarted: Conversation._speech_started,
    ev.SpeechStopped: Conversation._speech_stopped,
    ev.ReplyStarted: Conversation._reply_started,
    ev.ReplyAudio: Conversation._reply_audio,
    ev.ReplyAudioDone: Conversation._reply_audio_done,
    ev.ReplyDone: Conversation._reply_done,
    ev.ReplyRefused: Conversation._reply_refused,
    ev.ModelLost: Conversation._model_lost,
    **dict.fromkeys(WORDS, Conversation._words),
}
