"""Calls as the contract shows them: the same dictionaries for `flask export` and for the pages.

A page of calls takes the same handful of statements however many calls are on it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import orjson
from sqlite_utils import Database

from assistant.store.schema import as_time

USAGE = ("text_in", "text_cached", "text_out", "audio_in", "audio_cached", "audio_out", "transcription_s")
CALLS_AT_A_TIME = 200

Row = dict[str, Any]


def export_call(db: Database, call_sid: str) -> Row | None:
    """One call, or None when there is none of that SID."""
    return next(iter(_whole(db, list(db.query("SELECT * FROM calls WHERE call_sid = ?", (call_sid,))))), None)


def export_all(db: Database) -> Iterator[Row]:
    """All calls, oldest first; as many in memory as CALLS_AT_A_TIME. To be used up before `db` is closed."""
    after = ("", 0)
    while rows := list(
        db.query(
            "SELECT * FROM calls WHERE (started_at, n) > (?, ?) ORDER BY started_at, n LIMIT ?",
            (*after, CALLS_AT_A_TIME),
        )
    ):
        yield from _whole(db, rows)
        after = (rows[-1]["started_at"], rows[-1]["n"])


def write_all(db: Database, descriptor: int) -> None:
    """Write all calls into an open file, one a line. It stays open."""
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.writelines(orjson.dumps(call, option=orjson.OPT_APPEND_NEWLINE) for call in export_all(db))


def recent(db: Database, *, limit: int, offset: int = 0) -> list[Row]:
    """A page of calls, newest first."""
    rows = db.query("SELECT * FROM calls ORDER BY started_at DESC, n DESC LIMIT ? OFFSET ?", (limit, offset))
    return _whole(db, list(rows))


def count(db: Database) -> int:
    """How many calls are kept."""
    return int(db.execute("SELECT count(*) FROM calls").fetchone()[0])


def _whole(db: Database, rows: list[Row]) -> list[Row]:
    """Rows of `calls` with everything that belongs to them, in the order given."""
    sids = orjson.dumps([row["call_sid"] for row in rows]).decode()
    turns = _of_calls(db, "turns", "position, started_ms, id", sids)
    tool_runs = _of_calls(db, "tool_runs", "started_ms, id", sids)
    messages = _of_calls(db, "messages", "id", sids)
    recordings = _of_calls(db, "recordings", "id", sids)
    return [
        _call(row, turns[sid], tool_runs[sid], messages[sid], recordings[sid])
        for row in rows
        for sid in [row["call_sid"]]
    ]


def _of_calls(db: Database, table: str, order: str, sids: str) -> defaultdict[str, list[Row]]:
    """The rows of a table that belong to some calls, by call."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in db.query(
        f"SELECT * FROM {table} WHERE call_sid IN (SELECT value FROM json_each(?)) ORDER BY {order}",  # noqa: S608
        (sids,),
    ):
        found[row["call_sid"]].append(row)
    return found


def _call(
    row: Row, turns: list[Row], tool_runs: list[Row], messages: list[Row], recordings: list[Row]
) -> Row:
    """One call in the contract's keys and order."""
    over = row["ended_at"] is not None
    usage = orjson.loads(row["usage"]) if row["usage"] else {}
    return {
        "call_sid": row["call_sid"],
        "direction": row["direction"],
        "from": row["from_number"],
        "to": row["to_number"],
        "forwarded_from": row["forwarded_from"],
        "caller_name": row["caller_name"],
        "trust": row["trust"],
        "started_at": row["started_at"],
        "answered_at": row["answered_at"],
        "ended_at": row["ended_at"],
        "duration_s": _seconds(row["started_at"], row["ended_at"]),
        "outcome": row["outcome"] if over else None,
        "ended_because": row["ended_because"] if over else None,
        "summary": row["summary"] if over else None,
        "message": _message(messages[-1]) if messages else None,
        "turns": [_turn(n, turn) for n, turn in enumerate(turns, start=1)],
        "tool_runs": [_tool_run(run) for run in tool_runs],
        "recordings": [_recording(recording) for recording in recordings],
        "usage": {name: usage.get(name, 0) for name in USAGE},
        "cost_usd": round(row["cost_usd"], 6),
        "first_sound_ms": row["first_sound_ms"],
        "response_ms": orjson.loads(row["response_ms"]),
    }


def _seconds(started_at: str, ended_at: str | None) -> float | None:
    if ended_at is None:
        return None
    seconds = (as_time(ended_at) - as_time(started_at)).total_seconds()
    return round(max(0.0, seconds), 1)  # a clock may be set back during a call


def _message(row: Row) -> Row:
    return {name: row[name] for name in ("name", "callback_number", "text", "urgency")}


def _turn(n: int, row: Row) -> Row:
    return {
        "n": n,
        "speaker": row["speaker"],
        "text": row["text"],
        "heard_text": row["heard_text"],
        "interrupted": bool(row["interrupted"]),
        "started_ms": row["started_ms"],
        "ended_ms": row["ended_ms"],
        "heard_ms": row["heard_ms"],
    }


def _tool_run(row: Row) -> Row:
    return {
        "name": row["name"],
        "arguments": orjson.loads(row["arguments"]),
        "result": orjson.loads(row["result"]),
        "refused": bool(row["refused"]),
        "started_ms": row["started_ms"],
        "took_ms": row["took_ms"],
    }


def _recording(row: Row) -> Row:
    return {name: row[name] for name in ("kind", "file", "seconds")}
