"""What the owner can press on the calendar page.

Each button does one thing to the diary, says in its part of the page what came of it, and leads back to the
week it was pressed in. Pressed twice, it finds its work done and says how things stand.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from assistant.calendars.events import Span
from assistant.calendars.outlook import span_of
from assistant.errors import CalendarError, NoSuchEvent, SlotTaken, StoreError
from assistant.store import feed
from assistant.store.appointments import Booking
from assistant.web.calendars import notes, page
from assistant.web.calendars.dates import Dates
from assistant.web.calendars.forms import Trouble, Unreadable, read_span, read_title
from assistant.web.calendars.notes import Part
from assistant.web.parts import parts

log = logging.getLogger(__name__)

_adding = threading.Lock()


# --- requests ----------------------------------------------------------------


def approve(booking_id: int) -> ResponseReturnValue:
    """Book what was asked for. Something in the way is shown, with a second button to book it anyway."""
    try:
        booking = parts().diary.approve(booking_id, anyway="anyway" in request.form)
    except SlotTaken as error:
        notes.leave("requests", "problem", f"Not booked. {error}", booking_id)
        return _back("requests", anchor=f"request-{booking_id}", clash=booking_id)
    except (CalendarError, StoreError) as error:
        return _failed("requests", error, booking_id)
    return _say("requests", _came_of(booking), booking_id)


def decline(booking_id: int) -> ResponseReturnValue:
    """Say no."""
    return _decide("requests", parts().diary.decline, booking_id)


def propose(booking_id: int) -> ResponseReturnValue:
    """Keep another time for the caller until the owner has asked them."""
    form = f"propose-{booking_id}"
    show = _dates()
    try:
        span = read_span(request.form, show)
        if span.start <= show.now:
            raise Unreadable("time", f"{show.appointment(span)} is past.")
        booking = _propose(booking_id, span)
    except Unreadable as error:
        return page.render(Trouble(form, str(error), error.field, error.choices)), 422
    except SlotTaken as error:
        there = page.in_the_way(parts().diary, span, _event_id(booking_id))
        return page.render(Trouble(form, str(error), in_the_way=there)), 409
    except NoSuchEvent as error:
        return _failed("requests", error)
    except (CalendarError, StoreError) as error:
        return page.render(Trouble(form, str(error))), 502
    return _say("requests", _came_of(booking), booking_id)


def _propose(booking_id: int, span: Span) -> Booking:
    length: timedelta = span.end - span.start
    return parts().diary.propose(booking_id, span.start, length, anyway="anyway" in request.form)


def _event_id(booking_id: int) -> str:
    return next((one.event_id for one in parts().diary.requests() if one.id == booking_id), "")


def check(booking_id: int) -> ResponseReturnValue:
    """Look whether an appointment that may be in the calendar is there."""
    return _decide("requests", parts().diary.check, booking_id)


def undo(booking_id: int) -> ResponseReturnValue:
    """Take what the assistant booked out of the calendar."""
    return _decide("made", parts().diary.undo, booking_id)


def _decide(part: Part, deed: Callable[[int], Booking], booking_id: int) -> ResponseReturnValue:
    """Do it to a booking and tell how that stands."""
    try:
        return _say(part, _came_of(deed(booking_id)), booking_id)
    except (CalendarError, StoreError) as error:
        return _failed(part, error, booking_id)


def _came_of(booking: Booking) -> str:
    """How a booking stands now, for its owner."""
    when = _dates().appointment(span_of(booking))
    match booking.status:
        case "booked":
            return f"In the calendar: {when}."
        case "declined":
            return f"Declined: {when} is free again."
        case "cancelled":
            return f"Taken out of the calendar: {when}."
        case "proposed":
            return f"{when} is kept for them."
        case "unsure":
            return f"{when}: it is not known yet whether it is in the calendar; look again first."
        case _:
            return f"Not in the calendar: {when} waits for you."


# --- the owner's own appointments ----------------------------------------------


def add() -> ResponseReturnValue:
    """Put an appointment of the owner's own into the calendar, and show the week it is in."""
    show = _dates()
    try:
        title, span, all_day = (
            read_title(request.form),
            read_span(request.form, show),
            "all_day" in request.form,
        )
        told = _add(title, span, all_day, show)
    except Unreadable as error:
        return page.render(Trouble("add", str(error), error.field, error.choices)), 422
    except (CalendarError, StoreError) as error:
        return page.render(Trouble("add", str(error))), 502
    return _say("week", told, week=show.local_date(span.start))


def _add(title: str, span: Span, all_day: bool, show: Dates) -> str:
    """A form that is sent twice adds one appointment, also by two clicks in a row."""
    diary = parts().diary
    with _adding:
        there = any((one.title, one.span) == (title, span) for one in diary.events(span))
        if not there:
            diary.add(title, span, all_day=all_day)
    when = show.appointment(span, all_day=all_day)
    return f"{'That is already' if there else 'It is'} in the calendar: {when}."


def remove() -> ResponseReturnValue:
    """Take any appointment out of the calendar."""
    return _try("week", _remove)


def _remove() -> str:
    try:
        parts().diary.remove(request.form.get("event_id", ""))
    except NoSuchEvent as error:
        return str(error)
    return "Removed from the calendar."


# --- the feed ------------------------------------------------------------------


def renew_feed() -> ResponseReturnValue:
    """Make the feed's address, or a new one in place of the old."""
    return _try("feed", _renew_feed)


def _renew_feed() -> str:
    parts().store.write(feed.renew)
    return "This is the feed’s address now. If there was one before, it leads nowhere any more."


def remove_feed() -> ResponseReturnValue:
    """Have no feed."""
    return _try("feed", _remove_feed)


def _remove_feed() -> str:
    parts().store.write(feed.remove)
    return "There is no feed any more. Its old address leads nowhere."


# --- and back ------------------------------------------------------------------


def _try(part: Part, act: Callable[[], str]) -> ResponseReturnValue:
    """Do it and tell what came of it."""
    try:
        return _say(part, act())
    except (CalendarError, StoreError) as error:
        return _failed(part, error)


def _say(part: Part, told: str, booking_id: int | None = None, **where: Any) -> ResponseReturnValue:
    notes.leave(part, "done", told, booking_id)
    return _back(part, **where)


def _failed(
    part: Part, error: CalendarError | StoreError, booking_id: int | None = None
) -> ResponseReturnValue:
    log.warning("%s: %s", request.endpoint, type(error).__name__)
    notes.leave(part, "problem", str(error), booking_id)
    return _back(part)


def _back(part: Part, *, anchor: str = "", **where: Any) -> ResponseReturnValue:
    """To the week that was shown, and to the part of the page that was pressed in."""
    shown = {name: request.form[name] for name in ("week", "as") if request.form.get(name)}
    return redirect(url_for("calendar", _anchor=anchor or part, **{**shown, **where}), 303)


def _dates() -> Dates:
    return page.dates(parts().diary.rules("owner")[0])
