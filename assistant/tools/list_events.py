"""What is on. The owner hears everything, a known caller what was booked from their number."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field

from assistant.calendars.events import Deadline, Event, Span
from assistant.calendars.slots import day_span
from assistant.errors import ToolRefused
from assistant.tools.speech import listing, moment, quoted, whole_days
from assistant.tools.toolbox import (
    CALENDAR_S,
    KNOWN_AND_OWNER,
    Arguments,
    Tool,
    ToolContext,
    ToolResult,
)
from assistant.tools.wishes import DAY, WEEKDAY, Asking, Day, read_day

MOST_EVENTS = 30
FARTHEST = timedelta(days=3660)


class Days(Arguments):
    date: Day | None = Field(None, description=f"The first day, {DAY} Today if left out.")
    days: int = Field(1, ge=1, le=31, description="How many days.")
    weekday: str = Field("", description=WEEKDAY)


def list_events(context: ToolContext, wanted: Days) -> ToolResult:
    """The appointments of those days that are this caller's to know."""
    _, rules = context.diary.rules(context.trust)
    asking = Asking(rules, context.now(), context.trust)
    first = asking.today
    if wanted.date is not None:
        first = read_day(wanted.date, wanted.weekday, asking)
    zone = rules.zone
    if abs(first - asking.today) > FARTHEST:
        raise ToolRefused("too_far", "That is too far away.", last_date=f"{asking.today + FARTHEST}")
    last = first + timedelta(days=wanted.days - 1)
    span = Span(day_span(first, zone).start, day_span(last, zone).end)
    found = _everything(context, span) if context.trust == "owner" else _theirs(context, span)
    return ToolResult(_answer([_shown(event, zone) for event in found], zone))


def _everything(context: ToolContext, span: Span) -> list[Event]:
    return context.diary.events(span, Deadline(CALENDAR_S))


def _theirs(context: ToolContext, span: Span) -> list[Event]:
    """What was booked from this caller's number.

    When it is, the calendar knows best: the owner may have moved it. What it is called there is not for them.
    """
    if context.caller_number is None:
        return []
    titles = {booking.event_id: booking.title for booking in context.diary.bookings_of(context.caller_number)}
    there = context.diary.events(span, Deadline(CALENDAR_S)) if titles else []
    return [replace(event, title=titles[event.event_id]) for event in there if event.event_id in titles]


def _shown(event: Event, zone: ZoneInfo) -> dict[str, Any]:
    when = whole_days(event.span, zone) if event.all_day else moment(event.span, zone)
    return {"event_id": event.event_id, **when, "title": quoted(event.title), "status": event.status}


def _answer(found: list[dict[str, Any]], zone: ZoneInfo) -> dict[str, Any]:
    shown = [
        {name: value for name, value in one.items() if name != "timezone"} for one in found[:MOST_EVENTS]
    ]
    more = {"more": len(found) - len(shown)} if len(found) > len(shown) else {}
    count = f"{len(found)} appointment{'' if len(found) == 1 else 's'}" if found else "Nothing"
    # The titles stay in their own fields: what is to be said never has somebody else's words among ours.
    said = "; ".join(one["say"] for one in shown[:5])
    return listing(events=shown, timezone=zone.key, **more, say=f"{count}{': ' if said else ''}{said}.")


LIST_EVENTS = Tool(
    name="list_events",
    description="The appointments of one day or several, with the event_id that moving or cancelling needs.",
    arguments=Days,
    run=list_events,
    levels=KNOWN_AND_OWNER,
)
