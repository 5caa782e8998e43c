"""Which appointment may be changed by whom: the owner's any, a known caller's those from their own number."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from assistant.calendars.bookings import WAITING
from assistant.calendars.events import Deadline, Span
from assistant.calendars.outlook import span_of
from assistant.errors import CalendarUnavailable, ToolRefused
from assistant.store.appointments import Booking
from assistant.tools.speech import moment, whole_days
from assistant.tools.toolbox import ToolContext

LIVE = (*WAITING, "booked")


@dataclass(frozen=True, slots=True)
class Found:
    """An appointment that this caller may change. title: somebody's words."""

    event_id: str
    span: Span
    title: str
    all_day: bool = False

    def when(self, zone: ZoneInfo) -> dict[str, str]:
        """Its time."""
        return whole_days(self.span, zone) if self.all_day else moment(self.span, zone)


def own_event(context: ToolContext, event_id: str, deadline: Deadline) -> Found:
    """The appointment with that id. Raises ToolRefused: `not_allowed` where it is not theirs.

    A caller is told the same of what is somebody else's and of what is not there.
    """
    booking = context.diary.booking_of(event_id)
    owner = context.trust == "owner"
    if not owner and (booking is None or not _is_theirs(booking, context.caller_number)):
        raise _not_theirs()
    if booking is not None and booking.status in WAITING:
        return Found(event_id, span_of(booking), booking.title)
    try:
        event = context.diary.event(event_id, deadline)  # the owner may have moved it meanwhile
    except CalendarUnavailable:
        if booking is None:
            raise
        return Found(event_id, span_of(booking), booking.title)  # as far as we know: changing it will fail
    if event is None:
        raise _not_there() if owner else _not_theirs()
    title = event.title if owner or booking is None else booking.title
    return Found(event_id, event.span, title, event.all_day)


def _not_theirs() -> ToolRefused:
    return ToolRefused("not_allowed", "This caller has no appointment with that event_id.")


def _not_there() -> ToolRefused:
    return ToolRefused("bad_arguments", "event_id: there is no such appointment; ask list_events for its id")


def _is_theirs(booking: Booking, caller_number: str | None) -> bool:
    """Whether a caller has made it who was not the owner: what took the PIN to make takes it to change."""
    named = booking.number is not None and booking.number == caller_number
    return named and booking.trust != "owner" and booking.status in LIVE
