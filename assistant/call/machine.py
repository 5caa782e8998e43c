"""One phone call without I/O: give it events, carry out what it returns.

The path of a call through this machine:

    CallStarted                -> the opening is heard at once, where its sound is kept
    ModelReady                 -> else it is asked for
    ReplyAudio                 -> played, with marks that tell how much was heard
    SpeechStarted              -> barge-in: clear, and tell the model what was heard
    SpeechStopped              -> the model answers by itself; its answer is due
    ReplyDone with tool calls  -> tools run beside the call; the batch is answered by one response
    CallerPressed              -> told to the model; or, on a call that shows the owner's number, only ever
                                  the PIN; or, if it stays alone, the yes a tool has asked for
    end_call, silence, limit   -> a goodbye, heard to its end, then the hang-up
    ModelLost                  -> one reconnect with the conversation so far, or else the fallback:
                                  the phone's socket is closed and the caller comes to the tone
    CallerGone                 -> late words are waited for, then the call is over

It owns no socket, thread or clock. Here are the line and the end; what the model's side says is for
`conversation`. Of the parts that both share, `floor` knows whose turn it is, `replies` who may ask the model
to speak, `voice` what was heard, `transcript` who said what, `tools` which tools run, `keypad` what a key
means, `pin` what nobody may hear of it, `consent` which tool waits for one, `ending` how we say goodbye,
`session` what a new model session must be told, `opening` what is said first, `notice` what may not be cut
off, and `parting` what comes after the caller is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.commands import Command, StartTimer
from assistant.call.conversation import Conversation
from assistant.call.plan import CallPlan


class Call:
    """One phone call."""

    def __init__(self, plan: CallPlan) -> None:
        self._plan = plan
        self._conversation = conversation = Conversation(plan)
        self._floor = conversation.floor
        self._voice = conversation.voice
        self._session = conversation.session
        self._ending = conversation.ending
        self._keypad = conversation.keypad
        self._pin = conversation.keypad.pin
        self._parting = conversation.parting

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
        floor = self._floor
        if event.at_ms > floor.now_ms:
            floor.now_ms = event.at_ms
        if self._parting.over:
            return []
        if self._parting.caller_gone:
            return self._parting.handle(event)
        if handler := _HANDLERS.get(type(event)):
            return handler(self, event)
        return self._conversation.handle(event)

    # --- the line ---

    def _call_started(self, event: ev.CallStarted) -> list[Command]:
        limit = StartTimer("limit", event.at_ms + self._plan.max_call_ms)
        return [limit, *self._conversation.begin()]

    def _caller_audio(self, event: ev.CallerAudio) -> list[Command]:
        if self._pin.hushed:
            event = self._pin.without_tones(event)
        self._session.hearing.keep(event)
        recorded = self._voice.hear(event)
        return [do.HearCaller(event.payload), *recorded] if self._session.ready else recorded

    def _mark_returned(self, event: ev.MarkReturned) -> list[Command]:
        was_idle = self._voice.idle
        commands = self._voice.mark_returned(event)
        return commands + (self._floor.settle() if self._voice.idle and not was_idle else [])

    def _transfer_failed(self, event: ev.TransferFailed) -> list[Command]:
        self._ending.transfer_failed()
        note = "The owner's phone could not be rung. Tell the caller, and offer to take a message."
        return self._floor.tell(note) if self._session.ready else []

    # --- keys ---

    def _caller_pressed(self, event: ev.CallerPressed) -> list[Command]:
        return self._keypad.pressed(event)

    def _pin_checked(self, event: ev.PinChecked) -> list[Command]:
        return self._keypad.pin_checked(event)

    # --- tools ---

    def _tool_finished(self, event: ev.ToolFinished) -> list[Command]:
        return self._conversation.tool_finished(event)

    def _tool_confirmed(self, event: ev.ToolConfirmed) -> list[Command]:
        return self._conversation.tool_confirmed(event)

    # --- timers ---

    def _timer_fired(self, event: ev.TimerFired) -> list[Command]:
        match event.timer:
            case "keys" | "pin" | "yes" | "asked":
                return self._keypad.timer_fired(event.timer)
            case "limit":
                return self._conversation.time_up()
            case "wish":
                return self._ending.wish_overdue(self._floor.now_ms)
            case "closing":
                return self._ending.hang_up(self._floor.now_ms)
            case "hung_up":
                reason = "the hang-up was not followed by an end"
                return self._conversation.leave("assistant_ended", 1000, reason)
        return self._conversation.timer_fired(event.timer)

    # --- the end ---

    def _shut_down(self, event: ev.ShutDown) -> list[Command]:
        return self._conversation.leave("shut_down", 1001, "going away")

    def _hang_up_failed(self, event: ev.HangUpFailed) -> list[Command]:
        """The apology is the lesser evil than a line that stays open."""
        return self._conversation.leave("assistant_ended", 1000, "could not hang up")

    def _caller_gone(self, event: ev.CallerGone) -> list[Command]:
        said = [*self._keypad.line_over(), *self._conversation.take_note()]
        because = self._ending.decided or ("caller_hung_up" if event.hung_up else "line_lost")
        left = self._parting.caller_left(because, self._floor.now_ms)
        return [*said, *left, *self._conversation.wait_for_words()]


_HANDLERS: dict[type[ev.Event], Callable[[Call, Any], list[Command]]] = {
    ev.CallStarted: Call._call_started,
    ev.CallerAudio: Call._caller_audio,
    ev.CallerPressed: Call._caller_pressed,
    ev.MarkReturned: Call._mark_returned,
    ev.CallerGone: Call._caller_gone,
    ev.PinChecked: Call._pin_checked,
    ev.ToolFinished: Call._tool_finished,
    ev.ToolConfirmed: Call._tool_confirmed,
    ev.TransferFailed: Call._transfer_failed,
    ev.TimerFired: Call._timer_fired,
    ev.HangUpFailed: Call._hang_up_failed,
    ev.ShutDown: Call._shut_down,
}
