"""The sandbox's model: a server that speaks the Realtime API on a loopback port.

It is the real service's stand-in for everybody without a key, and the tests' other end. The framing is the
`websockets` package's, not the client's own, and it runs on plain threads, one loop per connection, so that
it works alone and inside a program whose threads are gevent's.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from assistant.sandbox.model.agenda import Agenda
from assistant.sandbox.model.ears import recognise
from assistant.sandbox.model.faults import FAULTS, Fault
from assistant.sandbox.model.reply import Pace
from assistant.sandbox.model.session import Close, Drop, Session

LARGEST_EVENT = 20 * 1024 * 1024  # the service takes 15 MiB of audio in one event
BETA_REFUSED = "beta_api_shape_disabled"
WELL_AGAIN_S = 5.0  # so long after a connection died on purpose the next one of its kind is well
STALL_BUFFER = 4096


class SandboxModel:
    """Serves on 127.0.0.1. `url` is the base URL of the API; `fault_url` that of one that goes wrong (see
    faults)."""

    def __init__(self, port: int = 0, *, pace: Pace | None = None, session_delay_s: float = 0.0) -> None:
        self.pace = pace or Pace()
        self.session_delay_s = session_delay_s  # handshake to session.created
        self._server: Server | None = None
        self._port = port
        self._died_at: dict[str, float] = {}
        self._stopping = threading.Event()

    def start(self) -> Self:
        recognise(np.zeros(0, np.int16))  # learns the lines now; the first caller is not kept waiting
        self._server = serve(
            self._serve, "127.0.0.1", self._port, process_request=self._admit, max_size=LARGEST_EVENT,
            compression=None, ping_interval=None, close_timeout=1, server_header="sandbox",
        )  # fmt: skip
        self._port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, name="sandbox model", daemon=True).start()
        return self

    def stop(self) -> None:
        """Close the listening socket and every connection."""
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def fault_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._port}/{name}/v1"

    # --- the handshake ---

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """None lets the client in; anything else is the answer to its handshake."""
        fault = _fault_of(request)[1]
        if fault is None:
            return _refusal(connection, HTTPStatus.NOT_FOUND, "not_found", "There is nothing at this path.")
        if fault.refuse_status or not _has_key(request):
            status = HTTPStatus(fault.refuse_status or 401)
            return _refusal(connection, status, "invalid_api_key", "Incorrect API key provided.")
        if not _model_of(request):
            return _refusal(connection, HTTPStatus.BAD_REQUEST, "missing_model", "You must provide a model.")
        return None

    # --- one connection ---

    def _serve(self, connection: ServerConnection) -> None:
        try:
            self._converse(connection)
        except Close as close:
            connection.close(close.code, close.reason[:120])
        except Drop:
            _reset(connection)
        except ConnectionClosed:
            pass  # the client has gone

    def _converse(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None  # noqa: S101 (there is one after the handshake)
        agenda = Agenda()
        session = Session(connection.send, _model_of(request), self._fault_for(request), self.pace, agenda)
        if "OpenAI-Beta" in request.headers:
            session.refuse(BETA_REFUSED, "The Realtime beta is no longer supported.", 4000)
        agenda.after(self.session_delay_s, session.begin)
        try:
            while not self._stopping.is_set():
                agenda.run_due()
                self._next_message(connection, session, agenda.wait_s(at_most=60))
        except Drop:
            self._died_at[_fault_of(request)[0]] = time.monotonic()
            raise

    def _next_message(self, connection: ServerConnection, session: Session, wait_s: float) -> None:
        if session.stalled:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALL_BUFFER)
            self._stopping.wait(min(wait_s, 1))
            return
        try:
            message = connection.recv(timeout=wait_s)
        except TimeoutError:
            return
        session.take(message)

    def _fault_for(self, request: Request) -> Fault:
        name, fault = _fault_of(request)
        died_at = self._died_at.pop(name, None)
        well = died_at is not None and time.monotonic() - died_at < WELL_AGAIN_S
        return FAULTS[""] if well or fault is None else fault


def _fault_of(request: Request) -> tuple[str, Fault | None]:
    """The fault a path asks for; None: there is no such path."""
    head, _, tail = urlsplit(request.path).path.rpartition("v1/realtime")
    name = head.strip("/")
    return name, FAULTS.get(name) if not tail else None


def _has_key(request: Request) -> bool:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return scheme == "Bearer" and bool(key.strip())


def _model_of(request: Request) -> str:
    return parse_qs(urlsplit(request.path).query).get("model", [""])[0]


def _refusal(connection: ServerConnection, status: HTTPStatus, code: str, message: str) -> Response:
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
    return connection.respond(status, json.dumps({"error": error}) + "\n")


def _reset(connection: ServerConnection) -> None:
    """End the TCP connection as a broken network does: no close frame, no goodbye."""
    at_once = struct.pack("ii", 1, 0)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    connection.socket.shutdown(socket.SHUT_RDWR)
    connection.socket.close()
