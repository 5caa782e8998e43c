"""Twilio's REST side on a loopback port: calls and their recordings.

What the app uses and no more: hang up or redirect a call, list calls, list, fetch and delete recordings.
Answers have the form of the 2010-04-01 API (lists in pages, RFC 2822 times, numbers as text), so that the
real client library reads them. Faults can be asked for: hang-ups that fail, media that is not ready yet.
"""

from __future__ import annotations

import base64
import hmac
import io
import json
import re
import secrets
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit

from assistant.audio import decode_ulaw

API = "/2010-04-01/Accounts"
NOT_FOUND, BAD_CREDENTIALS, BAD_REQUEST, BROKEN = 20404, 20003, 21218, 20500
MOST_TWIML = 4000


class RunningCall(Protocol):
    """A call as the REST side needs it; `leg.Leg` is one."""

    call_sid: str
    from_number: str
    to_number: str
    direction: str
    parent_call_sid: str | None
    status: str
    started_at: datetime
    ended_at: datetime | None

    @property
    def duration_s(self) -> int:
        """Whole seconds since it was answered."""

    def complete(self) -> None:
        """End the call."""

    def replace(self, *, twiml: str = "", url: str = "") -> None:
        """Give the call another document."""


@dataclass
class Recording:
    """A voicemail at the telephone company. `payload`: mu-law."""

    call_sid: str
    payload: bytes
    seconds: int
    sid: str = field(default_factory=lambda: "RE" + secrets.token_hex(16))
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ready: bool = False
    fetched: int = 0
    deleted: bool = False

    def wav(self) -> bytes:
        """The sound as a WAV file."""
        made = io.BytesIO()
        with wave.open(made, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(decode_ulaw(self.payload).astype("<i2").tobytes())
        return made.getvalue()


class RestError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Reply:
    """An answer: JSON, or bytes with their type."""

    status: int
    body: Any = None
    content_type: str = "application/json"


@dataclass(frozen=True)
class Request:
    """A request, taken apart."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]


class TwilioRest:
    """The REST side. `url` is its address while it is serving.

    failing_hang_ups: so many calls ended over REST are answered 500 first.
    media_not_ready: so many fetches of each ready recording are answered 404 all the same.
    """

    def __init__(
        self, account_sid: str, auth_token: str, *, failing_hang_ups: int = 0, media_not_ready: int = 0
    ) -> None:
        self.account_sid = account_sid
        self.calls: dict[str, RunningCall] = {}
        self.recordings: dict[str, Recording] = {}
        self.requests: list[str] = []  # "POST Calls/CA….json", for whoever wants to know
        self.url = ""
        self._login = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._failing_hang_ups = failing_hang_ups
        self._media_not_ready = media_not_ready
        self._lock = threading.Lock()
        self._routes = self._all_routes()

    @contextmanager
    def serving(self) -> Iterator[TwilioRest]:
        """Serve while the block runs."""
        with ThreadingHTTPServer(("127.0.0.1", 0), _handler(self)) as server:
            server.daemon_threads = True
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            threading.Thread(target=server.serve_forever, args=(0.05,), name="twilio-rest").start()
            try:
                yield self
            finally:
                server.shutdown()

    def add_call(self, call: RunningCall) -> None:
        """From now on the call can be seen and changed."""
        with self._lock:
            self.calls[call.call_sid] = call

    def add_recording(self, recording: Recording) -> str:
        """Keep a recording; returns its URL (without an extension, as in webhooks)."""
        with self._lock:
            self.recordings[recording.sid] = recording
        return f"{self.url}{API}/{self.account_sid}/Recordings/{recording.sid}"

    def answer(self, request: Request, authorization: str) -> Reply:
        """Answer one request."""
        short = request.path.removeprefix(f"{API}/{self.account_sid}/")
        with self._lock:
            self.requests.append(f"{request.method} {short}")
            try:
                if not hmac.compare_digest(authorization, f"Basic {self._login}"):
                    raise RestError(401, BAD_CREDENTIALS, "Authenticate")
                return self._route(request, short)
            except RestError as error:
                return _error(error)

    def _all_routes(self) -> list[tuple[str, str, Callable[..., Reply]]]:
        return [
            ("GET", r"Calls\.json", self._list_calls),
            ("GET", r"Calls/(CA\w+)\.json", self._fetch_call),
            ("POST", r"Calls/(CA\w+)\.json", self._update_call),
            ("GET", r"Calls/(CA\w+)/Recordings\.json", self._list_recordings),
            ("GET", r"Recordings\.json", self._list_recordings),
            ("GET", r"Recordings/(RE\w+)\.json", self._fetch_recording),
            ("GET", r"Recordings/(RE\w+)(?:\.wav)?", self._media),
            ("DELETE", r"Recordings/(RE\w+)(?:\.json)?", self._delete_recording),
        ]

    def _route(self, request: Request, short: str) -> Reply:
        for method, pattern, handle in self._routes:
            found = re.fullmatch(pattern, short)
            if found and method == request.method:
                return handle(request, *found.groups())
        raise _not_found(request)

    # --- calls ---------------------------------------------------------------

    def _list_calls(self, request: Request) -> Reply:
        wanted = [call for call in self.calls.values() if _wanted(call, request.query)]
        wanted.sort(key=lambda call: call.started_at, reverse=True)
        return Reply(200, _page(request, "calls", [self._call(call) for call in wanted]))

    def _fetch_call(self, request: Request, call_sid: str) -> Reply:
        if call_sid not in self.calls:
            raise _not_found(request)
        return Reply(200, self._call(self.calls[call_sid]))

    def _update_call(self, request: Request, call_sid: str) -> Reply:
        call = self.calls.get(call_sid)
        if call is None or call.ended_at is not None:
            raise _not_found(request)
        form = request.form
        if self._failing_hang_ups and form.get("Status") == "completed":
            self._failing_hang_ups -= 1
            raise RestError(500, BROKEN, "An internal server error has occurred")
        _change(call, form)
        return Reply(200, self._call(call))

    def _call(self, call: RunningCall) -> dict[str, Any]:
        uri = f"{API}/{self.account_sid}/Calls/{call.call_sid}"
        return {
            "sid": call.call_sid,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "from": call.from_number,
            "to": call.to_number,
            "direction": call.direction,
            "parent_call_sid": call.parent_call_sid,
            "status": call.status,
            "start_time": _rfc2822(call.started_at),
            "end_time": _rfc2822(call.ended_at),
            "duration": str(call.duration_s),
            "date_created": _rfc2822(call.started_at),
            "date_updated": _rfc2822(call.ended_at or call.started_at),
            "price": None,
            "price_unit": "USD",
            "uri": f"{uri}.json",
            "subresource_uris": {"recordings": f"{uri}/Recordings.json"},
        }

    # --- recordings ----------------------------------------------------------

    def _list_recordings(self, request: Request, call_sid: str = "") -> Reply:
        of_call = call_sid or request.query.get("CallSid", "")
        there = [made for made in self.recordings.values() if not made.deleted]
        wanted = [self._recording(made) for made in there if of_call in ("", made.call_sid)]
        return Reply(200, _page(request, "recordings", wanted))

    def _fetch_recording(self, request: Request, sid: str) -> Reply:
        return Reply(200, self._recording(self._there(request, sid)))

    def _media(self, request: Request, sid: str) -> Reply:
        recording = self._there(request, sid)
        recording.fetched += 1
        if not recording.ready or recording.fetched <= self._media_not_ready:
            raise _not_found(request)
        return Reply(200, recording.wav(), "audio/x-wav")

    def _delete_recording(self, request: Request, sid: str) -> Reply:
        self._there(request, sid).deleted = True
        return Reply(204)

    def _there(self, request: Request, sid: str) -> Recording:
        recording = self.recordings.get(sid)
        if recording is None or recording.deleted:
            raise _not_found(request)
        return recording

    def _recording(self, recording: Recording) -> dict[str, Any]:
        uri = f"{API}/{self.account_sid}/Recordings/{recording.sid}"
        return {
            "sid": recording.sid,
            "account_sid": self.account_sid,
            "call_sid": recording.call_sid,
            "api_version": "2010-04-01",
            "status": "completed" if recording.ready else "processing",
            "duration": str(recording.seconds),
            "channels": 1,
            "source": "RecordVerb",
            "start_time": _rfc2822(recording.made_at),
            "date_created": _rfc2822(recording.made_at),
            "date_updated": _rfc2822(recording.made_at),
            "price": None,
            "price_unit": "USD",
            "error_code": None,
            "uri": f"{uri}.json",
            "media_url": f"{self.url}{uri}",
        }


def _change(call: RunningCall, form: dict[str, str]) -> None:
    if form.get("Status") in ("completed", "canceled"):
        call.complete()
    elif form.get("Url") or 0 < len(form.get("Twiml", "")) <= MOST_TWIML:
        call.replace(url=form.get("Url", ""), twiml=form.get("Twiml", ""))
    else:
        raise RestError(400, BAD_REQUEST, "Status, Url or Twiml is missing or not valid")


def _wanted(call: RunningCall, query: dict[str, str]) -> bool:
    if query.get("To", call.to_number) != call.to_number:
        return False
    if query.get("From", call.from_number) != call.from_number:
        return False
    if query.get("Status", call.status) != call.status:
        return False
    day = call.started_at.astimezone(UTC)
    after, before = query.get("StartTime>"), query.get("StartTime<")
    return (not after or day >= _time(after)) and (not before or day < _time(before))


def _time(text: str) -> datetime:
    """A date or a time, UTC when it does not say."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _page(request: Request, key: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """One page of a list, and where the next one is."""
    page, size = int(request.query.get("Page", "0")), int(request.query.get("PageSize", "50"))

    def uri(number: int) -> str:
        return f"{request.path}?{urlencode(request.query | {'Page': str(number), 'PageSize': str(size)})}"

    return {
        key: records[page * size : (page + 1) * size],
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": min(len(records), (page + 1) * size) - 1,
        "uri": uri(page),
        "first_page_uri": uri(0),
        "previous_page_uri": uri(page - 1) if page else None,
        "next_page_uri": uri(page + 1) if (page + 1) * size < len(records) else None,
    }


def _rfc2822(at: datetime | None) -> str | None:
    return format_datetime(at.astimezone(UTC)) if at else None


def _not_found(request: Request) -> RestError:
    return RestError(404, NOT_FOUND, f"The requested resource {request.path} was not found")


def _error(error: RestError) -> Reply:
    info = f"https://www.twilio.com/docs/errors/{error.code}"
    body = {"code": error.code, "message": str(error), "more_info": info, "status": error.status}
    return Reply(error.status, body)


def _handler(rest: TwilioRest) -> type[BaseHTTPRequestHandler]:
    """The class http.server wants, bound to this REST side."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def _serve(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            parts = urlsplit(self.path)
            request = Request(self.command, parts.path, _fields(parts.query), _fields(form))
            self._send(rest.answer(request, self.headers.get("Authorization", "")))

        def _send(self, reply: Reply) -> None:
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            if reply.status != 204:
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if reply.status != 204:
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the conversation is what is printed."""

    return Handler


def _fields(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
