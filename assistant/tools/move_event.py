"""Another time for an appointment. A known caller's lies in what is offered to them; the owner's anywhere."""

from __future__ import annotations

from pydantic import Field

from assistant.calendars.events import Deadline, Span
from assistant.calendars.slots import nearest
from assistant.errors import CalendarError, NoSuchEvent, SlotTaken, ToolRefused
from assistant.tools.own_event import own_event
from assistant.tools.passing_on import OUT_OF_REACH, came_true, passed_on
from assistant.tools.speech import choices, moment, one_of, quoted
from assistant.tools.toolbox import (
    CALENDAR_S,
    KNOWN_AND_OWNER,
    Tool,
    ToolContext,
    ToolResult,
)
from assistant.tools.wishes import Asking, AtTime, placed, read_wish


class OtherTime(AtTime):
    event_id: str = Field(description="The appointment, as list_events or add_event named it.")


def move_event(context: ToolContext, wanted: OtherTime) -> ToolResult:
    """Move it; it takes as long as before."""
    deadline = Deadline(CALENDAR_S)
    _, rules = context.diary.rules(context.trust)
    found = own_event(context, wanted.event_id, deadline)
    if found.all_day:
        raise ToolRefused("not_available", "What takes whole days cannot be moved on the telephone.")
    asking = Asking(rules, context.now(), context.trust)
    span = placed(read_wish(wanted, asking), found.span.end - found.span.start, asking)
    try:
        context.diary.move(wanted.event_id, span, context.trust, deadline)
    except SlotTaken as taken:
        raise _taken(context, wanted.event_id, span, deadline) from taken
    except NoSuchEvent as gone:
        raise ToolRefused("bad_arguments", "event_id: that appointment is not there any more") from gone
    except OUT_OF_REACH as error:
        before, after = (moment(each, rules.zone)["say"] for each in (found.span, span))
        wished = f"Would like to move an appointment ({quoted(found.title)}): {before}; to: {after}."
        raise passed_on(context, error, wished, about=wanted.event_id) from error
    came_true(context, wanted.event_id)
    moved = moment(span, rules.zone)
    output = {"ok": True, "event_id": wanted.event_id, "moved": moved, "say": f"It is now {moved['say']}."}
    return ToolResult(output)


def _taken(context: ToolContext, event_id: str, span: Span, deadline: Deadline) -> ToolRefused:
    try:
        offer = context.diary.near(context.trust, span, deadline, without=event_id)
    except CalendarError:
        return ToolRefused("taken", "That time is not free; it is still where it was.", free=[])
    free = choices(nearest(offer.spans, offer.length, offer.zone, span.start), offer.zone)
    said = f" Near it there is {one_of(free)}." if free else ""
    return ToolRefused("taken", f"That time is not free; it is still where it was.{said}", free=free)


MOVE_EVENT = Tool(
    name="move_event",
    description="Give an appointment another time. Repeat the new weekday, date and time first.",
    arguments=OtherTime,
    run=move_event,
    levels=KNOWN_AND_OWNER,
)
