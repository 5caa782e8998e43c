"""The embedded calendar's events: what is in the owner's diary when no other calendar is linked.

Whether a time is free is looked up in the transaction that takes it. One writer at a time is all SQLite
has, so nobody slips in between, from another process neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal

from sqlite_utils import Database

from assistant.errors import NoSuchEvent, SlotTaken
from assistant.store.schema import as_text, as_time

Times = tuple[datetime, datetime]  # half-open: [start, end), aware


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of the embedded calendar. All of them are busy.

    An event of whole days lasts from midnight to midnight in `timezone`. call_sid: of the call it was made
    on; None when the owner made it on the page.
    """

    event_id: str
    start: datetime
    end: datetime
    timezone: str
    title: str
    description: str = ""
    status: Literal["confirmed", "tentative"] = "confirmed"
    all_day: bool = False
    call_sid: str | None = None


def add(db: Database, entry: Entry, *, clear: Times | None = None) -> Entry:
    """Put an entry in. One with this id that is there already stays as it is and is given back.

    Raises SlotTaken when anything else is in `clear`.
    """
    if (there := get(db, entry.event_id)) is not None:
        return there
    _check_clear(db, clear)
    db.execute(
        "INSERT INTO events (event_id, starts_at, ends_at, timezone, title, description, status, all_day,"
        " call_sid) VALUES (:event_id, :start, :end, :timezone, :title, :description, :status, :all_day,"
        " :call_sid)",
        {
            **asdict(entry),
            "start": as_text(entry.start),
            "end": as_text(entry.end),
            "all_day": int(entry.all_day),
        },
    )
    return entry


def get(db: Database, event_id: str) -> Entry | None:
    """The entry of that id; None when there is none, or none any more."""
    return next(_entries(db, "event_id = ?", event_id), None)


def between(db: Database, times: Times) -> list[Entry]:
    """What overlaps these times, by start."""
    start, end = map(as_text, times)
    return list(_entries(db, "starts_at < ? AND ends_at > ? ORDER BY starts_at, event_id", end, start))


def taken(db: Database, times: Times, *, without: str | None = None) -> list[Times]:
    """When something is on in these times, by start; not the entry `without`.

    A caller waits for it, and most of what `between` reads would be thrown away.
    """
    start, end = map(as_text, times)
    found = db.execute(
        "SELECT starts_at, ends_at FROM events WHERE starts_at < ? AND ends_at > ? AND event_id IS NOT ?"
        " ORDER BY starts_at, event_id",
        (end, start, without),
    )
    return [(as_time(row[0]), as_time(row[1])) for row in found]


def move(db: Database, event_id: str, times: Times, timezone: str, *, clear: Times | None = None) -> Entry:
    """Give an entry another time. Raises NoSuchEvent, or SlotTaken when anything else is in `clear`."""
    if (there := get(db, event_id)) is None:
        raise NoSuchEvent("This appointment is not in the calendar any more.")
    _check_clear(db, clear, without=event_id)
    db.execute(
        "UPDATE events SET starts_at = ?, ends_at = ?, timezone = ? WHERE event_id = ?",
        (*map(as_text, times), timezone, event_id),
    )
    return replace(there, start=times[0], end=times[1], timezone=timezone)


def remove(db: Database, event_id: str) -> bool:
    """Take an entry out; whether it was there."""
    return bool(db.execute("DELETE FROM events WHERE event_id = ?", (event_id,)).rowcount)


def _check_clear(db: Database, clear: Times | None, *, without: str | None = None) -> None:
    if clear is not None and taken(db, clear, without=without):
        raise SlotTaken("Something else is in the calendar at that time.")


def _entries(db: Database, which: str, *values: str) -> Iterator[Entry]:
    for row in db.query(f"SELECT * FROM events WHERE {which}", values):  # noqa: S608 (ours alone)
        start, end = as_time(row.pop("starts_at")), as_time(row.pop("ends_at"))
        yield Entry(start=start, end=end, **{**row, "all_day": bool(row["all_day"])})
