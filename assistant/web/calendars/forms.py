"""What the owner types into the calendar's forms.

Dates and times are of the clock on the owner's wall, which leaves some times out and shows others twice. What
cannot be read is told at the field it was typed into; nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from assistant.calendars.clock import around_gap, instants, read_date, read_time
from assistant.calendars.events import LONGEST_TITLE, Event, Span
from assistant.calendars.slots import day_span
from assistant.web.calendars.dates import Dates

SHORTEST, LONGEST = 5, 24 * 60  # minutes
MOST_DAYS_AHEAD, MOST_DAYS_BACK = 5 * 366, 366

Field = Literal["", "title", "date", "time", "minutes"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the two times that the clock shows alike. `value`: what the form's `which` holds for it."""

    value: Literal["earlier", "later"]
    name: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a form could not be done; `text` is for the owner.

    form: "add", or "propose-3" for request 3. field: where the trouble is, "" for none of them. choices: what
    to choose from. in_the_way: what stands where the appointment was to go.
    """

    form: str
    text: str
    field: Field = ""
    choices: tuple[Choice, ...] = ()
    in_the_way: tuple[Event, ...] = ()


class Unreadable(ValueError):
    """A field cannot be read as what it should be."""

    def __init__(self, field: Field, text: str, choices: tuple[Choice, ...] = ()) -> None:
        super().__init__(text)
        self.field: Field = field
        self.choices = choices


def read_title(form: Mapping[str, str]) -> str:
    """The appointment's title, on one line. Raises Unreadable."""
    title = re.sub(r"\s+", " ", form.get("title", "")).strip()
    if not title:
        raise Unreadable("title", "Give the appointment a title.")
    if len(title) > LONGEST_TITLE:
        raise Unreadable("title", f"That title is longer than {LONGEST_TITLE} characters.")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") for character in title):
        raise Unreadable("title", "That title holds characters that cannot be shown.")
    return title


def read_span(form: Mapping[str, str], show: Dates) -> Span:
    """Date, time and length as one span; of a whole day from midnight to midnight. Raises Unreadable."""
    day = _read_date(form.get("date", ""), show)
    if "all_day" in form:
        return day_span(day, show.zone)
    start = _read_start(day, form, show)
    return Span(start, start + read_length(form))


def read_length(form: Mapping[str, str]) -> timedelta:
    """How long the appointment takes. Raises Unreadable."""
    text = form.get("minutes", "").strip()
    minutes = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0
    if not SHORTEST <= minutes <= LONGEST:
        raise Unreadable("minutes", f"Write the length in minutes, from {SHORTEST} to {LONGEST}.")
    return timedelta(minutes=minutes)


def _read_date(text: str, show: Dates) -> date:
    try:
        day = read_date(text)
    except ValueError as error:
        raise Unreadable("date", _sentence(error)) from None
    if not -MOST_DAYS_BACK <= (day - show.today).days <= MOST_DAYS_AHEAD:
        raise Unreadable("date", f"{show.day(day)} is too far away: a year back, five years ahead.")
    return day


def _read_start(day: date, form: Mapping[str, str], show: Dates) -> datetime:
    try:
        wish = read_time(form.get("time", ""))
        if form.get("which") in ("earlier", "later") and not wish.fold:
            wish = read_time(f"{wish.clock:%H:%M} {form['which']}")
        found = instants(day, wish, show.zone)
    except ValueError as error:
        raise Unreadable("time", _sentence(error)) from None
    if not found:
        before, after = around_gap(day, wish.clock, show.zone)
        raise Unreadable(
            "time",
            f"There is no {wish.clock:%H:%M} on {show.day(day)}: the clock goes forward, and"
            f" {show.clock(before)} is followed by {show.clock(after)}.",
        )
    if len(found) > 1:
        raise Unreadable(
            "time",
            f"On {show.day(day)} the clock goes back and shows {wish.clock:%H:%M} twice. Choose one.",
            (Choice("earlier", show.clock(found[0])), Choice("later", show.clock(found[1]))),
        )
    return found[0]


def _sentence(error: ValueError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."
