"""What is booked, moved and cancelled on calls, in whichever calendar.

What was asked for on a call and waits for the owner, what was booked and by whom, is in our own database;
what waits holds its time.

No calendar refuses an appointment that overlaps another, so everything that changes the diary happens one
at a time in this program, and looks inside that lock whether the time is still free. The booking is written
before the calendar is: if its answer never comes (or this program dies), it is known that something may be
there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from assistant.calendars.events import Calendar, Deadline, Event, NewEvent, Span, event_id
from assistant.calendars.outlook import Linked, Outlook, span_of
from assistant.calendars.slots import Rules
from assistant.errors import (
    CalendarError,
    CalendarUnavailable,
    NoSuchEvent,
    SlotTaken,
    StoreBusy,
    TooManyRequests,
    UnknownOutcome,
)
from assistant.store import appointments
from assistant.store.appointments import Booking
from assistant.store.writer import Store
from assistant.trust import Trust

LOCK_S = 1.0
SETTLE_S = 1.0  # for writing down what has been done: the lock is held meanwhile
AT_LEAST_S = 0.2  # of that, also when the deadline is over: it has been done
LATELY = timedelta(days=400)  # how far back callers hear of what was booked from their number

How = Literal["requested", "tentative", "confirmed"]
WAITING = ("requested", "proposed")


@dataclass(frozen=True, slots=True)
class Wish:
    """An appointment somebody wants, on one call. `how`: what becomes of it. number: None when withheld.

    most_waiting: with so many requests of this number waiting already, it is not kept as another.
    """

    call_sid: str
    tool_call_id: str
    number: str | None
    trust: Trust
    title: str
    span: Span
    how: How
    caller_name: str = ""
    most_waiting: int | None = None


class Bookings(Outlook):
    """The owner's time, to be looked at, and to be booked by callers and by the owner on the telephone."""

    def __init__(
        self,
        store: Store,
        google: Linked | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(store, google, now)
        self._lock = threading.Lock()

    def book(self, wish: Wish, deadline: Deadline) -> Booking:
        """Book, or keep as a request. A caller gets what is offered to them at this moment and nothing else;
        the owner anything.

        The same tool call, or the same time wished twice on one call, is one booking. Raises SlotTaken,
        TooManyRequests, CalendarUnavailable, UnknownOutcome.
        """
        with self._alone(deadline):
            if (known := self._booked_before(wish)) is not None:
                return known
            self._check_waiting(wish)
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
                self._discard(booking, deadline)
                raise
            return self._is_booked(booking, event, deadline)

    def _booked_before(self, wish: Wish) -> Booking | None:
        of_call = self._store.read(appointments.of_call, wish.call_sid)
        for booking in of_call:
            if booking.tool_call_id == wish.tool_call_id or _is_same(booking, wish):
                if booking.status == "unsure":
                    raise UnknownOutcome("It is not known whether the calendar has that appointment.")
                return booking
        return None

    def _check_waiting(self, wish: Wish) -> None:
        if wish.how != "requested" or wish.most_waiting is None:
            return
        waiting = [one for one in self.bookings_of(wish.number) if one.status in WAITING]
        if sum(one.end > self._now() for one in waiting) >= wish.most_waiting:
            raise TooManyRequests("As many requests as may wait from one number are waiting.")

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

    def _is_booked(self, booking: Booking, event: Event, deadline: Deadline) -> Booking:
        return self._settle(booking, "booked", deadline, calendar=self.kind, event_id=event.event_id)

    def _discard(self, booking: Booking, deadline: Deadline) -> None:
        with suppress(StoreBusy):  # it is queued; until then the time is held for nobody
            self._store.write(appointments.discard, booking.id, timeout_s=_settle_s(deadline))

    def _settle(self, booking: Booking, status: str, deadline: Deadline, **more: str) -> Booking:
        """Give a booking another status; `calendar` and `event_id` may come with it."""
        return self._keep(deadline, appointments.settle, booking.id, status=status, **more)

    def _keep(self, deadline: Deadline, change: Callable[..., Booking], *args: Any, **kwargs: Any) -> Booking:
        """Write down what has been done or decided. Others wait meanwhile, so it must not take long."""
        timeout_s = _settle_s(deadline)
        try:
            return self._store.write(change, *args, now=self._now(), timeout_s=timeout_s, **kwargs)
        except StoreBusy as busy:
            raise UnknownOutcome("The database is busy; it is written down as soon as it is not.") from busy

    def booking_of(self, event_id: str) -> Booking | None:
        """The booking that is, or will be, that event."""
        return self._store.read(appointments.by_event, event_id)

    def bookings_of(self, number: str | None) -> list[Booking]:
        """What callers have booked or asked for from this number (None: withheld), by start; not of old.

        Not what the owner has: a number can be shown by anybody, and for the owner's it takes the PIN.
        """
        found = self._store.read(appointments.of_number, number, self._now() - LATELY)
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
                home = self._home(event_id, booking, deadline)
                home.move(event_id, span, held.timezone, deadline, clear=clear)
            if booking is not None:
                self._moved(booking, span, deadline, by_owner=trust == "owner")

    def _moved(self, booking: Booking, span: Span, deadline: Deadline, *, by_owner: bool) -> Booking:
        # What the owner has proposed and the caller gives another time is the caller's request again.
        asked_again = {} if by_owner or booking.status != "proposed" else {"status": "requested"}
        return self._keep(deadline, appointments.reschedule, booking.id, span.start, span.end, **asked_again)

    def cancel(self, event_id: str, deadline: Deadline) -> None:
        """Take an appointment out, or a request back. Raises NoSuchEvent and the rest."""
        with self._alone(deadline):
            self._cancel(event_id, deadline)

    def _cancel(self, event_id: str, deadline: Deadline) -> None:
        booking = self.booking_of(event_id)
        if booking is None or booking.status not in WAITING:
            self._home(event_id, booking, deadline).remove(event_id, deadline)
        if booking is not None:
            self._settle(booking, "cancelled", deadline)

    def _home(self, event_id: str, booking: Booking | None, deadline: Deadline) -> Calendar:
        """The calendar that has this event. Raises NoSuchEvent."""
        for calendar in reversed(self.calendars()):
            if booking is not None and booking.calendar == calendar.kind:
                return calendar
            if booking is None and calendar.event(event_id, deadline) is not None:
                return calendar
        if booking is not None:
            raise NoSuchEvent("It is in Google Calendar, which is not linked now.")
        raise NoSuchEvent("There is no such appointment, or not any more.")

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


def _settle_s(deadline: Deadline) -> float:
    """How long to wait for the database with what is done already: it stays queued."""
    try:
        return max(AT_LEAST_S, deadline.left_s(SETTLE_S))
    except CalendarUnavailable:
        return AT_LEAST_S


def described(booking: Booking) -> str:
    """What the owner reads in the calendar about a booking: who asked for it, and when."""
    who = ", ".join(part for part in (booking.caller_name, booking.number) if part) or "a withheld number"
    return f"Booked by the assistant on a call from {who}."
