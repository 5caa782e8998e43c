"""Days by their names, and the clock in words."""

from datetime import date, timedelta

import pytest

from assistant.sandbox.model.times import DAYS, day_called, spoken, today_in

SATURDAY = date(2026, 11, 21)


def test_today_is_what_the_instructions_say() -> None:
    told = "Now it is Saturday, 2026-11-21, 14:52 (Europe/Berlin, UTC+01:00). Coming days: Sun 2026-11-22."

    assert today_in(told) == SATURDAY
    assert today_in("You answer the telephone.") is None


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("tomorrow", "2026-11-22"),
        ("next-tuesday", "2026-11-24"),
        ("next-saturday", "2026-11-28"),
        ("in-400-days", "2027-12-26"),
        ("name", ""),
    ],
)
def test_days_are_counted_from_today(words: str, day: str) -> None:
    assert day_called(words, SATURDAY) == day
    assert day_called(words, None) == ""


def test_the_next_weekday_is_one_to_seven_days_ahead() -> None:
    for ahead in range(14):
        today = SATURDAY + timedelta(ahead)
        for number, name in enumerate(DAYS):
            found = date.fromisoformat(day_called(f"next-{name}", today))
            assert found.weekday() == number
            assert 1 <= (found - today).days <= 7


@pytest.mark.parametrize(
    ("clock", "words"),
    [
        ("10:00", "Tuesday at ten"),
        ("2026-12-01T14:30", "Tuesday at two thirty"),
        ("12:45", "Tuesday at twelve forty-five"),
        ("00:15", "Tuesday at twelve fifteen"),
        ("09:07", "Tuesday at nine 07"),
        ("soon", "Tuesday"),
    ],
)
def test_a_clock_is_read_out(clock: str, words: str) -> None:
    assert spoken("Tuesday", clock) == words
