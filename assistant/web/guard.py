"""The door: which requests are looked at, and who sees what.

One `before_request` denies everything to everybody who is not logged in, except the routes of an
explicit list; a new page is closed until somebody opens it on purpose. The webhooks are on the list
because they bring signatures of their own. Before that, the Host must be ours: a page on a
stranger's name that points at this machine gets nothing.

Behind a tunnel or proxy on this machine the peer is loopback, and says who it speaks for. That is
believed from a loopback peer only, and only its last hop; a forwarded Host is never believed, since
absolute addresses are built from PUBLIC_URL alone.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, redirect, request, url_for
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect

from assistant.config import Settings, is_loopback
from assistant.errors import ConfigError
from assistant.web.parts import parts

VOICE = frozenset(
    {
        "/voice/incoming",
        "/voice/screen",
        "/voice/screened",
        "/voice/after-dial",
        "/voice/recorded",
        "/voice/recording",
        "/voice/status",
        "/voice/stream",
    }
)
HEALTH = "/healthz"
PUBLIC = VOICE | {
    HEALTH,
    f"{HEALTH}/<nonce>",  # nobody but the doctor knows what that is
    "/login",
    "/login/<token>",
    "/static/<path:filename>",
    "/calendar/feed/<secret>.ics",
}

ROUTE_KEY = "afterbeep.route"  # the server's log line reads it from the environ

csrf = CSRFProtect()


def register(app: Flask) -> None:
    """Guard every route of the app. Needs the login manager (`web.login`) and `Parts`."""
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # `_admit` asks, so that nothing else can be forgotten
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # as long as the session
    csrf.init_app(app)
    app.session_interface = Sessions()
    app.wsgi_app = Forwarded(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(_admit)
    app.add_url_rule(HEALTH, "healthz", lambda: ("ok", {"Content-Type": "text/plain"}))


def _admit() -> ResponseReturnValue | None:
    rule = request.url_rule.rule if request.url_rule else ""
    request.environ[ROUTE_KEY] = rule or "-"
    _check_host()
    if elsewhere := _proper_address(rule):
        return redirect(elsewhere)
    if rule in VOICE:
        return None
    g.logged_in = False
    if rule not in PUBLIC or rule.startswith("/login"):  # health and styles need no database
        g.logged_in = bool(current_user.is_authenticated)
    if rule not in PUBLIC and not g.logged_in:
        return _turn_away()
    csrf.protect()
    return None


def _turn_away() -> ResponseReturnValue:
    """A page asks for the login; everything else is refused."""
    if request.method not in {"GET", "HEAD"} or not _wants_page():
        abort(403 if _is_websocket() else 401)
    return redirect(url_for("login", next=request.full_path.removesuffix("?")))


def _wants_page() -> bool:
    if _is_websocket() or _is_webhook() or request.path.endswith(".wav"):
        return False
    if request.headers.get("Sec-Fetch-Dest", "document") != "document":
        return False
    return "Accept" not in request.headers or request.accept_mimetypes.accept_html


def _is_webhook() -> bool:
    """Also one that was asked for with the wrong method, which has no route."""
    return request.path.startswith("/voice/")


def _is_websocket() -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


# --- names ----------------------------------------------------------------------


def _check_host() -> None:
    name = _host_name(request.headers.get("Host", ""))
    ours = urlsplit(parts().settings.url("")).hostname
    if not name or (name != ours and not is_loopback(name)):
        abort(400, "This address is not one this program answers to.")


def _host_name(host: str) -> str:
    """The name in a Host header, in lower case; "" when it is not a well-formed one."""
    if set(host) & set("/\\@?# \t,"):
        return ""
    try:
        spelled = urlsplit(f"//{host}")
        _ = spelled.port
    except ValueError:
        return ""
    return spelled.hostname or ""


def _proper_address(rule: str) -> str | None:
    """Where to see this page instead: a cookie of `localhost` would be a second, separate login.

    Not for webhooks (a signature covers the address) nor for the health check, which are no pages, and
    not through a proxy, which may have written the Host itself: that would go round in circles.
    """
    is_health = rule.startswith(HEALTH)
    if is_health or _is_webhook() or request.method not in {"GET", "HEAD"} or _is_websocket():
        return None
    name = _host_name(request.headers.get("Host", ""))
    ours = urlsplit(parts().settings.url("")).hostname
    if name == ours or not name.endswith("localhost") or "X-Forwarded-For" in request.headers:
        return None
    return parts().settings.url(request.full_path.removesuffix("?"))


def is_local_path(target: str) -> bool:
    """Whether `target` stays on this site whichever way a browser reads it.

    Browsers drop tabs and line ends, and take a backslash for a slash.
    """
    if not target.startswith("/") or target.startswith("//") or "\\" in target:
        return False
    if any(ord(character) < 32 or ord(character) == 127 for character in target):
        return False
    try:
        spelled = urlsplit(target)
    except ValueError:
        return False
    return not spelled.scheme and not spelled.netloc


# --- who is asking ----------------------------------------------------------------


class Forwarded:
    """WSGI middleware: the address and scheme a proxy on this machine speaks for.

    From any other peer these headers are a stranger's claim and are not looked at.
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if is_loopback(environ.get("REMOTE_ADDR", "")):
            if address := _last_address(environ.get("HTTP_X_FORWARDED_FOR", "")):
                environ["REMOTE_ADDR"] = address
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            if scheme in {"http", "https"}:
                environ["wsgi.url_scheme"] = scheme
        result: Iterable[bytes] = self.app(environ, start_response)
        return result


def _last_address(forwarded_for: str) -> str:
    """The last hop of an X-Forwarded-For, without a port; "" when it is no address."""
    hop = forwarded_for.rpartition(",")[2].strip()
    for spelled in (hop, hop.rpartition(":")[0], hop.partition("]")[0]):
        with suppress(ValueError):
            return str(ipaddress.ip_address(spelled.strip("[]")))
    return ""


def client_address() -> str:
    """Who is asking, as a key for limits: an IPv4 address, or the /64 an IPv6 host is given whole."""
    address = request.remote_addr or "unknown"
    with suppress(ValueError):
        if ipaddress.ip_address(address).version == 6:
            return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return address


# --- cookies and the key that signs them ---------------------------------------------


class Sessions(SecureCookieSessionInterface):
    """`__Host-session`, Secure, where the owner's pages are on https; plain `session` over http.

    Both at once is what makes the sandbox and the first login on the machine itself possible.
    """

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Not with a stream: cut off in the middle of its headers, it would leave half a cookie. Nor with
        a file: whoever keeps files for many would keep the cookie with it."""
        wants_it = super().should_set_cookie(app, session)
        return wants_it and request.endpoint not in ("live", "live_calls", "static")

    def get_cookie_name(self, app: Flask) -> str:
        return "__Host-session" if _by_https() else "session"

    def get_cookie_secure(self, app: Flask) -> bool:
        return _by_https()

    def get_cookie_httponly(self, app: Flask) -> bool:
        return True

    def get_cookie_samesite(self, app: Flask) -> str:
        return "Lax"

    def get_cookie_domain(self, app: Flask) -> None:
        return None

    def get_cookie_path(self, app: Flask) -> str:
        return "/"


def _by_https() -> bool:
    if not current_app:
        return False
    return request.is_secure and parts().settings.url("").startswith("https://")


def secret_key(settings: Settings) -> str:
    """SECRET_KEY, or one made once and kept in the instance folder, readable by its owner alone.

    Raises ConfigError when the kept one is damaged.
    """
    if settings.secret_key:
        return settings.secret_key.get_secret_value()
    path = settings.instance_path / "secret_key"
    with suppress(FileExistsError):
        _write_once(path, secrets.token_urlsafe(48))
    key = path.read_text().strip()
    if len(key) < 32:
        raise ConfigError(
            [
                f"SECRET_KEY: {path} is damaged; delete it and start again (then all have to log in anew,"
                " and a Google Calendar to be linked anew)"
            ]
        )
    return key


def _write_once(path: Path, text: str) -> None:
    """Make a file whole and once: two programs that start together must end up with one key.

    Raises FileExistsError when it is there. O_EXCL on the file itself would let the second program
    read it before the first has written it.
    """
    if path.exists():
        raise FileExistsError(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent)  # O_EXCL, 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        os.unlink(draft)
