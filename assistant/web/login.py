"""Who is the owner: a one-time link printed in the terminal, or a password.

Whoever can read the program's terminal is the owner, so the link needs nothing else; it works once,
for a quarter of an hour. The password is for every other day. A login is a row with a random
identifier in the database; the cookie holds nothing but that identifier, signed, so logging out
ends every copy of it.

Guessing is slowed down by address, never for everybody: a stranger who tries passwords all day must
not be able to lock the owner out.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import Flask, abort, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_login import LoginManager, current_user, login_user, logout_user

from assistant.store import logins
from assistant.web.guard import client_address, is_local_path, secret_key
from assistant.web.parts import parts

LINK_SECONDS = 15 * 60
TRIES = "5 per minute"
WAIT_FOR_A_CHECK_S = 5.0
WAIT_FOR_THE_STORE_S = 5.0
SEEN_EVERY = timedelta(hours=1)  # how exactly "last seen" is kept

View = Callable[..., ResponseReturnValue]

# A check takes 4 MiB or more and a core: one at a time, whoever asks.
_checking = threading.Lock()


class LoginLinks:
    """Links that log the owner in, once each. Only their hashes are kept, in memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.due: dict[str, float] = {}

    def issue(self) -> str:
        """A fresh token for `/login/<token>`, good for 15 minutes or one use."""
        token = secrets.token_urlsafe(32)
        self.due[_digest(token)] = self.clock() + LINK_SECONDS
        return token

    def take(self, token: str) -> bool:
        """Whether the token is good; it is not any more afterwards."""
        return self.due.pop(_digest(token), 0.0) > self.clock()


class Owner:
    """The one who may see the pages; `login_id` is the row of this browser's login."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, login_id: str) -> None:
        self.login_id = login_id

    def get_id(self) -> str:
        return self.login_id


def register(app: Flask) -> None:
    """Login, its link, logout; and the login manager every other page relies on."""
    app.secret_key = secret_key(app.extensions["afterbeep"].settings)
    app.permanent_session_lifetime = logins.IDLE
    app.extensions["afterbeep_login_links"] = LoginLinks()
    manager = LoginManager(app)
    manager.session_protection = None  # a phone changes its address all day
    manager.user_loader(_load_owner)
    limiter = Limiter(client_address, app=app, storage_uri="memory://")
    app.extensions["afterbeep_limiter"] = limiter
    app.add_url_rule(
        "/login", "login", limiter.limit(TRIES, methods=["POST"])(login), methods=["GET", "POST"]
    )
    app.add_url_rule("/login/<token>", "login_link", login_link)
    app.add_url_rule("/logout", "logout", logout, methods=["POST"])


def slowed_down(app: Flask) -> Callable[[View], View]:
    """For views that ask for the password once more: together they have as many tries as the login."""
    limiter: Limiter = app.extensions["afterbeep_limiter"]
    return cast("Callable[[View], View]", limiter.shared_limit(TRIES, scope="present password"))


def login_links(app: Flask) -> LoginLinks:
    """The app's links: `login_links(app).issue()` makes the one that is printed."""
    links: LoginLinks = app.extensions["afterbeep_login_links"]
    return links


def login() -> ResponseReturnValue:
    """The password form."""
    target = request.values.get("next", "")
    target = target if is_local_path(target) else "/"
    if g.logged_in:
        return redirect(target)
    kept = parts().store.read(logins.password_hash)
    wrong = False
    if request.method == "POST":
        if kept and fits(kept, request.form.get("password", "")):
            start_session()
            return redirect(target, 303)
        wrong = bool(kept)
    page = render_template("login.html", has_password=bool(kept), wrong=wrong, next=target)
    return page, 403 if request.method == "POST" else 200


def login_link(token: str) -> ResponseReturnValue:
    """The printed link. A browser that only looks ahead must not use it up."""
    if request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", ""):
        abort(503)
    if login_links(current_app).take(token):
        start_session()
    elif not g.logged_in:
        abort(
            404, "This login link has been used, or is older than 15 minutes. A new start prints a new one."
        )
    return redirect(url_for("inbox"))


def logout() -> ResponseReturnValue:
    """End this login, and with it every copy of its cookie."""
    parts().store.write(logins.delete, current_user.get_id(), timeout_s=WAIT_FOR_THE_STORE_S)
    logout_user()
    session.clear()
    return redirect(url_for("login"), 303)


def start_session() -> None:
    """A new login row and a new session: nothing of the one before the login lives on."""
    login_id = parts().store.write(
        logins.add,
        now=datetime.now(UTC),
        user_agent=request.user_agent.string,
        timeout_s=WAIT_FOR_THE_STORE_S,
    )
    enter(login_id)


def enter(login_id: str) -> None:
    """From now on this browser is the one of that login row."""
    session.clear()
    session.permanent = True
    login_user(Owner(login_id))


def _load_owner(login_id: str) -> Owner | None:
    now = datetime.now(UTC)
    row = parts().store.read(logins.get, login_id, now=now)
    if row is None:
        return None
    if now - row["last_seen_at"] > SEEN_EVERY:
        parts().store.put(logins.touch, login_id, now=now)
    return Owner(login_id)


def fits(kept: str, password: str) -> bool:
    """Whether this is the password of that hash."""
    if len(password) > logins.LONGEST_PASSWORD:
        return False
    return bool(_one_at_a_time(_verify, kept, password))


def hashed(secret: str) -> str:
    """A password or a PIN as it is kept."""
    return str(_one_at_a_time(_hash, secret))


def _one_at_a_time(function: Callable[..., Any], *args: str) -> Any:
    if not _checking.acquire(timeout=WAIT_FOR_A_CHECK_S):
        abort(503)
    try:
        return parts().store.in_pool(function, *args)
    finally:
        _checking.release()


def _hash(secret: str) -> str:
    return PasswordHasher().hash(secret)


def _verify(kept: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
