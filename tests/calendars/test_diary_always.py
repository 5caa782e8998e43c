"""Whatever callers and the owner do, in any order: nothing overlaps, and the two books say the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.calendars.bookings import Wish
from assistant.calendars.events import Deadline, Span
from assistant.calendars.outlook import span_of
from assistant.errors import CalendarError
from assistant.store import appointments
from assistant.store.appointments import Booking
from tests.tools.far_calendar import FarCalendar
from tests.tools.house import ANA, House

QUARTER = timedelta(minutes=15)
_calls = count()

spans = st.tuples(st.integers(0, 31), st.integers(1, 6))  # quarters after nine, and how many
steps = st.one_of(
    st.tuples(
        st.just("book"),
        st.sampled_from(["stranger", "known"]),
        st.sampled_from(["requested", "tentative", "confirmed"]),
        spans,
        st.sampled_from(["", "", "", "lost answer", "lost request", "unwritable", "taken"]),
    ),
    st.tuples(st.sampled_from(["approve", "decline", "undo", "check", "cancel"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["propose", "move"]), st.integers(0, 9), spans),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("diary") / "afterbeep.db")
    house.prefer(buffer_minutes=5)
    return house


class Book:
    """The diary, with everything that was ever booked in it."""

    def __init__(self, house: House) -> None:
        house.store.write(lambda db: db.execute("DELETE FROM bookings"))
        house.link.linked = self.far = FarCalendar()
        self.house, self.diary = house, house.diary
        self.first = house.at("12-01 09:00")
        self.calls: list[str] = []

    @property
    def bookings(self) -> list[Booking]:
        return [one for call_sid in self.calls for one in self.house.bookings(call_sid)]

    def take(self, step: tuple[Any, ...]) -> None:
        """Do it; that it may not be done is as good an answer as any."""
        with suppress(CalendarError):
            self._take(*step)
        self.far.trouble = ""

    def _take(self, what: str, *about: Any) -> None:
        if what == "book":
            return self._book(*about)
        if not self.bookings:
            return None
        booking = self.bookings[about[0] % len(self.bookings)]
        doing: dict[str, Callable[[], object]] = {
            "propose": lambda: self.diary.propose(booking.id, self._span(about[1]).start),
            "move": lambda: self._move(booking, about[1]),
            "cancel": lambda: self.diary.cancel(booking.event_id, Deadline(4)),
        }
        decide = doing.get(what) or (lambda: getattr(self.diary, what)(booking.id))
        decide()
        return None

    def _book(self, trust: Any, how: Any, when: tuple[int, int], trouble: Any) -> None:
        self.far.trouble = trouble
        self.calls.append(f"CA{next(_calls)}")
        wish = Wish(self.calls[-1], "call_1", ANA, trust, "The roof", self._span(when), how)
        self.diary.book(wish, Deadline(4))

    def _move(self, booking: Booking, when: tuple[int, int]) -> None:
        if booking.status in ("requested", "proposed", "booked"):
            self.diary.move(booking.event_id, self._span(when), "known", Deadline(4))

    def _span(self, when: tuple[int, int]) -> Span:
        start = self.first + when[0] * QUARTER
        return Span(start, start + when[1] * QUARTER)

    def check(self) -> None:
        """Nothing overlaps, and what is booked is in the calendar where it should be."""
        held = [span_of(one) for one in self.bookings if one.status in appointments.HELD]
        there = {event_id: event.span for event_id, event in self.far.kept.items()}
        lost = {one.event_id for one in self.bookings if one.status == "unsure"}
        taken = sorted([*held, *(span for event_id, span in there.items() if event_id not in lost)])
        assert all(earlier.end <= later.start for earlier, later in pairwise(taken)), taken
        for one in self.bookings:
            if one.status == "booked":
                assert there[one.event_id] == span_of(one)
            elif one.status != "unsure":
                assert one.event_id not in there


@settings(deadline=None, max_examples=30)
@given(st.lists(steps, max_size=14))
def test_nothing_overlaps_and_the_two_books_say_the_same(house: House, doing: list[tuple[Any, ...]]):
    book = Book(house)

    for step in doing:
        book.take(step)
        book.check()
    book.diary.check_all()
    book.check()

    assert {one.status for one in book.bookings} <= {
        "requested",
        "proposed",
        "booked",
        "declined",
        "cancelled",
    }
