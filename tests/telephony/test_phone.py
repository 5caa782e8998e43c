"""The caller's phone over a socket of our own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from wsproto.events import CloseConnection

from assistant import channel as channel_module
from assistant.call.events import CallerGone, CallerPressed, Event
from assistant.errors import PhoneLost, RestError
from assistant.telephony.phone import MOST_MALFORMED, TwilioPhone
from tests.far_socket import WAIT_S, FarSocket, pair

CALL, STREAM = "CA" + "1" * 32, "MZ" + "2" * 32
STOP = '{"event":"stop","stop":{}}'
KEY_1 = '{"event":"dtmf","dtmf":{"digit":"1"}}'

Line = Callable[..., tuple[TwilioPhone, FarSocket]]


def clock() -> int:
    return 40


@pytest.fixture
def line() -> Iterator[Line]:
    """Makes a phone and the other end of its socket, which has said these messages."""
    with ExitStack() as stack:

        def make(*messages: str | bytes) -> tuple[TwilioPhone, FarSocket]:
            channel, twilio = pair(stack)
            twilio.tell(*messages)
            return TwilioPhone(channel, STREAM, CALL, None), twilio

        yield make


class RestSide:
    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def hang_up(self, call_sid: str) -> None:
        self.asked.append(("hang up", call_sid))

    def update(self, call_sid: str, twiml: str) -> None:
        self.asked.append(("update", call_sid, twiml))


def off_line(rest: RestSide | None) -> TwilioPhone:
    """A phone of which only the REST side matters."""
    return TwilioPhone(None, STREAM, CALL, rest)  # type: ignore[arg-type]


def test_a_caller_who_hangs_up_is_told_from_a_line_that_is_lost(line: Line):
    caller, _ = line(STOP)
    assert caller.hear(clock) == CallerGone(hung_up=True, at_ms=40)

    caller, twilio = line()
    twilio.sock.close()
    assert caller.hear(clock) == CallerGone(hung_up=False, at_ms=40)


def test_a_close_without_a_stop_is_no_hang_up(line: Line):
    caller, twilio = line()
    twilio.close(1000)

    assert caller.hear(clock) == CallerGone(hung_up=False, at_ms=40)


def test_nothing_follows_the_end(line: Line):
    caller, _ = line(STOP, KEY_1)

    assert [caller.hear(clock) for _ in range(3)] == [CallerGone(hung_up=True, at_ms=40)] * 3


def test_what_does_not_concern_us_is_passed_over(line: Line):
    caller, _ = line('{"event":"new"}', "{", b"binary", KEY_1)

    assert caller.hear(clock) == CallerPressed("1", at_ms=40)


@pytest.mark.parametrize(("rubbish", "code"), [("{", 1008), (b"{}", 1003)])
def test_a_stream_of_rubbish_is_closed(line: Line, rubbish: str | bytes, code: int):
    caller, twilio = line(*[rubbish] * MOST_MALFORMED)
    twilio.close(1000)

    assert caller.hear(clock) == CallerGone(hung_up=False, at_ms=40)
    assert twilio.close_code() == code
    assert twilio.next() is None


def says(phone: TwilioPhone, payload: bytes = b"\xff") -> None:
    phone.play(payload)
    phone.send_held()


def test_sound_marks_and_clears_go_out_in_order(line: Line):
    caller, twilio = line()

    caller.play(b"\xff" * 8)
    caller.mark("1:item:1")
    caller.send_held()
    caller.play(b"\xff" * 8)
    caller.clear()

    events = [json.loads(twilio.next_text())["event"] for _ in range(4)]
    assert events == ["media", "mark", "media", "clear"]


def test_a_write_that_fails_loses_the_phone_for_good(line: Line):
    caller, twilio = line()
    twilio.sock.close()

    for _ in range(2):
        with pytest.raises(PhoneLost):
            says(caller)
    caller.close(1011, "over")
    with pytest.raises(PhoneLost):
        says(caller)


def test_a_write_that_stalls_is_cut_short(line: Line, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(channel_module, "STALL_S", 0.3)
    caller, twilio = line()
    heard: list[Event] = []
    hearing = threading.Thread(target=lambda: heard.append(caller.hear(clock)))
    hearing.start()

    began = time.monotonic()
    with pytest.raises(PhoneLost, match="stalled"):  # noqa: PT012 - which write stalls is the kernel's
        while time.monotonic() < began + WAIT_S:
            at = time.monotonic()
            says(caller, bytes(100_000))
    assert 0.3 <= time.monotonic() - at < 1.5
    with pytest.raises(PhoneLost):
        says(caller)  # half a frame may be on the wire
    hearing.join(WAIT_S)
    assert heard == [CallerGone(hung_up=False, at_ms=40)]
    caller.close(1011, "over")
    assert twilio.close_code() is None


def test_closing_is_done_once_and_ends_the_hearing(line: Line):
    caller, twilio = line()
    heard: list[Event] = []
    hearing = threading.Thread(target=lambda: heard.append(caller.hear(clock)))
    hearing.start()

    caller.close(1001, "leaving")
    caller.close(1011, "over")

    said = twilio.next()
    assert isinstance(said, CloseConnection)
    assert (said.code, said.reason) == (1001, "leaving")
    assert twilio.next() is None
    hearing.join(WAIT_S)
    assert heard == [CallerGone(hung_up=False, at_ms=40)]
    with pytest.raises(PhoneLost):
        says(caller)


def test_after_a_hang_up_the_stream_closes_normally(line: Line):
    caller, twilio = line(STOP)
    caller.hear(clock)

    caller.close(1011, "over")

    said = twilio.next()
    assert isinstance(said, CloseConnection)
    assert (said.code, said.reason) == (1000, "over")


def test_the_call_is_ended_and_redirected_over_rest():
    rest = RestSide()
    caller = TwilioPhone(None, STREAM, CALL, rest, ring_owner=lambda why: f"<Response>{why}</Response>")  # type: ignore[arg-type]

    caller.hang_up()
    caller.transfer("urgent")

    assert rest.asked == [("hang up", CALL), ("update", CALL, "<Response>urgent</Response>")]


def test_a_document_that_is_refused_rings_nobody():
    rest, undone = RestSide(), []
    rest.update = lambda *asked: (_ for _ in ()).throw(RestError("refused", 500))  # type: ignore[method-assign]
    caller = TwilioPhone(None, STREAM, CALL, rest, ring_owner=str, not_rung=lambda: undone.append(1))  # type: ignore[arg-type]

    with pytest.raises(RestError):
        caller.transfer("urgent")
    assert undone == [1]


def test_where_there_is_no_phone_of_the_owners_nobody_is_rung():
    rest = RestSide()

    with pytest.raises(RestError, match="no phone"):
        off_line(rest).transfer("urgent")
    assert rest.asked == []


def test_the_rest_side_has_a_time_limit():
    limits: list[float] = []

    @contextmanager
    def within(seconds: float) -> Iterator[None]:
        limits.append(seconds)
        yield

    TwilioPhone(None, STREAM, CALL, RestSide(), within).hang_up()  # type: ignore[arg-type]

    assert limits == [5.0]


@pytest.mark.parametrize("ask", [TwilioPhone.hang_up, lambda phone: phone.transfer("<Response/>")])
def test_without_a_rest_side_there_is_nobody_to_ask(ask: Callable[[TwilioPhone], None]):
    with pytest.raises(RestError):
        ask(off_line(None))


def test_a_rest_side_that_hangs_is_a_rest_error():
    class Hangs(RestSide):
        def hang_up(self, call_sid: str) -> None:
            raise TimeoutError

    with pytest.raises(RestError):
        off_line(Hangs()).hang_up()
