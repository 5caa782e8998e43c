"""Sessions that wait for their calls: real threads; the sandbox's model, and where a death must be timed
a session that is a plain object in this file."""

from __future__ import annotations

import logging
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from assistant.call.commands import CreateReply
from assistant.call.events import Event, ModelLost, ModelReady, ReplyAudio, ReplyDone, ReplyText
from assistant.errors import StoreBusy
from assistant.lobby import Expected, Lobby, WaitingSession
from assistant.realtime.client import ModelAddress, RealtimeClient
from assistant.realtime.session import SessionWish
from assistant.realtime.side import ModelSide
from assistant.realtime.usage import Usage
from assistant.sandbox.model import SandboxModel
from tests.realtime.model_server import Session as FarEnd
from tests.realtime.model_server import model_server

WAIT_S = 8.0
LONG_S = 60.0
ROOT = Path(__file__).resolve().parent.parent
ANA, SAM, KIM = (Expected("CA" + digit * 32, f"+1202555014{digit}", "stranger") for digit in "345")
SLOW = SessionWish(model="gpt-realtime-2.1", instructions="Be brief.")

Clock = Callable[[], int]


def eventually(holds: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + WAIT_S
    while not (found := holds()):
        assert time.monotonic() < until, what
        time.sleep(0.005)
    return found


class CallClock:
    """A call's time, which begins at 1000 ms so that nothing else can be taken for it."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self) -> int:
        return 1000 + int((time.monotonic() - self._start) * 1000)


class Call:
    """What a call is told by its session."""

    def __init__(self, lobby: Lobby[Any], expected: Expected = ANA) -> None:
        self.clock = CallClock()
        self.heard: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.guest = lobby.take(expected.call_sid, self.clock)

    @property
    def session(self) -> WaitingSession:
        assert self.guest is not None
        assert self.guest.session is not None
        return self.guest.session

    def begin(self) -> Call:
        self.session.run(self.heard.put)
        return self

    def next(self) -> Event:
        return self.heard.get(timeout=WAIT_S)

    def until(self, kind: type[Event]) -> list[Event]:
        heard = [self.next()]
        while not isinstance(heard[-1], kind):
            heard.append(self.next())
        return heard


class FakeSession:
    """A session that says what the test tells it to."""

    def __init__(self, clock: Clock) -> None:
        self.usage = Usage(text_in=10)
        self.cost_usd = 0.01
        self.clock = clock
        self.opened_at = time.monotonic()
        self.closed = threading.Event()
        self.sent: list[object] = []
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()

    def run(self, put: Callable[[Event], None]) -> None:
        while (event := self._events.get()) is not None:
            put(event)
            if isinstance(event, ModelLost):
                return

    def send(self, command: object) -> None:
        self.sent.append(command)

    def close(self) -> None:
        self.closed.set()
        self._events.put(None)

    def say(self, event: Event) -> None:
        self._events.put(event)

    def die(self, *, fatal: bool = False) -> None:
        self.say(ModelLost("it died", fatal=fatal, at_ms=self.clock()))


class FakePrepared:
    """What is prepared for a call, with sessions that are objects."""

    def __init__(self) -> None:
        self.sessions: list[FakeSession] = []
        self._opened: queue.SimpleQueue[FakeSession] = queue.SimpleQueue()

    def connect(self, clock: Clock) -> ModelSide:
        session = FakeSession(clock)
        self.sessions.append(session)
        self._opened.put(session)
        return session

    def opened(self) -> FakeSession:
        """The next session that is opened."""
        return self._opened.get(timeout=WAIT_S)


class House:
    """A lobby for calls whose model is made of objects."""

    def __init__(self, **how: Any) -> None:
        self.prepared: dict[Expected, FakePrepared] = {ANA: FakePrepared(), SAM: FakePrepared()}
        self.lobby = Lobby(self._prepare, **how)

    def _prepare(self, expected: Expected) -> FakePrepared:
        return self.prepared.setdefault(expected, FakePrepared())

    def expect(self, expected: Expected = ANA, wait_s: float = LONG_S, **how: Any) -> FakeSession:
        """Expect a call, and wait until its session is there."""
        self.lobby.expect(expected, wait_s, **how)
        return self._prepare(expected).opened()


class CountingModel(SandboxModel):
    """The sandbox's model; counts who has connected."""

    connections = 0

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.connections += 1
        return super()._admit(connection, request)

    def connect(self, clock: Clock) -> RealtimeClient:
        """It is what is prepared, too."""
        return RealtimeClient(ModelAddress(self.url, SLOW.model, "key"), SLOW, clock=clock)

    def lobby(self) -> Lobby[CountingModel]:
        return Lobby(lambda expected: self)


@pytest.fixture(autouse=True)
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What the lobby has written into the log so far."""
    caplog.set_level(logging.INFO, "assistant.lobby")
    return lambda: "\n".join(caplog.messages)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread of the lobby's outlives what it was for."""
    yield
    eventually(lambda: not lobby_threads(), f"no thread is left: {lobby_threads()}")


def lobby_threads() -> list[threading.Thread]:
    timers = (thread for thread in threading.enumerate() if isinstance(thread, threading.Timer))
    return [*timers, *(thread for thread in threading.enumerate() if thread.name == "lobby")]


@pytest.fixture
def house() -> Iterator[House]:
    house = House(again_s=0.01)
    yield house
    house.lobby.give_up_all("the test is over")
    for prepared in house.prepared.values():
        for session in prepared.sessions:
            session.close()


# --- with a real model ------------------------------------------------------------


def test_a_session_is_ready_before_its_call_is_there(said: Callable[[], str]) -> None:
    with CountingModel(session_delay_s=0.2) as model:
        lobby = model.lobby()
        lobby.expect(ANA, LONG_S)
        eventually(lambda: "a session waits" in said(), "it is ready")

        call = Call(lobby).begin()

        ready = call.heard.get_nowait()
        assert isinstance(ready, ModelReady)
        assert 1000 <= ready.at_ms <= call.clock()
        assert (model.connections, lobby.waiting()) == (1, 0)
        call.session.close()


def test_the_call_talks_with_the_session_that_waited(said: Callable[[], str]) -> None:
    with CountingModel() as model:
        lobby = model.lobby()
        lobby.expect(ANA, LONG_S)
        eventually(lambda: "a session waits" in said(), "it is ready")
        call = Call(lobby).begin()
        assert call.session.cost_usd == 0

        call.session.send(CreateReply("Hello there."))
        heard = call.until(ReplyDone)

        assert sum(len(event.payload) for event in heard if isinstance(event, ReplyAudio)) > 1000
        assert all(before.at_ms <= after.at_ms for before, after in pairwise(heard))
        assert heard[0].at_ms >= 1000
        assert call.session.usage.audio_out > 0
        assert call.session.cost_usd > 0
        call.session.close()


def test_a_session_that_still_connects_is_taken_as_it_is() -> None:
    with CountingModel(session_delay_s=0.3) as model:
        lobby = model.lobby()
        lobby.expect(ANA, LONG_S)
        eventually(lambda: model.connections, "it has begun to connect")
        call = Call(lobby).begin()
        assert call.heard.empty()

        ready = call.next()

        assert isinstance(ready, ModelReady)
        assert 1000 < ready.at_ms <= call.clock()
        assert model.connections == 1
        call.session.close()


def test_a_call_said_again_opens_no_second_session(said: Callable[[], str]) -> None:
    with CountingModel(session_delay_s=0.1) as model:
        lobby = model.lobby()
        for _ in range(5):
            lobby.expect(ANA, LONG_S, certain=False)
        eventually(lambda: "a session waits" in said(), "it is ready")
        lobby.expect(ANA, LONG_S)

        call = Call(lobby).begin()

        assert isinstance(call.next(), ModelReady)
        assert model.connections == 1
        call.session.close()


@pytest.mark.parametrize("ready", [True, False])
def test_a_session_that_is_given_up_says_goodbye(ready: bool, said: Callable[[], str]) -> None:
    def far_end(session: FarEnd) -> None:
        if ready:
            session.agree()
        session.until_closed()

    with model_server(far_end) as server:
        address = ModelAddress(server.base_url, SLOW.model, "key")

        class Client:
            def connect(self, clock: Clock) -> RealtimeClient:
                return RealtimeClient(address, SLOW, clock=clock)

        lobby = Lobby(lambda expected: Client())
        lobby.expect(ANA, LONG_S)
        eventually(lambda: server.requests and (not ready or "waits" in said()), "it has connected")

        lobby.give_up(ANA.call_sid, "the owner takes the call")

        assert server.closes.get(timeout=WAIT_S) == 1000
        assert lobby.take(ANA.call_sid, CallClock()) is None


# --- what the call is told ----------------------------------------------------------


def test_what_was_said_early_has_the_time_of_the_call(house: House) -> None:
    session = house.expect()
    session.say(ModelReady(at_ms=session.clock()))
    session.say(ReplyText("r", "i", "early", at_ms=session.clock()))
    eventually(lambda: session._events.empty(), "both are said")

    call = Call(house.lobby).begin()
    session.say(ReplyText("r", "i", "late", at_ms=session.clock()))

    ready, early, late = (call.next() for _ in range(3))
    assert (type(ready), type(early)) == (ModelReady, ReplyText)
    assert 1000 <= ready.at_ms == early.at_ms <= late.at_ms


def test_a_session_has_no_time_before_its_call(house: House) -> None:
    session = house.expect()
    assert session.clock() == 0

    call = Call(house.lobby)

    assert 1000 <= session.clock() <= call.clock()


def test_the_session_itself_is_written_to_closed_and_paid(house: House) -> None:
    session = house.expect()
    call = Call(house.lobby).begin()

    call.session.send(CreateReply("Hello."))
    session.usage.text_in += 5
    session.cost_usd = 0.02
    call.session.close()

    assert session.sent == [CreateReply("Hello.")]
    assert session.closed.is_set()
    assert (call.session.usage.text_in, call.session.cost_usd) == (15, 0.02)


def test_a_session_that_dies_in_the_call_tells_the_call_and_is_not_replaced(house: House) -> None:
    session = house.expect()
    call = Call(house.lobby).begin()

    session.die()

    assert isinstance(call.next(), ModelLost)
    eventually(lambda: not lobby_threads(), "nobody replaces it")
    assert len(house.prepared[ANA].sessions) == 1


class Chatterbox(FakeSession):
    """Says numbers as fast as it can, each stamped when it is read, as the real one does."""

    numbers = 3000

    def run(self, put: Callable[[Event], None]) -> None:
        for number in range(self.numbers):
            put(ReplyText("r", "i", str(number), at_ms=self.clock()))
        put(ReplyDone("r", "completed", (), at_ms=self.clock()))


@pytest.mark.parametrize("after", [0, 1, 10, 100, 300, 1000, 2900, 3000])
def test_nothing_is_lost_or_doubled_when_the_call_takes_over_in_mid_word(after: int) -> None:
    class Prepared:
        def connect(self, clock: Clock) -> Chatterbox:
            return Chatterbox(clock)

    session = WaitingSession(ANA.call_sid, Prepared())
    heard: queue.SimpleQueue[Event] = queue.SimpleQueue()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # the threads take turns in the middle of everything
    reader = threading.Thread(target=session.open)
    try:
        reader.start()
        while len(session._early) < after and reader.is_alive():
            time.sleep(0)
        session.adopt(CallClock())
        session.run(heard.put)
        reader.join(WAIT_S)
    finally:
        sys.setswitchinterval(interval)

    events = [heard.get_nowait() for _ in range(heard.qsize())]
    assert [event.text for event in events[:-1] if isinstance(event, ReplyText)] == [
        str(number) for number in range(Chatterbox.numbers)
    ]
    assert events[0].at_ms >= 1000
    assert all(before.at_ms <= after.at_ms for before, after in pairwise(events))


# --- sessions that die while they wait ------------------------------------------------


def test_a_session_that_died_is_replaced(house: House) -> None:
    house.expect().die()
    second = house.prepared[ANA].opened()
    second.say(ModelReady(at_ms=0))

    call = Call(house.lobby).begin()

    assert isinstance(call.next(), ModelReady)
    call.session.close()
    assert second.closed.is_set()


def test_it_is_not_replaced_at_once() -> None:
    house = House(again_s=0.2)
    first = house.expect()
    first.die()
    died_at = time.monotonic()

    assert house.prepared[ANA].opened().opened_at - died_at >= 0.19
    house.lobby.give_up_all("the test is over")


def test_two_are_replaced_and_then_the_call_opens_its_own(house: House) -> None:
    house.expect().die()
    for _ in range(2):
        house.prepared[ANA].opened().die()
    eventually(lambda: "lobby" not in {thread.name for thread in lobby_threads()}, "it has given up")

    guest = Call(house.lobby).guest

    assert guest is not None
    assert guest.session is None
    assert guest.prepared is house.prepared[ANA]
    assert len(house.prepared[ANA].sessions) == 3


def test_a_fatal_refusal_is_not_tried_again(house: House) -> None:
    house.expect().die(fatal=True)
    eventually(lambda: "lobby" not in {thread.name for thread in lobby_threads()}, "it has given up")

    guest = Call(house.lobby).guest

    assert guest is not None
    assert guest.session is None
    assert len(house.prepared[ANA].sessions) == 1


def test_a_call_that_comes_before_the_replacement_opens_its_own(said: Callable[[], str]) -> None:
    house = House(again_s=LONG_S)
    house.expect().die()
    eventually(lambda: "is lost" in said(), "it is known to be dead")

    guest = Call(house.lobby).guest

    assert guest is not None
    assert guest.session is None
    eventually(lambda: not lobby_threads(), "nobody waits for the replacement any more")
    assert len(house.prepared[ANA].sessions) == 1


@pytest.mark.parametrize("fault", ["refuse", "quota"])
def test_an_account_that_is_refused_is_not_asked_again(fault: str, said: Callable[[], str]) -> None:
    with SandboxModel() as model:
        address = ModelAddress(model.fault_url(fault), SLOW.model, "key")
        opened = count(1)
        last = 0

        class Refused:
            def connect(self, clock: Clock) -> RealtimeClient:
                nonlocal last
                last = next(opened)
                return RealtimeClient(address, SLOW, clock=clock)

        lobby = Lobby(lambda expected: Refused(), again_s=0.01)
        lobby.expect(ANA, LONG_S)
        eventually(lambda: "is lost" in said(), "it was refused")
        eventually(lambda: "lobby" not in {thread.name for thread in lobby_threads()}, "it has given up")

        guest = Call(lobby).guest

    assert guest is not None
    assert guest.session is None
    assert last == 1


# --- how long, how many ---------------------------------------------------------------


def test_nobody_comes(house: House, said: Callable[[], str]) -> None:
    session = house.expect(wait_s=0.05)

    assert session.closed.wait(WAIT_S)
    assert Call(house.lobby).guest is None
    assert f"{ANA.call_sid}: its session is given up: nobody has come" in said()


def test_more_time_is_given(house: House) -> None:
    ana = house.expect(wait_s=0.1)
    house.lobby.expect(ANA, LONG_S)
    sam = house.expect(SAM, wait_s=0.2)

    assert sam.closed.wait(WAIT_S)
    assert not ana.closed.is_set()
    assert Call(house.lobby).session is not None


def test_less_time_is_given(house: House) -> None:
    session = house.expect(wait_s=LONG_S)
    house.lobby.expect(ANA, 0.05)

    assert session.closed.wait(WAIT_S)
    assert len(house.prepared[ANA].sessions) == 1


def test_only_calls_that_may_not_come_are_counted(house: House) -> None:
    house.expect(ANA, certain=False)
    house.expect(SAM)
    assert (house.lobby.waiting(), house.lobby.waiting(besides=ANA.call_sid)) == (1, 0)

    house.lobby.expect(ANA, LONG_S, certain=True)
    house.lobby.expect(SAM, LONG_S, certain=False)

    assert (house.lobby.waiting(), house.lobby.waiting(besides=ANA.call_sid)) == (1, 1)


def test_the_oldest_makes_room(house: House) -> None:
    sure = house.expect(SAM)
    oldest, newer = house.expect(ANA, certain=False), house.expect(KIM, certain=False)

    house.lobby.make_room(1)

    assert (oldest.closed.is_set(), newer.closed.is_set(), sure.closed.is_set()) == (True, False, False)
    house.lobby.make_room(-1)
    assert (newer.closed.is_set(), sure.closed.is_set()) == (True, False)


def test_the_call_that_room_is_made_for_keeps_its_own(house: House) -> None:
    oldest, newer = house.expect(ANA, certain=False), house.expect(KIM, certain=False)

    house.lobby.make_room(0, besides=ANA.call_sid)

    assert (oldest.closed.is_set(), newer.closed.is_set()) == (False, True)


def test_all_are_given_up(house: House) -> None:
    sessions = [house.expect(expected) for expected in (ANA, SAM, KIM)]

    house.lobby.give_up_all("the program is about to leave")

    assert all(session.closed.is_set() for session in sessions)
    assert Call(house.lobby).guest is None


def test_the_caller_is_somebody_else_now(house: House) -> None:
    """Another trust means other tools and another prompt: what was prepared does not fit any more."""
    stranger = house.expect()
    known = Expected(ANA.call_sid, ANA.number, "known")

    session = house.expect(known)

    assert stranger.closed.is_set()
    assert not session.closed.is_set()
    guest = Call(house.lobby).guest
    assert guest is not None
    assert guest.prepared is house.prepared[known]


def test_nobody_is_expected_where_nothing_can_be_prepared() -> None:
    lobby: Lobby[FakePrepared] = Lobby()

    lobby.expect(ANA, LONG_S, certain=False)

    assert (lobby.waiting(), lobby_threads()) == (0, [])
    assert lobby.take(ANA.call_sid, CallClock()) is None


# --- what is prepared ---------------------------------------------------------------


def test_a_call_that_is_faster_than_its_preparation_prepares_itself() -> None:
    begun, go_on = threading.Event(), threading.Event()
    prepared = FakePrepared()

    def slowly(expected: Expected) -> FakePrepared:
        begun.set()
        assert go_on.wait(WAIT_S)
        return prepared

    lobby = Lobby(slowly)
    lobby.expect(ANA, LONG_S)
    assert begun.wait(WAIT_S)

    assert lobby.take(ANA.call_sid, CallClock()) is None

    go_on.set()
    eventually(lambda: not lobby_threads(), "nobody waits")
    assert all(session.closed.is_set() or not session.sent for session in prepared.sessions)


@pytest.mark.parametrize("error", [StoreBusy("the database is busy"), ZeroDivisionError()])
def test_nothing_can_be_prepared(error: Exception, said: Callable[[], str]) -> None:
    def fails(expected: Expected) -> FakePrepared:
        raise error

    lobby = Lobby(fails)
    lobby.expect(ANA, LONG_S, certain=False)

    eventually(lambda: lobby.waiting() == 0, "it is not expected any more")
    assert lobby.take(ANA.call_sid, CallClock()) is None
    eventually(lambda: "is given up" in said(), "the log knows")


def test_the_log_says_what_became_of_each_and_no_numbers(house: House, said: Callable[[], str]) -> None:
    house.expect().say(ModelReady(at_ms=0))
    eventually(said, "one waits")
    Call(house.lobby)
    house.expect(SAM)
    house.lobby.give_up(SAM.call_sid, "the owner takes the call")
    house.lobby.give_up(SAM.call_sid, "the call is over")

    assert said().splitlines() == [
        f"{ANA.call_sid}: a session waits in the lobby",
        f"{ANA.call_sid}: the call takes the session that waited",
        f"{SAM.call_sid}: its session is given up: the owner takes the call",
    ]
    assert not re.search(r"\+\d", said())


# --- the program ------------------------------------------------------------------------

PROGRAM = """
{patch}
import queue, sys, threading, time
from assistant.call.commands import CreateReply
from assistant.call.events import ModelReady, ReplyDone
from assistant.lobby import Expected, Lobby
from assistant.realtime.client import ModelAddress, RealtimeClient
from assistant.realtime.session import SessionWish
from assistant.sandbox.model import SandboxModel

model = SandboxModel(session_delay_s=0.1).start()
wish = SessionWish(model="gpt-realtime-2.1", instructions="Be brief.")

class Prepared:
    def connect(self, clock):
        return RealtimeClient(ModelAddress(model.url, wish.model, "key"), wish, clock=clock)

lobby = Lobby(lambda expected: Prepared())
for call_sid in ("CA1", "CA2", "CA3"):
    lobby.expect(Expected(call_sid, None, "stranger"), 60, certain=False)
lobby.give_up("CA2", "not wanted")
time.sleep(0)
guest = lobby.take("CA1", lambda: 1000)
heard = queue.SimpleQueue()
guest.session.run(heard.put)
assert heard.get(timeout=10) == ModelReady(at_ms=1000)
guest.session.send(CreateReply("Hello."))
while not isinstance(heard.get(timeout=10), ReplyDone):
    pass
guest.session.close()
assert lobby.waiting() == 1  # CA3 waits for a minute, and must not keep the program
print("over", flush=True)
"""


@pytest.mark.parametrize("patch", ["", "from gevent import monkey; monkey.patch_all()"])
def test_it_works_in_threads_of_both_kinds_and_keeps_no_program(patch: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(patch=patch)],
        cwd=ROOT, capture_output=True, text=True, timeout=25, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "over\n"), done.stderr
