"""Which appointment may be changed by whom: the owner's any, a known caller's those from their own number."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.calendars.events import Deadline, Span
from assistant.calendars.outlook import span_of
from assistant.errors import ToolRefused
from assistant.store.appointments import Booking
from assistant.tools.toolbox import ToolContext

LIVE = ("requested", "proposed", "booked")


@dataclass(frozen=True, slots=True)
class Found:
    """An appointment that this caller may change. title: somebody's words."""

    event_id: str
    span: Span
    title: str


def own_event(context: ToolContext, event_id: str, deadline: Deadline) -> Found:
    """The appointment with that id. Raises ToolRefused: `not_allowed` where it is not theirs.

    A caller is told the same of what is somebody else's and of what is not there.
    """
    booking = context.diary.booking_of(event_id)
    if context.trust != "owner":
        if booking is None or not _is_theirs(booking, context.caller_number) or booking.status not in LIVE:
            raise ToolRefused("not_allowed", "This caller has no appointment with that event_id.")
        return Found(event_id, span_of(booking), booking.title)
    if booking is not None and booking.status in LIVE:
        return Found(event_id, span_of(booking), booking.title)
    event = context.diary.calendar().event(event_id, deadline)
    if event is None:
        raise ToolRefused(
            "bad_arguments", "event_id: there is no such appointment; ask list_events for its id"
        )
    return Found(event_id, event.span, event.title)


def _is_theirs(booking: Booking, caller_number: str | None) -> bool:
    """Whether a caller has made it who was not the owner: what took the PIN to make takes it to change."""
    return booking.number is not None and booking.number == caller_number and booking.trust != "owner"
