"""What callers have booked or asked for, whichever calendar it is in, or will be.

A booking is *held* until it is settled: it waits for the owner (`requested`; `proposed`: another time, by the
owner), or was sent to the calendar and nobody knows yet whether it arrived (`unsure`). What is held has its
time for itself. `booked`, `declined` and `cancelled` are settled: if it has a time, the calendar says so.

A booking outlives the call it was made on: what was said is forgotten sooner than an appointment is over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import orjson
from sqlite_utils import Database

from assistant.errors import NoSuchEvent, SlotTaken
from assistant.store.calls import reconsider
from assistant.store.schema import as_text, as_time

Status = Literal["requested", "proposed", "unsure", "booked", "declined", "cancelled"]
Where = Literal["", "embedded", "google"]
Times = tuple[datetime, datetime]  # half-open: [start, end), aware

HELD = ("requested", "proposed", "unsure")


@dataclass(frozen=True, slots=True)
class Booking:
    """An appointment of a caller.

    number: who rang; None when withheld. trust: what the caller was then. timezone: IANA, the one the time
    was meant in. calendar: where it is, or was sent to; "" as long as it only waits here. event_id: what it
    is, or will be, called there. settled_at: since when it is not held any more.
    """

    id: int
    call_sid: str
    tool_call_id: str
    number: str | None
    trust: str
    caller_name: str
    title: str
    start: datetime
    end: datetime
    timezone: str
    status: Status
    calendar: Where
    event_id: str
    created_at: datetime
    settled_at: datetime | None


# --- writing -----------------------------------------------------------------


def hold(
    db: Database,
    *,
    call_sid: str,
    tool_call_id: str,
    number: str | None,
    trust: str,
    caller_name: str,
    title: str,
    start: datetime,
    end: datetime,
    timezone: str,
    status: Status,
    calendar: Where,
    event_id: str,
    clear: Times | None,
    now: datetime,
) -> Booking:
    """Write a booking down. What the same tool call has written before is given back, whatever it is now.

    Raises SlotTaken when another held booking is in `clear`.
    """
    if (there := of_tool_call(db, call_sid, tool_call_id)) is not None:
        return there
    _check_clear(db, clear)
    db.execute(
        "INSERT INTO bookings (call_sid, tool_call_id, number, trust, caller_name, title, starts_at, ends_at,"
        " timezone, status, calendar, event_id, created_at, settled_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (call_sid, tool_call_id, number, trust, caller_name, title, as_text(start), as_text(end), timezone,
         status, calendar, event_id, as_text(now), _settled_at(status, now)),
    )  # fmt: skip
    reconsider(db, call_sid)
    return _known(of_tool_call(db, call_sid, tool_call_id))


def settle(
    db: Database,
    booking_id: int,
    *,
    status: Status,
    calendar: Where | None = None,
    event_id: str | None = None,
    now: datetime,
) -> Booking:
    """Give a booking another status; calendar and event_id stay unless they are given. Raises NoSuchEvent."""
    db.execute(
        "UPDATE bookings SET status = ?, settled_at = ?, calendar = coalesce(?, calendar),"
        " event_id = coalesce(?, event_id) WHERE id = ?",
        (status, _settled_at(status, now), calendar, event_id, booking_id),
    )
    settled = _known(booking(db, booking_id))
    reconsider(db, settled.call_sid)  # the call may be over by now
    return settled


def reschedule(
    db: Database,
    booking_id: int,
    start: datetime,
    end: datetime,
    *,
    status: Status | None = None,
    clear: Times | None = None,
    now: datetime,
) -> Booking:
    """Give a booking another time, and another status if one is given.

    Raises NoSuchEvent, or SlotTaken when another held booking is in `clear`.
    """
    before = _known(booking(db, booking_id))
    _check_clear(db, clear, without=before.event_id)
    db.execute("UPDATE bookings SET starts_at = ?, ends_at = ? WHERE id = ?",
               (as_text(start), as_text(end), booking_id))  # fmt: skip
    return settle(db, booking_id, status=status, now=now) if status else _known(booking(db, booking_id))


def discard(db: Database, booking_id: int) -> None:
    """It never was: the calendar has refused it."""
    db.execute("DELETE FROM bookings WHERE id = ?", (booking_id,))


def _settled_at(status: Status, now: datetime) -> str | None:
    return None if status in HELD else as_text(now)


def _check_clear(db: Database, clear: Times | None, *, without: str | None = None) -> None:
    if clear is not None and held(db, *clear, without=without):
        raise SlotTaken("Another request holds that time.")


def _known(found: Booking | None) -> Booking:
    if found is None:
        raise NoSuchEvent("This request is not there any more.")
    return found


# --- reading -----------------------------------------------------------------


def booking(db: Database, booking_id: int) -> Booking | None:
    """One booking; None when there is none of that id, or none any more."""
    return _first(_bookings(db, "id = ?", booking_id))


def by_event(db: Database, event_id: str) -> Booking | None:
    """The booking that is, or will be, this event of the calendar."""
    return _first(_bookings(db, "event_id = ? ORDER BY id DESC", event_id))


def of_tool_call(db: Database, call_sid: str, tool_call_id: str) -> Booking | None:
    """What came of one attempt at booking."""
    return _first(_bookings(db, "call_sid = ? AND tool_call_id = ?", call_sid, tool_call_id))


def of_call(db: Database, call_sid: str) -> list[Booking]:
    """What was booked or asked for on a call, in that order."""
    return _bookings(db, "call_sid = ? ORDER BY id", call_sid)


def held(db: Database, start: datetime, end: datetime, *, without: str | None = None) -> list[Booking]:
    """What holds any of this time, by start; not the booking of the event `without`."""
    found = _bookings(
        db,
        "settled_at IS NULL AND starts_at < ? AND ends_at > ? ORDER BY starts_at, id",
        as_text(end),
        as_text(start),
    )
    return [booking for booking in found if booking.event_id != without]


def requests(db: Database) -> list[Booking]:
    """Everything that is held, by start: what the owner has to look at."""
    return _bookings(db, "settled_at IS NULL ORDER BY starts_at, id")


def of_number(db: Database, number: str | None, since: datetime) -> list[Booking]:
    """What a number (None: withheld) has booked or asked for that ends after `since`, by start."""
    return _bookings(
        db,
        "number IS ? AND ends_at > ? AND status IN ('requested', 'proposed', 'booked')"
        " ORDER BY starts_at, id",
        number,
        as_text(since),
    )


def in_google(
    db: Database, start: datetime, end: datetime, event_ids: list[str], *, linked_now: bool = False
) -> list[Booking]:
    """What was booked into Google's calendar in this time, or as one of these events.

    linked_now: only since the account was linked. What is older may be in another account's calendar.
    """
    return _bookings(
        db,
        "status = 'booked' AND calendar = 'google' AND (starts_at < ? AND ends_at > ?"
        " OR event_id IN (SELECT value FROM json_each(?)))"
        " AND (NOT ? OR created_at >= coalesce((SELECT linked_at FROM google_link), ''))",
        as_text(end),
        as_text(start),
        orjson.dumps(event_ids).decode(),
        linked_now,
    )


def made(db: Database, since: datetime) -> list[Booking]:
    """What was booked since then, also if it was cancelled afterwards; newest first."""
    return _bookings(
        db,
        "status IN ('booked', 'cancelled') AND calendar <> '' AND settled_at >= ?"
        " ORDER BY settled_at DESC, id DESC",
        as_text(since),
    )


def _bookings(db: Database, which: str, *values: Any) -> list[Booking]:
    return [_booking(row) for row in db.query(f"SELECT * FROM bookings WHERE {which}", values)]  # noqa: S608


def _booking(row: dict[str, Any]) -> Booking:
    start, end = as_time(row.pop("starts_at")), as_time(row.pop("ends_at"))
    settled_at = as_time(row["settled_at"]) if row["settled_at"] else None
    times = {"created_at": as_time(row["created_at"]), "settled_at": settled_at}
    return Booking(start=start, end=end, **{**row, **times})


def _first(found: list[Booking]) -> Booking | None:
    return found[0] if found else None


# --- forgetting --------------------------------------------------------------


class Gone(NamedTuple):
    """What was removed: bookings, and events of the embedded calendar. in_google: what is still there."""

    bookings: int
    events: int
    in_google: int = 0


def is_on_file(db: Database, number: str) -> bool:
    """Whether there is any booking of this number."""
    return bool(_bookings(db, "number = ? LIMIT 1", number))


def forget(db: Database, number: str, call_sids: Iterable[str]) -> Gone:
    """Remove the bookings of a number and those made on these calls, with their events here."""
    values = {"number": number, "sids": orjson.dumps(list(call_sids)).decode()}
    on_a_call = "call_sid IN (SELECT value FROM json_each(:sids))"
    theirs = f"(number = :number OR {on_a_call})"
    count = f"SELECT count(*) FROM bookings WHERE {theirs}"  # noqa: S608
    there = " AND calendar = 'google' AND status IN ('booked', 'unsure')"
    in_google = int(db.execute(count + there, values).fetchone()[0])
    events = db.execute(
        f"DELETE FROM events WHERE {on_a_call}"  # noqa: S608
        f" OR event_id IN (SELECT event_id FROM bookings WHERE {theirs})",
        values,
    )
    bookings = db.execute(f"DELETE FROM bookings WHERE {theirs}", values)  # noqa: S608
    return Gone(bookings.rowcount, events.rowcount, in_google)


def prune(db: Database, before: datetime) -> Gone:
    """Remove the bookings that ended before then, with their events here.

    What the owner has put into the calendar stays, and so does a booking whose event was moved to later.
    """
    values = {"before": as_text(before)}
    events = db.execute(
        "DELETE FROM events WHERE ends_at < :before"
        " AND event_id IN (SELECT event_id FROM bookings WHERE ends_at < :before)",
        values,
    )
    bookings = db.execute(
        "DELETE FROM bookings WHERE ends_at < :before AND event_id NOT IN (SELECT event_id FROM events)",
        values,
    )
    return Gone(bookings.rowcount, events.rowcount)
