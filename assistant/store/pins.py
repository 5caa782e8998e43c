"""The owner's keypad PIN: its hash, and the tries at it.

A million PINs are few: what keeps them from being tried out is that a call has three tries and a day has
ten, over all calls. A try is written down before the hash is handed out, so hanging up, or a crash, gives
none back. Hashing is left to whoever asks: it takes long enough to be heard on a call.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import orjson
from sqlite_utils import Database

from assistant.store.schema import as_text

SHORTEST, LONGEST = 6, 8  # digits of a PIN
TRIES_A_CALL = 3
TRIES_A_DAY = 10
DAY = timedelta(hours=24)  # back from now: midnight gives nothing back


def set_pin_hash(db: Database, text: str | None) -> None:
    """Set a new PIN, by its argon2 hash; None removes it. Tries that were made stay made."""
    if text is None:
        db.execute("DELETE FROM house WHERE name = 'pin_hash'")
    else:
        db.execute("INSERT OR REPLACE INTO house (name, value) VALUES ('pin_hash', ?)", (text,))


def has_pin(db: Database) -> bool:
    """Whether there is a PIN; without one nobody reaches the owner's level."""
    return _hash(db) is not None


def _hash(db: Database) -> str | None:
    row = db.execute("SELECT value FROM house WHERE name = 'pin_hash'").fetchone()
    return str(row[0]) if row else None


def begin_try(db: Database, call_sid: str, now: datetime) -> str | None:
    """Write down that a PIN is tried on this call, and give the hash to compare it with.

    None, and nothing is written: there is no PIN, or no try is left to this call or this day. To be given to
    `Store.write`, never to `put`: the try counts once it is committed.
    """
    prune(db, now)
    kept = _hash(db)
    if kept is None or _tries(db, call_sid) >= TRIES_A_CALL or _tries(db) >= TRIES_A_DAY:
        return None
    db.execute("INSERT INTO pin_tries (call_sid, at) VALUES (?, ?)", (call_sid, as_text(now)))
    return kept


def _tries(db: Database, call_sid: str | None = None) -> int:
    """How many were made on this call, or (None) on all."""
    found = db.execute("SELECT count(*) FROM pin_tries WHERE ?1 IS NULL OR call_sid = ?1", (call_sid,))
    return int(found.fetchone()[0])


def forgive(db: Database, call_sid: str, now: datetime) -> None:
    """The PIN was right: its try, this call's newest until now, does not count."""
    db.execute(
        "DELETE FROM pin_tries WHERE id = (SELECT max(id) FROM pin_tries WHERE call_sid = ? AND at <= ?)",
        (call_sid, as_text(now)),
    )


def forget(db: Database, call_sids: Iterable[str]) -> None:
    """Remove the tries of some calls."""
    db.execute("DELETE FROM pin_tries WHERE call_sid IN (SELECT value FROM json_each(?))",
               (orjson.dumps(list(call_sids)).decode(),))  # fmt: skip


def prune(db: Database, now: datetime) -> None:
    """Remove tries that do not count any more."""
    db.execute("DELETE FROM pin_tries WHERE at <= ?", (as_text(now - DAY),))
