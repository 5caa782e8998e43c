"""Who gets in: the owner's password, the keypad PIN, and the browsers that are logged in.

Where there is a password, a change of it or of the PIN asks for it once more: somebody who finds an open
browser must not be able to lock the owner out, or to become the owner on the telephone. No secret is ever
shown, not even to its owner.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Flask, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from assistant.store import logins, pins
from assistant.web import login
from assistant.web.parts import parts
from assistant.web.settings.browsers import browser_name

SAVE_S = 5.0
REFUSED = "That is not the present password."


@dataclass(frozen=True)
class Browser:
    """A browser that is logged in. mark: what names it on the page; its identifier stays with us."""

    mark: str
    name: str
    since: datetime
    seen_at: datetime
    this_one: bool


def register(app: Flask) -> None:
    """Put the three on the map."""
    slowly = login.slowed_down(app)
    app.add_url_rule("/settings/password", "change_password", slowly(change_password), methods=["POST"])
    app.add_url_rule("/settings/pin", "change_pin", slowly(change_pin), methods=["POST"])
    app.add_url_rule("/settings/browsers", "sign_out", sign_out, methods=["POST"])


def browsers(now: datetime) -> list[Browser]:
    """All that are logged in, this one first."""
    this = current_user.get_id()
    found = [
        Browser(
            mark=_mark(row["login_id"]),
            name=browser_name(row["user_agent"]),
            since=row["created_at"],
            seen_at=row["last_seen_at"],
            this_one=row["login_id"] == this,
        )
        for row in parts().store.read(logins.all_of, now=now)
    ]
    return sorted(found, key=lambda browser: not browser.this_one)


def sign_out() -> ResponseReturnValue:
    """Log one browser out, or all but this one."""
    store, this = parts().store, current_user.get_id()
    chosen = request.form.get("browser", "")
    if chosen == "others":
        number = store.write(logins.delete_others, this, timeout_s=SAVE_S)
        told = "No other browser was logged in." if not number else f"Logged out: {_browsers(number)}."
    else:
        rows = store.read(logins.all_of, now=datetime.now(UTC))
        login_id = next((row["login_id"] for row in rows if _mark(row["login_id"]) == chosen), None)
        if login_id is not None:
            store.write(logins.delete, login_id, timeout_s=SAVE_S)
        told = "That browser is logged out."
    return _told("done", told, "devices")


def change_password() -> ResponseReturnValue:
    """Set another password; every other browser has to log in again."""
    chosen = request.form.get("new", "")
    if problem := _not_the_owner() or _bad_password(chosen, request.form.get("again", "")):
        return _told("problem", problem, "password")
    parts().store.write(logins.set_password_hash, login.hashed(chosen), timeout_s=SAVE_S)
    login.start_session()
    return _told("done", "The password is set. Every other browser has to log in again.", "password")


def change_pin() -> ResponseReturnValue:
    """Set another PIN, or have none."""
    chosen = request.form.get("pin", "").strip()
    if problem := _not_the_owner():
        return _told("problem", problem, "pin")
    if "remove" in request.form:
        parts().store.write(pins.set_pin_hash, None, timeout_s=SAVE_S)
        return _told("done", "There is no PIN now: nobody is the owner on the telephone.", "pin")
    if problem := _bad_pin(chosen, request.form.get("again", "").strip()):
        return _told("problem", problem, "pin")
    parts().store.write(pins.set_pin_hash, login.hashed(chosen), timeout_s=SAVE_S)
    return _told("done", "The PIN is set.", "pin")


def _not_the_owner() -> str:
    """Why whoever sits here may not change a secret; "" when they may."""
    kept = parts().store.read(logins.password_hash)
    return "" if kept is None or login.fits(kept, request.form.get("present", "")) else REFUSED


def _bad_password(chosen: str, again: str) -> str:
    if not logins.SHORTEST_PASSWORD <= len(chosen) <= logins.LONGEST_PASSWORD:
        return f"A password has {logins.SHORTEST_PASSWORD} to {logins.LONGEST_PASSWORD} characters."
    return "" if chosen == again else "The two new passwords are not equal."


def _bad_pin(chosen: str, again: str) -> str:
    if not re.fullmatch(f"[0-9]{{{pins.SHORTEST},{pins.LONGEST}}}", chosen):  # \d: digits no keypad has
        return f"A PIN has {pins.SHORTEST} to {pins.LONGEST} digits, and nothing else."
    return "" if chosen == again else "The two PINs are not equal."


def _told(category: str, text: str, section_id: str) -> ResponseReturnValue:
    flash(text, f"{category}@{section_id}")
    return redirect(url_for("settings", _anchor=section_id), 303)


def _mark(login_id: str) -> str:
    return hashlib.sha256(login_id.encode()).hexdigest()[:16]


def _browsers(number: int) -> str:
    return "one browser" if number == 1 else f"{number} browsers"
