"""The owner's diary, whatever keeps it: what tools and pages know of the owner's time.

To what is seen (`outlook`) and booked on calls (`bookings`) it adds what the owner decides: what becomes of
a request, what is taken out again, what is looked for again, and their own appointments.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import datetime, timedelta

from assistant.calendars.bookings import WAITING, Bookings
from assistant.calendars.events import Deadline, Event, NewEvent, Span
from assistant.calendars.outlook import PAGE_S, span_of
from assistant.errors import (
    CalendarError,
    CalendarUnavailable,
    NoSuchEvent,
    SlotTaken,
    StoreError,
    UnknownOutcome,
)
from assistant.store import appointments, preferences
from assistant.store.appointments import Booking

ROUND_S = 3.0  # nobody waits for a round, and callers wait for the lock that it holds
MOST_ASKED = 3  # appointments that are looked for one by one when a week is looked at
MADE_DAYS = 90  # how far back the page shows what was booked


class Diary(Bookings):
    """The owner's time."""

    # --- what the owner does elsewhere ------------------------------------------------

    def events(self, span: Span, deadline: Deadline | None = None) -> list[Event]:
        """As in Outlook; what the owner has moved or taken out at Google is put right among the bookings."""
        deadline = deadline or Deadline(PAGE_S)
        found = super().events(span, deadline)
        if self.kind == "google":
            with suppress(CalendarError, StoreError):  # it will be put right another time
                self._put_right({event.event_id: event for event in found}, span, deadline)
        return found

    def _put_right(self, there: dict[str, Event], span: Span, deadline: Deadline) -> None:
        asked = 0
        for booking in self._store.read(
            appointments.in_google, span.start, span.end, list(there), linked_now=True
        ):
            event = there.get(booking.event_id)
            if event is None and asked < MOST_ASKED:  # each is a question of its own, and somebody waits
                asked += 1
                event = self.event(booking.event_id, deadline)
            elif event is None:
                continue
            if event is None:
                self._settle(booking, "cancelled", deadline)
            elif event.span != span_of(booking):
                self._moved(booking, event.span, deadline, by_owner=True)

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
            # Like every booking it is written down first that it is on its way.
            sent = self._settle(booking, "unsure", deadline, calendar=self.kind)
            try:
                event = self._write(sent, "confirmed", deadline, clear=None if anyway else span)
            except UnknownOutcome:
                raise
            except CalendarError as error:
                self._did_not_arrive(booking, error, deadline)
                raise
            return self._is_booked(sent, event, deadline)

    def _did_not_arrive(self, before: Booking, error: CalendarError, deadline: Deadline) -> None:
        """An approval has failed: the request waits on, unless an earlier attempt may yet have arrived."""
        if before.status in WAITING:
            self._settle(before, before.status, deadline, calendar="")
        elif isinstance(error, SlotTaken):  # to say so it was looked for, and taken out
            self._settle(before, "requested", deadline, calendar="")

    def decline(self, booking_id: int) -> Booking:
        """Say no to a request: its time is free again.

        Also to what may be in a calendar that cannot be looked at any more: the owner has to look there.
        """
        deadline = Deadline(PAGE_S)
        with self._alone(deadline):
            booking = self._found(booking_id)
            lost = booking.status == "unsure" and not self._is_linked(booking)
            if booking.status not in WAITING and not lost:
                return booking
            return self._settle(booking, "declined", deadline)

    def _is_linked(self, booking: Booking) -> bool:
        """Whether the calendar it was sent to can be looked at."""
        return booking.calendar in [calendar.kind for calendar in self.calendars()]

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
            return self._keep(
                deadline, appointments.reschedule, booking.id, span.start, span.end, status="proposed"
            )

    def undo(self, booking_id: int) -> Booking:
        """Take what the assistant has booked out of the calendar again."""
        deadline = Deadline(PAGE_S)
        with self._alone(deadline):
            booking = self._found(booking_id)
            if booking.status == "booked":
                self._cancel(booking.event_id, deadline)
            return self._found(booking_id)

    def check(self, booking_id: int, within_s: float = PAGE_S) -> Booking:
        """Look whether a booking of which nobody knows is in the calendar. If not, it is a request again."""
        deadline = Deadline(within_s)
        with self._alone(deadline):
            booking = self._found(booking_id)
            if booking.status != "unsure":
                return booking
            if not self._is_linked(booking):
                raise CalendarUnavailable(
                    "It was sent to Google Calendar, which is not linked now.", "refused"
                )
            if self.event(booking.event_id, deadline) is not None:
                return self._settle(booking, "booked", deadline)
            return self._settle(booking, "requested", deadline, calendar="")

    def check_all(self) -> None:
        """Look for everything of which nobody knows. Raises the last CalendarError, after all of it."""
        failed: CalendarError | None = None
        for booking in self.requests():
            if booking.status == "unsure" and self._is_linked(booking):
                try:
                    self.check(booking.id, ROUND_S)
                except CalendarError as error:
                    failed = error
        if failed is not None:
            raise failed

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
