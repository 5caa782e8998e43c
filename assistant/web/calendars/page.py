"""The calendar page, put together: one look into the diary, and all that stands around it.

What callers are offered is asked of the diary in the same words as the tool asks for it, so the page shows
what a caller would hear and not a guess at it. When the calendar cannot be seen the page says why, and
shows what this program knows by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from assistant.calendars.diary import Diary
from assistant.calendars.events import Deadline, Event, Span
from assistant.calendars.outlook import PAGE_S, Offer, span_of
from assistant.errors import CalendarUnavailable
from assistant.store import calls, feed
from assistant.store.appointments import Booking
from assistant.store.preferences import Preferences
from assistant.web.calendars import notes
from assistant.web.calendars.dates import Dates
from assistant.web.calendars.forms import Trouble
from assistant.web.calendars.known import known
from assistant.web.calendars.week import DAYS, days_of, monday_of, span_of_week
from assistant.web.parts import parts

YEARS_SHOWN = 20  # to both sides; farther weeks are nobody's
SHOWN_AT_ONCE = 6  # more requests, and more of what was booked, are folded away

Asking = Literal["stranger", "known"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look into the diary gave. offer: None when the calendar cannot be seen, and `blind` says why."""

    events: list[Event]
    offer: Offer | None = None
    blind: CalendarUnavailable | None = None


def calendar() -> ResponseReturnValue:
    """The page."""
    return render()


def render(trouble: Trouble | None = None) -> str:
    """The page of the week that is asked for. trouble: what is wrong with the form that was sent."""
    diary = parts().diary
    held, rules = diary.rules("stranger")
    show = dates(held)
    monday = _monday(show.today)
    asking = _asking()
    seen = _look(diary, span_of_week(monday, rules), monday, asking)
    requests, made = diary.requests(), diary.made()
    trouble = trouble or _clash(diary, requests)
    folded = requests[SHOWN_AT_ONCE:]
    return render_template(
        "calendar.html",
        show=show,
        preferences=held,
        last_date=rules.last_date(show.now),
        monday=monday,
        before=(monday - timedelta(days=DAYS)).isoformat(),
        after=(monday + timedelta(days=DAYS)).isoformat(),
        this_week=monday == monday_of(show.today),
        asking=asking,
        days=days_of(monday, rules, show.now, seen.events, seen.offer),
        seen=seen,
        requests=requests,
        folded=folded,
        unfolded=_is_looked_at(folded, trouble),
        waiting={booking.event_id: booking for booking in requests},
        made=made,
        shown_at_once=SHOWN_AT_ONCE,
        notes=notes.left(),
        calls=_calls_there([*requests, *made], seen.events),
        kind=diary.kind,
        account=parts().google.account(),
        feed_url=_feed_url(),
        feed_is_public=parts().settings.public_url.startswith("https://"),
        trouble=trouble,
    )


def dates(held: Preferences) -> Dates:
    """How to write times for this owner, as of now."""
    return Dates(held.timezone, held.language, datetime.now(UTC))


def in_the_way(diary: Diary, span: Span, without: str) -> tuple[Event, ...]:
    """What takes up this time, beside the appointment itself; nothing when it cannot be seen."""
    try:
        there = diary.events(span)
    except CalendarUnavailable:
        there = known(diary, span)
    return tuple(event for event in there if event.busy and event.event_id != without)


def _monday(today: date) -> date:
    try:
        day = date.fromisoformat(request.values.get("week", ""))
    except ValueError:
        return monday_of(today)
    if abs(day.year - today.year) > YEARS_SHOWN:
        abort(404)
    return monday_of(day)


def _asking() -> Asking:
    """For whom the free time is shown."""
    return "known" if request.values.get("as") == "known" else "stranger"


def _look(diary: Diary, span: Span, monday: date, asking: Asking) -> Seen:
    deadline = Deadline(PAGE_S)
    try:
        offer = diary.offer(asking, first=monday, days=DAYS, deadline=deadline)
        return Seen(diary.events(span, deadline), offer)
    except CalendarUnavailable as error:
        return Seen(known(diary, span), None, error)


def _clash(diary: Diary, requests: list[Booking]) -> Trouble | None:
    """What stands in the way of the request that was to be approved."""
    wanted = request.args.get("clash", type=int)
    booking = next((one for one in requests if one.id == wanted), None)
    if booking is None:
        return None
    there = in_the_way(diary, span_of(booking), booking.event_id)
    return (
        Trouble(f"approve-{booking.id}", "At that time there is already:", in_the_way=there)
        if there
        else None
    )


def _is_looked_at(folded: list[Booking], trouble: Trouble | None) -> bool:
    """Whether one of the requests that are folded away is to be seen all the same."""
    wanted = request.args.get("request", type=int) or request.args.get("clash", type=int)
    forms = {f"{deed}-{one.id}" for one in folded for deed in ("approve", "propose")}
    return wanted in {one.id for one in folded} or (trouble is not None and trouble.form in forms)


def _calls_there(bookings: list[Booking], events: list[Event]) -> set[str]:
    """Which of the calls still have a page."""
    sids = {one.call_sid for one in bookings} | {event.call_sid for event in events if event.call_sid}
    return parts().store.read(calls.still_there, sids) if sids else set()


def _feed_url() -> str | None:
    secret = parts().store.read(feed.secret)
    return parts().settings.url(url_for("calendar_feed", secret=secret)) if secret else None
