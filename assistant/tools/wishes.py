"""A wished time as a model gives it: read, checked, and refused with what may help.

Models are weak at weekdays, append a Z to local times and count on any other spelling being understood. So
what they give is read here and nothing is guessed: what cannot be meant is refused, with a code, a sentence
and what to try. The order of the checks is fixed: what cannot be read, a weekday that is not the
date's, then the past, the too far, what the clock change leaves out or gives twice, then the owner's hours.
Whether the time is free is asked last, by whoever books.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import Field, WithJsonSchema

from assistant.calendars import slots
from assistant.calendars.clock import MINUTE
from assistant.calendars.events import Span
from assistant.calendars.outlook import coarse, step_for
from assistant.calendars.slots import Rules, TimeWish
from assistant.errors import ToolRefused
from assistant.tools.speech import at, choices, stretch
from assistant.tools.toolbox import Arguments
from assistant.trust import Trust

SHORTEST_MIN, LONGEST_MIN = 5, 240
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# What is not of the right kind gets its own code and not the schema's, so the schema is told apart.
Day = Annotated[Any, WithJsonSchema({"type": "string"})]
Time = Annotated[Any, WithJsonSchema({"type": "string"})]
Minutes = Annotated[Any, WithJsonSchema({"type": "integer"})]

DAY = "YYYY-MM-DD, in the owner's time zone."
WEEKDAY = "The weekday the caller named, if they named one; it is compared with the date."
TIME = "HH:MM, 24 hours, in the owner's time zone; no offset."


class AtTime(Arguments):
    """When something is to be."""

    date: Day = Field(description=DAY)
    time: Time = Field(description=TIME)
    weekday: str = Field("", description=WEEKDAY)


class Wished(NamedTuple):
    """A time that could be read. found: when the clock shows it, in UTC: never, once or twice."""

    day: date
    wish: TimeWish
    found: list[datetime]
    weekday: str


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, when, and by which rules."""

    rules: Rules
    now: datetime
    trust: Trust

    @property
    def today(self) -> date:
        return self.now.astimezone(self.rules.zone).date()

    @property
    def last_day(self) -> date:
        return self.today + timedelta(days=self.rules.horizon_days)

    @property
    def earliest(self) -> datetime:
        """When the next appointment may begin, as this caller learns it: in half hours, or in minutes."""
        step = step_for(self.trust)
        earliest = self.now + self.rules.notice
        day = slots.day_span(earliest.astimezone(self.rules.zone).date(), self.rules.zone)
        return day.start - (day.start - earliest) // step * step


def read_length(minutes: Any, usual: int) -> timedelta:
    """How long. Raises ToolRefused `bad_duration`. usual: in minutes, where nothing was said."""
    if minutes is None:
        return timedelta(minutes=usual)
    try:
        given = float(minutes) if not isinstance(minutes, bool) else 0.0
    except (TypeError, ValueError):
        given = 0.0
    if not SHORTEST_MIN <= given <= LONGEST_MIN or given != int(given):
        allowed = f"{SHORTEST_MIN} to {LONGEST_MIN} minutes"
        raise ToolRefused("bad_duration", f"A duration is {allowed}, in whole minutes.", allowed=allowed)
    return timedelta(minutes=int(given))


def read_day(given: Any, weekday: str, asking: Asking) -> date:
    """Which day. Raises ToolRefused `bad_time`, `weekday_mismatch`."""
    day = _read_date(given, asking)
    _compare_weekday(day, weekday, asking)
    return day


def bookable(day: date, asking: Asking) -> None:
    """Raises ToolRefused `past`, `too_far`."""
    if day < asking.today:
        raise _past("That day is over.", asking)
    if day > asking.last_day:
        last = asking.last_day.isoformat()
        raise ToolRefused("too_far", f"That is too far ahead; the last day is {last}.", last_date=last)


def read_wish(given: AtTime, asking: Asking) -> Wished:
    """What was wished, as far as it can be read. Raises ToolRefused `bad_time`."""
    wish, day = _read_time(given.time, asking), _read_date(given.date, asking)
    return Wished(day, wish, _instants(day, wish, asking), given.weekday)


def placed(wished: Wished, length: timedelta, asking: Asking) -> Span:
    """The wished span. Raises ToolRefused with the first of the other codes that is true of it, see above."""
    day = wished.day
    _compare_weekday(day, wished.weekday, asking)
    if _is_over(wished, asking):
        raise _past("That is too soon, or over.", asking)
    bookable(day, asking)
    start = _the_one(wished, asking)
    span = Span(start, start + length)
    bookable((span.end - MINUTE).astimezone(asking.rules.zone).date(), asking)  # it may go past midnight
    if asking.trust != "owner" and not _in_hours(span, day, asking):
        raise _outside(day, asking)
    return span


def _read_date(given: Any, asking: Asking) -> date:
    try:
        return slots.read_date(given if isinstance(given, str) else "")
    except ValueError:
        raise _bad_time("The date cannot be read.", asking) from None


def _read_time(given: Any, asking: Asking) -> TimeWish:
    try:
        return slots.read_time(given if isinstance(given, str) else "")
    except ValueError:
        raise _bad_time("The time cannot be read.", asking) from None


def _is_over(wished: Wished, asking: Asking) -> bool:
    day, wish = wished.day, wished.wish
    readings = [
        datetime.combine(day, wish.clock, asking.rules.zone).replace(fold=fold).timestamp()
        for fold in ((0,) if wish.fold == "earlier" else (0, 1))
    ]
    return max(readings) < asking.earliest.timestamp()


def _instants(day: date, wish: TimeWish, asking: Asking) -> list[datetime]:
    try:
        return slots.instants(day, wish, asking.rules.zone)
    except ValueError:
        raise _bad_time("That offset is not the owner's time zone's; leave it out.", asking) from None


def _the_one(wished: Wished, asking: Asking) -> datetime:
    day, wish, found, _ = wished
    zone = asking.rules.zone
    if not found:
        before, after = slots.around_gap(day, wish.clock, zone)
        around = choices((before, after), zone)
        raise ToolRefused(
            "nonexistent_time",
            "The clocks go forward then: that time does not exist.",
            around=around,
        )
    if len(found) > 1:
        readings = {
            name: f"{moment.astimezone(zone):%Y-%m-%dT%H:%M%z}"
            for name, moment in zip(("earlier", "later"), found, strict=True)
        }
        clock = f"{wish.clock:%H:%M}"
        raise ToolRefused(
            "ambiguous_time",
            f'The clocks go back then: that time comes twice. Say "{clock} earlier" or "{clock} later".',
            readings=readings,
        )
    if found[0] < asking.earliest:
        raise _past("That is too soon, or over.", asking)
    return found[0]


def _in_hours(span: Span, day: date, asking: Asking) -> bool:
    return any(open_.holds(span) for open_ in _hours(day, span.end - span.start, asking))


def _hours(day: date, length: timedelta, asking: Asking) -> list[Span]:
    """The owner's hours on that day, as this caller learns them; one that goes on past midnight is whole."""
    around = [day - timedelta(days=1), day, day + timedelta(days=1)]
    opening = slots.merged(span for one in around for span in slots.opening(one, asking.rules))
    here = slots.day_span(day, asking.rules.zone)
    return coarse([span for span in opening if span.overlaps(here)], asking.rules, length, asking.trust)


def _compare_weekday(day: date, weekday: str, asking: Asking) -> None:
    """Raises ToolRefused `weekday_mismatch` when a weekday was given that is not the date's."""
    named = next((n for n, name in enumerate(WEEKDAYS) if weekday.lower()[:3] == name.lower()[:3]), None)
    if named is None or named == day.weekday():
        return
    meant = day + timedelta(days=(named - day.weekday() + 3) % 7 - 3)  # the nearest: who miscounts is near
    if meant < asking.today:
        meant += timedelta(days=7)
    raise ToolRefused(
        "weekday_mismatch",
        f"{day.isoformat()} is a {WEEKDAYS[day.weekday()]}. Ask which day is meant.",
        dates={WEEKDAYS[day.weekday()]: day.isoformat(), WEEKDAYS[named]: meant.isoformat()},
    )


def _bad_time(what: str, asking: Asking) -> ToolRefused:
    return ToolRefused(
        "bad_time",
        f"{what} Give the date as YYYY-MM-DD and the time as HH:MM.",
        expected="YYYY-MM-DD, HH:MM (24 hours)",
        today=f"{asking.today.isoformat()} ({WEEKDAYS[asking.today.weekday()]})",
    )


def _past(what: str, asking: Asking) -> ToolRefused:
    now, earliest = (moment.astimezone(asking.rules.zone) for moment in (asking.now, asking.earliest))
    return ToolRefused(
        "past",
        f"{what} The earliest time is {at(earliest)}.",
        now=f"{now:%Y-%m-%dT%H:%M}",
        earliest=f"{earliest:%Y-%m-%dT%H:%M}",
    )


def _outside(day: date, asking: Asking) -> ToolRefused:
    zone = asking.rules.zone
    hours = [stretch(span, zone) for span in _hours(day, timedelta(minutes=SHORTEST_MIN), asking)]
    said = ", ".join(f"{each['start'][11:]} to {each['end'][11:]}" for each in hours)
    message = (
        f"Appointments on that day are from {said}." if said else "There are no appointments on that day."
    )
    return ToolRefused("outside_hours", message, hours=[f"{h['start'][11:]}-{h['end'][11:]}" for h in hours])
