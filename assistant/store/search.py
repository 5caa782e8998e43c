"""Finding calls by what was said, by names, numbers and notes: which calls, and which of their lines.

The indexes are `said` and `people` (tables.py), kept right by triggers. What is looked for has to be true of
a call, not of one line of it: who said "roof" first and "Friday" later is found by both. First the calls are
found; then the lines are looked up of those alone that are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

import orjson
from sqlite_utils import Database

from assistant.store import inbox, preferences
from assistant.store.lines import KIND_OF, Line, Lines, expression, line, lines_of, marked
from assistant.store.query import WITHHELD, Condition, Digits, Query, read
from assistant.store.schema import as_text

__all__ = ["Found", "Line", "Match", "Person", "Query", "find", "forget_removed", "people", "read"]

MOST_PEOPLE = 5

Row = dict[str, Any]
Sql = tuple[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Match:
    """A call that was found: its row as the inbox has it, its first lines, and how many more there are."""

    call: Row
    lines: list[Line]
    more: int


@dataclass(frozen=True, slots=True)
class Found:
    """Some of the calls that were found, newest first, and how many there are in all."""

    matches: list[Match]
    total: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is kept, found by name, number or notes."""

    number: str
    name: str | None
    standing: str
    lines: list[Line]


def find(db: Database, query: Query, *, limit: int, offset: int = 0) -> Found:
    """The calls of which everything in the query is true."""
    if not query.conditions:
        return Found([], 0)
    where, values = _all(db, query)
    found = db.execute(
        "SELECT calls.n FROM calls LEFT JOIN callers ON callers.number = calls.from_number"  # noqa: S608
        f" WHERE {where} ORDER BY calls.started_at DESC, calls.n DESC",
        values,
    )
    ns = [int(row[0]) for row in found]
    return Found(_matches(db, query, ns[offset : offset + limit]), len(ns))


def people(db: Database, query: Query) -> list[Person]:
    """Those who are kept and of whom all the words are true, whether they called or not; the first few."""
    if not query.words or len(query.words) < len(query.conditions) or query.said:
        return []
    where, values = all_of([person(one) for one in query.words])
    found = list(
        db.query(
            f"SELECT number, name, standing, notes FROM callers WHERE {where}"  # noqa: S608
            f" ORDER BY name IS NULL, name, number LIMIT {MOST_PEOPLE}",
            values,
        )
    )
    hits = marked(query, [line("notes", row["notes"]) for row in found])
    return [
        Person(row["number"], row["name"], row["standing"], [hits[place]] if place in hits else [])
        for place, row in enumerate(found)
    ]


def forget_removed(db: Database) -> None:
    """Write the indexes anew: what was removed has only been crossed out in them until then."""
    for index in ("said", "people"):
        db.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")  # noqa: S608


# --- conditions, as SQL ----------------------------------------------------------


def all_of(conditions: list[Sql]) -> Sql:
    """All of them are true."""
    return " AND ".join(f"({sql})" for sql, _ in conditions), [
        one for _, values in conditions for one in values
    ]


def _all(db: Database, query: Query) -> Sql:
    zone = preferences.load(db).zone
    conditions = []
    for one in query.conditions:
        midnight = (
            as_text(datetime.combine(one.day, time.min, zone)) if one.kind in ("after", "before") else ""
        )
        conditions.append(negatable(one, *_holds(one, query, midnight)))
    return all_of(conditions)


def negatable(one: Condition, sql: str, values: list[Any]) -> Sql:
    """A condition's SQL, or that it is not so."""
    # Of a withheld number nothing is true, nor false: it has to be one of them for a NOT.
    return (f"NOT coalesce({sql}, FALSE)" if one.negated else sql), values


def _holds(one: Condition, query: Query, midnight: str) -> Sql:
    match one.kind:
        case "after":
            return "calls.started_at >= ?", [midnight]
        case "before":
            return "calls.started_at < ?", [midnight]
        case "has" | "is":
            return FACTS[one.value], []
        case "from":
            return caller(one)
        case "to":
            return _any_number(("calls.to_number", "calls.forwarded_from"), one.digits)
    if query.said:
        values = [expression(one), KIND_OF[query.said]]
        return (
            "calls.n IN (SELECT rowid >> 32 FROM said WHERE said MATCH ? AND (rowid >> 30) & 3 = ?)",
            values,
        )
    return _anywhere(one)


FACTS = {
    "message": "EXISTS (SELECT 1 FROM messages WHERE messages.call_sid = calls.call_sid)",
    "booking": "calls.outcome IS 'booked' OR calls.call_sid IN (SELECT call_sid FROM bookings)",
    "recording": "EXISTS (SELECT 1 FROM recordings WHERE recordings.call_sid = calls.call_sid)",
    "unread": "calls.state = 'unread'",
    "open": "calls.state = 'open'",
    "done": "calls.state = 'done'",
    "known": inbox.KINDS["known"],
    "stranger": inbox.KINDS["strangers"],
    "blocked": inbox.KINDS["blocked"],
}


# Callers say their number with blanks and signs in it.
_CALLBACK = "messages.callback_number"
for _sign in " -().+/":
    _CALLBACK = f"replace({_CALLBACK}, '{_sign}', '')"


def _anywhere(one: Condition) -> Sql:
    """In what was said or left or written down, or of the caller."""
    kept, kept_values = person(one)
    from_, from_values = _any_number(("from_number",), one.digits)
    left, left_values = _any_number((_CALLBACK,), one.digits)
    sql = (
        "calls.n IN (SELECT rowid >> 32 FROM said WHERE said MATCH ?"  # noqa: S608
        f" UNION ALL SELECT n FROM calls WHERE from_number IN (SELECT number FROM callers WHERE {kept})"
        f" UNION ALL SELECT n FROM calls WHERE {from_}"
        f" UNION ALL SELECT n FROM messages JOIN calls USING (call_sid) WHERE {left})"
    )
    return sql, [expression(one), *kept_values, *from_values, *left_values]


def person(one: Condition) -> Sql:
    """A condition on a row of `callers`: in name, notes or number."""
    numbers, values = _any_number(("number",), one.digits)
    sql = f"number IN (SELECT number FROM people WHERE people MATCH ?) OR {numbers}"  # noqa: S608
    return sql, [expression(one), *values]


def caller(one: Condition) -> Sql:
    """A condition on a row of `calls`: who rang, by name (the network's, the owner's, theirs) or number."""
    if one.value.lower() in WITHHELD:
        return "calls.from_number IS NULL", []
    named = f"{{name}} : {expression(one)}"
    sql = (
        "calls.n IN (SELECT rowid >> 32 FROM said WHERE said MATCH ?)"
        " OR calls.from_number IN (SELECT number FROM people WHERE people MATCH ?)"
    )
    numbers, digits = _any_number(("calls.from_number",), one.digits)
    return f"{sql} OR {numbers}", [named, named, *digits]


def _any_number(columns: tuple[str, ...], digits: Digits) -> Sql:
    """One of the columns holds the number."""
    parts = [(f"instr(lower({column}), ?) > 0", part) for column in columns for part in digits.anywhere]
    ends = [(f"substr({column}, -{len(end)}) = ?", end) for column in columns for end in digits.last]
    return " OR ".join(sql for sql, _ in parts + ends) or "FALSE", [value for _, value in parts + ends]


# --- lines -------------------------------------------------------------------------


def _matches(db: Database, query: Query, ns: list[int]) -> list[Match]:
    listed = orjson.dumps(ns).decode()
    these = "n IN (SELECT value FROM json_each(?))"
    sid_of = dict(db.execute(f"SELECT n, call_sid FROM calls WHERE {these}", (listed,)))  # noqa: S608
    rows = inbox.listed(db, f"calls.{these}", (listed,), len(ns), 0)
    calls = {row["call_sid"]: row for row in rows}
    lines = lines_of(db, query, listed, calls) if query.words else {}
    found = [(calls[sid], lines.get(sid, Lines())) for sid in map(sid_of.__getitem__, ns)]
    return [Match(call, theirs.first, theirs.more) for call, theirs in found]
