"""The owner's diary, whatever keeps it: everything that changes it.

Tools and pages know this alone. What was asked for on a call and waits for the owner, what was booked and by
whom, is in our own database whichever calendar is in use; what waits holds its time.

No calendar refuses an appointment that overlaps another, so everything that changes the diary happens one
at a time in this program, and looks inside that lock whether the time is still free. The booking is written
before the calendar is: if its answer never comes (or this program dies), it is known that something may be
there.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from assistant.calendars.events import Deadline, Event, NewEvent, Span, event_id
from assistant.calendars.outlook import PAGE_S, Linked, Outlook, span_of
from assistant.calendars.slots import Rules
from assistant.errors import (
    CalendarError,
    CalendarUnavailable,
    NoSuchEvent,
    SlotTaken,
    StoreBusy,
    UnknownOutcome,
)
from assistant.store import appointments, preferences
from assistant.store.appointments import Booking
from assistant.store.writer import Store
from assistant.trust import Trust

LOCK_S = 1.0
SETTLE_S = 1.0  # for writing down what has been done: the lock is held meanwhile
MADE_DAYS = 90  # how far back the page shows what was booked

How = Literal["requested", "tentative", "confirmed"]
WAITING = ("requested", "proposed")


@dataclass(frozen=True, slots=True)
class Wish:
    """An appointment somebody wants, on one call. `how`: what becomes of it. number: None when withheld."""

    call_sid: str
    tool_call_id: str
    number: str | None
    trust: Trust
    title: str
    span: Span
    how: How
    caller_name: str = ""


class Diary(Outlook):
    """The owner's time, to be looked at and to be changed."""

    def __init__(
        self,
        store: Store,
        google: Linked | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(store, google, now)
        self._lock = threading.Lock()

    # --- bookings on a call --------------------------------------------------------

    def book(self, wish: Wish, deadline: Deadline) -> Booking:
        """Book, or keep as a request. A caller gets what is offered to them at this moment and nothing else;
        the owner anything.

        The same tool call, or the same time wished twice on one call, is one booking. Raises SlotTaken,
        CalendarUnavailable, UnknownOutcome.
        """
        with self._alone(deadline):
            if (known := self._booked_before(wish)) is not None:
                return known
            held, rules = self.rules(wish.trust)
            clear = None
            if wish.trust != "owner":
                clear = self._offered(wish.trust, wish.span, rules, deadline)
            booking = self._hold(wish, held.timezone, clear, deadline)
            if wish.how == "requested":
                return booking
            try:
                event = self._write(booking, wish.how, deadline, clear=clear)
            except UnknownOutcome:
                raise
            except CalendarError:  # it is certain that the calendar does not have it: it never was
                self._discard(booking)
                raise
            return self._is_booked(booking, event)

    def _booked_before(self, wish: Wish) -> Booking | None:
        of_call = self._store.read(appointments.of_call, wish.call_sid)
        for booking in of_call:
            if booking.tool_call_id == wish.tool_call_id or _is_same(booking, wish):
                if booking.status == "unsure":
                    raise UnknownOutcome("It is not known whether the calendar has that appointment.")
                return booking
        return None

    def _offered(
        self, trust: Trust, span: Span, rules: Rules, deadline: Deadline, without: str | None = None
    ) -> Span:
        """The span with its buffer, in which nothing else may be. Raises SlotTaken if it is not offered."""
        day = span.start.astimezone(rules.zone).date()
        length = span.end - span.start
        offer = self.offer(trust, first=day, days=2, length=length, without=without, deadline=deadline)
        if not offer.holds(span):
            raise SlotTaken("That time is not free.")
        return Span(span.start - rules.buffer, span.end + rules.buffer)

    def _hold(self, wish: Wish, timezone: str, clear: Span | None, deadline: Deadline) -> Booking:
        try:
            return self._store.write(
                appointments.hold,
                call_sid=wish.call_sid,
                tool_call_id=wish.tool_call_id,
                number=wish.number,
                trust=wish.trust,
                caller_name=wish.caller_name,
                title=wish.title,
                start=wish.span.start,
                end=wish.span.end,
                timezone=timezone,
                status="requested" if wish.how == "requested" else "unsure",
                calendar="" if wish.how == "requested" else self.kind,
                event_id=event_id(wish.call_sid, wish.tool_call_id),
                clear=clear,
                now=self._now(),
                timeout_s=deadline.left_s(),
            )
        except StoreBusy as busy:  # it stays queued, and will be there later
            raise UnknownOutcome("The database was busy; the booking is kept as soon as it is not.") from busy

    def _write(
        self,
        booking: Booking,
        how: Literal["tentative", "confirmed"],
        deadline: Deadline,
        *,
        clear: Span | None,
    ) -> Event:
        """Put a held booking into the calendar."""
        new = NewEvent(
            booking.event_id,
            span_of(booking),
            booking.title,
            booking.timezone,
            description=described(booking),
            status=how,
            call_sid=booking.call_sid,
        )
        return self.calendar().add(new, deadline, clear=clear)

    def _is_booked(self, booking: Booking, event: Event) -> Booking:
        return self._settle(booking, "booked", calendar=self.kind, event_id=event.event_id)

    def _discard(self, booking: Booking) -> None:
        with suppress(StoreBusy):  # it is queued; until then the time is held for nobody
            self._store.write(appointments.discard, booking.id, timeout_s=SETTLE_S)

    def _settle(
        self, booking: Booking, status: str, *, calendar: str | None = None, event_id: str | None = None
    ) -> Booking:
        return self._keep(
            appointments.settle, booking.id, status=status, calendar=calendar, event_id=event_id
        )

    def _keep(self, change: Callable[..., Booking], *args: Any, **kwargs: Any) -> Booking:
        """Write down what has been done or decided. Others wait meanwhile, so it must not take long."""
        try:
            return self._store.write(change, *args, now=self._now(), timeout_s=SETTLE_S, **kwargs)
        except StoreBusy as busy:
            raise UnknownOutcome("The database is busy; it is written down as soon as it is not.") from busy

    def booking_of(self, event_id: str) -> Booking | None:
        """The booking that is, or will be, that event."""
        return self._store.read(appointments.by_event, event_id)

    def bookings_of(self, number: str | None) -> list[Booking]:
        """What callers have booked or asked for from this number (None: withheld) and is not over, by start.

        Not what the owner has: a number can be shown by anybody, and for the owner's it takes the PIN.
        """
        found = self._store.read(appointments.of_number, number, self._now())
        return [booking for booking in found if booking.trust != "owner"]

    def move(self, event_id: str, span: Span, trust: Trust, deadline: Deadline) -> None:
        """Give an appointment or a request another time. Raises NoSuchEvent, SlotTaken and the rest."""
        with self._alone(deadline):
            held, rules = self.rules(trust)
            booking = self.booking_of(event_id)
            clear = None
            if trust != "owner":
                clear = self._offered(trust, span, rules, deadline, without=event_id)
            if booking is None or booking.status not in WAITING:
                self.calendar().move(event_id, span, held.timezone, deadline, clear=clear)
            if booking is not None:
                self._keep(appointments.reschedule, booking.id, span.start, span.end)

    def cancel(self, event_id: str, deadline: Deadline) -> None:
        """Take an appointment out, or a request back. Raises NoSuchEvent and the rest."""
        with self._alone(deadline):
            self._cancel(event_id, deadline)

    def _cancel(self, event_id: str, deadline: Deadline) -> None:
        booking = self.booking_of(event_id)
        if booking is None or booking.status not in WAITING:
            calendar = self.calendar()
            if booking is None and calendar.event(event_id, deadline) is None:
                raise NoSuchEvent("There is no such appointment, or not any more.")
            if booking is not None and booking.calendar != calendar.kind:
                raise NoSuchEvent(f"It is in the {booking.calendar} calendar, which is not in use now.")
            calendar.remove(event_id, deadline)
        if booking is not None:
            self._settle(booking, "cancelled")

    # --- what the owner decides on the page -----------------------------------------

    def requests(self) -> list[Booking]:
        """What waits for the owner, by start: requests, proposals, what may or may not be in the calendar."""
        return self._store.read(appointments.requests)

    def made(self, since: datetime | None = None) -> list[Booking]:
        """What was booked by the assistant, newest first."""
        return self._store.read(appointments.made, since or self._now() - timedelta(days=MADE_DAYS))

    def approve(self, booking_id: int, *, anyway: bool = False) -> Booking:
        """Put a request into the calendar. anyway: also on top of something else. Raises SlotTaken, ..."""
        deadline = Deadline(PAGE_S)
        with self._alone(deadline):
            booking = self._found(booking_id)
            if booking.status not in (*WAITING, "unsure"):
                return booking
            span = span_of(booking)
            if not anyway:
                self._must_be_clear(span, deadline, without=booking.event_id)
            try:
                event = self._write(booking, "confirmed", deadline, clear=None if anyway else span)
            except UnknownOutcome:
                self._settle(booking, "unsure", calendar=self.kind)
                raise
            except CalendarError:
                if booking.status == "unsure":  # now it is known that it is not there
                    self._settle(booking, "requested", calendar="")
                raise
            return self._is_booked(booking, event)

    def decline(self, booking_id: int) -> Booking:
        """Say no to a request: its time is free again."""
        with self._alone(Deadline(PAGE_S)):
            booking = self._found(booking_id)
            return self._settle(booking, "declined") if booking.status in WAITING else booking

    def propose(
        self, booking_id: int, start: datetime, length: timedelta | None = None, *, anyway: bool = False
    ) -> Booking:
        """Hold another time for a request until the caller has been asked. Raises SlotTaken and the rest."""
        deadline = Deadline(PAGE_S)
        with self._alone(deadline):
            booking = self._found(booking_id)
            if booking.status not in WAITING:
                return booking
            span = Span(start, start + (length or booking.end - booking.start))
            if not anyway:
                self._must_be_clear(span, deadline, without=booking.event_id)
            return self._keep(appointments.reschedule, booking.id, span.start, span.end, status="proposed")

    def undo(self, booking_id: int) -> Booking:
        """Take what the assistant has booked out of the calendar again."""
        deadline = Deadline(PAGE_S)
        with self._alone(deadline):
            booking = self._found(booking_id)
            if booking.status == "booked":
                self._cancel(booking.event_id, deadline)
            return self._found(booking_id)

    def check(self, booking_id: int) -> Booking:
        """Look whether a booking of which nobody knows is in the calendar. If not, it is a request again."""
        deadline = Deadline(PAGE_S)
        with self._alone(deadline):
            booking = self._found(booking_id)
            if booking.status != "unsure":
                return booking
            calendar = self.calendar()
            if booking.calendar != calendar.kind:
                raise CalendarUnavailable(
                    f"It was sent to the {booking.calendar} calendar, which is not in use now.", "refused"
                )
            if calendar.event(booking.event_id, deadline) is not None:
                return self._settle(booking, "booked")
            return self._settle(booking, "requested", calendar="")

    def check_all(self) -> None:
        """Look for everything of which nobody knows. Raises CalendarUnavailable and the rest."""
        for booking in self.requests():
            if booking.status == "unsure":
                self.check(booking.id)

    def add(self, title: str, span: Span, *, all_day: bool = False) -> Event:
        """The owner's own appointment, from the page."""
        timezone = self._store.read(preferences.load).timezone
        new = NewEvent(uuid.uuid4().hex, span, title, timezone, all_day=all_day)
        deadline = Deadline(PAGE_S)
        with self._alone(deadline):
            return self.calendar().add(new, deadline)

    def remove(self, event_id: str) -> None:
        """Take anything out of the calendar. Raises NoSuchEvent."""
        self.cancel(event_id, Deadline(PAGE_S))

    def _found(self, booking_id: int) -> Booking:
        booking = self._store.read(appointments.booking, booking_id)
        if booking is None:
            raise NoSuchEvent("There is no such appointment, or not any more.")
        return booking

    def _must_be_clear(self, span: Span, deadline: Deadline, without: str) -> None:
        if any(taken.overlaps(span) for taken in self._busy(span, deadline, without)):
            raise SlotTaken("Something else is at that time.")

    @contextmanager
    def _alone(self, deadline: Deadline) -> Iterator[None]:
        """One change at a time. Raises CalendarUnavailable when others take too long."""
        if not self._lock.acquire(timeout=deadline.left_s(LOCK_S)):
            raise CalendarUnavailable("Another booking is still being written.", "busy")
        try:
            yield
        finally:
            self._lock.release()


def _is_same(booking: Booking, wish: Wish) -> bool:
    """Whether that is what is wished again. Only the owner may have two things at one time."""
    if span_of(booking) != wish.span or booking.status not in (*WAITING, "unsure", "booked"):
        return False
    return wish.trust != "owner" or booking.title == wish.title


def described(booking: Booking) -> str:
    """What the owner reads in the calendar about a booking: who asked for it, and when."""
    who = ", ".join(part for part in (booking.caller_name, booking.number) if part) or "a withheld number"
    return f"Booked by the assistant on a call from {who}."
