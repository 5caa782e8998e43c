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
    OwnerSays, OwnerEnds       -> the owner steps in: something is said for them, or the call is ended
    transfer_to_owner,
    OwnerRings                 -> the owner's phone is rung in place of the stream; the call is parked, and
                                  goes on with a new stream (CallerBack) when nobody takes it
    ModelLost                  -> one reconnect with the conversation so far, or else the fallback:
                                  the phone's socket is closed and the caller comes to the tone
    CallerGone                 -> late words are waited for, then the call is over

It owns no socket, thread or clock. Here are the line and the end; what the model's side says is for
`conversation`. Of the parts that both share, `floor` knows whose turn it is, `replies` who may ask the model
to speak, `voice` what was heard, `transcript` who said what, `tools` which tools run, `keypad` what a key
means, `pin` what nobody may hear of it, `consent` which tool waits for one, `ending` how we say goodbye,
`session` what a new model session must be told, `opening` what is said first, `notice` what may not be cut
off, `parking` what happens while the owner's phone rings, and `parting` what comes after the caller is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.commands import Command, StartTimer, StopTimer
from assistant.call.conversation import Conversation
from assistant.call.ending import WENT_ON
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
        self._parking = conversation.parking
        self._parting = conversation.parting
        self._limit_at_ms = 0

    @property
    def parked(self) -> bool:
        """The caller is away, and may come back on a new stream."""
        return self._parking.parked and not (self._parting.caller_gone or self._parting.over)

    @property
    def ringing_owner(self) -> bool:
        """The owner's phone is ringing, or about to."""
        return self._ending.transferring and not self._parting.over

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
        if self._parking.parked:
            handler = _PARKED.get(type(event))
            return handler(self, event) if handler else self._parking.handle(event)
        if handler := _HANDLERS.get(type(event)):
            return handler(self, event)
        return self._conversation.handle(event)

    # --- the line ---

    def _call_started(self, event: ev.CallStarted) -> list[Command]:
        self._limit_at_ms = event.at_ms + self._plan.max_call_ms
        return [StartTimer("limit", self._limit_at_ms), *self._conversation.begin()]

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

    # --- the owner ---

    def _owner_says(self, event: ev.OwnerSays) -> list[Command]:
        if not event.ask:
            return self._floor.run_for_owner(say=event.text)
        return self._floor.run_for_owner(ask=self._plan.ask_for_owner(event.text))

    def _owner_rings(self, event: ev.OwnerRings) -> list[Command]:
        commands = self._ending.owner_rings(self._floor.now_ms)
        return [command for command in commands if self._session.ready or command != WENT_ON]

    def _owner_ends(self, event: ev.OwnerEnds) -> list[Command]:
        if event.voicemail:
            return self._conversation.leave("owner_ended", 1000, "the owner sends the caller to the tone")
        return self._ending.owner_hangs_up(self._floor.now_ms)

    def _transfer_failed(self, event: ev.TransferFailed) -> list[Command]:
        if not self._ending.transferring:
            return []
        self._ending.not_transferred()
        if self._floor.now_ms >= self._limit_at_ms:
            return [StopTimer("transfer"), *self._conversation.time_up()]
        was_told = self._ending.transferred_by == "transferred"  # else the caller has not heard of it
        stop = StopTimer("transfer")
        if not was_told:
            return [stop, *self._floor.settle()]
        note = "The owner's phone could not be rung. Tell the caller, and offer to take a message."
        if not self._session.ready:
            self._session.owe_news(note)
            return [stop]
        return [stop, *self._floor.tell(note)]

    # --- while the owner's phone rings ---

    def _caller_back(self, event: ev.CallerBack) -> list[Command]:
        commands = self._conversation.caller_is_back()
        self._limit_at_ms = self._parking.limit_at_ms
        return commands

    def _owner_picked_up(self, event: ev.OwnerPickedUp) -> list[Command]:
        return self._parking.picked_up()

    def _owner_accepted(self, event: ev.OwnerAccepted) -> list[Command]:
        return self._left(self._ending.transferred_by)

    def _away_for_good(self, event: ev.CallOver) -> list[Command]:
        return self._left("caller_hung_up")

    def _hang_up_parked(self, event: ev.OwnerEnds) -> list[Command]:
        # The telephone company says when it is over. (A tone would need a stream to come back to first.)
        return [] if event.voicemail else self._ending.owner_hangs_up(self._floor.now_ms)

    def _shut_down_parked(self, event: ev.ShutDown) -> list[Command]:
        left = self._parting.caller_left(self._ending.decided or "shut_down", self._floor.now_ms)
        return [*left, *self._parting.give_up(self._floor.now_ms)]

    def _parked_timer(self, event: ev.TimerFired) -> list[Command]:
        return self._left("line_lost") if event.timer in ("parked", "hung_up") else []

    def _left(self, because: str) -> list[Command]:
        """The caller will not come back to the assistant."""
        left = self._parting.caller_left(self._ending.decided or because, self._floor.now_ms)
        return [*left, *self._conversation.wait_for_words()]

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
                # Whoever is about to be put through is not said goodbye to first.
                return [] if self._ending.transferring else self._conversation.time_up()
            case "wish":
                return self._ending.wish_overdue(self._floor.now_ms)
            case "closing":
                return self._ending.hang_up(self._floor.now_ms)
            case "transfer":
                return self._transfer_failed(ev.TransferFailed(at_ms=self._floor.now_ms))
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
        if self._ending.transferring and not self._ending.hanging_up:
            # That is how a stream ends whose call is given another document.
            return [*self._conversation.caller_is_away(), *self._park()]
        return self._gone(hung_up=event.hung_up)

    def _park(self) -> list[Command]:
        return [*self._parking.park(self._limit_at_ms), *self._conversation.greeting_was_cut()]

    def _call_over(self, event: ev.CallOver) -> list[Command]:
        return self._gone(hung_up=True)

    def _gone(self, *, hung_up: bool) -> list[Command]:
        said = [*self._keypad.line_over(), *self._conversation.take_note()]
        because = self._ending.decided or ("caller_hung_up" if hung_up else "line_lost")
        left = self._parting.caller_left(because, self._floor.now_ms)
        return [*said, *left, *self._conversation.wait_for_words()]


_HANDLERS: dict[type[ev.Event], Callable[[Call, Any], list[Command]]] = {
    ev.CallStarted: Call._call_started,
    ev.CallerAudio: Call._caller_audio,
    ev.CallerPressed: Call._caller_pressed,
    ev.MarkReturned: Call._mark_returned,
    ev.CallerGone: Call._caller_gone,
    ev.CallOver: Call._call_over,
    ev.OwnerSays: Call._owner_says,
    ev.OwnerRings: Call._owner_rings,
    ev.OwnerEnds: Call._owner_ends,
    ev.PinChecked: Call._pin_checked,
    ev.ToolFinished: Call._tool_finished,
    ev.ToolConfirmed: Call._tool_confirmed,
    ev.TransferFailed: Call._transfer_failed,
    ev.TimerFired: Call._timer_fired,
    ev.HangUpFailed: Call._hang_up_failed,
    ev.ShutDown: Call._shut_down,
}

_PARKED: dict[type[ev.Event], Callable[[Call, Any], list[Command]]] = {
    ev.CallerBack: Call._caller_back,
    ev.CallOver: Call._away_for_good,
    ev.OwnerPickedUp: Call._owner_picked_up,
    ev.OwnerAccepted: Call._owner_accepted,
    ev.OwnerSays: Call._owner_says,
    ev.OwnerEnds: Call._hang_up_parked,
    ev.ShutDown: Call._shut_down_parked,
    ev.TimerFired: Call._parked_timer,
}
