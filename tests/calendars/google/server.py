"""Google as far as Afterbeep meets it, on a loopback port: consent, tokens, revocation, a calendar.

Written from what is published about Google, not from our client: S256, states, codes that work once, redirect
addresses that must be the same twice, permissions with boxes of their own. What it is asked and what it
answers must fit Google's own schemas; what did not is in `problems`. `faults` make it go wrong.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.calendars.google import discovery
from tests.calendars.google.shelf import Shelf, laid_over, part, without_nulls

CLIENT_ID = "1234567890-abc.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-fake-client-secret"
CALENDAR = "/calendar/v3"


@dataclass(frozen=True)
class Fault:
    """How one request goes wrong. do: it is carried out all the same, before anything else goes wrong.

    status and body: answered in place of the answer; cut: nothing is answered; trickle: a byte every 50 ms.
    """

    status: int = 0
    body: bytes | None = None
    reason: str = ""
    do: bool = False
    slow_s: float = 0.0
    cut: bool = False
    trickle: bool = False


@dataclass
class Asked:
    """A request that came."""

    what: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


class Refusal(Exception):
    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status, self.body = status, body


@dataclass
class FakeGoogle:
    """The server. Context manager."""

    redirect_uris: tuple[str, ...] = ()
    expires_in: int = 3600
    refresh_token_expires_in: int | None = None
    gives_refresh_token: bool = True
    shelf: Shelf = field(default_factory=Shelf)
    faults: defaultdict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    asked: list[Asked] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)  # token -> scopes
    access_tokens: dict[str, str] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __enter__(self) -> FakeGoogle:
        self.released = threading.Event()  # ends every slow answer
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"google": self}))
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    @property
    def calendar_url(self) -> str:
        return self.url + CALENDAR

    def client_file(self, kind: str = "web", **more: Any) -> bytes:
        """The file that the console gives."""
        content = {
            "client_id": CLIENT_ID,
            "project_id": "afterbeep",
            "auth_uri": f"{self.url}/o/oauth2/auth",
            "token_uri": f"{self.url}/token",
            "client_secret": CLIENT_SECRET,
            "redirect_uris": list(self.redirect_uris),
        }
        return json.dumps({kind: {**content, **more}}).encode()

    def count(self, what: str) -> int:
        return sum(one.what == what for one in self.asked)

    def forget_tokens(self) -> None:
        """The owner has taken the access back."""
        self.refresh_tokens.clear()
        self.access_tokens.clear()

    # --- OAuth -----------------------------------------------------------------

    def consent_page(self, query: dict[str, str]) -> str:
        """What the owner sees: a box for each permission."""
        self._check_consent(query)
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
            for name, value in query.items()
            if name != "scope"
        )
        boxes = "".join(
            f'<label><input type="checkbox" name="scope" value="{scope}" checked>{scope}</label><br>'
            for scope in query["scope"].split()
        )
        buttons = "".join(
            f'<button name="agree" value="{value}">{text}</button>'
            for value, text in (("1", "Continue"), ("", "Cancel"))
        )
        return f'<title>Consent</title><form action="/agree">{hidden}{boxes}{buttons}</form>'

    def agree(self, pairs: list[tuple[str, str]]) -> str:
        """Where the owner's browser is sent after the button."""
        query = dict(pairs)
        back, state = query["redirect_uri"], query["state"]
        if not query.get("agree"):
            return f"{back}?{urlencode({'error': 'access_denied', 'state': state})}"
        scope = " ".join(value for name, value in pairs if name == "scope")
        code = "4/" + secrets.token_urlsafe(20)
        self.codes[code] = {**query, "scope": scope}
        return f"{back}?{urlencode({'state': state, 'code': code, 'scope': scope})}"

    def _check_consent(self, query: dict[str, str]) -> None:
        if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code":
            raise Refusal(401, {"error": "invalid_client"})
        if query.get("redirect_uri") not in self.redirect_uris:
            raise Refusal(400, {"error": "redirect_uri_mismatch"})
        if query.get("code_challenge_method") != "S256" or len(query.get("code_challenge", "")) != 43:
            raise Refusal(400, {"error": "invalid_request"})
        if len(query.get("state", "")) < 20:
            raise Refusal(400, {"error": "invalid_request"})

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise Refusal(401, {"error": "invalid_client", "error_description": "Unauthorized"})
        if form.get("grant_type") == "refresh_token":
            scope = self.refresh_tokens.get(form.get("refresh_token", ""))
            if scope is None:
                text = "Token has been expired or revoked."
                raise Refusal(400, {"error": "invalid_grant", "error_description": text})
            return self._access(scope)
        return self._exchange(form)

    def _exchange(self, form: dict[str, str]) -> dict[str, Any]:
        agreed = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if agreed is None or agreed["code_challenge"] != challenge:
            raise Refusal(400, {"error": "invalid_grant", "error_description": "Bad Request"})
        if agreed["redirect_uri"] != form.get("redirect_uri"):
            raise Refusal(400, {"error": "redirect_uri_mismatch", "error_description": "Bad Request"})
        answer = self._access(agreed["scope"])
        offline = agreed.get("access_type") == "offline" and agreed.get("prompt") == "consent"
        if offline and self.gives_refresh_token:
            answer["refresh_token"] = "1//" + secrets.token_urlsafe(20)
            self.refresh_tokens[answer["refresh_token"]] = agreed["scope"]
        if self.refresh_token_expires_in is not None:
            answer["refresh_token_expires_in"] = self.refresh_token_expires_in
        return answer

    def _access(self, scope: str) -> dict[str, Any]:
        access_token = "ya29." + secrets.token_urlsafe(20)
        self.access_tokens[access_token] = scope
        return {
            "access_token": access_token,
            "expires_in": self.expires_in,
            "scope": scope,
            "token_type": "Bearer",
        }

    def revoke(self, form: dict[str, str]) -> dict[str, Any]:
        token = form.get("token", "")
        if token not in {**self.refresh_tokens, **self.access_tokens}:  # either will do
            raise Refusal(400, {"error": "invalid_token", "error_description": "Token expired or revoked"})
        self.revoked.append(token)
        self.forget_tokens()
        return {}

    # --- the calendar ------------------------------------------------------------

    def calendar(self, what: str, event_id: str, asked: Asked) -> Any:
        self._check_token(what, asked)
        if what == "insert":
            return self._insert(asked.body)
        if what == "list":
            return self.shelf.page(asked.query)
        if what == "freebusy":
            return self._free_busy(asked.body)
        item = self.shelf.items.get(event_id)
        if item is None:
            raise Refusal(404, error_body(404, "notFound"))
        if what == "get":
            return item
        if item["status"] == "cancelled":
            raise Refusal(410, error_body(410, "deleted"))
        if what == "delete":
            self.shelf.keep({**item, "status": "cancelled"})
            return None
        if asked.headers.get("if-match") not in (None, item["etag"]):
            raise Refusal(412, error_body(412, "conditionNotMet"))
        self._fits("Event", without_nulls(asked.body))
        return self.shelf.keep(laid_over(item, asked.body))

    def _check_token(self, what: str, asked: Asked) -> None:
        scope = self.access_tokens.get(asked.headers.get("authorization", "").removeprefix("Bearer "))
        if scope is None:
            raise Refusal(401, error_body(401, "authError"))
        needed = "calendar.freebusy" if what == "freebusy" else "calendar.events.owned"
        if not scope or needed not in [one.rpartition("/")[2] for one in scope.split()]:
            raise Refusal(403, error_body(403, "insufficientPermissions"))

    def _insert(self, body: dict[str, Any]) -> dict[str, Any]:
        self._fits("Event", body)
        if body["id"] in self.shelf.items:
            raise Refusal(409, error_body(409, "duplicate"))
        if self.shelf.at(body["end"]) <= self.shelf.at(body["start"]):
            raise Refusal(400, error_body(400, "timeRangeEmpty"))
        return self.shelf.keep(body)

    def _free_busy(self, body: dict[str, Any]) -> dict[str, Any]:
        self._fits("FreeBusyRequest", body)
        low, high = body["timeMin"], body["timeMax"]
        calendars = {one["id"]: {"busy": self.shelf.busy(low, high)} for one in body["items"]}
        return {"kind": "calendar#freeBusy", "timeMin": low, "timeMax": high, "calendars": calendars}

    def _fits(self, name: str, body: Any) -> None:
        if wrong := discovery.problem(name, body):
            self.problems.append(f"asked: {wrong}")


ANSWERS = dict.fromkeys(("insert", "get", "patch"), "Event") | {
    "list": "Events",
    "freebusy": "FreeBusyResponse",
}


def error_body(status: int, reason: str, message: str = "No.") -> dict[str, Any]:
    one = {"domain": "global", "reason": reason, "message": message}
    return {"error": {"code": status, "message": message, "errors": [one]}}


class Handler(BaseHTTPRequestHandler):
    google: FakeGoogle
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        what, event_id = self._what(path)
        asked = Asked(what, query, self._read(sent), {k.lower(): v for k, v in self.headers.items()})
        with self.google.lock:
            self.google.asked.append(asked)
            fault = self.google.faults[what].pop(0) if self.google.faults[what] else None
        self._answer(what, event_id, asked, fault)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve

    def _what(self, path: str) -> tuple[str, str]:
        if not path.startswith(CALENDAR):
            return path.rpartition("/")[2], ""
        if path == f"{CALENDAR}/freeBusy":
            return "freebusy", ""
        head, _, event_id = path.partition("/events/")
        if head.removesuffix("/events") != f"{CALENDAR}/calendars/primary":
            return "unknown", ""
        if event_id:
            return {"GET": "get", "PATCH": "patch", "DELETE": "delete"}[self.command], unquote(event_id)
        return ("insert" if self.command == "POST" else "list"), ""

    def _read(self, sent: bytes) -> Any:
        if not sent:
            return None
        if self.headers["Content-Type"].startswith("application/json"):
            return json.loads(sent)
        return dict(parse_qsl(sent.decode()))

    def _answer(self, what: str, event_id: str, asked: Asked, fault: Fault | None) -> None:
        if fault is None or fault.do:
            status, body = self._carried_out(what, event_id, asked)
        if fault is None:
            self._send(status, body)
            return
        if fault.slow_s:
            self.google.released.wait(fault.slow_s)
        if fault.cut:
            self.close_connection = True
        elif fault.status:
            usual = json.dumps(error_body(fault.status, fault.reason)).encode()
            body = usual if fault.body is None else fault.body
            self._send(fault.status, body)
        elif fault.trickle:
            self._trickle()
        elif fault.do:
            self._send(status, body)
        else:
            self._send(*self._carried_out(what, event_id, asked))

    def _carried_out(self, what: str, event_id: str, asked: Asked) -> tuple[int, bytes]:
        with self.google.lock:
            try:
                return self._done(what, event_id, asked)
            except Refusal as refusal:
                return refusal.status, json.dumps(refusal.body).encode()

    def _done(self, what: str, event_id: str, asked: Asked) -> tuple[int, bytes]:
        google = self.google
        if what == "auth":
            return 200, google.consent_page(asked.query).encode()
        if what == "agree":
            return 302, google.agree(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)).encode()
        if what in ("token", "revoke"):
            return 200, json.dumps(getattr(google, what)(asked.body or {})).encode()
        if what not in {*ANSWERS, "delete"}:
            return 404, b"nothing here"
        answer = google.calendar(what, event_id, asked)
        if answer is None:
            return 204, b""
        if wrong := discovery.problem(ANSWERS[what], answer):
            google.problems.append(f"answered: {wrong}")
        return 200, json.dumps(part(answer, asked.query.get("fields"))).encode()

    def _send(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body.decode())
                body = b""
            kind = "text/html" if body.startswith(b"<") else "application/json"
            self.send_header("Content-Type", kind)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # whoever asked did not wait
            self.close_connection = True

    def _trickle(self) -> None:
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            until = time.monotonic() + 30
            while not self.google.released.wait(0.05) and time.monotonic() < until:
                self.wfile.write(b" ")
        except OSError:
            pass
        self.close_connection = True
