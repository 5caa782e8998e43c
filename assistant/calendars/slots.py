"""When the owner has time: working hours less what is busy, and what of that to offer. Pure.

Working hours are of the clock on the wall: what is open is every instant at which it shows one of their
minutes. So they lose what the clock leaves out when it goes forward, and have twice what it shows twice when
it goes back (`clock.py`).

All spans are half-open and in UTC: an appointment may begin when another ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from assistant.calendars.clock import (
    DAY,
    MINUTE,
    TimeWish,
    around_gap,
    clock_spans,
    day_span,
    instants,
    read_date,
    read_time,
)
from assistant.calendars.events import Event, Span
from assistant.store.preferences import Preferences
from assistant.store.working_hours import WHOLE_DAY, WorkingHours

__all__ = [
    "Part",
    "Rules",
    "TimeWish",
    "around_gap",
    "busy_of",
    "day_span",
    "free_spans",
    "instants",
    "merged",
    "nearest",
    "opening",
    "part_of",
    "read_date",
    "read_time",
    "rounded",
    "starts",
]

Part = Literal["any", "morning", "afternoon", "evening"]

NOON, EVENING = 12 * 60, 17 * 60  # minutes since midnight
PARTS: dict[Part, tuple[int, int]] = {
    "any": (0, WHOLE_DAY),
    "morning": (0, NOON),
    "afternoon": (NOON, EVENING),
    "evening": (EVENING, WHOLE_DAY),
}
HALF_HOUR = timedelta(minutes=30)
EASY_TO_SAY = (HALF_HOUR, timedelta(minutes=15))


@dataclass(frozen=True, slots=True)
class Rules:
    """What the owner allows. buffer: kept free on both sides of what is busy.

    notice: from now to the earliest start. horizon_days: from today to the last date that can be booked.
    """

    hours: WorkingHours
    zone: ZoneInfo
    buffer: timedelta
    notice: timedelta
    horizon_days: int

    @classmethod
    def of(cls, preferences: Preferences) -> Rules:
        """The rules that the owner's preferences make."""
        return cls(
            hours=preferences.open_hours,
            zone=preferences.zone,
            buffer=timedelta(minutes=preferences.buffer_minutes),
            notice=timedelta(hours=preferences.notice_hours),
            horizon_days=preferences.horizon_days,
        )

    def last_date(self, now: datetime) -> date:
        """The last date that can be booked."""
        return now.astimezone(self.zone).date() + self.horizon_days * DAY


# --- what is busy, what is free ----------------------------------------------


def merged(spans: Iterable[Span]) -> list[Span]:
    """In order, those that touch or overlap made one; empty ones are dropped."""
    found: list[Span] = []
    for span in sorted(span for span in spans if span.start < span.end):
        if found and span.start <= found[-1].end:
            if span.end > found[-1].end:
                found[-1] = Span(found[-1].start, span.end)
        else:
            found.append(span)
    return found


def busy_of(events: Iterable[Event]) -> list[Span]:
    """The time that events take up: not those shown as free, nor those that last no time."""
    return merged(event.span for event in events if event.busy)


def opening(day: date, rules: Rules) -> list[Span]:
    """The working hours of one date."""
    return merged(clock_spans(day, rules.hours.of(day), rules.zone))


def free_spans(
    busy: Iterable[Span], rules: Rules, *, now: datetime, first: date, days: int, length: timedelta
) -> list[Span]:
    """What can be booked of `days` dates from `first` on: all stretches of at least `length`, earliest first.

    busy: in any order, overlapping or not, wherever it lies; what lies within a buffer of these dates counts.
    """
    earliest = now.astimezone(UTC) + rules.notice
    open_ = merged(span for day in _dates(rules, now, first, days) for span in opening(day, rules))
    later = (Span(max(span.start, earliest), span.end) for span in open_)
    return [span for span in _without(later, _widened(busy, rules.buffer)) if span.end - span.start >= length]


def _dates(rules: Rules, now: datetime, first: date, days: int) -> Iterator[date]:
    """Those of the dates asked for that are not over and not beyond the horizon."""
    today, last = now.astimezone(rules.zone).date(), rules.last_date(now)
    for number in range(max(0, (today - first).days), min(days, (last - first).days + 1)):
        yield first + number * DAY


def _widened(busy: Iterable[Span], buffer: timedelta) -> list[Span]:
    return merged(Span(start - buffer, end + buffer) for start, end in busy if start < end)


def _without(spans: Iterable[Span], busy: list[Span]) -> Iterator[Span]:
    """What is left of `spans`. Both are in order and overlap nothing of their own."""
    coming = iter(busy)
    next_busy = next(coming, None)
    for start, end in spans:
        while next_busy is not None and next_busy.start < end:
            if start < next_busy.start:
                yield Span(start, next_busy.start)
            start = max(start, next_busy.end)
            if end < next_busy.end:  # it may reach into the next span too
                break
            next_busy = next(coming, None)
        if start < end:
            yield Span(start, end)


# --- what of it is offered ---------------------------------------------------


def rounded(
    spans: Iterable[Span], zone: ZoneInfo, *, length: timedelta, step: timedelta = HALF_HOUR
) -> list[Span]:
    """Drawn in to whole steps of the local clock; what is then shorter than `length` is dropped."""
    inner = (Span(_up(start, zone, step), _down(end, zone, step)) for start, end in spans)
    return [span for span in inner if span.end - span.start >= length]


def part_of(spans: Iterable[Span], part: Part, zone: ZoneInfo, length: timedelta) -> list[Span]:
    """What lies in that part of a day: before 12:00, from 12:00 to 17:00, or from 17:00, local time."""
    if part == "any":
        return [span for span in spans if span.end - span.start >= length]
    found = []
    for start, end in spans:
        for day in _dates_of(start, end, zone):
            for window in clock_spans(day, [PARTS[part]], zone):
                found.append(Span(max(start, window.start), min(end, window.end)))
    return [span for span in merged(found) if span.end - span.start >= length]


def starts(spans: Iterable[Span], length: timedelta, zone: ZoneInfo, *, most: int = 5) -> list[datetime]:
    """Times to suggest, earliest first, of the soonest days: one each, or several that are spread over a day.

    On the half hour where one fits into a span, else on the quarter, else its first minute.
    """
    by_day: dict[date, list[datetime]] = {}
    for start in _all_starts(spans, length, zone):
        by_day.setdefault(start.astimezone(zone).date(), []).append(start)
    soonest = [by_day[day] for day in sorted(by_day)[:most]]
    shares = _shares([len(day) for day in soonest], most)
    return [
        day[number * len(day) // share]
        for day, share in zip(soonest, shares, strict=True)
        for number in range(share)
    ]


def _shares(there: list[int], most: int) -> list[int]:
    """How many of what is there to take from each, in turns, beginning with the first."""
    shares = [0] * len(there)
    while sum(shares) < min(most, sum(there)):
        turn = min((share, at) for at, share in enumerate(shares) if share < there[at])
        shares[turn[1]] += 1
    return shares


def nearest(
    spans: Iterable[Span], length: timedelta, zone: ZoneInfo, wished: datetime, most: int = 3
) -> list[datetime]:
    """Of the same times those that are nearest to the one that was wished for, earliest first."""
    near = sorted(_all_starts(spans, length, zone), key=lambda start: (abs(start - wished), start))
    return sorted(near[:most])


def _all_starts(spans: Iterable[Span], length: timedelta, zone: ZoneInfo) -> Iterator[datetime]:
    for span in spans:
        for step in EASY_TO_SAY:
            if found := list(_steps(span, length, zone, step)):
                yield from found
                break
        else:
            yield from list(_steps(span, length, zone, MINUTE))[:1]


def _steps(span: Span, length: timedelta, zone: ZoneInfo, step: timedelta) -> Iterator[datetime]:
    start = _up(span.start, zone, step)
    while start + length <= span.end:
        yield start
        start = _up(start + step, zone, step)


def _up(instant: datetime, zone: ZoneInfo, step: timedelta) -> datetime:
    """The first instant from this one on at which the local clock shows a whole number of steps."""
    while over := _over(instant, zone, step):
        instant += step - over
    return instant


def _down(instant: datetime, zone: ZoneInfo, step: timedelta) -> datetime:
    while over := _over(instant, zone, step):
        instant -= over
    return instant


def _over(instant: datetime, zone: ZoneInfo, step: timedelta) -> timedelta:
    """How long ago the local clock showed a whole number of steps, had it not been changed since."""
    local = instant.astimezone(zone).replace(tzinfo=None)
    return (local - datetime.combine(local.date(), time())) % step


def _dates_of(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[date]:
    """Every date that the local clock shows from `start` to `end`."""
    day, last = (instant.astimezone(zone).date() for instant in (start, end))
    while day <= last:
        yield day
        day += DAY
