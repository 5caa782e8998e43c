"""What this program knows of the owner's time without asking anybody else.

The embedded calendar, what is booked in Google as far as it was told, and what waits for the owner. It is
what the feed holds, and what the page shows while Google cannot be reached.
"""

from __future__ import annotations

from assistant.calendars.diary import Diary
from assistant.calendars.events import Deadline, Event, Span
from assistant.calendars.outlook import PAGE_S, span_of
from assistant.store import appointments
from assistant.store.appointments import Booking
from assistant.web.parts import parts


def known(diary: Diary, span: Span) -> list[Event]:
    """Everything known in `span`, by start. Bookings in Google count as long as it is linked."""
    embedded = diary.calendars()[-1].events(span, Deadline(PAGE_S))
    booked = parts().store.read(appointments.in_google, *span, []) if diary.kind == "google" else []
    events = [*embedded, *map(_booked, booked)]
    there = {event.event_id for event in events}
    waiting = [event for event in diary.held(span) if event.event_id not in there]
    return sorted([*events, *waiting], key=lambda event: (event.span, event.event_id))


def _booked(booking: Booking) -> Event:
    return Event(booking.event_id, span_of(booking), booking.title, ours=True, call_sid=booking.call_sid)
