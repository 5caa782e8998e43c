"""What is done beside the calls: a round that fails is made again."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant import rounds
from assistant.calendars.bookings import Wish
from assistant.calendars.diary import Diary
from assistant.calendars.events import Calendar, Deadline, Event, NewEvent, Span
from assistant.calendars.local import LocalCalendar
from assistant.errors import CalendarUnavailable, RestError, UnknownOutcome
from assistant.store import Store, calls, open_database


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
