"""The WSGI server: gevent's own, with three repairs for a house in which calls are live.

Left alone, gevent.pywsgi cuts every call on SIGTERM, parses whatever a finished WebSocket left
in its socket as a new request, and waits for ever for a request's headers. Here:

- the first SIGTERM or Ctrl-C *drains*: everything is still answered (the webhooks of running calls
  too) until no call is live or the drain time is over; a second signal leaves at once;
- a connection that was a WebSocket ends with its TCP socket;
- a request's headers, its body and every write to a peer have a time limit, and connections a number.

There is no access log but our own line: method, route pattern, status, milliseconds. Nothing a
stranger sent is ever logged. The route pattern is what the app left in the environ (`ROUTE_KEY`).
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import Input, WSGIHandler, WSGIServer

from assistant.errors import ConfigError
from assistant.green import calm_interpreter, within

ROUTE_KEY = "afterbeep.route"

HEADER_SECONDS = 10  # from a new connection, or the first byte of a further request, to the headers' end
IDLE_SECONDS = 150  # between requests: longer than tunnels keep theirs (90-120 s), so that they close first
BODY_SECONDS = 10
WRITE_SECONDS = 30  # one write to a peer that has stopped reading
CALLBACK_SECONDS = 0.7  # after the last call: the telephone company still tells of its end
LEAVE_SECONDS = 1.0  # for answers still on their way when the process leaves
CUT_SECONDS = 3.0  # for calls that were cut: their frames, and what the store still has to hear of them
CLOSE_SECONDS = 1.0  # for a WebSocket's peer to take note of the end
DISCARD_BYTES = 256 * 1024  # of a body nobody wanted; a longer one costs the peer its connection
MAX_CONNECTIONS = 2000

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

access_log = logging.getLogger("afterbeep.access")
log = logging.getLogger("afterbeep.server")

App = Callable[..., Any]


# --- one connection -------------------------------------------------------------


class _Body(Input):  # type: ignore[misc]
    """A request's body with a time limit. Too late or broken: OSError, and the connection ends."""

    __slots__ = ("broken", "due")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.broken = False
        self.due = 0.0

    def read(self, length: int | None = None) -> bytes:
        return self._limited(super().read, length)

    def readline(self, size: int | None = None) -> bytes:
        return self._limited(super().readline, size)

    def _limited(self, read: Callable[[int | None], bytes], size: int | None) -> bytes:
        self.due = self.due or time.monotonic() + BODY_SECONDS
        try:
            with within(max(0.001, self.due - time.monotonic())):
                return read(size)
        except OSError:  # TimeoutError is one
            self.broken = True
            raise

    def _discard(self) -> None:
        """Read on to the next request, when that is not far; else the connection will be closed."""
        unread = (self.content_length or 0) - self.position
        if self.broken or unread > DISCARD_BYTES or (self.chunked_input and self.chunk_length != 0):
            self.broken = True
            return
        super()._discard()


class _Handler(WSGIHandler):  # type: ignore[misc]
    """One connection: limits in time, an end to every WebSocket, and nothing logged but our line."""

    wsgi_input: Any
    environ: Any

    used_before = False

    def handle_one_request(self) -> Any:
        if self.used_before and not self._another_request():
            return None
        self.used_before = True
        self.header_limit = gevent.Timeout.start_new(HEADER_SECONDS)
        try:
            return super().handle_one_request()
        except gevent.Timeout as raised:
            if raised is not self.header_limit:
                raise
            return None
        finally:
            self.header_limit.close()

    def _another_request(self) -> bool:
        try:
            with within(IDLE_SECONDS):
                return bool(self.rfile.peek(1))
        except (OSError, ValueError):  # TimeoutError is an OSError
            return False

    def get_environ(self) -> dict[str, Any]:
        self.header_limit.close()  # the headers are complete
        environ: dict[str, Any] = super().get_environ()
        body = self.wsgi_input
        self.wsgi_input = _Body(body.rfile, body.content_length, body.socket, body.chunked_input)
        environ["wsgi.input"] = self.wsgi_input
        return environ

    def _sendall(self, data: bytes) -> None:
        with within(WRITE_SECONDS):
            super()._sendall(data)

    def handle_one_response(self) -> None:
        self.server.busy += 1
        try:
            super().handle_one_response()
            if self._connection_upgrade_requested():
                # What such a peer still sends must never be parsed as a request: not after a WebSocket,
                # and not after a refused one either.
                self.close_connection = True
                _end(self.socket)
            elif self.wsgi_input.broken:
                self.close_connection = True
        finally:
            self.server.busy -= 1

    def log_request(self) -> None:
        environ = self.environ or {}
        method = self.command if self.command in METHODS else "-"
        took_ms = round((time.time() - self.time_start) * 1000)
        access_log.info("%s %s %s %d", method, environ.get(ROUTE_KEY, "-"), self._log_status(), took_ms)
        self.environ = None

    def _log_status(self) -> str:
        if self.status:
            status = self.status.decode("latin-1") if isinstance(self.status, bytes) else str(self.status)
            return status[:3] if status[:3].isdigit() else "gone"
        return "101" if self._connection_upgrade_requested() else "-"

    # pywsgi's own lines quote what was sent. The status in our line says enough.

    def log_error(self, msg: str, *args: Any) -> None:
        """Say nothing."""

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes]:
        self.environ = None
        return ("400", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    def handle_error(self, t: Any, v: Any, tb: Any) -> None:
        if isinstance(v, ConnectionError | TimeoutError):  # the peer is gone, or stopped reading
            self.close_connection = True
            return
        super().handle_error(t, v, tb)

    def _log_error(self, t: Any, v: Any, tb: Any) -> None:
        if not issubclass(t, gevent.GreenletExit):
            log.error("a request failed outside the app", exc_info=(t, v, tb))


def _end(sock: Any) -> None:
    """End a TCP connection so that the last frame arrives: say so, read until the peer agrees, close.

    Closing with unread bytes at hand would reset the connection, and a reset can overtake the frame.
    """
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(CLOSE_SECONDS)
        until = time.monotonic() + CLOSE_SECONDS
        while time.monotonic() < until and sock.recv(65536):
            pass
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class _Listener(WSGIServer):  # type: ignore[misc]
    handler_class = _Handler
    busy = 0  # requests being answered, WebSockets included

    def handle(self, sock: Any, address: Any) -> None:
        # With Nagle a `clear` waits up to 20 ms behind the mark before it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle(sock, address)


# --- the server -----------------------------------------------------------------


class Server:
    """Serves until it is told to leave.

    live: how many calls are live now. on_drain: called once, at the first signal. close_calls: close every
    call's socket as going away. drain_seconds: how long live calls are waited for. end_streams: let go the
    pages that are told of calls as they happen.
    Port 0 takes a free one (`port` says which).
    """

    def __init__(
        self,
        app: App,
        host: str,
        port: int,
        *,
        live: Callable[[], int],
        on_drain: Callable[[], None],
        close_calls: Callable[[], None],
        drain_seconds: float,
        end_streams: Callable[[], None] = lambda: None,
    ) -> None:
        self.host = host
        self.live = live
        self.on_drain = on_drain
        self.close_calls = close_calls
        self.drain_seconds = drain_seconds
        self.end_streams = end_streams
        self._leave = Event()  # first signal
        self._at_once = Event()  # second signal
        self._listener = _Listener(
            (host, port),
            app,
            spawn=Pool(MAX_CONNECTIONS),
            log=None,
            error_log=None,
            environ={"SERVER_NAME": host},  # else it asks the name service for one
        )

    @property
    def port(self) -> int:
        """The port listened on (after `listen`)."""
        return int(self._listener.server_port)

    def listen(self) -> None:
        """Take the address. Raises ConfigError when it cannot be had."""
        allow_many_files()
        try:
            self._listener.start()
        except OSError as error:
            raise ConfigError([_why_not(error, self.host, self._listener.address[1])]) from error

    def serve(self) -> None:
        """Answer until told to leave, then until no call is live. Blocks. Listens if it has not yet."""
        if not self._listener.started:
            self.listen()
        calm_interpreter()
        handlers = [gevent.signal_handler(number, self.leave) for number in (signal.SIGTERM, signal.SIGINT)]
        try:
            self._leave.wait()
            self._drain()
        finally:
            for handler in handlers:
                handler.cancel()

    def leave(self) -> None:
        """Drain; asked a second time, leave at once. What the signals call."""
        if self._leave.is_set():
            self._at_once.set()
        self._leave.set()

    def _drain(self) -> None:
        self.on_drain()
        log.info("leaving: %d live calls", self.live())
        until = time.monotonic() + self.drain_seconds
        waited = bool(self.live())
        while self.live() and time.monotonic() < until and not self._at_once.wait(0.1):
            pass
        if waited and not self.live():
            self._at_once.wait(CALLBACK_SECONDS)
        if self.live():
            self.close_calls()
            _wait(lambda: self.live() == 0, CUT_SECONDS)
        self._listener.stop_accepting()
        self.end_streams()
        _wait(lambda: self._listener.busy == 0, LEAVE_SECONDS)
        self._listener.stop(timeout=0)


def _wait(until: Callable[[], bool], seconds: float) -> None:
    due = time.monotonic() + seconds
    while not until() and time.monotonic() < due:
        gevent.sleep(0.02)


def _why_not(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"PORT: {host}:{port} is taken by another program; stop it, or set PORT to another number"
        case errno.EACCES:
            return f"PORT: {port} needs more rights than this program has; set PORT to 1024 or more"
        case _:
            reason = os.strerror(error.errno or 0)
            return f"HOST: cannot listen on {host}:{port} ({reason}); 127.0.0.1 always works"


def allow_many_files() -> None:
    """Lift the soft limit of open files: a call needs five, and many systems start at 1024."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 16384 if hard == resource.RLIM_INFINITY else min(16384, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
