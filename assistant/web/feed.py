"""The calendar's feed: the owner's appointments for any calendar program, at a secret address.

Such programs cannot log in, so whoever knows the address may read. It holds what this program knows by
itself: the embedded calendar, and with Google linked what the assistant has booked there; the rest is in
Google already. What still waits for the owner is TENTATIVE. Nobody else's service is asked, since readers
ask at any time, and often. It is for looking at: programs ask for it every few hours at best.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, abort, request
from flask.typing import ResponseReturnValue

from assistant.calendars.events import Event, Span
from assistant.store import feed, preferences
from assistant.web.calendars.known import known
from assistant.web.parts import parts

DAYS_BACK, DAYS_AHEAD = 30, 365
MAX_AGE_S = 300
NAME = "Afterbeep"


def register(app: Flask) -> None:
    """Put the feed on the map."""
    app.add_url_rule("/calendar/feed/<secret>.ics", "calendar_feed", calendar_feed)


def calendar_feed(secret: str) -> ResponseReturnValue:
    """The feed, for whoever knows its address."""
    kept = parts().store.read(feed.secret)
    right = secrets.compare_digest((kept or "").encode(), secret.encode())
    if not kept or not right:
        abort(404)
    now = datetime.now(UTC)
    zone = parts().store.read(preferences.load).zone
    events = known(parts().diary, Span(now - timedelta(days=DAYS_BACK), now + timedelta(days=DAYS_AHEAD)))
    import icalendar  # noqa: F401  (here and not in the pool's thread: an import takes locks)

    body = parts().store.in_pool(written, events, zone, now.replace(microsecond=0))
    response = Response(body, content_type="text/calendar; charset=utf-8")
    response.headers["Cache-Control"] = f"private, max-age={MAX_AGE_S}"
    response.set_etag(fingerprint(events, zone), weak=True)  # DTSTAMP differs, what it says does not
    return response.make_conditional(request.environ)


def fingerprint(events: Iterable[Event], zone: ZoneInfo) -> str:
    """The same for the same appointments."""
    told = [(e.event_id, e.span, e.title, e.all_day, e.busy, e.status) for e in events]
    return hashlib.sha256(f"{zone.key} {told}".encode()).hexdigest()[:32]


def written(events: list[Event], zone: ZoneInfo, now: datetime) -> bytes:
    """The appointments as iCalendar (RFC 5545), made at `now`. zone: of whole days."""
    import icalendar

    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Afterbeep//calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", NAME)
    for event in events:
        calendar.add_component(_component(event, zone, now))
    return bytes(calendar.to_ical())


def _component(event: Event, zone: ZoneInfo, now: datetime) -> Any:
    """One VEVENT, in UTC; of whole days, by their dates."""
    import icalendar

    component = icalendar.Event()
    component.add("uid", f"{event.event_id}@afterbeep")
    component.add("dtstamp", now)
    start, end = (at.astimezone(UTC) for at in event.span)
    if event.all_day:
        component.add("dtstart", start.astimezone(zone).date())
        component.add("dtend", end.astimezone(zone).date())
    else:
        component.add("dtstart", start)
        component.add("dtend", end)
    component.add("summary", _plain(event.title) or "(no title)")
    component.add("status", "CONFIRMED" if event.status == "confirmed" else "TENTATIVE")
    component.add("transp", "OPAQUE" if event.busy else "TRANSPARENT")
    return component


def _plain(text: str) -> str:
    """Without what no line of a calendar file may hold; the library escapes the rest."""
    return "".join(" " if unicodedata.category(each) in ("Cc", "Cs") else each for each in text).strip()
