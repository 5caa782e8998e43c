"""Somebody else's calendar, far away: it works until the test breaks it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Literal

from assistant.calendars.events import Deadline, Event, Kind, NewEvent, Span
from assistant.errors import CalendarUnavailable, NoSuchEvent, SlotTaken, UnknownOutcome

Trouble = Literal["", "unreachable", "unwritable", "lost answer", "lost request", "taken"]


@dataclass
class FarCalendar:
    """A calendar in memory. trouble: what is wrong with it.

    unreachable: nothing can be asked. unwritable: it cannot be changed. lost answer: a change is made, and
    nobody learns of it; lost request: nor is it made. taken: others were quicker.
    `gate`: closed, it keeps those waiting who want to write, and sets `knocked`. cleared: what had to be
    free, at each change.
    """

    kind: Kind = "google"
    trouble: Trouble = ""
    kept: dict[str, Event] = field(default_factory=dict)
    deadlines_s: list[float] = field(default_factory=list)
    cleared: list[Span | None] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    knocked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def busy(self, span: Span, deadline: Deadline, *, without: str | None = None) -> list[Span]:
        return [
            event.span for event in self.events(span, deadline) if event.busy and event.event_id != without
        ]

    def events(self, span: Span, deadline: Deadline) -> list[Event]:
        self._ask(deadline)
        return sorted(
            (event for event in self.kept.values() if event.span.overlaps(span)), key=lambda event: event.span
        )

    def event(self, event_id: str, deadline: Deadline) -> Event | None:
        self._ask(deadline)
        return self.kept.get(event_id)

    def add(self, new: NewEvent, deadline: Deadline, *, clear: Span | None = None) -> Event:
        self._write(deadline)
        self.cleared.append(clear)
        made = Event(new.event_id, new.span, new.title, status=new.status, ours=True, call_sid=new.call_sid)
        if self.trouble != "lost request":
            self.kept.setdefault(new.event_id, made)
        self._answer()
        return made

    def move(
        self, event_id: str, span: Span, timezone: str, deadline: Deadline, *, clear: Span | None = None
    ) -> Event:
        self._write(deadline)
        self.cleared.append(clear)
        if event_id not in self.kept:
            raise NoSuchEvent("not there")
        if self.trouble != "lost request":
            self.kept[event_id] = replace(self.kept[event_id], span=span)
        self._answer()
        return self.kept[event_id]

    def remove(self, event_id: str, deadline: Deadline) -> None:
        self._write(deadline)
        if self.trouble != "lost request":
            self.kept.pop(event_id, None)
        self._answer()

    def _ask(self, deadline: Deadline) -> None:
        self.deadlines_s.append(deadline.left_s())
        if self.trouble == "unreachable":
            raise CalendarUnavailable("calendar.example: the permission is gone; link it again", "relink")

    def _write(self, deadline: Deadline) -> None:
        self._ask(deadline)
        self.knocked.set()
        if not self.gate.wait(20):
            raise AssertionError("the test never opened the gate")
        if self.trouble == "unwritable":
            raise CalendarUnavailable("calendar.example: 403", "refused")
        if self.trouble == "taken":
            raise SlotTaken("something else came in between")

    def _answer(self) -> None:
        if self.trouble in ("lost answer", "lost request"):
            raise UnknownOutcome("calendar.example did not answer")
