"""An event, and what every calendar can do with one.

A calendar is asked while a caller waits on the line: every question has a deadline, and what cannot be
answered by then is told honestly. What a calendar says when it cannot be asked is CalendarUnavailable, never
an empty list: nothing found and nothing seen are two things.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from assistant.errors import CalendarUnavailable

Kind = Literal["embedded", "google"]
Status = Literal["confirmed", "tentative", "requested", "proposed", "unsure"]

LONGEST_TITLE = 200


class Span(NamedTuple):
    """A stretch of time, half-open: [start, end). Both are aware, in UTC."""

    start: datetime
    end: datetime

    def overlaps(self, other: Span) -> bool:
        """Whether the two share any time; those that only touch do not."""
        return self.start < other.end and other.start < self.end

    def holds(self, other: Span) -> bool:
        """Whether the other lies wholly in this one."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True, slots=True)
class Event:
    """Something in the calendar.

    span: of an event of whole days, from local midnight to local midnight. busy: it takes up its time.
    status: `requested`, `proposed` and `unsure` are not in the calendar (yet), but hold their time. ours:
    made by the assistant, on the call `call_sid` if that is known. link: its page at the provider's, or "".
    """

    event_id: str
    span: Span
    title: str
    all_day: bool = False
    busy: bool = True
    status: Status = "confirmed"
    ours: bool = False
    call_sid: str | None = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something to be put into the calendar.

    event_id: chosen by us (see `event_id`), so that asking twice makes one event. timezone: IANA, the one
    the time was meant in. description: plain text, what only the owner reads.
    """

    event_id: str
    span: Span
    title: str
    timezone: str
    description: str = ""
    status: Literal["confirmed", "tentative"] = "confirmed"
    all_day: bool = False
    call_sid: str | None = None


class Deadline:
    """When an answer must be there. `clock`: seconds, rising."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = clock() + seconds

    def left_s(self, at_most: float | None = None) -> float:
        """Seconds that are left, more than none. Raises CalendarUnavailable when there are none."""
        left_s = self._at - self._clock()
        if left_s <= 0:
            raise CalendarUnavailable("The calendar did not answer in time.", "timeout")
        return left_s if at_most is None else min(left_s, at_most)


class Calendar(Protocol):
    """What keeps the owner's appointments. Everything raises CalendarUnavailable when it cannot be asked."""

    @property
    def kind(self) -> Kind: ...

    def busy(self, span: Span, deadline: Deadline, *, without: str | None = None) -> list[Span]:
        """The times taken within `span`, whole (they may reach beyond it); not by the event `without`."""
        ...

    def events(self, span: Span, deadline: Deadline) -> list[Event]:
        """All events that overlap `span`, by start."""
        ...

    def event(self, event_id: str, deadline: Deadline) -> Event | None:
        """One event; None when it is not there, or not any more."""
        ...

    def add(self, new: NewEvent, deadline: Deadline, *, clear: Span | None = None) -> Event:
        """Put an event in. The same id again is the same event.

        clear: a span in which there may be nothing else that is busy; looked at again after writing where
        that takes two steps. Raises SlotTaken (nothing was kept), UnknownOutcome.
        """
        ...

    def move(
        self, event_id: str, span: Span, timezone: str, deadline: Deadline, *, clear: Span | None = None
    ) -> Event:
        """Give an event another time. Raises NoSuchEvent, SlotTaken (it is where it was), UnknownOutcome."""
        ...

    def remove(self, event_id: str, deadline: Deadline) -> None:
        """Take an event out; one that is not there any more is no error. Raises UnknownOutcome."""
        ...


def event_id(*parts: str) -> str:
    """An id that stays the same for one attempt at booking: 52 characters of 0-9 and a-v.

    Made of what is the same when the attempt is repeated, never of the time that is booked: an id stays
    taken when its event is deleted.
    """
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return base64.b32hexencode(digest).decode().lower().rstrip("=")
