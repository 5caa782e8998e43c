"""A second opinion on free time, by a way too simple to be wrong: one minute after another.

Each minute is asked what the clock on the wall shows, whether that is in the working hours, whether anything
busy is too near, and whether it is bookable at all. Nothing of `assistant/calendars` is asked but its words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from assistant.calendars.events import Span
from assistant.calendars.slots import Rules
from assistant.store import working_hours
from assistant.store.working_hours import WorkingHours

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ZONES = sorted(available_timezones())
Stretches = list[tuple[int, int]]


class Shown(NamedTuple):
    """One minute, and what the clock shows in it. `of_day`: minutes since midnight, by the clock."""

    at: datetime
    day: date
    of_day: int


@dataclass(frozen=True)
class Diary:
    """Working hours, rules and what is busy. Stretches: minutes since midnight, empty for closed."""

    week: dict[int, Stretches]
    now: datetime
    dates: dict[date, Stretches] = field(default_factory=dict)
    yearly: dict[tuple[int, int], Stretches] = field(default_factory=dict)
    busy: list[Span] = field(default_factory=list)
    buffer: timedelta = timedelta()
    notice: timedelta = timedelta()
    horizon_days: int = 365

    def rules(self, zone: ZoneInfo) -> Rules:
        """The same for the program, its working hours as an owner would write them."""
        return Rules(self.hours, zone, self.buffer, self.notice, self.horizon_days)

    @cached_property
    def hours(self) -> WorkingHours:
        """The working hours, read."""
        return working_hours.read(self.text())

    def text(self) -> str:
        """The working hours as written."""
        by_day = [(DAYS[day], stretches) for day, stretches in self.week.items()]
        by_day += [(str(day), stretches) for day, stretches in self.dates.items()]
        by_day += [(f"{month:02}-{day:02}", stretches) for (month, day), stretches in self.yearly.items()]
        return ", ".join(f"{day} {hours}" for day, stretches in by_day for hours in _written(stretches))

    def open_minutes(self, day: date) -> set[int]:
        """The minutes of one date that are in the working hours."""
        of_weekday = self.week.get(day.weekday(), [])
        stretches = self.dates.get(day, self.yearly.get((day.month, day.day), of_weekday))
        return {minute for start, end in stretches for minute in range(start, end)}

    def free(
        self, minutes: Iterable[Shown], zone: ZoneInfo, first: date, days: int, length: timedelta
    ) -> list[Span]:
        """What free_spans should say, if `minutes` are all of those dates."""
        taken = {
            start - self.buffer + number * MINUTE
            for start, end in self.busy
            if start < end
            for number in range(int((end - start + 2 * self.buffer) / MINUTE))
        }
        earliest = self.now + self.notice
        last = min(first + (days - 1) * DAY, self.now.astimezone(zone).date() + self.horizon_days * DAY)
        minutes = list(minutes)
        is_open = {day: self.open_minutes(day) for day in {minute.day for minute in minutes}}
        free = (
            minute.at
            for minute in minutes
            if first <= minute.day <= last
            and minute.of_day in is_open[minute.day]
            and minute.at >= earliest
            and minute.at not in taken
        )
        return [span for span in runs(free) if span.end - span.start >= length]


def _written(stretches: Stretches) -> list[str]:
    def clock(minutes: int) -> str:
        return f"{minutes // 60:02}:{minutes % 60:02}"

    return [f"{clock(start)}-{clock(end)}" for start, end in stretches] or ["closed"]


def shown(start: datetime, end: datetime, zone: ZoneInfo) -> list[Shown]:
    """Every minute from `start` to `end`."""
    found = []
    while start < end:
        local = start.astimezone(zone)
        found.append(Shown(start, local.date(), local.hour * 60 + local.minute))
        start += MINUTE
    return found


def shown_on(first: date, days: int, zone: ZoneInfo) -> list[Shown]:
    """Every minute of some dates."""
    noon = datetime(first.year, first.month, first.day, 12, tzinfo=UTC)
    far = timedelta(hours=26)  # a zone is up to 14 hours from UTC
    minutes = shown(noon - far, noon + (days - 1) * DAY + far, zone)
    return [minute for minute in minutes if first <= minute.day < first + days * DAY]


def runs(minutes: Iterable[datetime]) -> list[Span]:
    """Minutes that follow each other, as spans."""
    found: list[Span] = []
    for at in minutes:
        if found and found[-1].end == at:
            found[-1] = Span(found[-1].start, at + MINUTE)
        else:
            found.append(Span(at, at + MINUTE))
    return found


class Change(NamedTuple):
    """A change of the clock: the first instant of the new time, and how far it was and is ahead of UTC."""

    at: datetime
    before: timedelta
    after: timedelta


def changes(zone: ZoneInfo, first_year: int, last_year: int) -> list[Change]:
    """Every change of the clock in those years, if no day has two."""
    day, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    found, before = [], _offset(day, zone)
    while day < end:
        if (after := _offset(day + DAY, zone)) != before:
            at = day
            for step in (timedelta(hours=1), MINUTE):  # the hour, then the minute in it
                while _offset(at + step, zone) == before:
                    at += step
            found.append(Change(at + MINUTE, before, after))
        day, before = day + DAY, after
    return found


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
