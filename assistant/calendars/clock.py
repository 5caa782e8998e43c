"""The clock on the owner's wall, whose time some hours lack and others have twice. Pure.

When the clock goes forward it leaves times out; when it goes back it shows times twice; a date has 23 to 25
hours, and in some places no midnight. A time that was wished on the phone is therefore none, one or two
instants, and what is to be done about it is for others to say. Instants are in UTC: arithmetic on local
times forgets the changes, and two local times an hour apart may even be equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple, cast
from zoneinfo import ZoneInfo

from assistant.calendars.events import Span

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
YEARS = range(1900, 3000)  # others are slips of the tongue, and near the ends of what a datetime holds

Fold = Literal["earlier", "later"]

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?:\s*(Z|([+-])([0-9]{2}):([0-9]{2}))|\s+(earlier|later))?")


class TimeWish(NamedTuple):
    """A time as it was wished. fold, offset: which of two, where the clock shows it twice."""

    clock: time
    fold: Fold | None = None
    offset: timedelta | None = None


# --- what was said -----------------------------------------------------------


def read_date(text: str) -> date:
    """A date written YYYY-MM-DD. Raises ValueError."""
    if _DATE.fullmatch(text.strip()) is None:
        raise ValueError("write the date as YYYY-MM-DD, like 2026-12-01")
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"there is no date {text.strip()}") from None
    if day.year not in YEARS:
        raise ValueError(f"there is no year {day.year} in this calendar")
    return day


def read_time(text: str) -> TimeWish:
    """A time written HH:MM, 24 hours; `earlier`, `later` or an offset like +02:00 may follow.

    Raises ValueError.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError("write the time as HH:MM, 24 hours, like 09:00 or 14:30")
    hour, minute, behind, sign, hours, minutes, fold = found.groups()
    try:
        clock = time(int(hour), int(minute))
    except ValueError:
        raise ValueError(f"there is no time {hour}:{minute}") from None
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) if behind else None
    if offset is not None and sign == "-":
        offset = -offset
    return TimeWish(clock, cast("Fold | None", fold), offset)


def instants(day: date, wish: TimeWish, zone: ZoneInfo) -> list[datetime]:
    """When the clock shows that time on that date, in UTC: never, once, or twice.

    Once too when the wish says which of two. Raises ValueError for an offset the zone does not have then.
    """
    local = datetime.combine(day, wish.clock)
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first > second:
        return []
    both = [first] if first == second else [first, second]
    if wish.offset is not None:
        both = [instant for instant in both if offset_at(instant, zone) == wish.offset]
        if not both:
            raise ValueError(
                f"{zone.key} does not have that offset then; write the time there, with no offset"
            )
    return {"earlier": both[:1], "later": both[-1:], None: both}[wish.fold]


def around_gap(day: date, clock: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The last minute before and the first after a time that the clock leaves out, in UTC.

    Raises ValueError for a time that it does show.
    """
    local = datetime.combine(day, clock)
    after = _reached(local, zone)
    if after.astimezone(zone).replace(tzinfo=None) == local:
        raise ValueError(f"the clock in {zone.key} does show {clock:%H:%M} on {day}")
    return after - MINUTE, after


# --- dates and changes of the clock ------------------------------------------


def offset_at(instant: datetime, zone: ZoneInfo) -> timedelta:
    """How far the clock in `zone` is ahead of UTC."""
    return instant.astimezone(zone).utcoffset() or timedelta()


def day_span(day: date, zone: ZoneInfo) -> Span:
    """From local midnight to local midnight; without one, from when the clock first shows the date."""
    return Span(*(_reached(datetime.combine(each, time()), zone) for each in (day, day + DAY)))


def clock_spans(day: date, stretches: Iterable[tuple[int, int]], zone: ZoneInfo) -> list[Span]:
    """The instants of a date at which the clock shows a time in `stretches` (minutes since midnight).

    What the clock leaves out is not there, what it shows twice is there twice. In order, parted at a change.
    """
    midnight = datetime.combine(day, time(), UTC)
    wanted = [(midnight + first * MINUTE, midnight + last * MINUTE) for first, last in stretches]
    found = []
    for even, offset in _even_spans(day_span(day, zone), zone):
        for first, last in wanted:
            start, end = max(even.start, first - offset), min(even.end, last - offset)
            if start < end:
                found.append(Span(start, end))
    return found


def _even_spans(whole: Span, zone: ZoneInfo) -> list[tuple[Span, timedelta]]:
    """A date as stretches in which the clock is not changed (it is so once at most), with their offsets."""
    before, after = offset_at(whole.start, zone), offset_at(whole.end, zone)
    if before == after:
        return [(whole, before)]
    change = _change_between(*whole, zone)
    return [(Span(whole.start, change), before), (Span(change, whole.end), after)]


def _reached(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clock shows `local` (naive), or has passed it."""
    before, after = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    # Of a time that is left out, fold 0 is read with the offset before the change: too late by the gap.
    return before if before <= after else _change_between(after, before, zone)


def _change_between(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """When the clock is changed, to the second: after `start`, and by `end` at the latest."""
    offset = offset_at(end, zone)
    low, high = 0, int((end - start).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(start + middle * SECOND, zone) == offset:
            high = middle
        else:
            low = middle
    return start + high * SECOND
