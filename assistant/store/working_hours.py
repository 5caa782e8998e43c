"""Working hours as the owner writes them: `mon-fri 09:00-17:00, 2026-12-24 09:00-12:00, 12-25 closed`. Pure.

An entry is of weekdays, of dates, or of dates of every year. The hours of a date are the only ones it has:
its weekday does not count then, and a date with its year goes before one of every year. What is written is
read into stretches of minutes, and written back in one normal form, so that two ways of writing the same
hours are the same preference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHOLE_DAY = 24 * 60
LEAP_YEAR = 2000  # stands for every year: it has a February 29
CLOSED = "closed"
FORM = "write it like: mon-fri 09:00-17:00, sat 10:00-12:00"
DATE_FORM = "write a date like 2026-12-24, one of every year like 12-24, several like 12-24 to 12-26"

Stretch = tuple[int, int]  # minutes since midnight, by the clock on the wall; [start, end), end up to 1440

_ENTRY = re.compile(r"(.*\S)\s+(closed|([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2}))")
_WEEKDAYS = re.compile(r"([a-z]+)(?:\s*-\s*([a-z]+))?")
_DATES = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\s+to\s+([0-9]{4}-[0-9]{2}-[0-9]{2}))?")
_YEARLY = re.compile(r"([0-9]{2}-[0-9]{2})(?:\s+to\s+([0-9]{2}-[0-9]{2}))?")


class OpenHours(NamedTuple):
    """One stretch of one weekday (0 = Monday), in minutes since midnight; [start, end), end up to 1440."""

    day: int
    start: int
    end: int


class DateHours(NamedTuple):
    """The hours of each date from `first` to `last`, both included; no stretches: closed."""

    first: date
    last: date
    hours: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """What is open when. `yearly`: of every year, as dates of LEAP_YEAR.

    All three are in order; stretches of a day do not touch, dates do not overlap, and neighbouring dates
    with the same hours are one entry.
    """

    week: tuple[OpenHours, ...]
    dates: tuple[DateHours, ...] = ()
    yearly: tuple[DateHours, ...] = ()

    def of(self, day: date) -> tuple[Stretch, ...]:
        """The hours of one date, in order; empty when it is closed."""
        for given, wanted in ((self.dates, day), (self.yearly, day.replace(year=LEAP_YEAR))):
            for first, last, hours in given:
                if first <= wanted <= last:
                    return hours
        return tuple((start, end) for weekday, start, end in self.week if weekday == day.weekday())


# --- reading -----------------------------------------------------------------


def read(text: str) -> WorkingHours:
    """The hours in order, those of one day made one. Raises ValueError with one line."""
    week: list[OpenHours] = []
    dates: list[DateHours] = []
    yearly: list[DateHours] = []
    for entry in (part.strip() for part in text.lower().split(",")):
        days, hours = _parted(entry)
        if found := _WEEKDAYS.fullmatch(days):
            week += _of_weekdays(found[1], found[2] or found[1], hours, entry)
        elif found := _DATES.fullmatch(days):
            dates.append(_of_dates(found[1], found[2] or found[1], hours, entry))
        elif found := _YEARLY.fullmatch(days):
            yearly += _of_every_year(found[1], found[2] or found[1], hours)
        else:
            raise ValueError(f"cannot read {entry!r}; {DATE_FORM if days[0].isdigit() else FORM}")
    if not week and not any(entry.hours for entry in [*dates, *yearly]):
        raise ValueError(f"nothing is ever open with {text!r} alone: write the open days too; {FORM}")
    return WorkingHours(_joined_week(week), _apart(dates), _apart(yearly))


def _parted(entry: str) -> tuple[str, tuple[Stretch, ...]]:
    """The days of an entry, as written, and its hours."""
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise ValueError(f"cannot read {entry!r}; {DATE_FORM if entry[:1].isdigit() else FORM}")
    if found[2] == CLOSED:
        return found[1], ()
    start, end = _minutes(found[3], found[4]), _minutes(found[5], found[6])
    if start >= end:
        raise ValueError(f"{entry!r} ends before it begins; {FORM}")
    return found[1], ((start, end),)


def _minutes(hours: str, minutes: str) -> int:
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > WHOLE_DAY:
        raise ValueError(f"there is no time {hours}:{minutes}; {FORM}")
    return total


def _of_weekdays(first: str, last: str, hours: tuple[Stretch, ...], entry: str) -> list[OpenHours]:
    from_day, to_day = _day(first), _day(last)
    if not hours:
        raise ValueError(f"{entry!r}: leave out the weekdays on which you are closed")
    days = range(from_day, to_day + 1 if from_day <= to_day else to_day + 8)  # sat-mon: over the week's end
    return [OpenHours(day % 7, start, end) for day in days for start, end in hours]


def _day(word: str) -> int:
    if word[:3] not in DAYS or word not in _spellings(word[:3]):
        raise ValueError(f"there is no day {word!r}; use {' '.join(DAYS)}")
    return DAYS.index(word[:3])


def _spellings(day: str) -> tuple[str, ...]:
    whole = {"tue": "tuesday", "wed": "wednesday", "thu": "thursday", "sat": "saturday"}
    return (day, whole.get(day, f"{day}day"))


def _of_dates(first: str, last: str, hours: tuple[Stretch, ...], entry: str) -> DateHours:
    from_date, to_date = _date(first), _date(last)
    if from_date > to_date:
        raise ValueError(f"{entry!r} ends before it begins; {DATE_FORM}")
    return DateHours(from_date, to_date, hours)


def _of_every_year(first: str, last: str, hours: tuple[Stretch, ...]) -> list[DateHours]:
    from_date, to_date = _date(first, every_year=True), _date(last, every_year=True)
    if from_date <= to_date:
        return [DateHours(from_date, to_date, hours)]
    new_year, eve = date(LEAP_YEAR, 1, 1), date(LEAP_YEAR, 12, 31)
    return [DateHours(from_date, eve, hours), DateHours(new_year, to_date, hours)]


def _date(written: str, *, every_year: bool = False) -> date:
    try:
        return date.fromisoformat(f"{LEAP_YEAR}-{written}" if every_year else written)
    except ValueError:
        raise ValueError(f"there is no date {written}; {DATE_FORM}") from None


# --- one form ----------------------------------------------------------------


def _joined(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """In order, those that touch made one."""
    joined: list[Stretch] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def _joined_week(week: list[OpenHours]) -> tuple[OpenHours, ...]:
    by_day = ((day, _joined(each[1:] for each in week if each.day == day)) for day in range(7))
    return tuple(OpenHours(day, start, end) for day, stretches in by_day for start, end in stretches)


def _apart(entries: list[DateHours]) -> tuple[DateHours, ...]:
    """Entries that share no date: where some overlap, their dates have the hours of all of them."""
    # In days since the year 1, because the day after the last date there is would be no date.
    firsts = {entry.first.toordinal() for entry in entries}
    edges = sorted(firsts | {entry.last.toordinal() + 1 for entry in entries})
    apart: list[DateHours] = []
    for first, last in ((date.fromordinal(a), date.fromordinal(b - 1)) for a, b in pairwise(edges)):
        there = [entry for entry in entries if entry.first <= first and last <= entry.last]
        if not there:
            continue
        hours = _joined(stretch for entry in there for stretch in entry.hours)
        if apart and apart[-1].hours == hours and apart[-1].last.toordinal() + 1 == first.toordinal():
            apart[-1] = apart[-1]._replace(last=last)
        else:
            apart.append(DateHours(first, last, hours))
    return tuple(apart)


# --- writing -----------------------------------------------------------------


def write(hours: WorkingHours) -> str:
    """The normal form: neighbouring days with the same hours share an entry. `read(write(x)) == x`."""
    entries = [*_week_entries(hours.week)]
    for without, dates in ((0, hours.dates), (len("2000-"), hours.yearly)):
        for first, last, stretches in dates:
            ends = [first, last] if first != last else [first]
            entries += _with_hours(" to ".join(str(end)[without:] for end in ends), stretches)
    return ", ".join(entries)


def _week_entries(week: tuple[OpenHours, ...]) -> Iterator[str]:
    by_day = [tuple(span[1:] for span in week if span.day == day) for day in range(7)]
    day = 0
    while day < 7:
        last = day
        while last < 6 and by_day[last + 1] == by_day[day]:
            last += 1
        if by_day[day]:
            yield from _with_hours(DAYS[day] if day == last else f"{DAYS[day]}-{DAYS[last]}", by_day[day])
        day = last + 1


def _with_hours(days: str, stretches: tuple[Stretch, ...]) -> list[str]:
    return [f"{days} {_clock(start)}-{_clock(end)}" for start, end in stretches] or [f"{days} {CLOSED}"]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
