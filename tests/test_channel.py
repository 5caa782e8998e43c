"""A WebSocket on a socket of our own: what is told, what is answered, and every way it can end."""

from __future__ import annotations

import errno
import gc
import socket
import ssl
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from wsproto.events import CloseConnection, Ping, Pong, TextMessage

from assistant import channel as module
from assistant.channel import Channel, ChannelClosed
from assistant.frames import BINARY, TEXT, frame
from tests.far_socket import WAIT_S, FarSocket, Reading, pair

ROOT = Path(__file__).resolve().parent.parent
SLACK_S = 0.7  # for the one who looks, and for a busy machine

Pairs = Callable[..., tuple[Channel, FarSocket]]


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    with ExitStack() as stack:
        yield lambda **options: pair(stack, **options)


@pytest.fixture(params=[False, True], ids=["server", "client"])
def both(request: pytest.FixtureRequest, pairs: Pairs) -> tuple[Channel, FarSocket]:
    """Once with us as the server, once as the client."""
    return pairs(client=request.param)


def ended(channel: Channel) -> ChannelClosed:
    with pytest.raises(ChannelClosed) as over:
        channel.read()
    return over.value


def written_until_it_fails(channel: Channel) -> tuple[str, float]:
    """Write into a socket that nobody reads: what is said of it, and how long the last write took."""
    while True:
        at = time.monotonic()
        try:
            channel.write(bytes(100_000))
        except ChannelClosed as over:
            return str(over), time.monotonic() - at


def watched() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "channels"]


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


# --- messages --------------------------------------------------------------------


def test_messages_come_in_order_however_they_are_cut(both: tuple[Channel, FarSocket]):
    channel, far = both
    texts = [f"{number}" * number * 40 for number in range(1, 10)]
    data = b"".join(far.bytes_of(TextMessage(data=text)) for text in texts)

    far.sock.sendall(data)  # all in one recv
    assert [channel.read() for _ in texts] == [(TEXT, text.encode()) for text in texts]

    reading = Reading(channel)
    for at in range(0, len(data), 7):
        far.sock.sendall(data[at : at + 7])
    assert [reading.next() for _ in texts] == [(TEXT, text.encode()) for text in texts]


def test_text_is_told_from_binary(both: tuple[Channel, FarSocket]):
    channel, far = both
    far.tell("text", b"binary")

    assert [channel.read(), channel.read()] == [(TEXT, b"text"), (BINARY, b"binary")]


def test_what_is_written_arrives(both: tuple[Channel, FarSocket]):
    channel, far = both
    for text in ("", "short", "e" * 300, "ü" * 40_000):
        writer = threading.Thread(target=channel.write, args=(text.encode(),))
        writer.start()
        assert far.next_text() == text
        writer.join(WAIT_S)


def test_writers_do_not_mix_their_messages(both: tuple[Channel, FarSocket], monkeypatch: pytest.MonkeyPatch):
    """However little the socket takes at a time, and with pings between them."""
    monkeypatch.setattr(module, "PING_S", 0.02)
    monkeypatch.setattr(module, "LOOK_S", 0.005)
    channel, far = both
    channel._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    written = [letter * 50_000 for letter in "abcdefgh"] * 4
    halves = (written[::2], written[1::2])
    writers = [
        threading.Thread(target=lambda texts=texts: [channel.write(text.encode()) for text in texts])
        for texts in halves
    ]
    for writer in writers:
        writer.start()
    arrived: list[str] = []
    pings = 0
    while len(arrived) < len(written) or not pings:
        event = far.next()
        if isinstance(event, Ping):
            pings += 1
        else:
            assert isinstance(event, TextMessage)
            arrived.append(event.data)
    for writer in writers:
        writer.join(WAIT_S)

    assert sorted(arrived) == sorted(written)


# --- pings ------------------------------------------------------------------------


def test_pings_are_answered_also_between_fragments(both: tuple[Channel, FarSocket]):
    channel, far = both
    first = far.bytes_of(TextMessage(data="one ", message_finished=False))
    ping, last = far.bytes_of(Ping(payload=b"there?")), far.bytes_of(TextMessage(data="message"))
    reading = Reading(channel)

    far.sock.sendall(first + ping)
    assert far.next() == Pong(payload=b"there?")
    far.ping(b"still?")
    assert far.next() == Pong(payload=b"still?")
    far.sock.sendall(last)
    assert reading.next() == (TEXT, b"one message")


def test_a_quiet_channel_is_pinged_and_lives_while_they_are_answered(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch
):
    for name, seconds in (("PING_S", 0.1), ("SILENT_S", 0.4), ("LOOK_S", 0.02)):
        monkeypatch.setattr(module, name, seconds)
    channel, far = pairs()
    reading = Reading(channel)

    began = time.monotonic()
    for _ in range(6):
        ping = far.next()
        assert isinstance(ping, Ping)
        far.sock.sendall(far.bytes_of(ping.response()))
    assert time.monotonic() - began > 0.45
    assert str(reading.end()) == "nobody answers pings"
    assert time.monotonic() - began < 0.45 + 0.6 + SLACK_S


# --- the other side's end ------------------------------------------------------------


def test_a_close_is_answered_and_told_with_its_reason(both: tuple[Channel, FarSocket]):
    channel, far = both
    far.tell("last words")
    far.close(3000, "you must not")

    assert channel.read() == (TEXT, b"last words")
    over = ended(channel)
    assert (over.code, over.reason) == (3000, "you must not")
    assert far.close_code() == 3000
    with pytest.raises(ChannelClosed, match="closed with 3000"):
        channel.write(b"too late")


def test_a_close_without_a_code_is_one_too(pairs: Pairs):
    channel, far = pairs()
    far.sock.sendall(frame(8, mask=True))

    assert ended(channel).code == 1005
    assert far.close_code() == 1005
    assert far.next() is None  # and the server is the first to go (RFC 6455, 7.1.1)


def test_what_comes_after_a_close_is_not_read(pairs: Pairs):
    channel, far = pairs()
    far.sock.sendall(far.bytes_of(CloseConnection(code=1000)) + frame(TEXT, b"more", mask=True))

    assert ended(channel).code == 1000
    assert ended(channel).code == 1000


def test_the_end_of_the_file_is_an_end_without_a_code(both: tuple[Channel, FarSocket]):
    channel, far = both
    far.tell("half a ")
    far.sock.sendall(far.bytes_of(TextMessage(data="word"))[:3])
    far.sock.close()

    assert channel.read() == (TEXT, b"half a ")
    for _ in range(3):
        over = ended(channel)
        assert (str(over), over.code) == ("the connection was lost", None)
    with pytest.raises(ChannelClosed):
        channel.write(b"into the void")


def test_a_reset_is_an_end():
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as stack:
        far = stack.enter_context(socket.create_connection(listening.getsockname()))
        channel = Channel(listening.accept()[0], client=False, largest_message=1000)
        stack.callback(channel.end)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        far.close()

        over = ended(channel)
    assert (str(over), over.code) == ("the connection was lost: ConnectionResetError", None)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (b"\xc1\x80\0\0\0\0", 1002),  # compressed, which was never agreed
        (b"\x81\x00", 1002),  # a client that does not mask
        (b"\x81\x82\0\0\0\0\xff\xff", 1007),
        (b"\x81\xff\0\0\0\0\0\x20\0\0", 1009),
    ],
)
def test_a_mistake_is_refused_after_what_was_right(pairs: Pairs, wrong: bytes, code: int):
    channel, far = pairs()
    right = far.bytes_of(TextMessage(data="right")) * 2 + far.bytes_of(Ping(payload=b"too late"))
    far.sock.sendall(right + wrong + far.bytes_of(TextMessage(data="never read")))

    assert [channel.read(), channel.read()] == [(TEXT, b"right")] * 2
    for _ in range(2):
        over = ended(channel)
        assert over.code is None
        assert "breaks the rules" in str(over)
    said = far.next()
    assert isinstance(said, CloseConnection)  # and nothing after it, no pong either
    assert said.code == code
    assert far.next() is None


def test_a_mistake_of_a_server_is_refused_too(pairs: Pairs):
    channel, far = pairs(client=True)
    far.sock.sendall(b"\x83\x00")

    assert "breaks the rules" in str(ended(channel))
    assert far.close_code() == 1002


# --- our end ---------------------------------------------------------------------------


def test_a_server_that_closes_hears_the_answer(pairs: Pairs):
    channel, far = pairs()
    on_the_way = far.bytes_of(TextMessage(data="on the way"))
    channel.close(1001, "leaving")
    channel.close(1011, "said once")

    said = far.next()
    assert isinstance(said, CloseConnection)
    assert (said.code, said.reason) == (1001, "leaving")
    assert far.next() is None  # nothing more is written...
    far.sock.sendall(on_the_way + far.bytes_of(said.response()))
    assert channel.read() == (TEXT, b"on the way")  # ...but everything is read
    assert ended(channel).code == 1001
    with pytest.raises(ChannelClosed):
        channel.write(b"too late")


def test_a_client_that_closes_waits_for_the_server(pairs: Pairs):
    channel, far = pairs(client=True)
    channel.close()

    said = far.next()
    assert isinstance(said, CloseConnection)
    far.sock.settimeout(0.1)
    with pytest.raises(TimeoutError):  # still open
        far.next()
    far.sock.sendall(far.bytes_of(said.response()))
    assert ended(channel).code == 1000


def test_nothing_follows_a_close_frame(both: tuple[Channel, FarSocket]):
    channel, far = both
    channel.close()
    with pytest.raises(ChannelClosed, match="closed by us"):
        channel.write(b"more")
    far.ping(b"?")
    far.sock.shutdown(socket.SHUT_WR)

    assert str(ended(channel)) == "the connection was lost"
    assert far.close_code() == 1000
    assert far.next() is None


def test_a_goodbye_that_is_not_answered_ends(both: tuple[Channel, FarSocket]):
    channel, _ = both
    reading = Reading(channel)

    began = time.monotonic()
    channel.close()
    assert time.monotonic() - began < 0.2
    assert reading.end().code is None
    assert module.GOODBYE_S <= time.monotonic() - began < module.GOODBYE_S + SLACK_S


def test_a_goodbye_into_a_full_socket_ends(pairs: Pairs, monkeypatch: pytest.MonkeyPatch):
    """Nobody reads what we write; a close has to wait its turn behind it, but not for long."""
    monkeypatch.setattr(module, "GOODBYE_S", 0.3)
    channel, _ = pairs()
    reading = Reading(channel)
    writer = threading.Thread(target=written_until_it_fails, args=(channel,))
    writer.start()
    wait_until(lambda: bool(channel._writing_since))

    began = time.monotonic()
    channel.close()
    assert time.monotonic() - began < 0.3 + SLACK_S
    assert reading.end().code is None
    writer.join(WAIT_S)
    assert not writer.is_alive()


def test_dropping_wakes_the_reader_and_tells_why(both: tuple[Channel, FarSocket]):
    channel, far = both
    reading = Reading(channel)
    wait_until(lambda: channel._reading)
    channel.drop("enough")
    channel.drop("said once")

    assert str(reading.end()) == "enough"
    with pytest.raises(ChannelClosed, match="enough"):
        channel.write(b"more")
    assert far.next() is None


def test_whoever_has_closed_can_wait_for_the_reader(pairs: Pairs):
    channel, _ = pairs()
    channel.wait_until_read_out(WAIT_S)  # there is none...
    assert str(ended(channel)) == "closed by us"  # ...and who comes later is told

    channel, far = pairs()
    reading = Reading(channel)
    wait_until(lambda: channel._reading)
    channel.close()
    far.close(1000)

    channel.wait_until_read_out(WAIT_S)

    assert channel._end is not None
    assert reading.end().code == 1000


# --- writes that stall ---------------------------------------------------------------


def test_a_write_that_stalls_ends_the_channel_within_two_seconds(pairs: Pairs):
    channel, _ = pairs()
    reading = Reading(channel)

    why, took = written_until_it_fails(channel)

    assert why == "a write stalled"
    assert 2.0 <= took <= 2.0 + SLACK_S
    assert str(reading.end()) == "a write stalled"
    with pytest.raises(ChannelClosed, match="a write stalled"):
        channel.write(b"half a frame may be on the wire")


@pytest.mark.parametrize("last_sign", ["close", "end of file", "mistake"])
def test_a_write_does_not_wait_for_ever_because_the_reader_has_ended(
    pairs: Pairs, last_sign: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "STALL_S", 0.5)
    channel, far = pairs()
    failed: list[str] = []
    writer = threading.Thread(target=lambda: failed.append(written_until_it_fails(channel)[0]))
    writer.start()
    wait_until(lambda: bool(channel._writing_since))
    match last_sign:
        case "close":
            channel._closed = True  # ours waits its turn behind the write
            far.close(1000)
        case "end of file":
            far.sock.shutdown(socket.SHUT_WR)
        case _:
            far.sock.sendall(b"\xff\xff")

    assert ended(channel)
    writer.join(WAIT_S)
    assert failed


def test_a_ping_that_blocks_keeps_nobody_from_being_looked_after(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch
):
    for name, seconds in (("PING_S", 0.05), ("LOOK_S", 0.02), ("GOODBYE_S", 0.2)):
        monkeypatch.setattr(module, name, seconds)
    full, _ = pairs()
    other, far = pairs()
    stuck = threading.Thread(target=written_until_it_fails, args=(full,))
    stuck.start()
    wait_until(lambda: bool(full._writing_since))
    wait_until(lambda: any(thread.name == "ping" for thread in threading.enumerate()))

    reading = Reading(other)
    assert isinstance(far.next(), Ping)
    other.close()
    assert reading.end().code is None  # its goodbye is over long before the stall is
    assert stuck.is_alive()
    full.drop()
    stuck.join(WAIT_S)


# --- time limits of reading -----------------------------------------------------------


def test_reading_with_a_time_limit(both: tuple[Channel, FarSocket]):
    channel, far = both
    with pytest.raises(TimeoutError):
        channel.read(timeout_s=0.05)
    far.tell("late")

    assert channel.read(timeout_s=WAIT_S) == (TEXT, b"late")
    assert channel._sock.gettimeout() is None


def test_pings_do_not_prolong_a_time_limit(pairs: Pairs):
    channel, far = pairs()
    enough = threading.Event()

    def keep_pinging() -> None:
        while not enough.wait(0.05):
            far.ping()

    pinging = threading.Thread(target=keep_pinging)
    pinging.start()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        channel.read(timeout_s=0.3)
    took = time.monotonic() - began
    enough.set()
    pinging.join(WAIT_S)

    assert 0.25 <= took < 0.3 + SLACK_S


def test_a_connection_that_times_out_is_an_end_and_no_time_limit():
    class Unplugged(socket.socket):
        """As the system tells of a peer that has not acknowledged anything for minutes."""

        def recv(self, *args: int) -> bytes:
            raise OSError(errno.ETIMEDOUT, "Connection timed out")

    with Unplugged() as sock:
        channel = Channel(sock, client=False, largest_message=1000)
        assert str(ended(channel)) == "the connection was lost: TimeoutError"
        channel.end()


# --- being looked after ---------------------------------------------------------------


def test_the_one_who_looks_after_goes_with_the_last_and_comes_with_the_next(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    wait_until(lambda: not watched())
    first, second = pairs()[0], pairs()[0]
    (looking,) = watched()
    first.end()
    second.end()
    looking.join(WAIT_S)
    assert not looking.is_alive()

    pairs()
    (again,) = watched()
    assert again is not looking


@pytest.mark.parametrize("end", ["closed", "answered", "lost", "never read", "refused"])
def test_no_channel_is_looked_after_for_ever(pairs: Pairs, end: str, monkeypatch: pytest.MonkeyPatch):
    for name, seconds in (("LOOK_S", 0.02), ("GOODBYE_S", 0.1), ("PING_S", 0.1), ("SILENT_S", 0.3)):
        monkeypatch.setattr(module, name, seconds)
    channel, far = pairs()
    match end:
        case "closed":
            channel.close()
        case "answered":
            far.close(1000)
            ended(channel)
        case "lost":
            far.sock.close()
            ended(channel)
        case "refused":
            far.sock.sendall(b"\xff\xff")
            ended(channel)

    wait_until(lambda: channel not in module._watch._channels)


def test_a_fault_with_one_does_not_leave_the_others_alone(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    monkeypatch.setattr(module, "GOODBYE_S", 0.1)
    bad, good = pairs()[0], pairs()[0]
    monkeypatch.setattr(bad, "look_after", lambda now: 1 / 0)
    wait_until(lambda: "ZeroDivisionError" in caplog.text)

    good.close()
    assert ended(good).code is None


def test_an_ended_channel_lets_its_socket_go(pairs: Pairs):
    """At once, not when the garbage is collected: a call's file would stay open that long."""
    gc.disable()
    try:
        ours, theirs = socket.socketpair()
        channel = Channel(ours, client=False, largest_message=1000)
        gone = weakref.ref(channel)
        theirs.sendall(frame(8, mask=True))
        with suppress(ChannelClosed):
            channel.read()
        channel.end()
        theirs.close()
        del channel
        wait_until(lambda: gone() is None)
    finally:
        gc.enable()


# --- TLS -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", path, "-out", path.with_suffix(".crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    with path.open("ab") as both:
        both.write(path.with_suffix(".crt").read_bytes())
    return path


@pytest.fixture
def tls(certificate: Path) -> Iterator[tuple[Channel, FarSocket]]:
    """We are the client, as with the model."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate)
    client.load_verify_locations(certificate)
    ours, theirs = socket.socketpair()
    with ExitStack() as stack:
        wrapped: list[ssl.SSLSocket] = []
        shaking = threading.Thread(
            target=lambda: wrapped.append(server.wrap_socket(theirs, server_side=True))
        )
        shaking.start()
        ours_wrapped = client.wrap_socket(ours, server_hostname="localhost")
        shaking.join(WAIT_S)
        stack.callback(wrapped[0].close)
        channel = Channel(ours_wrapped, client=True, largest_message=1 << 20)
        stack.callback(channel.end)
        yield channel, FarSocket(wrapped[0], client=False)


def test_messages_and_a_close_through_tls(tls: tuple[Channel, FarSocket]):
    channel, far = tls
    with pytest.raises(TimeoutError):
        channel.read(timeout_s=0.05)
    channel.write(b"question")
    assert far.next_text() == "question"
    far.tell("answer " * 1000, "and more")
    far.close(1011, "over")

    assert channel.read() == (TEXT, b"answer " * 1000)
    assert channel.read() == (TEXT, b"and more")
    assert ended(channel).code == 1011
    assert far.close_code() == 1011


def test_dropping_tls_while_another_thread_reads(tls: tuple[Channel, FarSocket]):
    channel, _ = tls
    reading = Reading(channel)
    wait_until(lambda: channel._reading)
    channel.drop("enough")

    assert str(reading.end()) == "enough"
    with pytest.raises(ChannelClosed, match="enough"):
        channel.write(b"never in plain text")


def test_a_write_through_tls_that_stalls(tls: tuple[Channel, FarSocket], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "STALL_S", 0.3)
    channel, _ = tls
    reading = Reading(channel)

    why, took = written_until_it_fails(channel)

    assert why == "a write stalled"
    assert took < 0.3 + SLACK_S
    assert str(reading.end()) == "a write stalled"


def test_a_tls_peer_that_is_just_gone(tls: tuple[Channel, FarSocket]):
    channel, far = tls
    far.sock.close()

    assert ended(channel).code is None


# --- under gevent --------------------------------------------------------------------------

GREEN = """
from gevent import monkey; monkey.patch_all()
import socket, ssl, sys, time
import gevent, gevent.event
from assistant import channel as module
from assistant.channel import Channel, ChannelClosed
from assistant.frames import TEXT
from assistant.green import readiness

module.STALL_S, module.GOODBYE_S, module.LOOK_S = 0.4, 0.3, 0.02
SLACK_S = 0.7

def plain():
    return socket.socketpair()

def through_tls():
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(sys.argv[1])
    client.load_verify_locations(sys.argv[1])
    ours, theirs = socket.socketpair()
    shaking = gevent.spawn(server.wrap_socket, theirs, server_side=True)
    return client.wrap_socket(ours, server_hostname="localhost"), shaking.get(timeout=5)

def pair(sockets):
    ours, theirs = sockets()
    return (Channel(ours, client=True, largest_message=1 << 20, readiness=waits),
            Channel(theirs, client=False, largest_message=1 << 20, readiness=waits))

def read_out(channel, heard):
    try:
        while True:
            heard.append(channel.read())
    except ChannelClosed as over:
        return over

def took(began):
    return time.monotonic() - began

worst = 0.0
def tick():
    global worst
    while True:
        at = time.monotonic(); gevent.sleep(0.01); worst = max(worst, took(at) - 0.01)

def talk_and_close(sockets):
    one, other = pair(sockets)
    at_one, at_other = [], []
    readers = [gevent.spawn(read_out, one, at_one), gevent.spawn(read_out, other, at_other)]
    texts = [bytes([65 + n]) * 200_000 for n in range(5)]
    writers = [gevent.spawn(channel.write, text) for text in texts for channel in (one, other)]
    gevent.joinall(writers, timeout=5, raise_error=True)
    first = (one if sockets is through_tls else other)  # a server of ours speaks no TLS
    first.close(1001, "leaving")
    ends = [reader.get(timeout=5) for reader in readers]
    assert sorted(at_one) == sorted(at_other) == [(TEXT, text) for text in texts], ends
    assert {(end.code, end.reason) for end in ends} == {(1001, "leaving"), (1001, "")}, ends
    one.end(); other.end()

def stall(sockets):
    one, other = pair(sockets)
    reader = gevent.spawn(read_out, one, [])
    waiting = gevent.spawn_later(0.2, one.close)  # has to wait for the write that stalls
    try:
        while True:
            began = time.monotonic()
            one.write(bytes(100_000))
    except ChannelClosed as over:
        assert "stalled" in str(over) or "lost" in str(over), over
    assert took(began) < 0.4 + SLACK_S
    assert reader.get(timeout=5).code is None
    waiting.get(timeout=5)
    one.end(); other.end()

def drop(sockets):
    one, other = pair(sockets)
    readers = [gevent.spawn(read_out, channel, []) for channel in (one, other)]
    gevent.sleep(0.05)
    one.drop("enough")
    assert str(readers[0].get(timeout=5)) == "enough"
    assert readers[1].get(timeout=5).code is None
    try:
        one.write(b"x"); raise SystemExit("written")
    except ChannelClosed:
        pass
    one.end(); other.end()

def unanswered(sockets):
    one, other = pair(sockets)
    reader = gevent.spawn(read_out, one, [])
    gevent.sleep(0)
    began = time.monotonic()
    one.close()
    reader.get(timeout=5)
    assert 0.3 <= took(began) < 0.3 + SLACK_S
    one.end(); other.end()

def limited(sockets):
    one, other = pair(sockets)
    try:
        one.read(timeout_s=0.05); raise SystemExit("read")
    except TimeoutError:
        pass
    other.write(b"late")
    assert one.read(timeout_s=5) == (TEXT, b"late")
    one.end(); other.end()

ticking = gevent.spawn(tick)
for sockets, waits in ((plain, None), (plain, readiness), (through_tls, None), (through_tls, readiness)):
    for part in (talk_and_close, drop, unanswered, limited, stall):
        part(sockets)
ticking.kill()
assert worst < 0.5, worst
assert not module._watch._channels
print("green and well")
"""


def test_channels_under_gevent(certificate: Path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", GREEN, str(certificate)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout == "green and well\n"
    assert done.stderr == ""
