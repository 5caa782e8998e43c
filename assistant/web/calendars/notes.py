"""What the page says after a button was pressed: what came of it, and about whom.

A note outlives one redirect only, in the session; of a booking it holds the id alone, and the page looks up
who is to be called about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from flask import flash, get_flashed_messages

from assistant.store import appointments
from assistant.store.appointments import Booking
from assistant.web.parts import parts

Part = Literal["requests", "week", "made", "feed"]
Kind = Literal["done", "problem"]

TO_BE_TOLD = ("booked", "declined", "cancelled", "proposed")


@dataclass(frozen=True, slots=True)
class Note:
    """part: of the page. booking: which it is about; None for none, or when that is forgotten."""

    part: str
    kind: str
    text: str
    booking: Booking | None = None

    @property
    def somebody_waits(self) -> bool:
        """Whether there is a caller who does not know of it."""
        one = self.booking
        return one is not None and self.kind == "done" and one.status in TO_BE_TOLD and one.trust != "owner"


def leave(part: Part, kind: Kind, text: str, booking_id: int | None = None) -> None:
    """For the page that is shown next."""
    flash(text, f"part-{part} {kind} {booking_id or ''}")


def left() -> list[Note]:
    """What was left for this page; notes of other pages are theirs."""
    found = []
    for category, text in cast("list[tuple[str, str]]", get_flashed_messages(with_categories=True)):
        part, _, about = category.partition(" ")
        if part.startswith("part-"):
            kind, _, booking_id = about.partition(" ")
            found.append(Note(part.removeprefix("part-"), kind, text, _booking(booking_id)))
    return found


def _booking(booking_id: str) -> Booking | None:
    return parts().store.read(appointments.booking, int(booking_id)) if booking_id else None
