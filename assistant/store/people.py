"""Everybody who has called or is kept, as the owner's list of callers shows them.

A caller is a number: E.164, a `sip:` address, or what the network gave where it was neither. All calls
without a number are one caller (None), because nobody can tell them apart.
"""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

import orjson
from sqlite_utils import Database

from assistant.store import callers
from assistant.store.query import WITHHELD, Condition, Query
from assistant.store.search import Sql, all_of, caller, negatable, person

Row = dict[str, Any]

_EVERYBODY = """
WITH everybody AS (
  SELECT from_number AS number, count(*) AS calls, max(started_at) AS last_at FROM calls GROUP BY from_number
  UNION ALL SELECT number, 0, NULL FROM callers
    WHERE number NOT IN (SELECT from_number FROM calls WHERE from_number IS NOT NULL))
"""


class Page(NamedTuple):
    """Some callers, and how many there are in all."""

    rows: list[Row]
    total: int


def page(db: Database, query: Query, *, limit: int, offset: int = 0) -> Page:
    """Those of whom the query is true (in name, number or notes; `is:known`), the last to call first.

    A row has number, calls, last_at (None: never called), kept_name, caller_name (the network's last) and
    standing.
    """
    where, values = all_of([negatable(one, *_is_theirs(one)) for one in query.conditions])
    found = db.execute(
        f"{_EVERYBODY} SELECT number, calls, last_at FROM everybody LEFT JOIN callers USING (number)"  # noqa: S608
        f" WHERE {where or 'TRUE'} ORDER BY last_at IS NULL, last_at DESC, name IS NULL, name, number",
        values,
    ).fetchall()
    shown = found[offset : offset + limit]
    names = _names(db, [number for number, _, _ in shown])
    rows = [{"number": one, "calls": calls, "last_at": at, **names[one]} for one, calls, at in shown]
    return Page(rows, len(found))


def _is_theirs(one: Condition) -> Sql:
    """Somebody is called or written so; those who are kept may also have it in their notes. What is only
    true of calls is true of everybody."""
    if one.kind == "is" and one.value in get_args(callers.Standing):
        return "coalesce(standing, 'stranger') = ?", [one.value]
    if one.kind not in ("words", "from"):
        return ("FALSE" if one.negated else "TRUE"), []
    if one.value.lower() in WITHHELD:
        return "number IS NULL", []
    rang, values = caller(one)
    kept, more = person(one)
    sql = (
        f"number IN (SELECT from_number FROM calls WHERE {rang})"  # noqa: S608
        f" OR number IN (SELECT number FROM callers WHERE {kept})"
    )
    return sql, [*values, *more]


def _names(db: Database, numbers: list[str | None]) -> dict[str | None, Row]:
    """How these are called, and where they stand."""
    found = db.query(
        "SELECT value AS number, callers.name AS kept_name, coalesce(standing, 'stranger') AS standing,"
        " (SELECT caller_name FROM calls WHERE from_number = value AND caller_name IS NOT NULL"
        " ORDER BY started_at DESC LIMIT 1) AS caller_name"
        " FROM json_each(?) LEFT JOIN callers ON callers.number = value",
        (orjson.dumps(numbers).decode(),),
    )
    return {row.pop("number"): row for row in found}


def one(db: Database, number: str | None) -> Row:
    """The same of one caller, also of one nothing is known about, with `notes`."""
    calls, last_at = db.execute(
        "SELECT count(*), max(started_at) FROM calls WHERE from_number IS ?", (number,)
    ).fetchone()
    notes = callers.kept(db, number)["notes"]
    return {
        "number": number,
        "calls": calls,
        "last_at": last_at,
        "notes": notes,
        **_names(db, [number])[number],
    }


def is_there(db: Database, number: str) -> bool:
    """Whether there is a caller of exactly this number."""
    found = db.execute(
        "SELECT EXISTS (SELECT 1 FROM calls WHERE from_number = :number)"
        " OR EXISTS (SELECT 1 FROM callers WHERE number = :number)"
        " OR EXISTS (SELECT 1 FROM bookings WHERE number = :number)",
        {"number": number},
    )
    return bool(found.fetchone()[0])
