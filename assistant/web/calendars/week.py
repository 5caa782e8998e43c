"""A week of the owner's diary as it is read: seven days, each with its lines in order. Pure.

A day is what the owner's clock makes of it: 23 to 25 hours, and what reaches over midnight is on both days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from assistant.calendars import slots
from assistant.calendars.events import Event, Span
from assistant.calendars.outlook import Offer
from assistant.calendars.slots import Rules, day_span

DAYS = 7
DAY_LENGTH = timedelta(days=1)

Nothing = Literal["", "past", "closed", "too_far", "full", "unseen"]


@dataclass(frozen=True, slots=True)
class Line:
    """One stretch of a day. event: None where callers are offered it; starts: which they are told first."""

    span: Span
    event: Event | None = None
    starts: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """One date. whole: what lasts all day. nothing: why callers are offered nothing, "" when they are."""

    date: date
    span: Span
    whole: tuple[Event, ...]
    lines: tuple[Line, ...]
    nothing: Nothing

    @property
    def clock_change(self) -> timedelta:
        """By how much the clock goes back (more than none) or forward on this day."""
        return self.span.end - self.span.start - DAY_LENGTH


def monday_of(day: date) -> date:
    """The week of a date is known by its Monday."""
    return day - timedelta(days=day.weekday())


def span_of_week(monday: date, rules: Rules) -> Span:
    """From the first midnight to the last."""
    last = monday + timedelta(days=DAYS - 1)
    return Span(day_span(monday, rules.zone).start, day_span(last, rules.zone).end)


def days_of(monday: date, rules: Rules, now: datetime, events: list[Event], offer: Offer | None) -> list[Day]:
    """The seven days. offer: what callers are offered in this week; None when it cannot be seen."""
    dates = (monday + timedelta(days=n) for n in range(DAYS))
    return [_day(each, rules, now, events, offer) for each in dates]


def _day(day: date, rules: Rules, now: datetime, events: list[Event], offer: Offer | None) -> Day:
    span = day_span(day, rules.zone)
    here = [event for event in events if _is_on(event, span)]
    free = list(_offered(offer, span)) if offer else []
    timed = [Line(event.span, event) for event in here if not event.all_day]
    return Day(
        day,
        span,
        tuple(event for event in here if event.all_day),
        tuple(sorted([*free, *timed], key=lambda line: (line.span.start, line.event is None, line.span.end))),
        "" if free else _why_nothing(day, rules, now, seen=offer is not None),
    )


def _is_on(event: Event, day: Span) -> bool:
    """Whether an event is on that day; one without length is where it begins."""
    return event.span.overlaps(day) or (
        event.span.start == event.span.end and day.start <= event.span.start < day.end
    )


def _offered(offer: Offer, day: Span) -> Iterator[Line]:
    for free in _parts(offer.spans, day):
        yield Line(free, starts=tuple(start for start in offer.starts if free.start <= start < free.end))


def _parts(spans: Iterable[Span], day: Span) -> Iterator[Span]:
    """What of the spans lies in the day."""
    for span in spans:
        if span.overlaps(day):
            yield Span(max(span.start, day.start), min(span.end, day.end))


def _why_nothing(day: date, rules: Rules, now: datetime, *, seen: bool) -> Nothing:
    if day < now.astimezone(rules.zone).date():
        return "past"
    if not seen:
        return "unseen"
    if day > rules.last_date(now):
        return "too_far"
    return "full" if slots.opening(day, rules) else "closed"
