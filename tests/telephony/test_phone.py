"""The caller's phone over a socket of our own."""

from __future__ import annotations

import json
import queue
import socket as sockets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from simple_websocket import ConnectionClosed

from assistant.call.events import CallerGone, CallerPressed
from assistant.errors import PhoneLost, RestError
from assistant.telephony.phone import MOST_MALFORMED, TwilioPhone, WholeWrites

CALL, STREAM = "CA" + "1" * 32, "MZ" + "2" * 32
STOP = '{"event":"stop","stop":{}}'


def clock() -> int:
    return 40


class Socket:
    """One end of a WebSocket, as simple_websocket shows it."""

    def __init__(self, *messages: str | bytes) -> None:
        self.connected = True
        self.event = threading.Event()
        self.coming: queue.SimpleQueue[str | bytes | None] = queue.SimpleQueue()
        for message in messages:
            self.coming.put(message)
        self.sent: list[str] = []
        self.closed: list[tuple[int | None, str | None]] = []
        self.broken: Exception | None = None

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        if not self.connected or self.coming.empty():
            raise ConnectionClosed(1005, "")
        return self.coming.get()

    def send(self, data: str) -> None:
        if self.broken:
            raise self.broken
        self.sent.append(data)

    def close(self, reason: int | None = None, message: str | None = None) -> None:
        if not self.connected:
            raise ConnectionClosed(1005, "")
        self.closed.append((reason, message))


class RestSide:
    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def hang_up(self, call_sid: str) -> None:
        self.asked.append(("hang up", call_sid))

    def update(self, call_sid: str, twiml: str) -> None:
        self.asked.append(("update", call_sid, twiml))


def phone(socket: Socket, rest: RestSide | None = None) -> TwilioPhone:
    return TwilioPhone(socket, STREAM, CALL, rest)


def test_a_caller_who_hangs_up_is_told_from_a_line_that_is_lost():
    assert phone(Socket(STOP)).hear(clock) == CallerGone(hung_up=True, at_ms=40)
    assert phone(Socket()).hear(clock) == CallerGone(hung_up=False, at_ms=40)


def test_nothing_follows_the_end():
    caller = phone(Socket(STOP, '{"event":"dtmf","dtmf":{"digit":"1"}}'))

    assert [caller.hear(clock) for _ in range(3)] == [CallerGone(hung_up=True, at_ms=40)] * 3


def test_what_does_not_concern_us_is_passed_over():
    socket = Socket('{"event":"new"}', "{", b"binary", '{"event":"dtmf","dtmf":{"digit":"1"}}')

    assert phone(socket).hear(clock) == CallerPressed("1", at_ms=40)


@pytest.mark.parametrize(("rubbish", "code"), [("{", 1008), (b"{}", 1003)])
def test_a_stream_of_rubbish_is_closed(rubbish: str | bytes, code: int):
    socket = Socket(*[rubbish] * MOST_MALFORMED, STOP)

    assert phone(socket).hear(clock) == CallerGone(hung_up=False, at_ms=40)
    assert [closed[0] for closed in socket.closed] == [code]


def test_sound_marks_and_clears_go_out_in_order():
    socket = Socket()
    caller = phone(socket)

    caller.play(b"\xff" * 8)
    caller.mark("1:item:1")
    caller.clear()

    assert [json.loads(text)["event"] for text in socket.sent] == ["media", "mark", "clear"]


@pytest.mark.parametrize("broken", [ConnectionClosed(1005, ""), BrokenPipeError(), TimeoutError()])
def test_a_write_that_fails_loses_the_phone_for_good(broken: Exception):
    socket = Socket()
    caller = phone(socket)
    socket.broken = broken
    with pytest.raises(PhoneLost):
        caller.play(b"\xff")

    socket.broken = None
    with pytest.raises(PhoneLost):
        caller.mark("half a frame may be on the wire")
    caller.close(1011, "over")
    assert socket.closed == []


def test_a_write_that_stalls_is_cut_short():
    limits: list[float] = []

    @contextmanager
    def within(seconds: float) -> Iterator[None]:
        limits.append(seconds)
        yield

    TwilioPhone(Socket(), STREAM, CALL, None, within).clear()

    assert limits == [2.0]


def test_closing_is_done_once_and_ends_the_hearing():
    socket = Socket(STOP)
    caller = phone(socket)

    caller.close(1001, "leaving")
    caller.close(1011, "over")

    assert socket.closed == [(1001, "leaving")]
    assert socket.event.is_set()
    assert caller.hear(clock) == CallerGone(hung_up=False, at_ms=40)
    with pytest.raises(PhoneLost):
        caller.play(b"\xff")


def test_after_a_hang_up_the_stream_closes_normally():
    socket = Socket(STOP)
    caller = phone(socket)
    caller.hear(clock)

    caller.close(1011, "over")

    assert socket.closed == [(1000, "over")]


def test_the_call_is_ended_and_redirected_over_rest():
    rest = RestSide()
    caller = phone(Socket(), rest)

    caller.hang_up()
    caller.transfer("<Response/>")

    assert rest.asked == [("hang up", CALL), ("update", CALL, "<Response/>")]


@pytest.mark.parametrize("ask", [TwilioPhone.hang_up, lambda phone: phone.transfer("<Response/>")])
def test_without_a_rest_side_there_is_nobody_to_ask(ask: Callable[[TwilioPhone], None]):
    with pytest.raises(RestError):
        ask(phone(Socket()))


def test_a_rest_side_that_hangs_is_a_rest_error():
    class Hangs(RestSide):
        def hang_up(self, call_sid: str) -> None:
            raise TimeoutError

    with pytest.raises(RestError):
        phone(Socket(), Hangs()).hang_up()


def test_a_message_is_written_whole_however_little_the_socket_takes():
    ours, theirs = sockets.socketpair()
    with ours, theirs:
        ours.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 4096)
        whole = WholeWrites(ours)
        frames = [bytes([letter]) * 100_000 for letter in b"abcd"]
        writers = [threading.Thread(target=whole.send, args=(frame,)) for frame in frames]
        for writer in writers:
            writer.start()
        received = b""
        while len(received) < 400_000:
            received += theirs.recv(65536)
        for writer in writers:
            writer.join(10)

    assert sorted(received[at : at + 100_000] for at in range(0, 400_000, 100_000)) == frames
    assert whole.fileno() == ours.fileno()
