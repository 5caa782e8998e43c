"""How the sandbox's model speaks of times: days of the week as dates, and a clock in words.

A model knows the day it is told in its instructions, and counts from there.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOURS = ("twelve", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")
MINUTES = {"00": "", "15": " fifteen", "30": " thirty", "45": " forty-five"}
DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
CLOCK = re.compile(r"(\d\d):(\d\d)")


def today_in(instructions: str) -> date | None:
    """The day the instructions say it is: the first date in them."""
    found = DATE.search(instructions)
    return date.fromisoformat(found.group()) if found else None


def day_called(words: str, today: date | None) -> str:
    """`tomorrow`, `next-tuesday` (never today) or `in-400-days` as YYYY-MM-DD; "" when it is no such day."""
    ahead = _days_ahead(words, today) if today else None
    return (today + timedelta(ahead)).isoformat() if today and ahead else ""


def _days_ahead(words: str, today: date) -> int | None:
    if found := re.fullmatch(r"in-(\d+)-days", words):
        return int(found[1])
    weekday = words.removeprefix("next-")
    if weekday in DAYS:
        return (DAYS.index(weekday) - today.weekday() - 1) % 7 + 1
    return 1 if words == "tomorrow" else None


def spoken(weekday: str, clock: str) -> str:
    """`Tuesday at ten thirty`, as far as there are words for it. clock: anything with HH:MM in it."""
    found = CLOCK.search(clock)
    if not found:
        return weekday
    hour, minute = HOURS[int(found[1]) % 12], MINUTES.get(found[2], f" {found[2]}")
    return f"{weekday} at {hour}{minute}".strip()
