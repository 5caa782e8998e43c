"""Everything the page of one call shows, read at once: the record, and what stands around it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from assistant.store import appointments, callers, export, step_ins
from assistant.store.appointments import Booking
from assistant.store.export import Row


@dataclass(frozen=True, slots=True)
class OneCall:
    """A call and its surroundings.

    record: the export's object. state: what the owner has done with it. kept_name, standing: what is kept
    about the caller. newer, older: the SIDs of the calls next to it in time; None at either end.
    """

    record: Row
    state: str
    kept_name: str | None
    standing: str
    bookings: list[Booking]
    step_ins: list[Row]
    newer: str | None
    older: str | None


def look_up(db: Database, call_sid: str) -> OneCall | None:
    """One call; None when there is none of that SID."""
    record = export.export_call(db, call_sid)
    if record is None:
        return None
    n, state = db.execute("SELECT n, state FROM calls WHERE call_sid = ?", (call_sid,)).fetchone()
    kept = callers.standing(db, record["from"])
    at = (record["started_at"], n)
    return OneCall(
        record=record,
        state=state,
        kept_name=kept["name"],
        standing=kept["standing"],
        bookings=appointments.of_call(db, call_sid),
        step_ins=step_ins.of_call(db, call_sid),
        newer=_beside(db, "> (?, ?) ORDER BY started_at, n", at),
        older=_beside(db, "< (?, ?) ORDER BY started_at DESC, n DESC", at),
    )


def _beside(db: Database, which: str, at: tuple[str, int]) -> str | None:
    found = db.execute(f"SELECT call_sid FROM calls WHERE (started_at, n) {which} LIMIT 1", at)  # noqa: S608
    row = found.fetchone()
    return str(row[0]) if row else None
