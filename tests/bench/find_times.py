"""What it costs to find free times: of two weeks, in a calendar fuller than anybody's.

Our own time alone: first the arithmetic, from the calendar's events to the times that are suggested, then
all of it with the embedded calendar, whose events are in the database. It is spent while calls are served on
the same core, and holds up their sound for as long.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assistant.calendars import slots
from assistant.calendars.events import Deadline, Event, NewEvent, Span
from assistant.calendars.local import LocalCalendar
from assistant.calendars.outlook import Outlook
from assistant.calendars.slots import Rules
from assistant.store import Store, open_database, preferences
from tests.bench.bench import Bench
from tests.bench.figures import percentile
from tests.bench.rows import Row

EVENTS, DAYS, TURNS = 500, 14, 200
LENGTH = timedelta(minutes=30)
NOW = datetime(2026, 10, 19, 6, tzinfo=UTC)  # the clock goes back on the 25th
PREFERRED = {
    "timezone": "Europe/Berlin",
    "working_hours": "mon-sun 00:00-24:00, 2026-10-26 closed",
    "buffer_minutes": "5",
}

Answer = list[datetime]


async def rows(bench: Bench) -> list[Row]:
    """Our own time for one question."""
    folder = bench.load.folder / "find-times"
    folder.mkdir()
    return await asyncio.to_thread(_rows, folder)


def _rows(folder: Path) -> list[Row]:
    events = calendar()
    embedded = kept(events, folder)
    name = f"find_free_times, {DAYS} days, {EVENTS} events"
    arithmetic = measured(lambda: suggested(events))
    whole = measured(lambda: offered(embedded))
    return [
        Row(f"{name}: arithmetic, p50", percentile(arithmetic, 50), "ms", 20, 5, _how(arithmetic)),
        Row(f"{name}: embedded, p50", percentile(whole, 50), "ms", 20, 10, _how(whole)),
    ]


def _how(took_ms: list[float]) -> str:
    return f"a stranger's question, {TURNS} times; p99 {percentile(took_ms, 99):.2f}"


def measured(question: Callable[[], Answer]) -> list[float]:
    """How long each of some questions takes, in ms."""
    took_ms = []
    for _ in range(TURNS):
        began = time.perf_counter()
        answer = question()
        took_ms.append((time.perf_counter() - began) * 1000)
        assert len(answer) == 5, answer
    return took_ms


def suggested(events: list[Event]) -> Answer:
    """From events to suggestions."""
    rules = Rules.of(preferences.Preferences.model_validate(PREFERRED))
    busy = slots.busy_of(events)
    free = slots.free_spans(busy, rules, now=NOW, first=NOW.date(), days=DAYS, length=LENGTH)
    free = slots.rounded(free, rules.zone, length=LENGTH)
    return slots.starts(slots.part_of(free, "afternoon", rules.zone, LENGTH), LENGTH, rules.zone)


def offered(embedded: Outlook) -> Answer:
    """The same as a tool asks for it."""
    return embedded.offer("stranger", first=NOW.date(), days=DAYS, part="afternoon", length=LENGTH).starts


def calendar() -> list[Event]:
    """Events of 5 to 30 minutes all over the two weeks, many of them overlapping."""
    any_number = random.Random(4)  # the same at every run
    events = []
    for number in range(EVENTS):
        start = NOW + timedelta(minutes=any_number.randrange(DAYS * 24 * 60))
        end = start + timedelta(minutes=any_number.randrange(5, 31))
        events.append(Event(f"e{number}", Span(start, end), "Busy"))
    return events


def kept(events: list[Event], folder: Path) -> Outlook:
    """A new database with these events in its calendar."""
    open_database(folder / "afterbeep.db").close()
    store = Store(folder / "afterbeep.db")
    for name, value in PREFERRED.items():
        store.write(preferences.set, name, value)
    for event in events:
        new = NewEvent(event.event_id, event.span, event.title, PREFERRED["timezone"])
        LocalCalendar(store).add(new, Deadline(10))
    return Outlook(store, now=lambda: NOW)
