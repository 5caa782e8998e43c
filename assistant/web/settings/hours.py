"""The working hours as a person checks them: the next days one by one, or the entry that cannot be read."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from assistant.store import working_hours

DAYS_SHOWN = 7


class DayHours(NamedTuple):
    """One day of the preview: `hours` as a clock shows them, empty when it is closed."""

    date: date
    hours: tuple[str, ...]


class Entry(NamedTuple):
    """One entry as it was typed, and whether it is why the whole cannot be read."""

    text: str
    wrong: bool


def next_days(text: str, today: date) -> list[DayHours]:
    """What these hours mean for a week from today; nothing when they cannot be read."""
    try:
        hours = working_hours.read(text)
    except ValueError:
        return []
    days = (today + timedelta(days=n) for n in range(DAYS_SHOWN))
    return [
        DayHours(day, tuple(f"{_clock(start)} – {_clock(end)}" for start, end in hours.of(day)))
        for day in days
    ]


def entries(text: str) -> list[Entry]:
    """The entries, each judged by itself."""
    return [Entry(part.strip(), _is_wrong(part)) for part in text.split(",")]


def _is_wrong(entry: str) -> bool:
    try:
        working_hours.read(
            f"{entry}, mon 09:00-10:00"
        )  # with an open day, so that a holiday alone is all right
    except ValueError:
        return True
    return False


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
