"""One call: events into the machine, its commands out to both sockets.

Readers and tools only put events into the inbox, which has them taken care of one at a time: the machine
is asked, and what it wants is done. So nobody else writes to the phone or to the model meanwhile. Whatever is
somebody else's service (a hang-up over REST, a tool) runs beside that and comes back as an event. A write
that fails is a lost socket, and that too is an event. What stays of the call is for `keeping`.

A call is served on the stream it began with, and while the owner's phone is rung on none: then it is parked,
and adopts the phone its caller comes back on.

Plain threads and locks: green in the serving process, real ones in tests.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from assistant.beside import Beside
from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.machine import Call
from assistant.call.names import Names
from assistant.errors import ModelGone, PhoneLost, RestError
from assistant.inbox import Inbox
from assistant.keeping import KEEP, Keeping
from assistant.live import Live
from assistant.live_calls import CallState
from assistant.phone_side import Phone
from assistant.realtime.side import ModelSide
from assistant.store.recordings import CallRecorder
from assistant.store.writer import Store
from assistant.tools.toolbox import Toolbox

__all__ = ["Bridge", "CallClock", "ModelSide", "Phone"]

log = logging.getLogger(__name__)

HANG_UP_TRIES_S = (0.0, 1.0, 3.0)  # after the first try


class CallClock:
    """Milliseconds since the call's first media stream began."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self) -> int:
        return int((time.monotonic() - self._start) * 1000)


class Bridge:
    """Serves one call from the stream's start to its end.

    connect: makes a new, unopened session of the model; session: the first one, where it has been opened
    before the caller was there. recorder: None when nothing is recorded. keep_greeting: makes the sound of
    the opening durable. check_pin: whether these digits are the owner's PIN, None when that cannot be known
    just now; without it nothing is.
    """

    def __init__(
        self,
        call_sid: str,
        call: Call,
        phone: Phone,
        connect: Callable[[Callable[[], int]], ModelSide],
        toolbox: Toolbox,
        store: Store,
        live: Live,
        recorder: CallRecorder | None = None,
        clock: CallClock | None = None,
        *,
        session: ModelSide | None = None,
        keep_greeting: Callable[[bytes], None] | None = None,
        check_pin: Callable[[str], bool | None] | None = None,
    ) -> None:
        self.call_sid = call_sid
        self.clock = clock or CallClock()
        self._call = call
        self._phone = phone
        self._connect = connect
        self._waiting_session = session
        self._line_lost = False
        self.away = False  # no stream serves this call: it is parked, or will be over without one
        self._says_something = False  # and the phone's side still holds it back
        self._live = live
        self._keeping = Keeping(call_sid, store, live, self.clock, recorder, keep_greeting)
        self._beside = Beside(toolbox, self._keeping, self.clock, self.put, check_pin)
        self._inbox = Inbox(self._take, self.clock)
        self._model: ModelSide | None = None
        self._names = Names(1)
        self._sessions: list[ModelSide] = []
        self._over = threading.Event()
        self._stream_over = threading.Event()  # or the call is

    # --- from outside --------------------------------------------------------

    def put(self, event: ev.Event) -> None:
        """Something happened to this call; from any thread."""
        self._inbox.put(event)

    @property
    def cost_usd(self) -> float:
        """What the model has cost so far, all sessions."""
        return sum(session.cost_usd for session in self._sessions)

    @property
    def ended_because(self) -> str | None:
        """Why the assistant's part ended; None while it has not."""
        return self._call.ended_because

    @property
    def parked(self) -> bool:
        """True while the caller is away, and may come back on a new stream."""
        return self._call.parked

    @property
    def state(self) -> CallState:
        """What the caller hears: the assistant, or the owner's phone ringing."""
        return "ringing_owner" if self._call.ringing_owner else "talking"

    @property
    def caller_gone(self) -> bool:
        """True once the phone's side is over; last words may still be due."""
        return self._keeping.measured.ended_at is not None

    # --- its events ----------------------------------------------------------

    def run(self) -> bool:
        """Serve the call until it ends, and keep what it was. Blocks. True: it was parked before that, and
        `go_on` has to serve it."""
        goes_on = False
        try:
            # First of all the caller hears something; the model may take its time.
            self.put(ev.CallStarted(at_ms=self.clock()))
            self._listen_to(self._phone, began_ms=0)
            self._live.tell(self.call_sid, "began")
            self._open_session()
            goes_on = self._inbox.serve()
        finally:
            if not goes_on:
                self._end()
        return goes_on

    def go_on(self) -> None:
        """Serve a call that was parked, until it ends. Blocks."""
        try:
            while not self._call.ended:
                self._inbox.serve()
        finally:
            self._end()

    def adopt(self, phone: Phone) -> bool:
        """The caller is back, on this phone. Blocks until its stream is over. False: the call is, already."""
        self._stream_over.clear()
        if self._over.is_set() or not self.parked:
            return False
        self._phone, self._line_lost, self.away = phone, False, False
        began_ms = self.clock()
        self.put(ev.CallerBack(at_ms=began_ms))
        self._listen_to(phone, began_ms=began_ms)
        self._live.tell(self.call_sid, "state")
        self._stream_over.wait()
        return True

    def _park(self, command: do.Park) -> None:
        """Whoever serves the stream is let go; the call goes on without it."""
        self.away = True
        self._live.tell(self.call_sid, "state")
        self._stream_over.set()
        self._inbox.leave()

    def _end(self) -> None:
        # Whatever happened, the phone's socket must not stay open on a dead call.
        self._over.set()
        self._close_model()
        self._phone.close(1011, "over")
        self._finish()
        self._stream_over.set()

    def _take(self, event: ev.Event, session: int) -> None:
        """Take care of one event. What a session that was given up still says is not for this call."""
        if session and session != len(self._sessions):
            return
        is_noted = type(event) in _NOTED
        if is_noted:
            self._note(event)
        commands = self._call.handle(event)
        if is_noted and isinstance(event, _LINE_OVER) and not self._call.parked:
            self._keeping.line_over()
        for command in commands:
            try:
                if keep := KEEP.get(type(command)):
                    keep(self._keeping, command)
                else:
                    _CARRY_OUT[type(command)](self, command)
            except ModelGone as error:
                self._model_gone(str(error))
            except PhoneLost:
                self._phone_lost()
        if self._says_something:
            self._send_held()
        if self._call.ended:
            self._inbox.close()

    def _send_held(self) -> None:
        """What one event has made the assistant say goes to the phone in one write."""
        self._says_something = False
        try:
            self._phone.send_held()
        except PhoneLost:
            self._phone_lost()

    def _note(self, event: ev.Event) -> None:
        if isinstance(event, ev.ModelLost):
            log.warning("%s: the model is lost: %s", self.call_sid, event.reason)
        elif isinstance(event, ev.ModelError):
            log.warning("%s: the model complains: %s", self.call_sid, event.code)
        elif isinstance(event, ev.ReplyDone) and event.status == "failed":
            log.warning("%s: a reply failed: %s", self.call_sid, event.error_code)

    # --- the phone -----------------------------------------------------------

    def _listen_to(self, phone: Phone, *, began_ms: int) -> None:
        """Have a thread read the phone. began_ms: when its stream began; its own clock begins at 0 then."""
        threading.Thread(target=self._hear, args=(phone, began_ms), name="phone", daemon=True).start()

    def _hear(self, phone: Phone, began_ms: int) -> None:
        event: ev.Event
        while True:
            try:
                event = phone.hear(self.clock)
            except Exception:
                log.exception("%s: the phone's reader failed", self.call_sid)
                event = ev.CallerGone(hung_up=False, at_ms=self.clock())
            if phone is not self._phone:
                return  # what is left of a stream that another has followed
            if began_ms and isinstance(event, ev.CallerAudio):
                event = replace(event, timestamp_ms=event.timestamp_ms + began_ms)
            self._inbox.bring(event)
            if isinstance(event, ev.CallerGone):
                return

    def _phone_lost(self) -> None:
        """A write failed. The call is told once, however much else it wanted played."""
        if not self._line_lost:
            self._line_lost = True
            self.put(ev.CallerGone(hung_up=False, at_ms=self.clock()))

    def _play(self, command: do.Play) -> None:
        self._says_something = True
        self._phone.play(command.payload)

    def _first_sound(self, command: do.NoteFirstSound) -> None:
        self._phone.send_held()
        self._keeping.first_sound(command)

    def _response_time(self, command: do.NoteResponseTime) -> None:
        self._phone.send_held()
        self._keeping.response_time(command)

    def _mark(self, command: do.PlaceMark) -> None:
        self._says_something = True
        self._phone.mark(command.name)

    def _clear(self, command: do.ClearPlayback) -> None:
        self._phone.clear()

    def _close_phone(self, command: do.ClosePhone) -> None:
        log.info("%s: closing the phone's stream: %s", self.call_sid, command.reason)
        self._keeping.line_over()
        self._phone.close(command.code, command.reason)

    def _hang_up(self, command: do.HangUp) -> None:
        threading.Thread(target=self._try_to_hang_up, name="hang-up", daemon=True).start()

    def _try_to_hang_up(self) -> None:
        begun = time.monotonic()
        for after_s in HANG_UP_TRIES_S:
            if self._over.wait(max(0.0, begun + after_s - time.monotonic())):
                return
            try:
                self._phone.hang_up()
                return
            except (RestError, PhoneLost) as error:
                log.warning("%s: could not hang up: %s", self.call_sid, error)
        self.put(ev.HangUpFailed(at_ms=self.clock()))

    def _transfer(self, command: do.Transfer) -> None:
        self._live.tell(self.call_sid, "state")
        threading.Thread(target=self._try_to_transfer, args=(command,), name="transfer", daemon=True).start()

    def _try_to_transfer(self, command: do.Transfer) -> None:
        try:
            self._phone.transfer(command.reason)
        except Exception as error:
            # A bug in it is no reason to leave the caller with nobody.
            known = isinstance(error, RestError | PhoneLost)
            log.warning("%s: could not ring the owner: %s", self.call_sid, error, exc_info=not known)
            self.put(ev.TransferFailed(at_ms=self.clock()))
            self._live.tell(self.call_sid, "state")

    # --- the model -----------------------------------------------------------

    def _open_session(self, command: do.ConnectModel | None = None) -> None:
        self._close_model()
        session, self._waiting_session = self._waiting_session or self._connect(self.clock), None
        self._model = session
        self._sessions.append(session)
        number = len(self._sessions)
        names = self._names = Names(number)

        def put(event: ev.Event) -> None:
            self._inbox.bring(event if number == 1 else names.ours(event), number)

        threading.Thread(target=session.run, args=(put,), name="model", daemon=True).start()

    def _to_model(self, command: do.Command) -> None:
        if self._model is not None:
            self._model.send(self._names.theirs(command))

    def _model_gone(self, reason: str) -> None:
        """A write failed. The session is told lost once, by us; its own word comes too late."""
        if self._model is None:
            return
        self._close_model()
        self._inbox.put(ev.ModelLost(reason, at_ms=self.clock()), len(self._sessions))

    def _close_model(self, command: do.CloseModel | None = None) -> None:
        session, self._model = self._model, None
        if session is not None:
            session.close()

    # --- beside the call -------------------------------------------------------

    def _declare_tools(self, command: do.DeclareTools) -> None:
        self._to_model(self._beside.declared())

    def _run_beside(self, command: do.Command) -> None:
        _BESIDE[type(command)](self._beside, command)

    # --- timers ----------------------------------------------------------------

    def _start_timer(self, command: do.StartTimer) -> None:
        self._inbox.start_timer(command.timer, command.at_ms)

    def _stop_timer(self, command: do.StopTimer) -> None:
        self._inbox.stop_timer(command.timer)

    # --- the end -------------------------------------------------------------

    def _finish(self) -> None:
        """Words and tool runs are kept before the end, so that it is complete."""
        self._beside.join()
        self._keeping.finish(self._call.ended_because or "model_failed", self._sessions)


_LINE_OVER = (ev.CallerGone, ev.CallOver)
_NOTED = frozenset({*_LINE_OVER, ev.ModelLost, ev.ModelError, ev.ReplyDone})

_BESIDE: dict[type[do.Command], Callable[[Beside, Any], None]] = {
    do.RunTool: Beside.run_tool,
    do.ConfirmTool: Beside.confirm_tool,
    do.DropTool: Beside.drop_tool,
    do.CheckPin: Beside.check_pin,
}

_CARRY_OUT: dict[type[do.Command], Callable[[Bridge, Any], None]] = {
    do.Play: Bridge._play,
    do.PlaceMark: Bridge._mark,
    do.NoteFirstSound: Bridge._first_sound,
    do.NoteResponseTime: Bridge._response_time,
    do.ClearPlayback: Bridge._clear,
    do.HangUp: Bridge._hang_up,
    do.ClosePhone: Bridge._close_phone,
    do.Transfer: Bridge._transfer,
    do.HearCaller: Bridge._to_model,
    do.CommitCaller: Bridge._to_model,
    do.CreateReply: Bridge._to_model,
    do.CancelReply: Bridge._to_model,
    do.TruncateReply: Bridge._to_model,
    do.TellModel: Bridge._to_model,
    do.AnswerTool: Bridge._to_model,
    do.ReportTool: Bridge._to_model,
    do.RemindModel: Bridge._to_model,
    do.TellGreeting: Bridge._to_model,
    do.DeleteItem: Bridge._to_model,
    do.DeclareTools: Bridge._declare_tools,
    do.ConnectModel: Bridge._open_session,
    do.CloseModel: Bridge._close_model,
    do.Park: Bridge._park,
    **dict.fromkeys(_BESIDE, Bridge._run_beside),
    do.StartTimer: Bridge._start_timer,
    do.StopTimer: Bridge._stop_timer,
}
