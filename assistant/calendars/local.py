"""The embedded calendar, in the program's own database: for owners who have linked no other.

Looking whether a time is free and taking it is one transaction, so nobody slips in between. It answers in a
moment; only writing can be held up, by another program that has the database. A write that is still queued
when its deadline has passed is then not carried out: whoever asked has told the caller something else by now.
That it was carried out at that very moment cannot be excluded, so it is an UnknownOutcome all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from assistant.calendars.events import Deadline, Event, Kind, NewEvent, Span
from assistant.errors import CalendarUnavailable, StoreBusy, StoreError, UnknownOutcome
from assistant.store import Database, Store, events
from assistant.store.events import Entry

T = TypeVar("T")


class LocalCalendar:
    """A `Calendar` in `store`."""

    kind: Kind = "embedded"

    def __init__(self, store: Store) -> None:
        self._store = store

    def busy(self, span: Span, deadline: Deadline, *, without: str | None = None) -> list[Span]:
        """The times taken within `span`, by start; not by the event `without`."""
        return [Span(*times) for times in self._read(deadline, events.taken, span, without=without)]

    def events(self, span: Span, deadline: Deadline) -> list[Event]:
        """All events that overlap `span`, by start."""
        return [_event(entry) for entry in self._read(deadline, events.between, span)]

    def event(self, event_id: str, deadline: Deadline) -> Event | None:
        """One event; None when it is not there, or not any more."""
        entry = self._read(deadline, events.get, event_id)
        return _event(entry) if entry is not None else None

    def add(self, new: NewEvent, deadline: Deadline, *, clear: Span | None = None) -> Event:
        """Put an event in; the same id again is the same event. Raises SlotTaken, UnknownOutcome."""
        return _event(self._write(deadline, events.add, _entry(new), clear=clear))

    def move(
        self, event_id: str, span: Span, timezone: str, deadline: Deadline, *, clear: Span | None = None
    ) -> Event:
        """Give an event another time. Raises NoSuchEvent, SlotTaken (it is where it was), UnknownOutcome."""
        return _event(self._write(deadline, events.move, event_id, span, timezone, clear=clear))

    def remove(self, event_id: str, deadline: Deadline) -> None:
        """Take an event out; one that is not there any more is no error. Raises UnknownOutcome."""
        self._write(deadline, events.remove, event_id)

    def _read(self, deadline: Deadline, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        deadline.left_s()
        try:
            return self._store.read(function, *args, **kwargs)
        except StoreError as error:
            raise _unavailable(error) from error

    def _write(self, deadline: Deadline, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        left_s = deadline.left_s()
        until_s = time.monotonic() + left_s
        try:
            written: T = self._store.write(_in_time, until_s, function, *args, timeout_s=left_s, **kwargs)
        except StoreBusy as error:
            raise UnknownOutcome(
                "The database was busy: it is not known whether the calendar was changed."
            ) from error
        except StoreError as error:
            raise _unavailable(error) from error
        return written


def _in_time(db: Database, until_s: float, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Do it, unless it is too late. Runs in the writer's transaction."""
    if time.monotonic() > until_s:
        raise CalendarUnavailable("The database was busy for too long; nothing was changed.", "busy")
    return function(db, *args, **kwargs)


def _unavailable(error: StoreError) -> CalendarUnavailable:
    return CalendarUnavailable(str(error), "busy" if isinstance(error, StoreBusy) else "refused")


def _entry(new: NewEvent) -> Entry:
    return Entry(
        event_id=new.event_id,
        start=new.span.start,
        end=new.span.end,
        timezone=new.timezone,
        title=new.title,
        description=new.description,
        status=new.status,
        all_day=new.all_day,
        call_sid=new.call_sid,
    )


def _event(entry: Entry) -> Event:
    return Event(
        event_id=entry.event_id,
        span=Span(entry.start, entry.end),
        title=entry.title,
        all_day=entry.all_day,
        status=entry.status,
        ours=entry.call_sid is not None,
        call_sid=entry.call_sid,
    )
