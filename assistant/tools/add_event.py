"""An appointment: asked for by a caller, or put down by the owner.

What becomes of a stranger's wish is the owner's choice (`booking`): a request that waits for their yes, a
provisional appointment or a fixed one. A known caller's is fixed. Both get what is offered to them at this
moment and nothing else, whatever the model was told; the owner gets anything. Where the calendar cannot be
asked, the wish is kept as a message, so that nothing a caller said is lost.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from assistant.calendars.bookings import WAITING, How, Wish
from assistant.calendars.events import LONGEST_TITLE, Deadline, Span
from assistant.calendars.outlook import Offer, span_of
from assistant.calendars.slots import nearest
from assistant.errors import CalendarError, CalendarUnavailable, SlotTaken, ToolRefused, TooManyRequests
from assistant.store.appointments import Booking
from assistant.store.preferences import Preferences
from assistant.tools.passing_on import OUT_OF_REACH, came_true, passed_on
from assistant.tools.speech import choices, listing, moment, one_of, quoted
from assistant.tools.toolbox import CALENDAR_S, Tool, ToolContext, ToolResult
from assistant.tools.wishes import Asking, AtTime, Minutes, placed, read_length, read_wish

MOST_NAME = 120
STRANGERS_BOOKINGS = 3  # in one call
STRANGERS_WAITING = 5  # of one number at a time
WITHHELD_WAITING = 20  # of all withheld callers together
STRANGERS_MISSES = 6  # wishes at taken times: whoever goes on is reading the calendar, not booking

TITLE = "Appointment"


class NewAppointment(AtTime):
    duration_minutes: Minutes | None = Field(
        None, description="How long, 5 to 240 minutes; the usual length if left out."
    )
    title: str = Field("", description="What it is about, in a few words.")
    caller_name: str = Field("", description="Whose appointment it is, as confirmed by the caller.")


def add_event(context: ToolContext, wanted: NewAppointment) -> ToolResult:
    """Book it, or say what is in the way."""
    held, rules = context.diary.rules(context.trust)
    asking = Asking(rules, context.now(), context.trust)
    readable = read_wish(wanted, asking)
    span = placed(readable, read_length(wanted.duration_minutes, held.event_minutes), asking)
    _check_tally(context)
    context.tally["booked"] += 1  # before it is: a model may ask for several at once
    wish = _wish(context, wanted, span, held)
    deadline = Deadline(CALENDAR_S)
    try:
        booking = context.diary.book(wish, deadline)
    except SlotTaken as taken:
        context.tally["booked"] -= 1
        raise _taken(context, span, deadline) from taken
    except TooManyRequests as error:
        context.tally["booked"] -= 1
        raise ToolRefused("too_many", "Too many of this caller's requests wait for the owner.") from error
    except OUT_OF_REACH as error:
        if isinstance(error, CalendarUnavailable):  # else it may be there, and counts
            context.tally["booked"] -= 1
        wished = f"Would like an appointment: {moment(span, rules.zone)['say']} ({wish.title})."
        raise passed_on(context, error, wished, name=wish.caller_name) from error
    came_true(context)
    if booking.tool_call_id != context.tool_call_id:
        context.tally["booked"] -= 1  # it was there already
    answer = _answer(booking, _became(booking, wish.how), moment(span_of(booking), rules.zone))
    return ToolResult({**answer, **_beside(context, booking, deadline)})


def _check_tally(context: ToolContext, misses: int = STRANGERS_MISSES) -> None:
    if context.trust != "stranger":
        return
    if context.tally["booked"] >= STRANGERS_BOOKINGS or context.tally["taken"] >= misses:
        raise ToolRefused("too_many", "No more appointments in this call. Offer to take a message.")


def _wish(context: ToolContext, wanted: NewAppointment, span: Span, held: Preferences) -> Wish:
    name = quoted(wanted.caller_name, MOST_NAME)
    title = quoted(wanted.title, LONGEST_TITLE) or TITLE
    if name and context.trust != "owner" and name.lower() not in title.lower():
        title = quoted(f"{title}: {name}", LONGEST_TITLE)
    return Wish(
        call_sid=context.call_sid,
        tool_call_id=context.tool_call_id,
        number=context.caller_number,
        trust=context.trust,
        title=title,
        span=span,
        how=_how(context, held),
        caller_name=name,
        most_waiting=_most_waiting(context),
    )


def _most_waiting(context: ToolContext) -> int | None:
    """What waits for the owner holds its time: nobody may fill the calendar with wishes."""
    if context.trust != "stranger":
        return None
    return STRANGERS_WAITING if context.caller_number else WITHHELD_WAITING


def _how(context: ToolContext, held: Preferences) -> How:
    if context.trust != "stranger":
        return "confirmed"
    return "requested" if held.booking == "request" else held.booking


def _taken(context: ToolContext, span: Span, deadline: Deadline) -> ToolRefused:
    """Somebody else has it; what is free near it."""
    context.tally["taken"] += 1
    _check_tally(context, STRANGERS_MISSES + 1)  # again: wishes that ran beside this one count too
    offer = _others(context, span, deadline)
    free = choices(nearest(offer.spans, offer.length, offer.zone, span.start), offer.zone) if offer else []
    said = f" Near it there is {one_of(free)}." if free else " Offer to take a message with the wish."
    return ToolRefused("taken", f"That time is not free.{said}", free=free)


def _others(context: ToolContext, span: Span, deadline: Deadline) -> Offer | None:
    try:
        return context.diary.near(context.trust, span, deadline)
    except CalendarError:
        return None


def _beside(context: ToolContext, booking: Booking, deadline: Deadline) -> dict[str, Any]:
    """What else the owner has at that time: nobody stops them, but they may not know."""
    if context.trust != "owner":
        return {}
    try:
        found = context.diary.events(span_of(booking), deadline)
    except CalendarError:
        return {}
    others = [quoted(one.title) for one in found if one.busy and one.event_id != booking.event_id]
    return listing(at_the_same_time=others) if others else {}


def _became(booking: Booking, how: How) -> How:
    """What it is: one that was there already may be something else than what was wished now."""
    if booking.status in WAITING:
        return "requested"
    return "confirmed" if how == "requested" else how


def _answer(booking: Booking, how: How, when: dict[str, str]) -> dict[str, Any]:
    answer = {"ok": True, "status": how, "event_id": booking.event_id}
    if how == "requested":
        say = f"{when['say']} has been asked for, and is kept free. The owner still has to confirm it."
        return {**answer, "requested": when, "say": say}
    fixed = "is down" if how == "confirmed" else "is pencilled in; the owner may still change it"
    return {**answer, "booked": when, "say": f"{when['say']} {fixed}."}


ADD_EVENT = Tool(
    name="add_event",
    description=(
        "Make an appointment. Before you call it, repeat weekday, date and time to the caller and have them "
        "confirmed. Tell the caller exactly what the answer says: a request is not yet an appointment."
    ),
    arguments=NewAppointment,
    run=add_event,
)
