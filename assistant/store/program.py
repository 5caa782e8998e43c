"""What the running program writes down about itself, and what the doctor found: all in the table `house`.

A page or a command that wants to know how the program is doing may run in another process, or after the
program has died. So the program notes how it is every minute; whoever reads a note looks how old it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlite_utils import Database

from assistant.store.schema import as_text, as_time
from assistant.store.tables import SCHEMA_VERSION

PULSE, INTEGRITY, BACKUP, FINDINGS = "pulse", "integrity", "backup", "findings"
NONCE_LIVES = timedelta(minutes=1)

_NONCE = "nonce:"


# --- notes ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Note:
    """What was written down, and when."""

    at: datetime
    facts: dict[str, Any]


def note(db: Database, name: str, facts: Mapping[str, Any], at: datetime) -> None:
    """Write something down in place of what was there under this name."""
    _set(db, f"note:{name}", {"at": as_text(at), "facts": dict(facts)})


def noted(db: Database, name: str) -> Note | None:
    """What was last written down under this name; None: nothing that can be read."""
    kept = _get(db, f"note:{name}")
    try:
        return Note(as_time(kept["at"]), dict(kept["facts"])) if kept else None
    except (KeyError, TypeError, ValueError):
        return None


# --- what the doctor found -------------------------------------------------------


def keep_findings(db: Database, found: Mapping[str, list[dict[str, str]]], at: datetime) -> None:
    """Keep the checks of some organs; what was found of the others stays."""
    kept = _get(db, FINDINGS) or {}
    _set(
        db, FINDINGS, kept | {organ: {"at": as_text(at), "checks": checks} for organ, checks in found.items()}
    )


def findings(db: Database) -> dict[str, tuple[datetime, list[dict[str, str]]]]:
    """The last checks of each organ, and when they were made."""
    kept = _get(db, FINDINGS) or {}
    return {organ: (as_time(found["at"]), found["checks"]) for organ, found in kept.items()}


# --- whether an address leads here -------------------------------------------------


def expect_nonce(db: Database, nonce: str, now: datetime) -> None:
    """For a minute, `nonce` is waited for. Only its hash is kept; older ones go."""
    db.execute("DELETE FROM house WHERE name GLOB ? AND value < ?", (_NONCE + "*", as_text(now)))
    db.execute(
        "INSERT OR REPLACE INTO house (name, value) VALUES (?, ?)", (_key(nonce), as_text(now + NONCE_LIVES))
    )


def expects(db: Database, nonce: str, now: datetime) -> bool:
    """Whether somebody waits for this nonce."""
    row = db.execute("SELECT value FROM house WHERE name = ?", (_key(nonce),)).fetchone()
    return row is not None and str(row[0]) > as_text(now)


def forget_nonce(db: Database, nonce: str) -> None:
    """Nobody waits for it any more."""
    db.execute("DELETE FROM house WHERE name = ?", (_key(nonce),))


def _key(nonce: str) -> str:
    return _NONCE + hashlib.sha256(nonce.encode()).hexdigest()


# --- the state of the database -----------------------------------------------------


def quick_check(db: Database) -> str:
    """What SQLite thinks of the file: "ok", or the first thing that is wrong. Reads all of it."""
    return str(db.execute("PRAGMA quick_check(1)").fetchone()[0])


def version(db: Database) -> tuple[int, int]:
    """The format of the database, and the one this program knows."""
    return int(db.execute("PRAGMA user_version").fetchone()[0]), SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Today:
    """What became of today's calls, as far as limits are concerned. spent_usd: by calls that are over."""

    spent_usd: float
    to_voicemail: int
    blocked: int


def today(db: Database, midnight: datetime) -> Today:
    """to_voicemail: callers who were asked for a recording and never had the assistant."""
    spent, to_voicemail, blocked = db.execute(
        "SELECT (SELECT total(cost_usd) FROM calls WHERE ended_at >= :midnight),"
        " count(*) FILTER (WHERE voicemail_offered AND NOT had_stream), count(*) FILTER (WHERE blocked)"
        " FROM calls WHERE started_at >= :midnight",
        {"midnight": as_text(midnight)},
    ).fetchone()
    return Today(float(spent), int(to_voicemail), int(blocked))


def last_model_failure(db: Database) -> tuple[datetime, int] | None:
    """When the model last failed in a call, and how many calls it has served since; None: never."""
    row = db.execute(
        "SELECT n, started_at FROM calls WHERE ended_because = 'model_failed' ORDER BY n DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    served = db.execute("SELECT count(*) FROM calls WHERE n > ? AND had_stream AND ended_at IS NOT NULL"
                        " AND ended_because <> 'model_failed'", (row[0],)).fetchone()  # fmt: skip
    return as_time(row[1]), int(served[0])


def first_call_at(db: Database) -> datetime | None:
    """When the oldest call that is kept began."""
    row = db.execute("SELECT min(started_at) FROM calls").fetchone()
    return as_time(row[0]) if row[0] else None


def newest_call(db: Database) -> dict[str, Any] | None:
    """The call that came last: `call_sid`, `from`, `caller_name`, `started_at`, `outcome`."""
    return next(
        db.query(
            'SELECT call_sid, from_number AS "from", caller_name, started_at, outcome FROM calls'
            " ORDER BY started_at DESC, n DESC LIMIT 1"
        ),
        None,
    )


def _get(db: Database, name: str) -> dict[str, Any] | None:
    row = db.execute("SELECT value FROM house WHERE name = ?", (name,)).fetchone()
    try:
        kept = orjson.loads(row[0]) if row else None
    except orjson.JSONDecodeError:
        return None
    return kept if isinstance(kept, dict) else None


def _set(db: Database, name: str, value: Mapping[str, Any]) -> None:
    db.execute(
        "INSERT OR REPLACE INTO house (name, value) VALUES (?, ?)", (name, orjson.dumps(value).decode())
    )
