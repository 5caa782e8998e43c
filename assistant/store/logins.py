"""Browsers that are logged in, and the hash of the owner's password.

A browser's cookie names a row here; without the row the cookie is worth nothing, so logging out and
changing the password work from anywhere. Hashing is left to the web layer: argon2 takes long enough to
be heard on a call, and belongs into the pool.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from assistant.store.schema import as_text, as_time

IDLE = timedelta(days=30)
OLDEST = timedelta(days=180)
LONGEST_USER_AGENT = 300  # a phone's browser says which it is at the very end
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1024


def password_hash(db: Database) -> str | None:
    """The hash of the owner's password, as argon2 writes it; None: no password has been set."""
    row = db.execute("SELECT value FROM house WHERE name = 'password_hash'").fetchone()
    return str(row[0]) if row else None


def set_password_hash(db: Database, text: str) -> int:
    """Set a new password. Every browser has to log in again; returns how many there were."""
    db.execute("INSERT OR REPLACE INTO house (name, value) VALUES ('password_hash', ?)", (text,))
    return delete_all(db)


def add(db: Database, *, now: datetime, user_agent: str = "") -> str:
    """A browser has logged in. Returns its new random login_id (256 bit)."""
    login_id = secrets.token_urlsafe(32)
    db.execute(
        "INSERT INTO logins (login_id, created_at, last_seen_at, user_agent) VALUES (?, ?, ?, ?)",
        (login_id, as_text(now), as_text(now), user_agent[:LONGEST_USER_AGENT]),
    )
    return login_id


def get(db: Database, login_id: str, *, now: datetime) -> dict[str, Any] | None:
    """The login of that id (`created_at`, `last_seen_at` as datetimes, `user_agent`); None when there is
    none, or when it is too old."""
    row = next(db.query("SELECT * FROM logins WHERE login_id = ?", (login_id,)), None)
    login = None if row is None else _login(row)
    return None if login is None or _is_over(login, now) else login


def all_of(db: Database, *, now: datetime) -> list[dict[str, Any]]:
    """Every login that still holds, as `get` gives it, the one seen last first."""
    rows = db.query("SELECT * FROM logins ORDER BY last_seen_at DESC, login_id")
    return [login for login in map(_login, rows) if not _is_over(login, now)]


def _login(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "created_at": as_time(row["created_at"]), "last_seen_at": as_time(row["last_seen_at"])}


def _is_over(login: dict[str, Any], now: datetime) -> bool:
    return bool(now - login["last_seen_at"] > IDLE or now - login["created_at"] > OLDEST)


def touch(db: Database, login_id: str, *, now: datetime) -> None:
    """The browser was seen."""
    db.execute("UPDATE logins SET last_seen_at = ? WHERE login_id = ?", (as_text(now), login_id))


def delete(db: Database, login_id: str) -> None:
    """The browser has logged out."""
    db.execute("DELETE FROM logins WHERE login_id = ?", (login_id,))


def delete_others(db: Database, login_id: str) -> int:
    """Log every browser out but this one; returns how many there were."""
    return int(db.execute("DELETE FROM logins WHERE login_id <> ?", (login_id,)).rowcount)


def delete_all(db: Database) -> int:
    """Log every browser out; returns how many there were."""
    return int(db.execute("DELETE FROM logins").rowcount)


def prune(db: Database, *, now: datetime) -> int:
    """Forget logins nobody has used for IDLE, or that are older than OLDEST; returns how many."""
    cursor = db.execute(
        "DELETE FROM logins WHERE last_seen_at < ? OR created_at < ?",
        (as_text(now - IDLE), as_text(now - OLDEST)),
    )
    return int(cursor.rowcount)
