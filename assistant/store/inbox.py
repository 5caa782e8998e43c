"""Calls as the owner's lists show them: what to look at next, and what has been dealt with.

A call is `unread` until its page has been opened, then `open`, and `done` when the owner says so; a recording
that arrives later makes it unread again (a trigger, in tables.py). A running call is news, whatever was
done to it: it cannot be put away before it is over.

The rows are light: what fits on a few lines, never the words that were said. First the page's calls are
chosen, then the details are looked up for these alone, so that the number of calls hardly matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlite_utils import Database

from assistant.store.schema import as_time

STATES = ("unread", "open", "done")

Row = dict[str, Any]

SHOWN = {
    "inbox": "calls.state <> 'done'",
    "unread": "calls.state = 'unread'",
    "done": "calls.state = 'done'",
    "all": "TRUE",
}
_LEFT_WORD = (
    "(EXISTS (SELECT 1 FROM messages WHERE messages.call_sid = calls.call_sid) OR EXISTS (SELECT 1 FROM"
    " recordings WHERE recordings.call_sid = calls.call_sid AND recordings.kind = 'voicemail'))"
)
_BLOCKED = "(calls.outcome IS 'blocked' OR callers.standing IS 'blocked')"
_KNOWN = "(callers.standing IS 'known' OR calls.trust IS NOT 'stranger')"
KINDS = {
    "": "TRUE",
    "messages": _LEFT_WORD,
    "appointments": "calls.outcome IS 'booked'",
    "known": f"({_KNOWN} AND NOT {_BLOCKED})",
    "strangers": f"NOT ({_KNOWN} OR {_BLOCKED})",
    "blocked": _BLOCKED,
}

_CALLS = "calls LEFT JOIN callers ON callers.number = calls.from_number"
_NEWEST_FIRST = "calls.ended_at IS NULL DESC, calls.started_at DESC, calls.n DESC"

_DETAILS = """
SELECT calls.call_sid, calls.from_number AS "from", calls.caller_name, callers.name AS kept_name,
  coalesce(callers.standing, 'stranger') AS standing, calls.trust, calls.started_at, calls.ended_at,
  calls.outcome, calls.summary, calls.state,
  (SELECT urgency FROM messages WHERE messages.call_sid = calls.call_sid ORDER BY id DESC LIMIT 1) AS urgency,
  (SELECT max(kind) FROM recordings WHERE recordings.call_sid = calls.call_sid) AS listen
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which calls are listed. `state`: a key of SHOWN; `kind`: one of KINDS. Others raise KeyError."""

    state: str = "inbox"
    kind: str = ""

    @property
    def where(self) -> str:
        """The condition, of nothing but what is written here."""
        return f"{SHOWN[self.state]} AND {KINDS[self.kind]}"


def page(db: Database, chosen: Filter, *, limit: int, offset: int) -> list[Row]:
    """Some of the chosen calls: running ones first, then the newest.

    A row has call_sid, from, caller_name (as the network told it), kept_name (as the owner wrote it),
    standing, trust, started_at, ended_at, duration_s, outcome, summary, urgency (None: no message), state,
    listen ("voicemail", "call" or None: what there is to hear) and has_voicemail.
    """
    return listed(db, chosen.where, (), limit, offset)


def calls_of(db: Database, number: str | None, *, limit: int, offset: int) -> list[Row]:
    """The calls from one number (None: all withheld ones), as `page` gives them."""
    return listed(db, "calls.from_number IS ?", (number,), limit, offset)


def listed(db: Database, where: str, args: tuple[Any, ...], limit: int, offset: int) -> list[Row]:
    found = db.query(
        f"WITH listed AS (SELECT calls.n FROM {_CALLS} WHERE {where}"  # noqa: S608 (only what is written here)
        f" ORDER BY {_NEWEST_FIRST} LIMIT ? OFFSET ?)"
        f"{_DETAILS} FROM listed JOIN {_CALLS} WHERE calls.n = listed.n ORDER BY {_NEWEST_FIRST}",
        (*args, limit, offset),
    )
    return [_finished(row) for row in found]


def _finished(row: Row) -> Row:
    """A row with what SQL does not work out."""
    return {**row, "duration_s": _seconds(row), "has_voicemail": row["listen"] == "voicemail"}


def _seconds(row: Mapping[str, Any]) -> float | None:
    """How long a call took; None while it runs. A clock may be set back during a call."""
    if row["ended_at"] is None:
        return None
    seconds = (as_time(row["ended_at"]) - as_time(row["started_at"])).total_seconds()
    return round(max(0.0, seconds), 1)


def counts(db: Database, chosen: Filter | None = None) -> dict[str, int]:
    """How many calls each filter would list: a state (a key of SHOWN) together with the chosen kind, and
    a kind (one of KINDS, "" for all) together with the chosen state."""
    chosen = chosen or Filter()
    conditions = {name: f"{shown} AND {KINDS[chosen.kind]}" for name, shown in SHOWN.items()}
    conditions |= {name: f"{SHOWN[chosen.state]} AND {kind}" for name, kind in KINDS.items()}
    columns = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in conditions.values())
    numbers = db.execute(f"SELECT {columns} FROM {_CALLS}").fetchone()  # noqa: S608 (only what is written here)
    return dict(zip(conditions, numbers, strict=True))


# --- one row for each caller ----------------------------------------------------


def by_caller(db: Database, chosen: Filter, *, limit: int, offset: int) -> list[Row]:
    """The newest of the chosen calls of each number, as `page` gives it, with `calls` and `unread`: how many
    of the chosen there are. All withheld calls are one row."""
    found = db.query(
        "WITH ranked AS (SELECT calls.n, row_number() OVER (PARTITION BY calls.from_number"  # noqa: S608
        f" ORDER BY {_NEWEST_FIRST}) AS place, count(*) OVER whose AS calls,"
        " count(*) FILTER (WHERE calls.state = 'unread') OVER whose AS unread"
        f" FROM {_CALLS} WHERE {chosen.where} WINDOW whose AS (PARTITION BY calls.from_number)),"
        " listed AS (SELECT ranked.* FROM ranked JOIN calls USING (n) WHERE place = 1"
        f" ORDER BY {_NEWEST_FIRST} LIMIT ? OFFSET ?)"
        f"{_DETAILS}, listed.calls, listed.unread FROM listed JOIN {_CALLS} WHERE calls.n = listed.n"
        f" ORDER BY {_NEWEST_FIRST}",
        (limit, offset),
    )
    return [_finished(row) for row in found]


def count_callers(db: Database, chosen: Filter) -> int:
    """How many rows `by_caller` has in all."""
    found = db.execute(
        f"SELECT count(DISTINCT coalesce(calls.from_number, '')) FROM {_CALLS} WHERE {chosen.where}"  # noqa: S608
    )
    return int(found.fetchone()[0])


# --- read, and dealt with -------------------------------------------------------


def seen(db: Database, call_sid: str) -> None:
    """The page of a call was opened. What is running goes on, and stays news."""
    db.execute(
        "UPDATE calls SET state = 'open' WHERE call_sid = ? AND state = 'unread' AND ended_at IS NOT NULL",
        (call_sid,),
    )


def set_state(db: Database, call_sids: Iterable[str], state: str) -> dict[str, str]:
    """Put calls that are over into a state. Returns in which state each of them was, also where nothing
    changed; a call that is not kept, or is running, is not among them."""
    sids = orjson.dumps(list(call_sids)).decode()
    over = "ended_at IS NOT NULL AND call_sid IN (SELECT value FROM json_each(?))"
    before = dict(db.execute(f"SELECT call_sid, state FROM calls WHERE {over}", (sids,)))  # noqa: S608
    db.execute(f"UPDATE calls SET state = ? WHERE {over} AND state <> ?", (state, sids, state))  # noqa: S608
    return before


def take_back(db: Database, before: Mapping[str, str], state: str) -> int:
    """Undo a `set_state` to `state`: put calls back where they were `before`. Returns how many went back:
    one that is no longer as that had left it has been touched since, and stays."""
    return sum(
        db.execute(
            "UPDATE calls SET state = ? WHERE call_sid = ? AND state = ?", (was, call_sid, state)
        ).rowcount
        for call_sid, was in before.items()
    )
