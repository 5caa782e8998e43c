"""The embedded calendar keeps what every calendar promises."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assistant.calendars.events import Calendar, Deadline, Event, NewEvent, Span
from assistant.calendars.local import LocalCalendar
from assistant.errors import CalendarUnavailable, NoSuchEvent, SlotTaken, UnknownOutcome
from assistant.store import Store, events
from tests.at_once import all_at_once

TWO = datetime(2026, 12, 1, 14, tzinfo=UTC)  # in the afternoon
HOUR = timedelta(hours=1)
WEEK = Span(TWO - timedelta(days=3), TWO + timedelta(days=3))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "instance" / "afterbeep.db")


@pytest.fixture
def calendar(store: Store) -> Calendar:
    return LocalCalendar(store)


def soon() -> Deadline:
    return Deadline(10.0)


def always_left(seconds: float) -> Deadline:
    """A deadline that many seconds away, whenever it is looked at."""
    return Deadline(seconds, clock=lambda: 0.0)


def at(start: datetime, length: timedelta = HOUR) -> Span:
    return Span(start, start + length)


def new(event_id: str = "e1", span: Span | None = None, **rest: Any) -> NewEvent:
    return NewEvent(event_id, span or at(TWO), **{"title": "Roof", "timezone": "Europe/Berlin", **rest})


# --- putting in, looking, taking out -----------------------------------------


def test_an_event_is_there_until_it_is_removed(calendar: Calendar) -> None:
    added = calendar.add(new(status="tentative", call_sid="CA1"), soon())

    assert added == Event("e1", at(TWO), "Roof", status="tentative", ours=True, call_sid="CA1")
    assert calendar.event("e1", soon()) == added
    assert calendar.events(WEEK, soon()) == [added]
    assert calendar.busy(WEEK, soon()) == [at(TWO)]

    calendar.remove("e1", soon())
    calendar.remove("e1", soon())
    assert calendar.event("e1", soon()) is None
    assert calendar.events(WEEK, soon()) == []
    assert calendar.add(new(), soon()).event_id == "e1"


def test_what_the_owner_put_in_is_not_ours(calendar: Calendar) -> None:
    added = calendar.add(new(all_day=True, span=at(TWO, 24 * HOUR)), soon())

    assert (added.ours, added.call_sid, added.all_day) == (False, None, True)
    assert calendar.event("e1", soon()) == added


def test_what_the_owner_alone_reads_is_kept(calendar: Calendar, store: Store) -> None:
    calendar.add(new(description="Booked by the assistant"), soon())

    entry = store.read(events.get, "e1")
    assert entry is not None
    assert (entry.description, entry.timezone) == ("Booked by the assistant", "Europe/Berlin")


def test_events_come_by_start_and_whole(calendar: Calendar) -> None:
    for hours in (4, 0, 2):
        calendar.add(new(f"e{hours}", at(TWO + hours * HOUR)), soon())

    asked = Span(TWO + HOUR / 2, TWO + 3 * HOUR)

    assert [event.event_id for event in calendar.events(asked, soon())] == ["e0", "e2"]
    assert calendar.busy(asked, soon()) == [at(TWO), at(TWO + 2 * HOUR)]
    assert calendar.busy(asked, soon(), without="e0") == [at(TWO + 2 * HOUR)]


def test_what_only_touches_is_not_in_the_span(calendar: Calendar) -> None:
    calendar.add(new(), soon())

    assert calendar.busy(at(TWO - HOUR), soon()) == []
    assert calendar.busy(at(TWO + HOUR), soon()) == []


def test_the_order_in_time_holds_across_zones_and_fractions(calendar: Calendar) -> None:
    berlin = datetime.fromisoformat("2026-12-01T15:00:00.001+01:00")  # a moment after two o'clock in UTC
    calendar.add(new("late", at(berlin)), soon())
    calendar.add(new("early", at(TWO, timedelta(milliseconds=1))), soon())

    assert [event.event_id for event in calendar.events(WEEK, soon())] == ["early", "late"]
    assert calendar.busy(at(TWO, timedelta(milliseconds=1)), soon()) == [at(TWO, timedelta(milliseconds=1))]


# --- nobody gets a time that is taken ----------------------------------------


def test_the_same_id_is_the_same_event(calendar: Calendar) -> None:
    first = calendar.add(new(), soon(), clear=at(TWO))

    assert calendar.add(new(), soon(), clear=at(TWO)) == first
    assert calendar.add(new(span=at(TWO + HOUR), title="Other"), soon()) == first
    assert calendar.events(WEEK, soon()) == [first]


def test_a_time_that_must_be_clear_and_is_not_is_refused(calendar: Calendar) -> None:
    calendar.add(new(), soon())

    with pytest.raises(SlotTaken):
        calendar.add(new("e2", at(TWO + HOUR)), soon(), clear=Span(TWO + HOUR / 2, TWO + 3 * HOUR))
    assert calendar.event("e2", soon()) is None

    calendar.add(new("e2", at(TWO + HOUR)), soon(), clear=at(TWO + HOUR))
    calendar.add(new("e3", at(TWO)), soon())  # who does not ask for a clear time need not have one
    assert len(calendar.events(WEEK, soon())) == 3


def test_an_event_is_moved_or_stays_where_it_was(calendar: Calendar) -> None:
    calendar.add(new(), soon())
    calendar.add(new("e2", at(TWO + 2 * HOUR)), soon())

    overlapping_itself = at(TWO + HOUR / 2)
    moved = calendar.move("e1", overlapping_itself, "UTC", soon(), clear=overlapping_itself)
    assert moved == calendar.event("e1", soon())
    assert moved.span == overlapping_itself

    with pytest.raises(SlotTaken):
        calendar.move("e1", at(TWO + 3 * HOUR / 2), "UTC", soon(), clear=at(TWO + 3 * HOUR / 2))
    assert calendar.event("e1", soon()) == moved
    assert calendar.move("e1", at(TWO + 2 * HOUR), "UTC", soon()).span == at(TWO + 2 * HOUR)


def test_what_is_not_there_cannot_be_moved(calendar: Calendar) -> None:
    calendar.add(new("e2"), soon())

    with pytest.raises(NoSuchEvent):
        calendar.move("e1", at(TWO), "UTC", soon(), clear=at(TWO))


@pytest.mark.parametrize("started", [True, False])
def test_of_twenty_who_book_the_same_time_at_once_one_gets_it(
    calendar: Calendar, store: Store, started: bool
) -> None:
    if started:
        store.start()
    outcomes = all_at_once(20, lambda n: calendar.add(new(f"e{n}"), soon(), clear=at(TWO)), SlotTaken)

    assert store.stop(timeout_s=10)
    booked = [outcome for outcome in outcomes if isinstance(outcome, Event)]
    assert calendar.events(WEEK, soon()) == booked
    assert len(booked) == 1


BOOK = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from assistant.calendars.events import Deadline, NewEvent, Span
from assistant.calendars.local import LocalCalendar
from assistant.errors import SlotTaken
from assistant.store import Store

calendar = LocalCalendar(Store(Path(sys.argv[1])))
won = 0
print("ready", flush=True)
sys.stdin.readline()
for hour in range(50):
    start = datetime.fromisoformat("2026-12-01T14:00:00+00:00") + timedelta(hours=hour)
    span = Span(start, start + timedelta(hours=1))
    try:
        calendar.add(NewEvent(f"{sys.argv[2]}-{hour}", span, "Roof", "UTC"), Deadline(60), clear=span)
        won += 1
    except SlotTaken:
        pass
print(won)
"""


def test_nobody_slips_in_from_another_process(calendar: Calendar, store: Store) -> None:
    assert calendar.events(WEEK, soon()) == []
    root = Path(__file__).resolve().parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BOOK, str(store.path), name],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()

    won = [int(process.communicate(timeout=60)[0]) for process in processes]

    assert sum(won) == 50
    assert len(calendar.events(Span(TWO, TWO + 100 * HOUR), soon())) == 50


# --- when it cannot be asked -------------------------------------------------


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Another program has the database for itself."""
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_looking_does_not_wait_for_who_writes(calendar: Calendar, store: Store) -> None:
    added = calendar.add(new(), soon())

    with locked(store):
        assert calendar.events(WEEK, soon()) == [added]


def test_what_was_not_written_in_time_is_not_written_later(calendar: Calendar, store: Store) -> None:
    there = calendar.add(new("e2"), soon())
    store.start()

    with locked(store):
        for write in (
            lambda: calendar.add(new(), always_left(0.05)),
            lambda: calendar.move("e2", at(TWO + HOUR), "UTC", always_left(0.05)),
            lambda: calendar.remove("e2", always_left(0.05)),
        ):
            with pytest.raises(UnknownOutcome):  # it may have been on its way at that moment
                write()

    assert calendar.add(new("e3", at(TWO + 5 * HOUR)), soon()).event_id == "e3"  # the queue goes on
    assert calendar.event("e2", soon()) == there
    assert calendar.event("e1", soon()) is None
    assert store.stop(timeout_s=30)


def test_without_a_writer_it_is_known_that_nothing_was_written(calendar: Calendar) -> None:
    there = calendar.add(new("e2"), soon())

    with pytest.raises(CalendarUnavailable) as unavailable:
        calendar.add(new(), always_left(1e-9))  # over before the database is open

    assert unavailable.value.why == "busy"
    assert calendar.events(WEEK, soon()) == [there]


def test_after_the_deadline_nothing_is_asked_and_nothing_written(calendar: Calendar) -> None:
    for ask in (
        lambda late: calendar.busy(WEEK, late),
        lambda late: calendar.events(WEEK, late),
        lambda late: calendar.event("e1", late),
        lambda late: calendar.add(new(), late),
        lambda late: calendar.move("e1", at(TWO), "UTC", late),
        lambda late: calendar.remove("e1", late),
    ):
        with pytest.raises(CalendarUnavailable) as unavailable:
            ask(Deadline(0.0))
        assert unavailable.value.why == "timeout"
    assert calendar.events(WEEK, soon()) == []


def test_a_damaged_database_is_no_empty_calendar(calendar: Calendar, store: Store) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(b"these are no tables" * 1000)

    for ask in (lambda: calendar.busy(WEEK, soon()), lambda: calendar.add(new(), soon())):
        with pytest.raises(CalendarUnavailable, match="not a database") as unavailable:
            ask()
        assert unavailable.value.why == "refused"
