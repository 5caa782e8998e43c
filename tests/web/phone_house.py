"""What the tests of the browser phone share: the whole program's pages on a port, and the owner's browser."""

from __future__ import annotations

import base64
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import websocket
from flask import Flask
from werkzeug.serving import make_server

from app import create_app
from assistant.call.events import CallerAudio, CallerGone, CallerPressed
from assistant.config import load_settings
from assistant.lobby import Lobby
from assistant.store import callers, calls, export, open_database, preferences
from assistant.telephony.tokens import StreamTokens
from assistant.web import login
from assistant.web.parts import Parts, parts
from tests.web.telephone import Clock


class Assistant:
    """In place of the assistant: what it does follows from what it hears. `heard`: every event."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.seen: list[dict[str, Any]] = []
        self.first: Callable[[Any], object] = lambda phone: None

    def __call__(self, phone: Any, **call: Any) -> str | None:
        self.seen.append({**call, "streaming": parts().is_streaming(call["call_sid"])})
        self.first(phone)
        while True:
            event = phone.hear(lambda: 7)
            self.heard.append(event)
            match event:
                case CallerGone():
                    return "caller_hung_up" if event.hung_up else "line_lost"
                case CallerAudio():
                    phone.play(event.payload)
                    phone.mark("0:1")
                    phone.send_held()
                case CallerPressed(digit="9"):
                    phone.hang_up()
                case CallerPressed(digit="8"):
                    phone.clear()
                case CallerPressed(digit="7"):
                    raise RuntimeError("a bug")
                case CallerPressed(digit="6"):
                    phone.close(1001, "leaving")
                    return "shut_down"


class House:
    """The whole program's pages and sockets on a port, in threads of the test's process."""

    def __init__(self, folder: Path, **environ: str) -> None:
        settings = load_settings({"INSTANCE_PATH": str(folder), **environ}, None)
        open_database(settings.database).close()
        self.app: Flask = create_app(settings)
        self.parts: Parts = self.app.extensions["afterbeep"]
        self.parts.store.start()
        self.parts.lobby = Lobby()  # nobody is rung up meanwhile
        self.clock = Clock()
        self.parts.tokens = StreamTokens(self.clock)
        self.assistant = self.parts.serve_call = Assistant()
        self._server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
        self.parts.store.stop(10)

    def owner(self) -> Browser:
        browser = Browser(self.host)
        browser.get("/login/" + login.login_links(self.app).issue())
        return browser

    def kept(self, call_sid: str) -> dict[str, Any] | None:
        return self.parts.store.read(export.export_call, call_sid)

    def wait_for(self, call_sid: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        until = time.monotonic() + 10
        while (call := self.kept(call_sid)) is None or not holds(call):
            assert time.monotonic() < until, call
            time.sleep(0.01)
        return call

    def wait_until_over(self, call_sid: str) -> dict[str, Any]:
        until = time.monotonic() + 10
        while self.parts.is_streaming(call_sid):
            assert time.monotonic() < until
            time.sleep(0.01)
        return self.wait_for(call_sid, lambda call: call["ended_at"] is not None)


class Browser:
    """One login."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.cookie = ""
        self._csrf = ""

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection(self.host, timeout=10)
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        connection.request(method, path, body, {"Cookie": self.cookie, "Accept": "text/html", **form})
        response = connection.getresponse()
        text = response.read().decode("latin-1")
        if cookie := response.getheader("Set-Cookie"):
            self.cookie = cookie.partition(";")[0]
        connection.close()
        return response, text

    def get(self, path: str) -> str:
        return self.ask("GET", path)[1]

    def dial(
        self, as_: str = "stranger", speaks: str = "", csrf: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        if not self._csrf:
            found = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/phone"))
            self._csrf = found[1] if found else ""
        token = self._csrf if csrf is None else csrf
        fields = {"csrf_token": token, "as": as_, "speaks": speaks}
        response, text = self.ask("POST", "/phone/dial", urlencode(fields))
        return response.status, json.loads(text) if text.startswith("{") else {}

    def connect(self, origin: str | None = "", **headers: str) -> websocket.WebSocket:
        """origin: "" is the page's own; None: none is sent."""
        return websocket.create_connection(
            f"ws://{self.host}/phone/stream",
            timeout=10,
            cookie=self.cookie or None,
            header=headers,
            http_no_proxy=["127.0.0.1"],
            **({"suppress_origin": True} if origin is None else {"origin": origin or f"http://{self.host}"}),
        )

    def rings(self, as_: str = "stranger") -> tuple[websocket.WebSocket, str]:
        """A call that is on the line, and its SID."""
        status, ticket = self.dial(as_)
        assert status == 200, ticket
        socket = self.connect()
        start(socket, ticket)
        return socket, ticket["call_sid"]


def start(socket: websocket.WebSocket, ticket: dict[str, Any]) -> None:
    socket.send(json.dumps({"event": "start", "callSid": ticket["call_sid"], "token": ticket["token"]}))


def speak(socket: websocket.WebSocket, payload: bytes = b"\xff" * 160, at_ms: int = 0) -> None:
    media = {"timestamp": str(at_ms), "payload": base64.b64encode(payload).decode()}
    socket.send(json.dumps({"event": "media", "media": media}))


def press(socket: websocket.WebSocket, digit: str) -> None:
    socket.send(json.dumps({"event": "dtmf", "dtmf": {"digit": digit}}))


def told(socket: websocket.WebSocket) -> dict[str, Any]:
    """The next message of the call itself."""
    while True:
        message: dict[str, Any] = json.loads(socket.recv())
        if message["event"] != "kept":
            return message


def close_code(socket: websocket.WebSocket) -> int:
    """Read until the other side closes; its code."""
    while True:
        opcode, content = socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            socket.shutdown()
            return int.from_bytes(content[:2], "big")


@contextmanager
def opened(folder: Path, **environ: str) -> Iterator[House]:
    """A house that is open meanwhile."""
    house = House(folder, **environ)
    try:
        yield house
    finally:
        house.stop()


def prefer(house: House, **values: str) -> None:
    for name, value in values.items():
        house.parts.store.write(preferences.set, name, value)


def keep(house: House, number: str, standing: Any) -> None:
    house.parts.store.write(callers.set_caller, number, standing=standing)


def past_call(house: House, cost_usd: float) -> None:
    now = datetime.now(UTC)
    house.parts.store.write(
        calls.begin, "CA1", direction="inbound", from_number=None, to_number=None, forwarded_from=None,
        caller_name=None, trust="stranger", stir_verstat=None, started_at=now,
    )  # fmt: skip
    house.parts.store.write(
        calls.finish, "CA1", ended_at=now, ended_because="assistant_ended", usage={}, cost_usd=cost_usd
    )
