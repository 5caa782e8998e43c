"""What is free for whom, and what is on: looking into the owner's diary, and changing nothing.

One calendar is in use: Google's where an account is linked, also while that link is broken, and else the
embedded one; nothing falls back from one to the other. What was in the embedded one before the link still
holds its time. Beside them stand the bookings (`diary`), which hold theirs as if they were in the calendar
until the owner has decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from assistant.calendars import slots
from assistant.calendars.clock import MINUTE
from assistant.calendars.events import Calendar, Deadline, Event, Kind, Span
from assistant.calendars.local import LocalCalendar
from assistant.calendars.slots import Part, Rules
from assistant.store import appointments, preferences
from assistant.store.appointments import Booking
from assistant.store.preferences import Preferences
from assistant.store.writer import Store
from assistant.trust import Trust

PAGE_S = 8.0  # how long a page waits for the calendar; a tool has its own, shorter deadline
OWNERS_HORIZON_DAYS = 366
NEAR_DAYS = 7  # where another time is looked for when the wished one is taken


class Linked(Protocol):
    """The link with somebody else's calendar."""

    def calendar(self) -> Calendar | None:
        """The calendar; None when no account is linked."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """What is free for one caller: whole spans, and a few starts worth saying."""

    spans: list[Span]
    starts: list[datetime]
    length: timedelta
    zone: ZoneInfo

    def holds(self, span: Span) -> bool:
        """Whether the span lies wholly in one that is offered."""
        return any(free.holds(span) for free in self.spans)


class Outlook:
    """The owner's time, to be looked at. `google`: the link with a Google account; None without one."""

    def __init__(
        self,
        store: Store,
        google: Linked | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._google = google
        self._now = now

    @property
    def kind(self) -> Kind:
        """Which calendar is in use."""
        return self.calendar().kind

    def calendar(self) -> Calendar:
        """The calendar in use."""
        linked = self._google.calendar() if self._google is not None else None
        return linked or LocalCalendar(self._store)

    def calendars(self) -> list[Calendar]:
        """The one in use, and beside Google's the embedded one: what it was promised before still holds."""
        calendar = self.calendar()
        return [calendar] if calendar.kind == "embedded" else [calendar, LocalCalendar(self._store)]

    def event(self, event_id: str, deadline: Deadline) -> Event | None:
        """One event, wherever it is; None when it is not there, or not any more."""
        # The embedded calendar is asked first: it costs nothing.
        found = (calendar.event(event_id, deadline) for calendar in reversed(self.calendars()))
        return next((event for event in found if event is not None), None)

    def rules(self, trust: Trust) -> tuple[Preferences, Rules]:
        """What the owner prefers, and the rules for a caller of that trust."""
        held = self._store.read(preferences.load)
        rules = Rules.of(held)
        if trust == "owner":
            rules = replace(rules, notice=timedelta(0), horizon_days=OWNERS_HORIZON_DAYS)
        return held, rules

    def offer(
        self,
        trust: Trust,
        *,
        first: date,
        days: int,
        part: Part = "any",
        length: timedelta | None = None,
        without: str | None = None,
        deadline: Deadline | None = None,
    ) -> Offer:
        """What is free for a caller of that trust. `without`: as if this event were not there.

        Raises CalendarUnavailable: what cannot be seen is never free.
        """
        held, rules = self.rules(trust)
        length = length or timedelta(minutes=held.event_minutes)
        asked = _whole_days(first, days, rules.zone)
        around = Span(asked.start - rules.buffer, asked.end + rules.buffer)
        busy = self._busy(around, deadline or Deadline(PAGE_S), without)
        free = slots.free_spans(busy, rules, now=self._now(), first=first, days=days, length=length)
        free = coarse(free, rules, length, trust)
        free = slots.part_of(free, part, rules.zone, length)
        return Offer(free, slots.starts(free, length, rules.zone), length, rules.zone)

    def near(self, trust: Trust, span: Span, deadline: Deadline, without: str | None = None) -> Offer:
        """What is free around a wished time: from the day before it on, and never before today."""
        zone = self.rules(trust)[1].zone
        day = span.start.astimezone(zone).date()
        today = self._now().astimezone(zone).date()
        first = max(today, day - timedelta(days=1))
        length = span.end - span.start
        return self.offer(
            trust, first=first, days=NEAR_DAYS, length=length, without=without, deadline=deadline
        )

    def _busy(self, span: Span, deadline: Deadline, without: str | None = None) -> list[Span]:
        # What is held first: what is written into the calendar meanwhile is then seen there.
        held = self._store.read(appointments.held, span.start, span.end, without=without)
        taken = [one for each in self.calendars() for one in each.busy(span, deadline, without=without)]
        return slots.merged([*taken, *(span_of(booking) for booking in held)])

    def events(self, span: Span, deadline: Deadline | None = None) -> list[Event]:
        """Everything in `span`, by start: what is in the calendar, and what holds its time."""
        deadline = deadline or Deadline(PAGE_S)
        found = [event for each in self.calendars() for event in each.events(span, deadline)]
        there = {event.event_id for event in found}
        return sorted(
            [*found, *(event for event in self.held(span) if event.event_id not in there)],
            key=lambda event: event.span,
        )

    def held(self, span: Span) -> list[Event]:
        """What holds its time in `span` without being in the calendar, which need not be within reach."""
        return [_as_event(one) for one in self._store.read(appointments.held, span.start, span.end)]


def coarse(spans: list[Span], rules: Rules, length: timedelta, trust: Trust) -> list[Span]:
    """Free time as a caller of that trust learns it."""
    return slots.rounded(spans, rules.zone, length=length, step=step_for(trust))


def step_for(trust: Trust) -> timedelta:
    """How exactly a caller of that trust learns what is free: strangers in half hours, others by the minute.

    Seconds are never said, and "11:00" must not stand for what is free from half a minute later on.
    """
    return slots.HALF_HOUR if trust == "stranger" else MINUTE


def span_of(booking: Booking) -> Span:
    """When a booking is."""
    return Span(booking.start, booking.end)


def _whole_days(first: date, days: int, zone: ZoneInfo) -> Span:
    last = first + timedelta(days=days - 1)
    return Span(slots.day_span(first, zone).start, slots.day_span(last, zone).end)


def _as_event(booking: Booking) -> Event:
    return Event(
        booking.event_id,
        span_of(booking),
        booking.title,
        status=booking.status,  # type: ignore[arg-type]  # what is held is one of these
        ours=True,
        call_sid=booking.call_sid,
    )
