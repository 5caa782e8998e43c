"""The other end of the REST side: calls for the sandbox's Twilio, and a web server that answers as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCOUNT, TOKEN = "AC" + "a" * 32, "a token nobody guesses"
NUMBER = "+12025550100"
NINE = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def sid(kind: str, number: int) -> str:
    """An identifier as Twilio makes them: sid("CA", 7)."""
    return f"{kind}{number:032x}"


@dataclass
class Call:
    """A call that only notes what is done to it. Over, unless told otherwise."""

    call_sid: str = sid("CA", 1)
    from_number: str = "+12025550143"
    to_number: str = NUMBER
    direction: str = "inbound"
    parent_call_sid: str | None = None
    status: str = "completed"
    started_at: datetime = NINE
    ended_at: datetime | None = NINE + timedelta(seconds=30)
    duration_s: int = 30
    replaced_by: list[str] = field(default_factory=list)

    def complete(self) -> None:
        self.status, self.ended_at = "completed", self.started_at + timedelta(seconds=9)

    def replace(self, *, twiml: str = "", url: str = "") -> None:
        self.replaced_by.append(twiml)


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    login: str | None
    body: str = ""


Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def web_server(answer: Callable[[Asked], Answer]) -> Iterator[str]:
    """A server on this machine for whatever Twilio's fake is too well behaved for. Yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            asked = Asked(self.command, self.path, self.headers["Authorization"], sent)
            status, headers, body = answer(asked)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
