"""A model's side for the client's tests: a real WebSocket server that does what a test says."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from assistant.call.events import Event, ModelLost, ModelReady
from assistant.realtime.client import ModelAddress, RealtimeClient
from assistant.realtime.session import SessionWish

WAIT_S = 8.0
KEY = "sk-test-not-to-be-seen"
WISH = SessionWish(model="gpt-realtime-2.1", instructions="Be brief.")

Script = Callable[["Session"], None]


class Session:
    """The server's end of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    def tell(self, kind: str, **more: Any) -> None:
        self.connection.send(json.dumps({"type": kind, "event_id": "e", **more}))

    def hear(self) -> dict[str, Any]:
        return json.loads(self.connection.recv(timeout=WAIT_S))

    def agree(self, **changed: Any) -> dict[str, Any]:
        """Create the session and grant what is asked; `changed` is granted otherwise."""
        self.tell("session.created", session={})
        update = self.hear()
        self.tell("session.updated", session={**update["session"], **changed})
        return update

    def until_closed(self) -> None:
        for _ in self.connection:
            pass


@contextmanager
def model_server(
    script: Script, *, answer: Callable[[ServerConnection, Request], Response | None] | None = None
) -> Iterator[ModelServer]:
    server = ModelServer(script, answer)
    try:
        yield server
    finally:
        server.stop()


class ModelServer:
    def __init__(self, script: Script, answer: Any) -> None:
        self._script = script
        self.requests: list[Request] = []
        self.closes: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._answer = answer
        listening = socket.create_server(("127.0.0.1", 0))
        # Small buffers, so that a server that stops reading is noticed soon.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self.server: Server = serve(
            self._serve,
            sock=listening,
            process_request=self._request,
            max_size=None,
            max_queue=2,
            close_timeout=0.5,
        )
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    @property
    def base_url(self) -> str:
        host, port = self.server.socket.getsockname()[:2]
        return f"http://{host}:{port}/v1"

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        return self._answer(connection, request) if self._answer else None

    def _serve(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed, TimeoutError):
            self._script(Session(connection))
        connection.close()
        self.closes.put(connection.close_code)

    def stop(self) -> None:
        self.server.shutdown()
        self._thread.join(WAIT_S)


class Running:
    """A client at work in a thread, and the events it has put."""

    def __init__(self, base_url: str, wish: SessionWish = WISH, **more: Any) -> None:
        address = ModelAddress(base_url, wish.model, KEY, safety_identifier="owner-hash")
        self.client = RealtimeClient(address, wish, clock=lambda: 77, **more)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.client.run, args=(self.events.put,), daemon=True)
        self.thread.start()

    def next(self) -> Event:
        return self.events.get(timeout=WAIT_S)

    def ready(self) -> None:
        assert self.next() == ModelReady(at_ms=77)

    def lost(self) -> ModelLost:
        event = self.next()
        assert isinstance(event, ModelLost), event
        self.over()
        return event

    def over(self) -> None:
        """The reader has ended and nothing more was put."""
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()
        assert self.events.empty()
