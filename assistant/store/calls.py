"""The life of a call's row: begun by a webhook, filled while it runs, finished once.

Webhooks come twice, late and in any order, and the program may be killed at any moment; so every
function here can be called again with the same values and changes nothing the second time.

A call has ended when it has an `ended_at`. Outcome and summary are worked out then, and again when
something arrives afterwards (a late transcription, a recording fetched the next day).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import orjson
from sqlite_utils import Database

from assistant.errors import StoreError
from assistant.store import outcome as rules
from assistant.store.news import next_rev
from assistant.store.schema import as_text, as_time

# Reasons after which the caller is still on the line: the end of the assistant's part, and of the call,
# are two moments, and the second is told by the telephone company.
CALL_GOES_ON = (
    "model_failed", "line_lost", "shut_down", "interrupted", "transferred", "owner_took_over", "owner_ended",
)  # fmt: skip

_WHOLE_NUMBERS = ("interrupted", "started_ms", "ended_ms", "heard_ms")

SETTABLE = {
    "answered_at", "caller_name", "trust", "stir_verstat", "ended_because", "blocked", "owner_accepted",
    "had_stream", "voicemail_offered", "usage", "cost_usd", "first_sound_ms", "response_ms",
}  # fmt: skip


def begin(
    db: Database,
    call_sid: str,
    *,
    direction: str,
    from_number: str | None,
    to_number: str | None,
    forwarded_from: str | None,
    caller_name: str | None,
    trust: str,
    stir_verstat: str | None,
    started_at: datetime,
) -> bool:
    """A call has come in. False: it was known (or has been forgotten since), nothing changed."""
    if _is_gone(db, call_sid):
        return False
    cursor = db.execute(
        "INSERT INTO calls (call_sid, direction, from_number, to_number, forwarded_from, caller_name, trust,"
        " stir_verstat, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (call_sid) DO NOTHING",
        (call_sid, direction, from_number, to_number, forwarded_from, caller_name, trust, stir_verstat,
         as_text(started_at)),
    )  # fmt: skip
    return cursor.rowcount == 1


def set_answered(db: Database, call_sid: str, at: datetime) -> None:
    """The call was answered, by whomever. The first time counts."""
    db.execute("UPDATE calls SET answered_at = COALESCE(answered_at, ?) WHERE call_sid = ?",
               (as_text(at), call_sid))  # fmt: skip


def set_columns(db: Database, call_sid: str, **columns: Any) -> None:
    """Set facts of a call by their column's name. An `ended_because` set here outlives a later finish."""
    _check_names(columns)
    if columns:
        names = ", ".join(f"{name} = ?" for name in columns)
        db.execute(f"UPDATE calls SET {names} WHERE call_sid = ?",  # noqa: S608 (names are checked)
                   (*map(_stored, columns.values()), call_sid))  # fmt: skip
        reconsider(db, call_sid)


def _check_names(columns: Mapping[str, Any]) -> None:
    if unknown := columns.keys() - SETTABLE:
        raise StoreError(f"no such fact of a call: {', '.join(sorted(unknown))}")


def keep_turn(db: Database, call_sid: str, turn: Mapping[str, Any]) -> None:
    """Keep one thing that was said; the same item_id again replaces it, and is news again."""
    db.execute(
        "INSERT INTO turns (call_sid, item_id, position, speaker, text, heard_text, interrupted, started_ms,"
        " ended_ms, heard_ms, rev) VALUES (:call_sid, :item_id, :position, :speaker, :text, :heard_text,"
        " :interrupted, :started_ms, :ended_ms, :heard_ms, :rev)"
        " ON CONFLICT (call_sid, item_id) DO UPDATE SET"
        " position = excluded.position, speaker = excluded.speaker, text = excluded.text,"
        " heard_text = excluded.heard_text, interrupted = excluded.interrupted,"
        " started_ms = excluded.started_ms, ended_ms = excluded.ended_ms, heard_ms = excluded.heard_ms,"
        " rev = excluded.rev",
        {
            **turn,
            **{name: int(turn[name]) for name in _WHOLE_NUMBERS},
            "call_sid": call_sid,
            "rev": next_rev(db, call_sid),
        },
    )
    reconsider(db, call_sid)


def keep_tool_run(
    db: Database,
    call_sid: str,
    *,
    tool_call_id: str,
    name: str,
    arguments: Mapping[str, Any],
    result: Mapping[str, Any],
    refused: bool,
    started_ms: int,
    took_ms: int,
) -> None:
    """Keep what a tool was asked and what it answered; the first answer to a tool_call_id counts."""
    db.execute(
        "INSERT INTO tool_runs (call_sid, tool_call_id, name, arguments, result, refused, started_ms,"
        " took_ms, rev) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (call_sid, tool_call_id) DO NOTHING",
        (call_sid, tool_call_id, name, _json(arguments), _json(result), int(refused), started_ms, took_ms,
         next_rev(db, call_sid)),
    )  # fmt: skip
    reconsider(db, call_sid)


def add_recording(
    db: Database, call_sid: str, *, kind: str, file: str, seconds: float, recording_sid: str | None = None
) -> None:
    """A recording is on the disk. `file`: relative to the instance. Once per recording_sid, and per file."""
    known = recording_sid and recording_sid in known_recordings(db, [recording_sid])
    if known or _is_gone(db, call_sid):
        return
    db.execute(
        "INSERT INTO recordings (call_sid, kind, file, seconds, recording_sid) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (call_sid, file) DO UPDATE SET seconds = excluded.seconds",
        (call_sid, kind, file, float(seconds), recording_sid),
    )
    reconsider(db, call_sid)


def known_recordings(db: Database, recording_sids: Iterable[str]) -> set[str]:
    """Those of the telephone company's recordings that are already kept here."""
    return _which(db, "recordings", "recording_sid", recording_sids)


def finish(db: Database, call_sid: str, *, ended_at: datetime, ended_because: str, **facts: Any) -> bool:
    """The call is over. `facts`: usage, cost_usd, first_sound_ms, response_ms of the assistant's part.

    True: this ended it. The first one wins, with two exceptions, because the assistant and the telephone
    company both tell of the end, in any order:
    - the assistant's own account (the one with `usage`) says why its part ended, also when it comes second;
    - after CALL_GOES_ON the first one that follows says when the caller was really gone.
    """
    _check_names(facts)
    row = _row(db, call_sid)
    if row is None:
        return False
    changes: dict[str, Any] = dict(facts)
    if row["ended_at"] is None:
        because = row["ended_because"] or ended_because
        settled = because not in CALL_GOES_ON or bool(row["ended_because"])
        changes |= {"ended_at": ended_at, "ended_because": because, "end_settled": settled}
    elif "usage" in facts and row["usage"] is None:
        changes |= {"ended_because": ended_because, "end_settled": True}
    elif not row["end_settled"]:
        changes |= {"ended_at": ended_at, "end_settled": True}
    else:
        return False
    _write_end(db, {**row, **changes}, changes)
    return row["ended_at"] is None


def _write_end(db: Database, row: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    record = _record(db, row)
    columns = {**changes, "outcome": rules.outcome(record), "summary": rules.summary(record)}
    names = ", ".join(f"{name} = ?" for name in columns)
    db.execute(f"UPDATE calls SET {names} WHERE call_sid = ?",  # noqa: S608 (names are ours)
               (*map(_stored, columns.values()), row["call_sid"]))  # fmt: skip


def reconsider(db: Database, call_sid: str) -> None:
    """Something was added: a call that is over may now have another outcome."""
    row = _row(db, call_sid)
    if row is not None and row["ended_at"] is not None:
        _write_end(db, row, {})


def _record(db: Database, row: Mapping[str, Any]) -> rules.Record:
    """What the rules need to know of a call."""
    sid = (row["call_sid"],)
    message = db.execute("SELECT text FROM messages WHERE call_sid = ? ORDER BY id DESC LIMIT 1", sid)
    words = db.execute(
        "SELECT text FROM turns WHERE call_sid = ? AND speaker = 'caller' AND trim(text) <> ''"
        " ORDER BY position, id LIMIT 1", sid)  # fmt: skip
    voicemail = db.execute("SELECT 1 FROM recordings WHERE call_sid = ? AND kind = 'voicemail'", sid)
    return rules.Record(
        ended_because=row["ended_because"],
        blocked=bool(row["blocked"]),
        owner_accepted=bool(row["owner_accepted"]),
        had_stream=bool(row["had_stream"]),
        voicemail_offered=bool(row["voicemail_offered"]),
        left_voicemail=voicemail.fetchone() is not None,
        message=_first(message.fetchone()),
        booking=_booking(db, row["call_sid"]),
        caller_words=_first(words.fetchone()) or "",
    )


def _booking(db: Database, call_sid: str) -> rules.Booking | None:
    """The newest booking of the call that was not taken back in it."""
    runs = db.execute(
        "SELECT name, arguments, result FROM tool_runs WHERE call_sid = ? AND refused = 0 AND name IN"
        " ('add_event', 'move_event', 'cancel_event') ORDER BY id", (call_sid,))  # fmt: skip
    read = ((str(run[0]), orjson.loads(run[1]), orjson.loads(run[2])) for run in runs)
    return rules.last_booking(read) or _late_booking(db, call_sid)


def _late_booking(db: Database, call_sid: str) -> rules.Booking | None:
    """One of which nobody knew on the call that it had worked."""
    found = db.execute(
        "SELECT title, starts_at, timezone, status FROM bookings WHERE call_sid = ?"
        " AND status IN ('requested', 'proposed', 'booked') ORDER BY id DESC", (call_sid,))  # fmt: skip
    row = found.fetchone()
    if row is None:
        return None
    start = as_time(row[1]).astimezone(ZoneInfo(row[2]))
    return rules.Booking(str(row[0]), f"{start:%A, %B} {start.day}, {start:%H:%M}", row[3] != "booked")


def status_of(db: Database, call_sid: str) -> Literal["unknown", "open", "ended"]:
    """Where a call stands. One that was forgotten is over for good."""
    row = db.execute("SELECT ended_at FROM calls WHERE call_sid = ?", (call_sid,)).fetchone()
    if row is None:
        return "ended" if _is_gone(db, call_sid) else "unknown"
    return "open" if row[0] is None else "ended"


def put_through(db: Database, call_sid: str) -> bool:
    """Whether a call that is over here ended with the owner taking it."""
    row = _row(db, call_sid)
    if row is None:
        return False
    crashed = row["ended_because"] == "interrupted"  # while the two were talking
    return row["ended_because"] in ("transferred", "owner_took_over") or (
        crashed and bool(row["owner_accepted"])
    )


def still_there(db: Database, call_sids: Iterable[str]) -> set[str]:
    """Those of these calls that are still kept."""
    found = db.execute("SELECT call_sid FROM calls WHERE call_sid IN (SELECT value FROM json_each(?))",
                       (orjson.dumps(list(call_sids)).decode(),))  # fmt: skip
    return {str(row[0]) for row in found}


def calls_today(db: Database, from_number: str | None, since: datetime) -> int:
    """How often a number (None: withheld) has called since then, for its cap: calls that were refused,
    or that the owner took, cost nothing and do not count."""
    found = db.execute(
        "SELECT count(*) FROM calls WHERE from_number IS ? AND started_at >= ?"
        " AND NOT blocked AND NOT owner_accepted", (from_number, as_text(since)))  # fmt: skip
    return int(found.fetchone()[0])


def cost_since(db: Database, since: datetime) -> float:
    """The model's bill for calls that ended since then; a call across midnight belongs to the new day."""
    found = db.execute("SELECT total(cost_usd) FROM calls WHERE ended_at >= ?", (as_text(since),))
    return float(found.fetchone()[0])


def close_left_open(db: Database, now: datetime) -> list[str]:
    """Close the calls a crash has left open; only where no call can be live: at the server's start.

    They ended, as far as anybody knows, when this program was last alive, or with their last turn.
    """
    closed = []
    for row in list(db.query("SELECT * FROM calls WHERE ended_at IS NULL ORDER BY started_at, n")):
        began = as_time(row["answered_at"] or row["started_at"])
        last_word = began + timedelta(milliseconds=_last_word_ms(db, row["call_sid"]))
        ended_at = max(began, min(now, max(last_word, last_alive(db) or began)))
        finish(db, row["call_sid"], ended_at=ended_at, ended_because="interrupted")
        closed.append(str(row["call_sid"]))
    return closed


def _last_word_ms(db: Database, call_sid: str) -> int:
    """How long after its stream's start a call's last turn ended; 0 without any."""
    found = db.execute("SELECT max(ended_ms) FROM turns WHERE call_sid = ?", (call_sid,))
    return _first(found.fetchone()) or 0


def last_alive(db: Database) -> datetime | None:
    """When the server last said that it runs; None: never."""
    text = _first(db.execute("SELECT value FROM house WHERE name = 'last_alive'").fetchone())
    return as_time(text) if text else None


def set_alive(db: Database, at: datetime) -> None:
    """The server runs."""
    db.execute("INSERT OR REPLACE INTO house (name, value) VALUES ('last_alive', ?)", (as_text(at),))


def remove(db: Database, call_sid: str, now: datetime) -> None:
    """Remove a call and every word of it.

    What is left is a hash of its SID, so that a webhook or the telephone company's own list of calls
    does not bring it back.
    """
    db.execute("DELETE FROM calls WHERE call_sid = ?", (call_sid,))
    db.execute("INSERT OR IGNORE INTO gone_calls (sid_hash, gone_at) VALUES (?, ?)",
               (_sid_hash(call_sid), as_text(now)))  # fmt: skip


def _is_gone(db: Database, call_sid: str) -> bool:
    return bool(_which(db, "gone_calls", "sid_hash", [_sid_hash(call_sid)]))


def _sid_hash(call_sid: str) -> str:
    return hashlib.sha256(call_sid.encode()).hexdigest()[:32]


def _which(db: Database, table: str, column: str, values: Iterable[str]) -> set[str]:
    """Those of `values` that occur in a column."""
    found = db.execute(f"SELECT {column} FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))",  # noqa: S608
                       (_json(list(values)),))  # fmt: skip
    return {str(row[0]) for row in found}


def _row(db: Database, call_sid: str) -> dict[str, Any] | None:
    return next(db.query("SELECT * FROM calls WHERE call_sid = ?", (call_sid,)), None)


def _first(row: tuple[Any, ...] | None) -> Any:
    return row[0] if row else None


def _stored(value: Any) -> Any:
    """A fact as SQLite keeps it: STRICT tables take no bool, time, list or dict."""
    match value:
        case bool():
            return int(value)
        case datetime():
            return as_text(value)
        case dict() | list() | tuple():
            return _json(value)
    return value


def _json(value: Any) -> str:
    return orjson.dumps(value, default=dict).decode()
