"""Working hours as the owner writes them: `mon-fri 09:00-17:00, sat 10:00-12:00`. Pure.

Read into spans of minutes per weekday, and written back in one normal form, so that two ways of
writing the same hours are the same preference.
"""

from __future__ import annotations

import re
from typing import NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHOLE_DAY = 24 * 60
FORM = "write it like: mon-fri 09:00-17:00, sat 10:00-12:00"
_ENTRY = re.compile(r"([a-z]+)(?:\s*-\s*([a-z]+))?\s+(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


class OpenHours(NamedTuple):
    """One stretch of one weekday (0 = Monday), in minutes since midnight; [start, end), end up to 1440."""

    day: int
    start: int
    end: int


def read(text: str) -> tuple[OpenHours, ...]:
    """The hours in order, overlapping ones of a day made one. Raises ValueError with one line."""
    spans = [span for entry in text.lower().split(",") for span in _read_entry(entry.strip())]
    return _merged(sorted(spans))


def _read_entry(entry: str) -> list[OpenHours]:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise ValueError(f"cannot read {entry!r}; {FORM}")
    first, last = _day(found[1]), _day(found[2] or found[1])
    start, end = _minutes(found[3], found[4]), _minutes(found[5], found[6])
    if start >= end:
        raise ValueError(f"{entry!r} ends before it begins; {FORM}")
    days = range(first, last + 1 if first <= last else last + 8)  # sat-mon goes over the week's end
    return [OpenHours(day % 7, start, end) for day in days]


def _day(word: str) -> int:
    if word[:3] not in DAYS or word not in _spellings(word[:3]):
        raise ValueError(f"there is no day {word!r}; use {' '.join(DAYS)}")
    return DAYS.index(word[:3])


def _spellings(day: str) -> tuple[str, ...]:
    whole = {"tue": "tuesday", "wed": "wednesday", "thu": "thursday", "sat": "saturday"}
    return (day, whole.get(day, f"{day}day"))


def _minutes(hours: str, minutes: str) -> int:
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > WHOLE_DAY:
        raise ValueError(f"there is no time {hours}:{minutes}; {FORM}")
    return total


def _merged(spans: list[OpenHours]) -> tuple[OpenHours, ...]:
    merged: list[OpenHours] = []
    for span in spans:
        if merged and merged[-1].day == span.day and span.start <= merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def write(hours: tuple[OpenHours, ...]) -> str:
    """The normal form: neighbouring days with the same hours share an entry."""
    by_day = {day: [span[1:] for span in hours if span.day == day] for day in range(7)}
    entries: list[str] = []
    day = 0
    while day < 7:
        last = day
        while last < 6 and by_day[last + 1] == by_day[day]:
            last += 1
        name = DAYS[day] if day == last else f"{DAYS[day]}-{DAYS[last]}"
        entries += [f"{name} {_clock(start)}-{_clock(end)}" for start, end in by_day[day]]
        day = last + 1
    return ", ".join(entries)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
