"""Model sessions opened before the caller is there, and given up when not needed.

To connect to the model and to agree on a session takes most of a second, and a caller decides in about that
time whether to hang up. While the owner's phone rings, or while the telephone company still connects its
media stream, nobody needs that second: the session is opened then, and waits in the lobby for its call.

A session that waits hears nothing and says nothing, so it costs a socket and no money. For the call that
takes it, it is a session that has just been started: what it has said so far (that it is ready, as a rule)
is told when the call asks for it, with the call's time on it.

How many sessions there may be is decided by whoever expects the calls; here is only known which calls are
sure to come (they are counted as calls already) and which may never need the assistant.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from assistant.call.commands import Command
from assistant.call.events import Event, ModelLost, ModelReady
from assistant.errors import AssistantError
from assistant.realtime.side import ModelSide
from assistant.trust import Trust

log = logging.getLogger(__name__)

REPLACEMENTS = 2  # sessions that may die before nobody is left to wait
AGAIN_S = 1.0  # before the next one: a model that refuses is not to be asked in a loop

Clock = Callable[[], int]
Put = Callable[[Event], None]


class Prepared(Protocol):
    """What is made ready for a call. `connect`: a new, unopened session. `clock`: the call's, in ms."""

    def connect(self, clock: Clock) -> ModelSide: ...


Ready = TypeVar("Ready", bound=Prepared)


@dataclass(frozen=True, slots=True)
class Expected:
    """A call that may come to the assistant. number: None when withheld."""

    call_sid: str
    number: str | None
    trust: Trust
    scenario: str | None = None


class WaitingSession:
    """A session that is opened before its call is there; for the call, one that it starts itself.

    lost: why it ended while it waited.
    """

    def __init__(self, call_sid: str, prepared: Prepared) -> None:
        self.lost: ModelLost | None = None
        self._call_sid = call_sid
        self._clock: Clock = _no_time_yet
        self._put: Put | None = None
        self._adopted_ms = 0
        self._early: list[Event] = []
        self._handing_over = threading.Lock()
        self._session = session = prepared.connect(lambda: self._clock())
        # The session's own: nothing stands between it and the sound of the caller.
        self.usage = session.usage
        self.send: Callable[[Command], None] = session.send
        self.close: Callable[[], None] = session.close

    @property
    def cost_usd(self) -> float:
        """What the model asks for everything so far."""
        return self._session.cost_usd

    def open(self) -> None:
        """Open it and serve it until it ends; blocks. The call's `run` may come at any time, or never."""
        self._session.run(self._say)

    def adopt(self, clock: Clock) -> None:
        """The call has begun; this is its time."""
        self._clock = clock

    def run(self, put: Put) -> None:
        """Tell the call what has happened so far; from now on it is told at once. Does not block."""
        with self._handing_over:
            self._adopted_ms = now_ms = self._clock()
            for event in self._early:
                put(replace(event, at_ms=now_ms))
            self._early.clear()
            self._put = put

    def _say(self, event: Event) -> None:
        # Adopted, which is once and for all, it needs no lock any more: there is one reader.
        if self._put is not None and event.at_ms >= self._adopted_ms:
            self._put(event)
            return
        with self._handing_over:
            if self._put is not None:
                # Read before the call took over and told after: its time is not yet the call's.
                self._put(replace(event, at_ms=self._clock()))
                return
            self._early.append(event)
        self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, ModelReady):
            log.info("%s: a session waits in the lobby", self._call_sid)
        elif isinstance(event, ModelLost):
            self.lost = event
            log.warning("%s: the session in the lobby is lost: %s", self._call_sid, event.reason)


def _no_time_yet() -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Guest(Generic[Ready]):
    """What has waited for a call that is here now. session: None when it was lost."""

    prepared: Ready
    session: WaitingSession | None


@dataclass
class _Awaited(Generic[Ready]):
    """A call that is expected. certain: it is on its way. until: monotonic seconds."""

    expected: Expected
    certain: bool
    until: float
    prepared: Ready | None = None
    session: WaitingSession | None = None
    over: threading.Event = field(default_factory=threading.Event)
    alarm: threading.Timer | None = None

    def end(self) -> None:
        """It waits no longer."""
        self.over.set()
        if self.alarm is not None:
            self.alarm.cancel()


class Lobby(Generic[Ready]):
    """The sessions that wait for their calls. prepare: None where none is to be opened ahead."""

    def __init__(
        self, prepare: Callable[[Expected], Ready] | None = None, *, again_s: float = AGAIN_S
    ) -> None:
        self._prepare = prepare
        self._again_s = again_s
        self._awaited: dict[str, _Awaited[Ready]] = {}  # by call_sid, oldest first
        self._lock = threading.Lock()

    # --- who is expected -----------------------------------------------------

    def expect(self, expected: Expected, wait_s: float, *, certain: bool = True) -> None:
        """Open a session for a call, in the background, and keep it for so long.

        certain: the call is on its way, and counted as such; else it may never need the assistant. Said
        again of a call, only this and the time are taken over, unless the caller is somebody else now.
        """
        if self._prepare is None:
            return
        new = _Awaited[Ready](expected, certain, time.monotonic() + wait_s)
        with self._lock:
            old = self._awaited.get(expected.call_sid)
            if old is not None and old.expected == expected:
                old.certain, old.until = certain, new.until
                new = old
            self._awaited[expected.call_sid] = new
        self._set_alarm(new, wait_s)
        if new is old:
            return
        if old is not None:
            self._dismiss(old, "more is known of the caller")
        threading.Thread(target=self._host, args=(new, self._prepare), name="lobby", daemon=True).start()

    def take(self, call_sid: str, clock: Clock) -> Guest[Ready] | None:
        """The call is here, and this is its time. None when nothing has been prepared for it."""
        with self._lock:
            awaited = self._awaited.pop(call_sid, None)
        if awaited is None:
            return None
        awaited.end()
        if awaited.prepared is None:
            log.info("%s: the call was faster than its session", call_sid)
            return None
        session = awaited.session
        if session is None or session.lost is not None:
            log.info("%s: the call needs a session of its own", call_sid)
            return Guest(awaited.prepared, None)
        session.adopt(clock)
        log.info("%s: the call takes the session that waited", call_sid)
        return Guest(awaited.prepared, session)

    def waiting(self, besides: str = "") -> int:
        """How many sessions wait for calls that may never come, not counting this call's."""
        with self._lock:
            return len(self._uncertain(besides))

    def make_room(self, most: int, besides: str = "") -> None:
        """Let only so many wait for calls that may never come; the oldest go, this call's stays."""
        with self._lock:
            uncertain = self._uncertain(besides)
            leaving = uncertain[: max(0, len(uncertain) - max(0, most))]
        for awaited in leaving:
            self._give_up(awaited, "another call needs its place")

    def give_up(self, call_sid: str, reason: str) -> None:
        """The call will not need a session. `reason`: for the log."""
        awaited = self._awaited.get(call_sid)
        if awaited is not None:
            self._give_up(awaited, reason)

    def give_up_all(self, reason: str) -> None:
        """Nobody is expected any more."""
        for awaited in list(self._awaited.values()):
            self._give_up(awaited, reason)

    def _uncertain(self, besides: str) -> list[_Awaited[Ready]]:
        return [
            awaited
            for call_sid, awaited in self._awaited.items()
            if not awaited.certain and call_sid != besides
        ]

    def _give_up(self, awaited: _Awaited[Ready], reason: str) -> None:
        with self._lock:
            if not self._is_expected(awaited):
                return
            del self._awaited[awaited.expected.call_sid]
        self._dismiss(awaited, reason)

    def _dismiss(self, awaited: _Awaited[Ready], reason: str) -> None:
        awaited.end()
        log.info("%s: its session is given up: %s", awaited.expected.call_sid, reason)
        if awaited.session is not None:
            awaited.session.close()

    def _is_expected(self, awaited: _Awaited[Ready]) -> bool:
        return self._awaited.get(awaited.expected.call_sid) is awaited

    # --- how long --------------------------------------------------------------

    def _set_alarm(self, awaited: _Awaited[Ready], wait_s: float) -> None:
        if awaited.alarm is not None:
            awaited.alarm.cancel()
        awaited.alarm = threading.Timer(wait_s, self._time_up, (awaited,))
        awaited.alarm.daemon = True
        awaited.alarm.start()
        if awaited.over.is_set():  # while the alarm was being set
            awaited.alarm.cancel()

    def _time_up(self, awaited: _Awaited[Ready]) -> None:
        left_s = awaited.until - time.monotonic()
        if left_s <= 0:
            self._give_up(awaited, "nobody has come")
        elif self._is_expected(awaited):  # it has just been given more time
            self._set_alarm(awaited, left_s)

    # --- the sessions ------------------------------------------------------------

    def _host(self, awaited: _Awaited[Ready], prepare: Callable[[Expected], Ready]) -> None:
        """Have a session wait for as long as the call is expected; then serve it to its end."""
        try:
            prepared = prepare(awaited.expected)
        except AssistantError as error:
            self._give_up(awaited, str(error))
            return
        except Exception:
            log.exception("%s: nothing could be prepared", awaited.expected.call_sid)
            self._give_up(awaited, "a fault of this program")
            return
        for _ in range(1 + REPLACEMENTS):
            session = WaitingSession(awaited.expected.call_sid, prepared)
            if not self._seat(awaited, prepared, session):
                return
            session.open()
            if session.lost is None or session.lost.fatal or awaited.over.wait(self._again_s):
                return

    def _seat(self, awaited: _Awaited[Ready], prepared: Ready, session: WaitingSession) -> bool:
        """Let it wait. False: the call is not expected any more."""
        with self._lock:
            if not self._is_expected(awaited):
                return False
            awaited.prepared, awaited.session = prepared, session
            return True
