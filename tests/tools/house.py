"""The owner's side of a call, for tests: a real database, the embedded calendar, a clock that stands still.

It is Monday, November 30, 2026, nine o'clock in Berlin. Times in tests are the owner's: "12-01 14:00".
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from assistant.calendars.diary import Diary
from assistant.calendars.events import Calendar, Span
from assistant.store import appointments, calls, events, export, preferences
from assistant.store.appointments import Booking
from assistant.store.events import Entry
from assistant.store.writer import Store
from assistant.tools.toolbox import Toolbox, ToolContext, ToolResult
from assistant.trust import Trust

NINE = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
ANA, SAM, OWNER = "+12025550143", "+12025550144", "+12025550101"
BERLIN = ZoneInfo("Europe/Berlin")
_numbers = itertools.count(1)


class Link:
    """Somebody else's calendar, linked: what the test says it is."""

    def __init__(self, calendar: Calendar | None = None) -> None:
        self.linked = calendar

    def calendar(self) -> Calendar | None:
        return self.linked


class House:
    """Database, diary and preferences."""

    def __init__(self, path: Path, *, zone: str = "Europe/Berlin", now: datetime = NINE) -> None:
        self.store = Store(path)
        self.now = now
        self.link = Link()
        self.diary = Diary(self.store, self.link, now=lambda: self.now)
        self.prefer(timezone=zone)

    @property
    def zone(self) -> ZoneInfo:
        return self.store.read(preferences.load).zone

    def prefer(self, **values: Any) -> None:
        for name, value in values.items():
            self.store.write(preferences.set, name, str(value))

    def at(self, local: str, *, later: bool = False) -> datetime:
        """An instant, by the owner's clock: "12-01 14:00", of the year it is now, or with another year."""
        text = local if len(local) > 11 else f"{self.now.year}-{local}"
        fold = int(later)
        return datetime.fromisoformat(text).replace(tzinfo=self.zone, fold=fold).astimezone(UTC)

    def span(self, start: str, end: str) -> Span:
        """From one local time to another: `span("12-01 14:00", "15:00")`."""
        return Span(self.at(start), self.at(end if len(end) > 5 else f"{start[:-5]}{end}"))

    def busy(self, start: str, end: str, title: str = "Busy", **more: Any) -> str:
        """Something in the embedded calendar; its id."""
        span = self.span(start, end)
        entry = Entry(f"event{next(_numbers)}", *span, timezone=self.zone.key, title=title, **more)
        self.store.write(events.add, entry)
        return entry.event_id

    def events(self) -> list[Entry]:
        """Everything in the embedded calendar."""
        ever = (datetime(1990, 1, 1, tzinfo=UTC), datetime(2990, 1, 1, tzinfo=UTC))
        return self.store.read(events.between, ever)

    def bookings(self, call_sid: str = "CA1") -> list[Booking]:
        return self.store.read(appointments.of_call, call_sid)

    def message(self, call_sid: str = "CA1") -> dict[str, Any] | None:
        """The call's message, as the owner reads it."""
        kept = self.store.read(export.export_call, call_sid)
        message: dict[str, Any] | None = kept["message"] if kept else None
        return message

    def rings(
        self,
        trust: Trust = "stranger",
        number: str | None = "",
        call_sid: str = "CA1",
        within: Callable[[float], Any] = nullcontext,
    ) -> Line:
        """Somebody calls."""
        if number == "":
            number = {"stranger": ANA, "known": SAM, "owner": OWNER}[trust]
        self.store.write(
            calls.begin, call_sid, direction="inbound", from_number=number, to_number="+12025550100",
            forwarded_from=None, caller_name=None, trust=trust, stir_verstat=None, started_at=self.now,
        )  # fmt: skip
        context = ToolContext(call_sid, number, trust, self.store, self.diary, now=lambda: self.now)
        return Line(Toolbox(context, within=within))


class Line:
    """One call's model, which uses its tools as the test says."""

    def __init__(self, toolbox: Toolbox) -> None:
        self.toolbox = toolbox

    def run(self, tool: str, tool_call_id: str = "", **arguments: Any) -> ToolResult:
        tool_call_id = tool_call_id or f"call_{next(_numbers)}"
        return self.toolbox.run(tool, orjson.dumps(arguments).decode(), tool_call_id)

    def use(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What the tool answers."""
        return self.run(tool, **arguments).output

    def asks(self, date: str | None = None, **more: Any) -> dict[str, Any]:
        return self.use("find_free_times", date=date, **more)

    def wants(self, when: str, **more: Any) -> dict[str, Any]:
        """An appointment: `wants("12-01 14:00")`."""
        date, time = when.split(" ", 1)
        return self.use("add_event", date=date if len(date) > 5 else f"2026-{date}", time=time, **more)


def refused(answer: dict[str, Any]) -> str:
    """Why an answer is a refusal, which has a sentence for the caller."""
    assert answer["ok"] is False
    assert answer["message"]
    return str(answer["error"])
