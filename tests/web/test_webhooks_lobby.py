"""When a session of the model is opened ahead of a call, and when it is given up again."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assistant.call.commands import Command
from assistant.call.events import Event
from assistant.lobby import Expected, Lobby
from assistant.realtime.side import ModelSide
from assistant.realtime.usage import Usage
from assistant.telephony.dials import LONGER_THAN_RINGING_S
from assistant.telephony.streams import StreamStart
from assistant.telephony.tokens import LIFETIME_S
from assistant.web import media
from tests.web.telephone import ACCOUNT, ANA, SAM, Exchange, sid

WAIT_S = 8.0
FORWARDED = {"StirVerstat": "TN-Validation-Passed-A-Diverted"}


class FakeSession:
    """A session that waits until it is closed."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.cost_usd = 0.0
        self.closed = threading.Event()

    def run(self, put: Callable[[Event], None]) -> None:
        self.closed.wait()

    def send(self, command: Command) -> None:
        raise AssertionError("nothing is said to a session that waits")

    def close(self) -> None:
        self.closed.set()


class Model:
    """Whoever is connected to. `opened` says for whom, in order."""

    def __init__(self) -> None:
        self.opened: list[Expected] = []
        self.sessions: list[FakeSession] = []
        self._opening: queue.SimpleQueue[FakeSession] = queue.SimpleQueue()

    def prepare(self, expected: Expected) -> SimpleNamespace:
        def connect(clock: Callable[[], int]) -> ModelSide:
            self.opened.append(expected)
            self.sessions.append(FakeSession())
            self._opening.put(self.sessions[-1])
            return self.sessions[-1]

        return SimpleNamespace(connect=connect)

    def next(self) -> FakeSession:
        """The next session that is opened; webhooks do not wait for it, so a test does."""
        return self._opening.get(timeout=WAIT_S)


class NotedLobby(Lobby[SimpleNamespace]):
    """A lobby that remembers what it was asked for."""

    def __init__(self, prepare: Callable[[Expected], SimpleNamespace]) -> None:
        super().__init__(prepare)
        self.asked: list[tuple[Expected, float, bool]] = []

    def expect(self, expected: Expected, wait_s: float, *, certain: bool = True) -> None:
        self.asked.append((expected, wait_s, certain))
        super().expect(expected, wait_s, certain=certain)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def lobby(model: Model) -> Iterator[NotedLobby]:
    lobby = NotedLobby(model.prepare)
    yield lobby
    lobby.give_up_all("the test is over")
    for session in model.sessions:
        session.close()


@pytest.fixture
def exchange(tmp_path: Path, lobby: NotedLobby) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path)
    exchange.parts.lobby = lobby
    exchange.prefer(ring_first="on", ring_seconds="20")
    yield exchange
    assert exchange.store.stop(10)


def caller(number: int = 1, from_: str = ANA) -> Expected:
    return Expected(sid(number), from_, "stranger")


# --- opened ---------------------------------------------------------------------------


def test_a_session_is_opened_while_the_owner_s_phone_rings(
    exchange: Exchange, lobby: NotedLobby, model: Model
) -> None:
    assert exchange.rings().verbs == ["Dial"]

    assert not model.next().closed.is_set()
    assert lobby.asked == [(caller(), 20 + LONGER_THAN_RINGING_S, False)]
    assert lobby.waiting() == 1


def test_a_forwarded_call_has_its_session_opened_at_once(
    exchange: Exchange, lobby: NotedLobby, model: Model
) -> None:
    assert exchange.rings(**FORWARDED).is_assistant

    assert not model.next().closed.is_set()
    assert lobby.asked == [(caller(), LIFETIME_S, True)]
    assert lobby.waiting() == 0, "it is counted by its token"


def test_the_session_stays_when_the_call_goes_on_to_the_assistant(
    exchange: Exchange, lobby: NotedLobby, model: Model
) -> None:
    exchange.rings()
    session = model.next()

    assert exchange.webhook("after-dial", DialCallStatus="no-answer").is_assistant

    assert lobby.asked[-1] == (caller(), LIFETIME_S, True)
    guest = lobby.take(sid(1), lambda: 0)
    assert guest is not None
    assert guest.session is not None
    assert not session.closed.is_set()
    assert model.opened == [caller()]


def test_the_caller_s_trust_and_scenario_are_known_beforehand(
    exchange: Exchange, lobby: NotedLobby, model: Model
) -> None:
    exchange.keep(ANA, "known")
    exchange.parts.memory.of(sid(1)).scenario = "booking"

    exchange.rings()

    model.next()
    assert model.opened == [Expected(sid(1), ANA, "known", "booking")]


def test_a_caller_the_network_doubts_is_no_less_doubted_after_the_ringing(
    exchange: Exchange, lobby: NotedLobby, model: Model
) -> None:
    exchange.keep(ANA, "known")
    exchange.rings(StirVerstat="TN-Validation-Failed-A")
    session = model.next()

    assert exchange.webhook("after-dial", DialCallStatus="no-answer").is_assistant

    assert [expected.trust for expected, _, _ in lobby.asked] == ["stranger", "stranger"]
    assert not session.closed.is_set()


def test_a_caller_whom_the_owner_has_just_kept_gets_a_session_of_their_own(
    exchange: Exchange, model: Model
) -> None:
    exchange.rings()
    stranger_s = model.next()
    exchange.keep(ANA, "known")

    assert exchange.webhook("after-dial", DialCallStatus="no-answer").is_assistant

    assert stranger_s.closed.wait(WAIT_S)
    assert not model.next().closed.is_set()
    assert [expected.trust for expected in model.opened] == ["stranger", "known"]


def test_webhooks_that_come_twice_open_one_session(
    exchange: Exchange, lobby: NotedLobby, model: Model
) -> None:
    for _ in range(3):
        exchange.rings()
    for _ in range(3):
        exchange.webhook("after-dial", DialCallStatus="no-answer")

    session = model.next()
    assert len(model.opened) == 1
    assert not session.closed.is_set()


def test_the_answer_does_not_wait_for_the_session(exchange: Exchange) -> None:
    go_on = threading.Event()
    prepared: queue.SimpleQueue[Expected] = queue.SimpleQueue()

    def slowly(expected: Expected) -> SimpleNamespace:
        assert go_on.wait(WAIT_S)
        prepared.put(expected)
        return SimpleNamespace(connect=lambda clock: FakeSession())

    exchange.parts.lobby = Lobby(slowly)

    assert exchange.rings().verbs == ["Dial"]
    assert exchange.rings(2, From=SAM, **FORWARDED).is_assistant

    assert prepared.empty()
    exchange.parts.lobby.give_up_all("the test is over")
    go_on.set()
    assert {prepared.get(timeout=WAIT_S).call_sid for _ in range(2)} == {sid(1), sid(2)}


# --- not opened -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("calls_per_caller_per_day", "1"), ("daily_budget_usd", "1"), ("max_concurrent_calls", "1")],
)
def test_none_is_opened_for_a_call_that_would_not_get_the_assistant(
    exchange: Exchange, lobby: NotedLobby, name: str, value: str
) -> None:
    exchange.prefer(**{name: value})
    exchange.past_call(7, cost_usd=2.0)
    exchange.parts.streams.add(sid(8))

    assert exchange.rings().verbs == ["Dial"]

    assert lobby.asked == []


def test_none_is_opened_for_who_is_blocked_or_a_loop(exchange: Exchange, lobby: NotedLobby) -> None:
    exchange.keep(ANA, "blocked")

    assert exchange.rings().verbs == ["Reject"]
    assert exchange.rings(2, From=exchange.parts.settings.twilio_number).verbs == ["Reject"]

    assert lobby.asked == []


def test_none_is_opened_while_the_program_is_leaving(exchange: Exchange, lobby: NotedLobby) -> None:
    exchange.parts.drain()

    assert exchange.rings().is_voicemail
    exchange.parts.expect(sid(1), 60, certain=True)

    assert lobby.asked == []


@pytest.mark.parametrize("ends", ["status", "screened"])
def test_a_late_webhook_opens_none(exchange: Exchange, lobby: NotedLobby, model: Model, ends: str) -> None:
    exchange.rings()
    assert model.next()
    if ends == "status":
        exchange.ends()
    else:
        exchange.webhook("screened", 9, ParentCallSid=sid(1), Digits="1")

    exchange.rings()

    assert (lobby.waiting(), len(lobby.asked), len(model.opened)) == (0, 1, 1)


# --- given up -------------------------------------------------------------------------


def accepted(exchange: Exchange) -> None:
    exchange.webhook("screened", 9, ParentCallSid=sid(1), Digits="1")


def accepted_as_after_dial_tells_it(exchange: Exchange) -> None:
    exchange.parts.memory.of(sid(1)).accepted = True
    exchange.webhook("after-dial", DialCallStatus="completed", DialBridged="true")


def hung_up(exchange: Exchange) -> None:
    exchange.ends()


def hung_up_as_after_dial_tells_it(exchange: Exchange) -> None:
    exchange.webhook("after-dial", CallStatus="completed", DialCallStatus="canceled")


def over_the_cap_when_nobody_answered(exchange: Exchange) -> None:
    exchange.prefer(max_concurrent_calls="1")
    exchange.parts.streams.add(sid(8))
    assert exchange.webhook("after-dial", DialCallStatus="no-answer").is_voicemail


def draining(exchange: Exchange) -> None:
    exchange.parts.drain()


def a_bug_in_a_webhook(exchange: Exchange) -> None:
    exchange.parts.dials.forget = None  # type: ignore[assignment,method-assign]
    assert exchange.webhook("after-dial", DialCallStatus="no-answer").is_voicemail


@pytest.mark.parametrize(
    "happens",
    [
        accepted,
        accepted_as_after_dial_tells_it,
        hung_up,
        hung_up_as_after_dial_tells_it,
        over_the_cap_when_nobody_answered,
        draining,
        a_bug_in_a_webhook,
    ],
)
def test_a_session_is_given_up_when_it_is_not_needed(
    exchange: Exchange, lobby: NotedLobby, model: Model, happens: Callable[[Exchange], None]
) -> None:
    exchange.rings()
    session = model.next()

    happens(exchange)

    assert session.closed.wait(WAIT_S)
    assert lobby.waiting() == 0
    assert lobby.take(sid(1), lambda: 0) is None


@pytest.mark.parametrize("happens", [hung_up, draining])
def test_a_call_on_its_way_does_not_come(
    exchange: Exchange, lobby: NotedLobby, model: Model, happens: Callable[[Exchange], None]
) -> None:
    exchange.rings(**FORWARDED)
    session = model.next()

    happens(exchange)

    assert session.closed.wait(WAIT_S)
    assert lobby.take(sid(1), lambda: 0) is None


def starts(exchange: Exchange, token: str) -> None:
    """The call's media stream begins."""
    channel: Any = SimpleNamespace(close=lambda *said: None)
    with exchange.app.app_context():
        media._serve(channel, StreamStart(sid(1), "MZ1", ACCOUNT, {"token": token}))


def test_its_stream_is_refused(exchange: Exchange, lobby: NotedLobby, model: Model) -> None:
    exchange.rings(**FORWARDED)
    session = model.next()

    with pytest.raises(media.NotOurs):
        starts(exchange, "another token")

    assert session.closed.wait(WAIT_S)
    assert lobby.take(sid(1), lambda: 0) is None


def test_its_stream_is_over_before_the_call_has_taken_it(exchange: Exchange, model: Model) -> None:
    document = exchange.rings(**FORWARDED)
    session = model.next()

    starts(exchange, document.token)  # nobody serves it

    assert session.closed.wait(WAIT_S)


def test_a_mailbox_that_answers_changes_nothing(exchange: Exchange, model: Model) -> None:
    exchange.rings()
    session = model.next()

    exchange.webhook("screen", 9, ParentCallSid=sid(1))
    exchange.webhook("screened", 9, ParentCallSid=sid(1), Digits="")

    assert not session.closed.is_set()


def test_the_owner_pressed_1_and_was_never_connected(exchange: Exchange, model: Model) -> None:
    exchange.rings()
    first = model.next()
    accepted(exchange)
    assert first.closed.wait(WAIT_S)

    after = exchange.webhook("after-dial", DialCallStatus="completed", DialBridged="false")

    assert after.is_assistant
    assert not model.next().closed.is_set()


# --- never more than the cap ------------------------------------------------------------


def test_sessions_that_wait_count_against_the_cap(
    exchange: Exchange, lobby: NotedLobby, model: Model
) -> None:
    exchange.prefer(max_concurrent_calls="2")

    for number in range(1, 5):
        assert exchange.rings(number, From=f"+1202555016{number}").verbs == ["Dial"]

    assert (lobby.waiting(), len(lobby.asked)) == (2, 2)
    exchange.rings(1, From="+12025550161")  # again: it has its place already
    assert (lobby.waiting(), len(lobby.asked)) == (2, 3)


def test_a_call_that_gets_the_assistant_takes_the_place_of_the_oldest_that_rings(
    exchange: Exchange, lobby: NotedLobby, model: Model
) -> None:
    exchange.prefer(max_concurrent_calls="2")
    exchange.rings(1)
    oldest = model.next()
    exchange.rings(2, From=SAM)
    newer = model.next()

    assert exchange.rings(3, From="+12025550163", **FORWARDED).is_assistant

    assert oldest.closed.wait(WAIT_S)
    assert not newer.closed.is_set()
    assert not model.next().closed.is_set()
    assert exchange.parts.assistants_busy() + lobby.waiting() == 2


def test_a_call_that_rang_keeps_its_own_place_and_takes_no_other(
    exchange: Exchange, lobby: NotedLobby, model: Model
) -> None:
    exchange.prefer(max_concurrent_calls="2")
    exchange.rings(1)
    first = model.next()
    exchange.rings(2, From=SAM)
    second = model.next()

    assert exchange.webhook("after-dial", 1, DialCallStatus="no-answer").is_assistant

    assert not first.closed.is_set()
    assert not second.closed.is_set()
    assert exchange.parts.assistants_busy() + lobby.waiting() == 2
