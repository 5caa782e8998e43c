"""Working hours as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.store.working_hours import OpenHours, read, write


def test_days_and_times_become_minutes() -> None:
    assert read("fri-sat 09:30-17:00") == (OpenHours(4, 570, 1020), OpenHours(5, 570, 1020))


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("mon-fri 09:00-17:00, sat 10:00-12:00", "mon-fri 09:00-17:00, sat 10:00-12:00"),
        ("MON-Fri 9:00 - 17:00", "mon-fri 09:00-17:00"),
        ("monday - wednesday 09:00-17:00", "mon-wed 09:00-17:00"),
        ("tue 13:00-17:00,tue 09:00-12:00", "tue 09:00-12:00, tue 13:00-17:00"),
        ("mon 09:00-12:00, mon 11:00-17:00", "mon 09:00-17:00"),
        ("mon 09:00-12:00, tue 09:00-12:00", "mon-tue 09:00-12:00"),
        ("sat-mon 20:00-24:00", "mon 20:00-24:00, sat-sun 20:00-24:00"),
    ],
)
def test_the_same_hours_have_one_normal_form(written: str, normal: str) -> None:
    assert write(read(written)) == normal
    assert write(read(normal)) == normal


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "mon",
        "9-5",
        "mon 09:00",
        "mon 17:00-09:00",
        "mon 09:00-09:00",
        "mon 25:00-26:00",
        "mon 09:60-10:00",
        "mon 24:01-24:02",
        "someday 09:00-17:00",
        "money 09:00-17:00",
        "mon-fri 09:00-17:00,",
        "mon-fri 09:00-17:00; sat 10:00-12:00",
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        read(wrong)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1438), st.integers(1, 600)), min_size=1))
def test_the_normal_form_means_the_same(spans: list[tuple[int, int, int]]) -> None:
    hours = [OpenHours(day, start, min(start + length, 1440)) for day, start, length in spans]
    text = ", ".join(write((span,)) for span in hours)

    def open_minutes(some: object) -> set[tuple[int, int]]:
        return {(day, minute) for day, start, end in some for minute in range(start, end)}  # type: ignore

    assert open_minutes(read(text)) == open_minutes(hours)
    assert read(write(read(text))) == read(text)
