"""What has been kept of a call since one last looked.

Every turn, tool run and step-in has a `rev`, which counts what was kept of its call; a turn that is kept
anew (late words, another place) takes the next number. So one number says how far a page has got, and what is
above it is all that the page lacks, however its connection came and went.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlite_utils import Database

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class News:
    """Of one call. `lines`: in the order they were kept, each with `what` it is ("turn", "tool" or "step").

    rev: how far this goes. accounted: the assistant has closed its books, which it does after the last words.
    """

    call: Row
    lines: list[Row]
    rev: int
    ended: bool
    accounted: bool


def next_rev(db: Database, call_sid: str) -> int:
    """The number of the next thing that is kept of a call; to be used in the same transaction."""
    found = db.execute(
        "SELECT coalesce(max(rev), 0) FROM (SELECT rev FROM turns WHERE call_sid = :call_sid"
        " UNION ALL SELECT rev FROM tool_runs WHERE call_sid = :call_sid"
        " UNION ALL SELECT rev FROM step_ins WHERE call_sid = :call_sid)",
        {"call_sid": call_sid},
    )
    return 1 + int(found.fetchone()[0])


def since(db: Database, call_sid: str, rev: int = 0) -> News | None:
    """What was kept above `rev`; None when there is no such call (any more)."""
    call = facts(db, [call_sid]).get(call_sid)
    if call is None:
        return None
    lines = [*_turns(db, call_sid, rev), *_tool_runs(db, call_sid, rev), *_step_ins(db, call_sid, rev)]
    lines.sort(key=lambda line: line["rev"])
    return News(
        call,
        lines,
        rev=max([rev, *(line["rev"] for line in lines)]),
        ended=call["ended_at"] is not None,
        accounted=bool(call["accounted"]),
    )


def facts(db: Database, call_sids: Iterable[str]) -> dict[str, Row]:
    """Who is calling, by call, in the export's names: what a line about a running call needs."""
    rows = db.query(
        'SELECT call_sid, from_number AS "from", caller_name, name AS kept_name, trust, started_at, ended_at,'
        " outcome, usage IS NOT NULL AS accounted"
        " FROM calls LEFT JOIN callers ON number = from_number"
        " WHERE call_sid IN (SELECT value FROM json_each(?)) ORDER BY started_at, n",
        (orjson.dumps(list(call_sids)).decode(),),
    )
    return {row["call_sid"]: row for row in rows}


def _turns(db: Database, call_sid: str, rev: int) -> Iterable[Row]:
    """`n` counts from 1 in speaking order, over all turns there are now."""
    for row in db.query(
        "SELECT * FROM (SELECT *, row_number() OVER (ORDER BY position, started_ms, id) AS n FROM turns"
        " WHERE call_sid = ?) WHERE rev > ?",
        (call_sid, rev),
    ):
        yield {**row, "what": "turn", "interrupted": bool(row["interrupted"])}


def _tool_runs(db: Database, call_sid: str, rev: int) -> Iterable[Row]:
    for row in db.query("SELECT * FROM tool_runs WHERE call_sid = ? AND rev > ?", (call_sid, rev)):
        read = {name: orjson.loads(row[name]) for name in ("arguments", "result")}
        yield {**row, **read, "what": "tool", "refused": bool(row["refused"])}


def _step_ins(db: Database, call_sid: str, rev: int) -> Iterable[Row]:
    for row in db.query("SELECT * FROM step_ins WHERE call_sid = ? AND rev > ?", (call_sid, rev)):
        yield {**row, "what": "step"}
