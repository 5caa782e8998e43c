"""A tiny app for the simulated caller to ring: documents by path, a WebSocket, and a note of everything.

Signatures are checked with Twilio's own package: the caller signs by its own hand.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator
from websockets.sync.server import ServerConnection, serve

ACCOUNT = "AC" + "0" * 32
TOKEN = "a-token-of-the-test"
Form = dict[str, str]


class Stream:
    """The app's end of a media stream: messages out, messages in, in order."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []
        assert self.read("connected")["protocol"] == "Call"
        self.start = self.read("start")
        self.stream_sid = self.start["streamSid"]

    def read(self, event: str = "", timeout: float = 5.0) -> dict[str, Any]:
        """The next message of that kind (any, without one)."""
        while True:
            message = json.loads(self.socket.recv(timeout))
            self.messages.append(message)
            if event in ("", message["event"]):
                return message

    def send(self, event: str, **content: Any) -> None:
        self.socket.send(json.dumps({"event": event, "streamSid": self.stream_sid, **content}))

    def play(self, payload: bytes) -> None:
        self.send("media", media={"payload": base64.b64encode(payload).decode()})

    def mark(self, name: str) -> None:
        self.send("mark", mark={"name": name})

    def clear(self) -> None:
        self.send("clear")


class FakeApp:
    """`documents[path]` is what a POST there is answered with: text, or a function of the form."""

    def __init__(self) -> None:
        self.documents: dict[str, str | Callable[[Form], str]] = {}
        self.statuses: dict[str, list[int]] = {}  # answers of a path, before 200
        self.forms: list[tuple[str, Form]] = []
        self.talk: Callable[[Stream], None] = lambda stream: None
        self.refuse_stream = False
        self.url = ""
        self.stream_url = ""
        self.changed = threading.Condition()
        self.errors: list[BaseException] = []

    def forms_to(self, path: str) -> list[Form]:
        return [form for asked, form in self.forms if asked == path]

    def wait_for(self, path: str, timeout: float = 5.0) -> Form:
        """The first form posted to a path."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.forms_to(path), timeout), (
                f"nothing was posted to {path}"
            )
        return self.forms_to(path)[0]

    def assistant(self, then: str = "") -> str:
        """The document that connects to the WebSocket."""
        stream = f'<Stream url="{self.stream_url}"><Parameter name="token" value="t-1"/></Stream>'
        return f"<Response><Connect>{stream}</Connect>{then}</Response>"

    @contextmanager
    def running(self) -> Iterator[FakeApp]:
        http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        sockets = serve(self._serve_stream, "127.0.0.1", 0, process_request=self._check_handshake)
        self.url = f"http://127.0.0.1:{http.server_address[1]}"
        self.stream_url = f"ws://127.0.0.1:{sockets.socket.getsockname()[1]}/voice/stream"
        threads = [
            threading.Thread(target=http.serve_forever, args=(0.02,)),
            threading.Thread(target=sockets.serve_forever),
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            http.shutdown()
            sockets.shutdown()
            http.server_close()
            for thread in threads:
                thread.join()
        if self.errors:
            raise self.errors[0]

    def _serve_stream(self, socket: ServerConnection) -> None:
        try:
            self.talk(Stream(socket))
        except BaseException as error:
            self.errors.append(error)
            raise

    def _check_handshake(self, socket: ServerConnection, request: Any) -> Any:
        signed = request.headers.get("x-twilio-signature", "")
        if self.refuse_stream or not RequestValidator(TOKEN).validate(self.stream_url, {}, signed):
            return socket.respond(403, "no\n")
        return None

    def _answer(self, path: str, form: Form) -> tuple[int, str]:
        with self.changed:
            self.forms.append((path, form))
            self.changed.notify_all()
        waiting = self.statuses.get(path, [])
        if waiting:
            return waiting.pop(0), ""
        document = self.documents.get(path, "<Response/>")
        return 200, document if isinstance(document, str) else document(form)

    def _handler(app) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply(200, "ok")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(parse_qsl(body, keep_blank_values=True))
                signed = self.headers.get("X-Twilio-Signature", "")
                if not RequestValidator(TOKEN).validate(app.url + self.path, form, signed):
                    app.errors.append(AssertionError(f"{self.path} has a bad signature"))
                self._reply(*app._answer(self.path, form))

            def _reply(self, status: int, text: str) -> None:
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/moved")
                self.send_header("Content-Type", "text/xml; charset=utf-8")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
