"""What is done beside the calls: a round that fails is made again."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assistant import lateness, rounds
from assistant.calendars.bookings import Wish
from assistant.calendars.diary import Diary
from assistant.calendars.events import Calendar, Deadline, Event, NewEvent, Span
from assistant.calendars.local import LocalCalendar
from assistant.errors import CalendarUnavailable, RestError, UnknownOutcome
from assistant.store import Store, calls, open_database, program


def nothing_to_look_for() -> None:
    pass


def test_twilio_out_of_reach_is_a_line_in_the_log_and_nothing_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(rounds, "CATCH_UP_S", 0.01)
    database = tmp_path / "afterbeep.db"
    open_database(database).close()
    store = Store(database)
    last_alive = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    store.write(calls.set_alive, last_alive)
    asked: list[datetime] = []
    done = threading.Event()

    def catch_up(since: datetime) -> None:
        asked.append(since)
        if len(asked) == 1:
            raise RestError("Twilio could not be reached to list calls: ConnectionError")
        done.set()

    beside = rounds.Rounds(store, tmp_path, catch_up, look_again=nothing_to_look_for)
    with caplog.at_level(logging.WARNING):
        beside.recover()
        beside.begin()
        assert done.wait(10)
        beside.stop()

    assert asked[:2] == [last_alive, last_alive]
    assert [(line.levelname, line.exc_info) for line in caplog.records] == [("WARNING", None)]
    assert "could not be reached" in caplog.text


class ForgetfulCalendar(LocalCalendar):
    """Writes, and does not say so. The first question afterwards finds it out of reach."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.asked = 0

    def calendar(self) -> Calendar:
        return self

    def add(self, new: NewEvent, deadline: Deadline, *, clear: Span | None = None) -> Event:
        super().add(new, deadline, clear=clear)
        raise UnknownOutcome("no answer")

    def event(self, event_id: str, deadline: Deadline) -> Event | None:
        self.asked += 1
        if self.asked == 1:
            raise CalendarUnavailable("no answer", "network")
        return super().event(event_id, deadline)


def test_an_appointment_whose_writing_was_never_confirmed_is_looked_for_until_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(rounds, "LOOK_AGAIN_S", 0.01)
    database = tmp_path / "afterbeep.db"
    open_database(database).close()
    store = Store(database)
    diary = Diary(store, ForgetfulCalendar(store))
    start = datetime(2026, 12, 1, 10, tzinfo=UTC)
    span = Span(start, start + timedelta(minutes=30))
    with pytest.raises(UnknownOutcome):
        diary.book(Wish("CA1", "call_1", None, "owner", "Lunch", span, "confirmed"), Deadline(3))
    found = threading.Event()

    def look_again() -> None:
        diary.check_all()
        found.set()

    beside = rounds.Rounds(store, tmp_path, None, look_again)
    with caplog.at_level(logging.WARNING):
        beside.begin()
        assert found.wait(10)
        beside.stop()

    assert [(booking.title, booking.status) for booking in diary.made()] == [("Lunch", "booked")]
    assert diary.requests() == []
    assert "'look-again' will be made again" in caplog.text


def test_every_minute_the_program_writes_down_how_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rounds, "HEARTBEAT_S", 0.02)
    monkeypatch.setattr(lateness, "ENOUGH", 1)
    database = tmp_path / "afterbeep.db"
    open_database(database).close()
    store = Store(database)
    begun, open_calls = datetime.now(UTC) - timedelta(milliseconds=1), [1]  # kept in whole ones
    beside = rounds.Rounds(store, tmp_path, None, nothing_to_look_for, lambda: {"open_calls": open_calls[0]})

    beside.begin()
    first = _pulse(store, lambda facts: facts["open_calls"] == 1)
    open_calls[0] = 2
    second = _pulse(store, lambda facts: facts["open_calls"] == 2 and facts["late_p99_ms"] is not None)
    beside.stop()
    last = store.read(program.noted, program.PULSE)

    assert begun <= first.at <= second.at
    assert last is not None
    assert last.facts == {"stopped": True}
    assert second.facts["root"] == (os.geteuid() == 0)
    assert second.facts["late_p99_ms"] > 0


def _pulse(store: Store, fits: Callable[[dict[str, Any]], bool]) -> program.Note:
    """The first note that fits."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        note = store.read(program.noted, program.PULSE)
        if note is not None and fits(note.facts):
            return note
        time.sleep(0.01)
    raise AssertionError("no such note")


def test_the_database_is_looked_through_once_a_day_however_often_the_program_starts(tmp_path: Path):
    database = tmp_path / "afterbeep.db"
    open_database(database).close()
    store = Store(database)
    beside = rounds.Rounds(store, tmp_path, None, nothing_to_look_for)

    beside._look_through()
    first = store.read(program.noted, program.INTEGRITY)
    beside._look_through()
    again = store.read(program.noted, program.INTEGRITY)
    store.write(program.note, program.INTEGRITY, {"said": "ok"}, datetime.now(UTC) - timedelta(days=1))
    beside._look_through()
    next_day = store.read(program.noted, program.INTEGRITY)

    assert first is not None
    assert (first.facts, again) == ({"said": "ok"}, first)
    assert next_day is not None
    assert next_day.at > first.at
