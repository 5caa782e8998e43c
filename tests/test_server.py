"""The server, as a process of its own: stopping, slow peers, WebSockets, what is logged."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parent.parent

# A house with one page, one door for callers, and a hello for every other case below.
PROGRAM = """
    from gevent import monkey; monkey.patch_all()
    import logging, sys, threading, time
    from flask import Flask, request
    from flask_sock import Sock
    from assistant import server
    from assistant.errors import ConfigError

    logging.basicConfig(stream=sys.stdout, format="%(name)s %(message)s", level=logging.INFO)
    server.HEADER_SECONDS = server.BODY_SECONDS = 0.7
    server.WRITE_SECONDS, server.IDLE_SECONDS = 0.5, IDLE
    app = Flask("house")
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25}
    sock = Sock(app)
    sockets, draining = set(), threading.Event()

    @app.before_request
    def note():
        request.environ[server.ROUTE_KEY] = request.url_rule.rule if request.url_rule else "-"
        if request.path == "/refused":
            return "no", 403

    @app.route("/hello/<name>", methods=["GET", "POST"])
    def hello(name):
        body = request.get_data()
        return f"{'leaving' if draining.is_set() else 'open'} {len(body)}"

    @app.route("/long")
    def long():
        return b"x" * 50_000_000

    @app.route("/slow")
    def slow():
        time.sleep(0.5)
        return "done"

    @sock.route("/stream")
    def stream(ws):
        sockets.add(ws)
        try:
            while True:
                text = ws.receive()
                if text == "end":
                    break
                ws.send(text)
        finally:
            sockets.discard(ws)

    def close_calls():
        for ws in list(sockets):
            ws.close(1001)

    house = server.Server(app, "127.0.0.1", PORT, live=lambda: len(sockets), on_drain=draining.set,
                          close_calls=close_calls, drain_seconds=DRAIN)
    try:
        house.listen()
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print("port", house.port, flush=True)
    house.serve()
    print("left", flush=True)
"""


class House:
    """The program above in a process, its port and what it prints."""

    def __init__(self, port: int = 0, drain_seconds: float = 60, idle_s: float = 60) -> None:
        code = dedent(PROGRAM).replace("PORT", str(port)).replace("DRAIN", str(drain_seconds))
        code = code.replace("0.5, IDLE", f"0.5, {idle_s}")
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in __exit__
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", code], cwd=ROOT, stdout=self.output, stderr=subprocess.STDOUT
        )
        eventually(lambda: self.said.endswith("\n"))
        self.port = int(self.said.split()[1]) if self.said.startswith("port") else 0

    def __enter__(self) -> House:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.output.close()

    @property
    def said(self) -> str:
        self.output.seek(0)
        return self.output.read()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def left(self, within_s: float) -> int:
        """Its exit status, once it has left."""
        return self.process.wait(timeout=within_s)

    def get(self, path: str, headers: str = "") -> str:
        return self.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())

    def send(self, request: bytes) -> str:
        with self.socket() as sock:
            sock.sendall(request)
            return read_all(sock)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    @contextmanager
    def call(self) -> Iterator[ClientConnection]:
        """A live call: its socket is open and has been answered once."""
        with connect(f"ws://127.0.0.1:{self.port}/stream?token=secret-in-query", proxy=None) as call:
            call.send("hello")
            assert call.recv(timeout=10) == "hello"
            yield call


def read_all(sock: socket.socket) -> str:
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts).decode("latin-1")


def read_until(sock: socket.socket, end: bytes) -> None:
    read = b""
    while not read.endswith(end):
        part = sock.recv(65536)
        assert part, f"closed after {read!r}"
        read += part


def eventually(true: Callable[[], bool], within_s: float = 10) -> None:
    until = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def house() -> Iterator[House]:
    with House() as house:
        yield house


def close_code(call: ClientConnection) -> int:
    """The code the server closed the socket with."""
    with pytest.raises(ConnectionClosed) as closed:
        call.recv(timeout=5)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_a_call_the_process_leaves_within_two_seconds(house: House, number: signal.Signals):
    idle = house.socket()
    assert "open" in house.get("/hello/ana")

    house.signal(number)

    assert house.left(within_s=2) == 0
    idle.close()


def test_an_answer_on_its_way_is_finished_before_leaving(house: House):
    with house.socket() as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert "open" in house.get("/hello/ana")  # by now the slow one has been taken
        house.signal(signal.SIGTERM)

        assert read_all(sock).endswith("done")
    assert house.left(within_s=2) == 0


def test_with_a_live_call_everything_is_answered_until_it_ends(house: House):
    with house.call() as call:
        house.signal(signal.SIGTERM)
        eventually(lambda: "leaving" in house.get("/hello/ana"))

        call.send("still here")
        assert call.recv(timeout=5) == "still here"
        assert house.process.poll() is None

        call.send("end")
        assert house.left(within_s=3) == 0


def test_a_second_signal_closes_the_calls_with_1001(house: House):
    with house.call() as call:
        house.signal(signal.SIGTERM)
        eventually(lambda: "leaving" in house.get("/hello/ana"))

        house.signal(signal.SIGTERM)

        assert close_code(call) == 1001
    assert house.left(within_s=4) == 0


def test_calls_are_waited_for_no_longer_than_the_drain_time():
    with House(drain_seconds=0.3) as house, house.call() as call:
        house.signal(signal.SIGTERM)

        assert close_code(call) == 1001
        assert house.left(within_s=4) == 0


def test_a_taken_port_is_one_clear_line(house: House):
    with House(port=house.port) as second:
        assert second.left(within_s=10) == 2
        assert second.said.count("\n") == 1
        assert second.said.startswith("PORT:")
        assert str(house.port) in second.said


def test_slow_headers_are_dropped_while_others_are_served(house: House):
    slow = [house.socket() for _ in range(50)]
    for sock in slow:
        sock.sendall(b"GET /hello/slow HTTP/1.1\r\nHost: x\r\nX-Half: ")

    assert "open" in house.get("/hello/ana")
    assert [read_all(sock) for sock in slow] == [""] * 50
    for sock in slow:
        sock.close()


def test_a_connection_between_two_requests_may_wait_longer_than_headers_may_take(house: House):
    with house.socket() as sock:
        sock.sendall(b"GET /hello/ana HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(sock, b"open 0")
        with house.socket() as late:  # closed by the server once the headers' time is over
            assert read_all(late) == ""

        sock.sendall(b"GET /hello/sam HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(sock, b"open 0")
        sock.sendall(b"GET /hello/half")
        assert read_all(sock) == ""


def test_but_not_for_ever():
    with House(idle_s=0.3) as house, house.socket() as sock:
        sock.sendall(b"GET /hello/ana HTTP/1.1\r\nHost: x\r\n\r\n")

        assert read_all(sock).endswith("open 0")


def test_a_peer_that_does_not_read_is_given_up(house: House):
    with house.socket() as sock:
        sock.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: "GET /long" in house.said)

        assert len(read_all(sock)) < 50_000_000
    assert "Traceback" not in house.said


def test_a_slow_body_is_dropped_too(house: House):
    with house.socket() as sock:
        sock.sendall(b"POST /hello/ana HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")

        assert read_all(sock).startswith("HTTP/1.1 400")


def test_a_huge_body_is_refused_without_being_read(house: House):
    with house.socket() as sock:
        sock.sendall(b"POST /hello/ana HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\nbegin")

        assert read_all(sock).startswith("HTTP/1.1 413")


def test_a_connection_is_used_again_after_a_body_nobody_read(house: House):
    post = b"POST /hello/ana HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000
    get = b"GET /hello/sam HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    both = house.send(post + get)

    assert both.startswith("HTTP/1.1 413")
    assert both.endswith("open 0")


def handshake(path: str) -> bytes:
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    return f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()


LEFTOVER = b"GET /hello/leftover HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSE_FRAME = b"\x88\x82\x00\x00\x00\x00\x03\xe8"  # masked with zeros: code 1000


def test_what_follows_a_websocket_is_never_read_as_a_request(house: House):
    with house.socket() as sock:
        sock.sendall(handshake("/stream"))
        assert sock.recv(65536).startswith(b"HTTP/1.1 101")
        sock.sendall(CLOSE_FRAME + LEFTOVER + LEFTOVER)
        answer = read_all(sock)

    assert "HTTP/1.1" not in answer
    house.signal(signal.SIGTERM)
    assert house.left(within_s=2) == 0
    assert "/hello" not in house.said


def test_nor_what_follows_a_refused_websocket(house: House):
    answer = house.send(handshake("/refused") + LEFTOVER)

    assert answer.startswith("HTTP/1.1 403")
    assert answer.count("HTTP/1.1") == 1


def test_small_answers_are_not_held_back(house: House):
    """Nagle would hold back the second of two small frames until the first is acknowledged."""
    with house.call() as call:
        took = []
        for _ in range(20):
            began = time.monotonic()
            call.send("one")
            call.send("two")
            assert [call.recv(timeout=5), call.recv(timeout=5)] == ["one", "two"]
            took.append(time.monotonic() - began)

    assert sorted(took)[10] < 0.03


def test_log_lines_have_route_patterns_and_nothing_that_was_sent(house: House):
    house.get("/hello/secret-name?secret=query", "X-Secret: header\r\n")
    house.get("/secret-path")
    house.send(b"SECRET /hello/ana HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    house.send(b"secret nonsense\r\n\r\n")
    house.send(b"GET /hello/secret HTTP/1.1\r\nContent-Length: secret\r\n\r\n")
    with house.call() as call:
        call.send("end")

    house.signal(signal.SIGTERM)
    assert house.left(within_s=3) == 0
    assert "secret" not in house.said.lower()
    lines = [line for line in house.said.splitlines() if line.startswith("afterbeep.access ")]
    assert [re.sub(r" \d+$", " MS", line.removeprefix("afterbeep.access ")) for line in lines] == [
        "GET /hello/<name> 200 MS",
        "GET - 404 MS",
        "- - 405 MS",
        "- - 400 MS",
        "GET - 400 MS",
        "GET /stream 101 MS",
    ]


def in_green(body: str) -> str:
    """What a program prints that has gevent's parts at hand."""
    head = """
        from gevent import monkey; monkey.patch_all()
        import gevent, threading, time
        from gevent.monkey import get_original
        from assistant.green import gevent_parts
        parts = gevent_parts()
        native_sleep, native_id = get_original("time", "sleep"), get_original("threading", "get_ident")
        def fail(): raise KeyError("a secret")
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(head) + dedent(body)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_pooled_work_does_not_hold_up_the_others():
    said = in_green(
        """
        late = []
        def heart():
            while True:
                due = time.monotonic() + 0.01
                time.sleep(0.01)
                late.append(time.monotonic() - due)
        beat = gevent.spawn(heart)
        jobs = [gevent.spawn(parts.in_pool, native_sleep, 0.3) for _ in range(4)]
        jobs.append(gevent.spawn(parts.in_writer, native_sleep, 0.3))
        gevent.joinall(jobs)
        print(len(late) > 15, max(late) < 0.15)
        """
    )
    assert said == "True True\n"


def test_the_writer_has_one_thread_of_its_own():
    said = in_green(
        """
        writers = {parts.in_writer(native_id) for _ in range(5)}
        jobs = [gevent.spawn(lambda: (native_sleep(0.05), parts.in_pool(native_id))[1]) for _ in range(8)]
        print(len(writers), writers.isdisjoint({job.get() for job in jobs}), native_id() in writers)
        """
    )
    assert said == "1 True False\n"


def test_an_error_in_the_pool_comes_back_and_is_not_printed():
    said = in_green(
        """
        try:
            parts.in_pool(fail)
        except KeyError as error:
            print("got", error)
        """
    )
    assert said == "got 'a secret'\n"


def test_time_limits_may_be_nested():
    said = in_green(
        """
        def timed(outer, inner):
            try:
                with parts.within(outer):
                    try:
                        with parts.within(inner):
                            time.sleep(0.3)
                        return "done"
                    except TimeoutError:
                        return "inner"
            except TimeoutError:
                return "outer"
        print(timed(9, 0.05), timed(0.05, 9), timed(9, 9))
        time.sleep(0.4)
        print("nothing fires later")
        """
    )
    assert said == "inner outer done\nnothing fires later\n"
