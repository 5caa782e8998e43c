"""One phone call without I/O: give it events, carry out what it returns.

The path of a call through this machine:

    CallStarted, ModelReady    -> the opening is asked for
    ReplyAudio                 -> played, with marks that tell how much was heard
    SpeechStarted              -> barge-in: clear, and tell the model what was heard
    SpeechStopped              -> the model answers by itself; its answer is due
    ReplyDone with tool calls  -> tools run beside the loop; the batch is answered by one response
    end_call, silence, limit   -> a goodbye, heard to its end, then the hang-up
    ModelLost                  -> one reconnect with the conversation so far, or else the fallback:
                                  the phone's socket is closed and the caller comes to the tone
    CallerGone                 -> late words are waited for, then the call is over

It owns no socket, thread or clock. `replies` knows who may ask the model to speak, `voice` what was
heard, `transcript` who said what, `tools` which tools run, `ending` how we say goodbye, and `session`
what a new model session must be told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.commands import Command, StartTimer, StopTimer
from assistant.call.disclosure import Disclosure
from assistant.call.ending import Ending
from assistant.call.hearing import Hearing
from assistant.call.plan import CallPlan
from assistant.call.replies import Replies
from assistant.call.tools import ToolRuns
from assistant.call.transcript import Transcript
from assistant.call.voice import Voice, keep

NOT_READY_MS = 5_000  # from the stream's start to a usable model, else the fallback
RECONNECT_MS = 2_000  # from the loss to a usable model, else the fallback
REPLY_DUE_MS = 8_000  # a reply that is due and says nothing for so long: the model is lost
RETRY_MS = 1_500  # a reply that failed is asked for once more
WORDS_MS = 4_000  # late words are waited for so long once the caller is gone
COMMIT_MS = 800  # the caller's last, unfinished words become an item within this
OWED_MS = 1_500  # a new session answers what it heard again by itself within this
KEYS_MS = 2_000  # keys pressed within this of each other are one number


class Call:
    """One phone call.

    `ended`: nothing more will happen. `ended_because`: why the assistant's part ended, in the contract's
    words, once it is known. `caller_gone`: the phone's side is over.
    """

    def __init__(self, plan: CallPlan) -> None:
        self.ended = False
        self.ended_because: str | None = None
        self.caller_gone = False
        self._plan = plan
        self._now_ms = 0
        self._ready = False
        self._caller_speaking = False
        self._transcript = Transcript()
        self._voice = Voice(self._transcript, Disclosure(plan.disclosure))
        self._replies = Replies()
        self._tools = ToolRuns()
        self._ending = Ending(plan, self._replies, self._voice)
        self._hearing = Hearing()
        self._reconnected = False
        self._owed: do.CreateReply | None = None  # a reply the lost session did not give
        self._reply_seen_ms = 0
        self._spoke = False  # the active response has sounded
        self._keys = ""

    def handle(self, event: ev.Event) -> list[Command]:
        """Take one event; return what must now be done, in order."""
        self._now_ms = max(self._now_ms, event.at_ms)
        if self.ended:
            return []
        handler = _PHONE_GONE if self.caller_gone else _HANDLERS
        return handler[type(event)](self, event) if type(event) in handler else []

    # --- the phone ---

    def _call_started(self, event: ev.CallStarted) -> list[Command]:
        return [
            StartTimer("not_ready", event.at_ms + NOT_READY_MS),
            StartTimer("limit", event.at_ms + self._plan.max_call_ms),
        ]

    def _caller_audio(self, event: ev.CallerAudio) -> list[Command]:
        self._hearing.keep(event)
        recorded = self._voice.hear(event)
        return [do.HearCaller(event.payload), *recorded] if self._ready else recorded

    def _caller_pressed(self, event: ev.CallerPressed) -> list[Command]:
        self._keys += event.digit
        self._ending.present()
        return [StopTimer("silence"), StartTimer("keys", event.at_ms + KEYS_MS)]

    def _keys_complete(self) -> list[Command]:
        if not self._ready:
            return [StartTimer("keys", self._now_ms + KEYS_MS)]
        keys, self._keys = self._keys, ""
        note = do.TellModel(f"The caller pressed these keys of the keypad: {' '.join(keys)}")
        return [note, *([] if self._caller_speaking else self._ask())]

    def _mark_returned(self, event: ev.MarkReturned) -> list[Command]:
        was_idle = self._voice.idle
        commands = self._voice.mark_returned(event)
        return commands + (self._settle() if self._voice.idle and not was_idle else [])

    def _settle(self) -> list[Command]:
        if not self._ready:
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
        self._owed = None
        self._voice.answer_due(None)
        commands: list[Command] = [StopTimer("silence"), StopTimer("owed")]
        if self._ending.final:
            return commands
        self._replies.caller_began()
        self._tools.caller_began()
        barge_in, cut_off = self._voice.cut(self._now_ms)
        self._replies.stale |= cut_off
        notice = self._notice() if barge_in else []
        return [*barge_in, *commands, StopTimer("reply_due"), *self._ending.caller_began(), *notice]

    def _notice(self) -> list[Command]:
        """A disclosure that was cut off is asked for again: before it is heard nothing is recorded."""
        disclosure = self._voice.disclosure
        if disclosure.heard:
            return []
        return [
            do.TellModel(
                "The caller has not heard the notice yet. Begin your next reply with exactly this "
                f'sentence: "{disclosure.text}"'
            )
        ]

    def _speech_stopped(self, event: ev.SpeechStopped) -> list[Command]:
        self._transcript.caller_stopped(event.item_id, event.at_ms)
        self._caller_speaking = False
        if self._ending.final:
            return []
        self._voice.answer_due(event.at_ms)
        self._replies.caller_stopped()
        return self._reply_is_due()

    def _caller_committed(self, event: ev.CallerCommitted) -> list[Command]:
        turns = self._transcript.place(event.item_id, event.previous_item_id, "caller")
        if not self._plan.transcribes:
            turns += self._transcript.caller_words(event.item_id, "", self._now_ms)
        return keep(turns)

    def _item_added(self, event: ev.ItemAdded) -> list[Command]:
        return keep(self._transcript.place(event.item_id, event.previous_item_id, event.kind))

    def _caller_transcribed(self, event: ev.CallerTranscribed) -> list[Command]:
        return keep(self._transcript.caller_words(event.item_id, event.text, self._now_ms))

    def _transcription_failed(self, event: ev.TranscriptionFailed) -> list[Command]:
        return keep(self._transcript.caller_words(event.item_id, "", self._now_ms))

    # --- the model replies ---

    def _reply_is_due(self) -> list[Command]:
        self._reply_seen_ms = self._now_ms
        return [StopTimer("silence"), StartTimer("reply_due", self._now_ms + REPLY_DUE_MS)]

    def _reply_started(self, event: ev.ReplyStarted) -> list[Command]:
        self._replies.started(event.response_id)
        self._spoke = False
        self._owed = None
        commands = [*self._reply_is_due(), StopTimer("owed")]
        if self._caller_speaking and not self._ending.final:
            # Asked for before we knew that the caller speaks; it would talk over them.
            self._replies.cut()
            commands.append(do.CancelReply())
        return commands

    def _reply_audio(self, event: ev.ReplyAudio) -> list[Command]:
        self._reply_seen_ms = self._now_ms
        if event.response_id in self._replies.stale:
            self._voice.drop(event)
            return []
        self._spoke = True
        return self._voice.speak(event)

    def _reply_audio_done(self, event: ev.ReplyAudioDone) -> list[Command]:
        self._reply_seen_ms = self._now_ms
        return self._voice.sound_done(event.item_id, self._now_ms)

    def _reply_words(self, event: ev.ReplyWords) -> list[Command]:
        self._reply_seen_ms = self._now_ms
        self._transcript.reply_words(event.item_id, event.delta)
        return []

    def _reply_text(self, event: ev.ReplyText) -> list[Command]:
        return keep(self._transcript.reply_text(event.item_id, event.text))

    def _reply_done(self, event: ev.ReplyDone) -> list[Command]:
        waiting = self._replies.done(event)
        commands = [*self._voice.reply_over(event.response_id, self._now_ms), *waiting]
        commands += self._reply_is_due() if self._replies.due else [StopTimer("reply_due")]
        if event.status == "failed":
            return commands + self._reply_failed(event)
        commands += self._tools.run(event.tool_calls, spoke=self._spoke)
        return commands + self._ending.reply_over(self._now_ms) + self._settle()

    def _reply_failed(self, event: ev.ReplyDone) -> list[Command]:
        if event.fatal or not self._replies.may_retry():
            return self._fall_back()
        return [StartTimer("retry", self._now_ms + RETRY_MS)]

    def _reply_refused(self, event: ev.ReplyRefused) -> list[Command]:
        self._replies.refused(event.event_id)
        return self._reply_is_due()

    # --- tools ---

    def _tool_finished(self, event: ev.ToolFinished) -> list[Command]:
        commands = self._wish_for(event)
        if not self._ready:
            self._tools.put_off(event)
            self._owed = self._owed or do.CreateReply("")
            return commands
        commands += self._tools.finished(event)
        if not (self._tools.running or self._caller_speaking or self._ending.wished):
            # One response for the whole batch. A speaking caller will be answered anyway.
            commands += self._ask()
        return commands + self._settle()

    def _wish_for(self, event: ev.ToolFinished) -> list[Command]:
        """A hang-up that the caller has meanwhile talked over is not wanted any more."""
        overtaken = self._tools.overtaken(event.tool_call_id)
        if event.then is None or (overtaken and isinstance(event.then, ev.ThenHangUp)):
            return []
        spoke = self._tools.spoke(event.tool_call_id)
        return self._ending.wish(event.then, spoke=spoke, at_ms=self._now_ms)

    # --- the model's session ---

    def _model_ready(self, event: ev.ModelReady) -> list[Command]:
        self._ready = True
        commands: list[Command] = [StopTimer("not_ready"), StopTimer("reconnect")]
        if self._transcript.epoch and self._transcript.turns():
            return commands + self._resume()
        # The opening is asked for before the caller's early sound is handed on: it comes first.
        opening = self._ask(self._plan.opening, "" if self._plan.opening else self._plan.greet_ask)
        return commands + opening + self._hearing.flush()

    def _resume(self) -> list[Command]:
        """A new session in the middle of a call: what was said, what it must hear again, what is owed."""
        heard_again = self._hearing.repeats
        commands: list[Command] = [
            do.RemindModel(self._transcript.turns()),
            *self._tools.put_off_answers(),
            *self._hearing.flush(),
        ]
        if self._ending.because:
            return commands + self._ending.goodbye_again(self._now_ms)
        if heard_again:
            # It hears again what was not answered, and should answer by itself.
            return [*commands, StartTimer("owed", self._now_ms + OWED_MS)]
        return commands + self._pay_owed()

    def _pay_owed(self) -> list[Command]:
        owed, self._owed = self._owed, None
        return self._ask(owed.say, owed.ask) if owed is not None else self._settle()

    def _model_lost(self, event: ev.ModelLost) -> list[Command]:
        if event.fatal or self._reconnected:
            return self._fall_back()
        return self._reconnect()

    def _reconnect(self) -> list[Command]:
        """Once in a call. The phone does not notice: what is queued there plays on."""
        self._reconnected = True
        self._owed = self._replies.lost()
        self._hearing.lost(self._now_ms, self._transcript, was_ready=self._ready)
        self._ready = self._caller_speaking = False
        commands = self._voice.model_gone(self._now_ms)
        self._transcript.epoch += 1
        self._tools.epoch += 1
        return [
            do.ConnectModel(),
            StopTimer("reply_due"),
            StopTimer("silence"),
            StopTimer("retry"),
            StartTimer("reconnect", self._now_ms + RECONNECT_MS),
            *commands,
        ]

    # --- the end ---

    def _fall_back(self) -> list[Command]:
        """No way back to a model: the caller comes to the apology and the tone."""
        return self._leave("model_failed", 1011, "the assistant has failed")

    def _shut_down(self, event: ev.ShutDown) -> list[Command]:
        return self._leave("shut_down", 1001, "going away")

    def _hang_up_failed(self, event: ev.HangUpFailed) -> list[Command]:
        """The apology is the lesser evil than a line that stays open."""
        return self._leave("assistant_ended", 1000, "could not hang up")

    def _leave(self, because: str, code: int, reason: str) -> list[Command]:
        """Close the phone's stream without hanging up."""
        self._because(because)
        commands: list[Command] = [do.ClosePhone(code, reason), *self._voice.line_over(self._now_ms)]
        return commands + self._end()

    def _caller_gone(self, event: ev.CallerGone) -> list[Command]:
        self.caller_gone = True
        self._because("caller_hung_up" if event.hung_up else "line_lost")
        commands = self._voice.line_over(self._now_ms)
        if not self._ready:
            return commands + self._end()
        if self._replies.active:
            commands.append(do.CancelReply())
        if self._caller_speaking:
            # They hung up in mid-sentence: nobody else will make this an item, and its words count.
            return [*commands, do.CommitCaller(), StartTimer("words", self._now_ms + COMMIT_MS)]
        return [*commands, StartTimer("words", self._now_ms + WORDS_MS), *self._if_words_known()]

    def _stopped_at_last(self, event: ev.SpeechStopped) -> list[Command]:
        self._caller_speaking = False
        self._transcript.caller_stopped(event.item_id, event.at_ms)
        return [StartTimer("words", self._now_ms + WORDS_MS)]

    def _committed_at_last(self, event: ev.CallerCommitted) -> list[Command]:
        self._caller_speaking = False
        commands = [*self._caller_committed(event), StartTimer("words", self._now_ms + WORDS_MS)]
        return commands + self._if_words_known()

    def _last_words(self, event: ev.CallerTranscribed) -> list[Command]:
        return [*self._caller_transcribed(event), *self._if_words_known()]

    def _no_last_words(self, event: ev.TranscriptionFailed) -> list[Command]:
        return [*self._transcription_failed(event), *self._if_words_known()]

    def _nothing_committed(self, event: ev.NothingCommitted) -> list[Command]:
        self._caller_speaking = False
        return self._if_words_known()

    def _if_words_known(self) -> list[Command]:
        return [] if self._caller_speaking or self._transcript.awaiting_words() else self._end()

    def _words_overdue(self, event: ev.TimerFired) -> list[Command]:
        return self._end() if event.timer == "words" else []

    def _end_now(self, event: ev.Event) -> list[Command]:
        return self._end()

    def _because(self, because: str) -> None:
        """The first reason stays: who decided to end the call, not what followed from it."""
        if self.ended_because is None:
            self.ended_because = self._ending.because if self._ending.hanging_up else because

    def _end(self) -> list[Command]:
        """Nothing more will happen; words that have not come will not."""
        self.ended = True
        commands: list[Command] = []
        for item_id in self._transcript.awaiting_words():
            commands += keep(self._transcript.caller_words(item_id, "", self._now_ms))
        return [*commands, do.CloseModel()]

    # --- timers ---

    def _timer_fired(self, event: ev.TimerFired) -> list[Command]:
        match event.timer:
            case "not_ready" | "reconnect":
                return self._fall_back()
            case "reply_due":
                return self._still_due()
            case "retry":
                return self._retry()
            case "owed":
                return self._pay_owed()
            case "keys":
                return self._keys_complete()
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
        due_ms = self._reply_seen_ms + REPLY_DUE_MS
        if self._now_ms < due_ms:
            return [StartTimer("reply_due", due_ms)]
        if not self._replies.busy:
            return []
        return self._model_lost(ev.ModelLost("a reply was due and never came", at_ms=self._now_ms))

    def _retry(self) -> list[Command]:
        return self._with_due(self._replies.again()) if self._ready and not self._caller_speaking else []

    def _time_up(self) -> list[Command]:
        """Whatever is being said is cut short for the goodbye."""
        if not self._ready:
            return self._ending.hang_up(self._now_ms)
        commands, cut_off = self._voice.cut(self._now_ms)
        self._replies.stale |= cut_off
        if self._replies.active:
            self._replies.cut()
            commands.append(do.CancelReply())
        return commands + self._with_due(self._ending.time_up(self._now_ms))

    def _with_due(self, commands: list[Command]) -> list[Command]:
        asked = any(isinstance(command, do.CreateReply) for command in commands)
        return commands + (self._reply_is_due() if asked else [])


_HANDLERS: dict[type[ev.Event], Callable[[Call, Any], list[Command]]] = {
    ev.CallStarted: Call._call_started,
    ev.CallerAudio: Call._caller_audio,
    ev.CallerPressed: Call._caller_pressed,
    ev.MarkReturned: Call._mark_returned,
    ev.CallerGone: Call._caller_gone,
    ev.ModelReady: Call._model_ready,
    ev.ModelLost: Call._model_lost,
    ev.SpeechStarted: Call._speech_started,
    ev.SpeechStopped: Call._speech_stopped,
    ev.CallerCommitted: Call._caller_committed,
    ev.ItemAdded: Call._item_added,
    ev.CallerTranscribed: Call._caller_transcribed,
    ev.TranscriptionFailed: Call._transcription_failed,
    ev.ReplyStarted: Call._reply_started,
    ev.ReplyAudio: Call._reply_audio,
    ev.ReplyAudioDone: Call._reply_audio_done,
    ev.ReplyWords: Call._reply_words,
    ev.ReplyText: Call._reply_text,
    ev.ReplyDone: Call._reply_done,
    ev.ReplyRefused: Call._reply_refused,
    ev.ToolFinished: Call._tool_finished,
    ev.TimerFired: Call._timer_fired,
    ev.HangUpFailed: Call._hang_up_failed,
    ev.ShutDown: Call._shut_down,
}

# The caller is gone: only late words are still of interest.
_PHONE_GONE: dict[type[ev.Event], Callable[[Call, Any], list[Command]]] = {
    ev.SpeechStopped: Call._stopped_at_last,
    ev.CallerCommitted: Call._committed_at_last,
    ev.NothingCommitted: Call._nothing_committed,
    ev.ItemAdded: Call._item_added,
    ev.CallerTranscribed: Call._last_words,
    ev.TranscriptionFailed: Call._no_last_words,
    ev.ReplyText: Call._reply_text,
    ev.ModelLost: Call._end_now,
    ev.TimerFired: Call._words_overdue,
    ev.ShutDown: Call._end_now,
}
