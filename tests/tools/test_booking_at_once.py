"""Twenty callers want the same time at the same moment: one gets it, and the others hear of another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from tests.tools.house import House

CALLERS = 20


@pytest.fixture
def busy_house(house: House) -> Iterator[House]:
    """Its writer is at work, as in the server."""
    house.store.start()
    yield house
    assert house.store.stop(10)


def all_at_once(house: House, trust: Any, wish: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    lines = [house.rings(trust, f"+120255502{number:02}", f"CA{number}") for number in range(CALLERS)]
    gate = threading.Barrier(CALLERS)

    def one(number: int) -> dict[str, Any]:
        given = wish(number)
        gate.wait(10)
        return lines[number].wants(**given)

    with ThreadPoolExecutor(CALLERS) as phones:
        return list(phones.map(one, range(CALLERS)))


def check_one_was_booked(house: House, answers: list[dict[str, Any]], kept: int = 1) -> None:
    errors = [answer["error"] for answer in answers if not answer["ok"]]
    assert len(errors) == CALLERS - 1
    assert set(errors) <= {"taken", "calendar_unavailable"}
    assert errors.count("taken") >= 1
    for answer in answers:
        if answer.get("error") == "taken":
            assert len(answer["free"]) == 3
            assert not {"14:00", "14:15"} & {each["time"] for each in answer["free"]}
    assert len(house.events()) == kept
    held = [one for number in range(CALLERS) for one in house.bookings(f"CA{number}")]
    assert len(held) == 1


@pytest.mark.parametrize(
    ("trust", "booking", "kept"),
    [
        ("stranger", "request", 0),
        ("stranger", "tentative", 1),
        ("stranger", "confirmed", 1),
        ("known", "request", 1),
    ],
)
def test_of_twenty_who_want_the_same_time_one_gets_it(busy_house: House, trust: Any, booking: str, kept: int):
    busy_house.prefer(booking=booking)

    answers = all_at_once(busy_house, trust, lambda number: {"when": "12-01 14:00"})

    check_one_was_booked(busy_house, answers, kept)


@pytest.mark.parametrize("booking", ["request", "confirmed"])
def test_two_lengths_that_overlap_are_one_time(busy_house: House, booking: str):
    busy_house.prefer(booking=booking)

    def wish(number: int) -> dict[str, Any]:
        if number % 2:
            return {"when": "12-01 14:00", "duration_minutes": 60}
        return {"when": "12-01 14:30", "duration_minutes": 15}

    answers = all_at_once(busy_house, "stranger", wish)

    assert [answer["ok"] for answer in answers].count(True) == 1
    assert {answer.get("error", "taken") for answer in answers} <= {"taken", "calendar_unavailable"}


def test_what_comes_out_never_overlaps(busy_house: House):
    busy_house.prefer(booking="confirmed", buffer_minutes=5)

    def wish(number: int) -> dict[str, Any]:
        return {"when": f"12-01 {14 + number % 2}:{number % 4}0", "duration_minutes": 10 + 5 * (number % 5)}

    answers = all_at_once(busy_house, "known", wish)

    events = busy_house.events()
    assert len(events) == [answer["ok"] for answer in answers].count(True) > 1
    assert all((later.start - earlier.end).total_seconds() >= 300 for earlier, later in pairwise(events))


def test_two_who_move_to_the_same_time_do_not_both_get_it(busy_house: House):
    lines = [busy_house.rings("known", f"+120255503{number:02}", f"CB{number}") for number in range(6)]
    ids = [line.wants(f"12-02 {9 + number:02}:00")["event_id"] for number, line in enumerate(lines)]
    gate = threading.Barrier(len(lines))

    def move(number: int) -> dict[str, Any]:
        gate.wait(10)
        return lines[number].use("move_event", event_id=ids[number], date="2026-12-01", time="14:00")

    with ThreadPoolExecutor(len(lines)) as phones:
        answers = list(phones.map(move, range(len(lines))))

    assert [answer["ok"] for answer in answers].count(True) == 1
    assert [event.start for event in busy_house.events()].count(busy_house.at("12-01 14:00")) == 1
    assert len(busy_house.events()) == len(lines)
