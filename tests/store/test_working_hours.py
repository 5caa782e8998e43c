"""Working hours as people write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.store.working_hours import DateHours, OpenHours, WorkingHours, read, write

WEEK = "mon-fri 09:00-17:00"
CHRISTMAS = (
    "mon-fri 09:00-17:00, 2026-12-24 09:00-12:00, 2026-12-25 closed, 2026-12-27 to 2027-01-03 closed, "
    "12-26 closed"
)


def test_days_and_times_become_minutes() -> None:
    assert read("fri-sat 09:30-17:00").week == (OpenHours(4, 570, 1020), OpenHours(5, 570, 1020))


def test_dates_become_stretches_of_minutes() -> None:
    assert read("mon 09:00-17:00, 2026-12-24 09:00-12:00, 02-29 closed") == WorkingHours(
        week=(OpenHours(0, 540, 1020),),
        dates=(DateHours(date(2026, 12, 24), date(2026, 12, 24), ((540, 720),)),),
        yearly=(DateHours(date(2000, 2, 29), date(2000, 2, 29), ()),),
    )


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("mon-fri 09:00-17:00, sat 10:00-12:00", "mon-fri 09:00-17:00, sat 10:00-12:00"),
        ("MON-Fri 9:00 - 17:00", "mon-fri 09:00-17:00"),
        ("monday - wednesday 09:00-17:00", "mon-wed 09:00-17:00"),
        ("tue 13:00-17:00,tue 09:00-12:00", "tue 09:00-12:00, tue 13:00-17:00"),
        ("mon 09:00-12:00, mon 11:00-17:00", "mon 09:00-17:00"),
        ("mon 09:00-17:00, mon 10:00-11:00", "mon 09:00-17:00"),
        ("mon 09:00-12:00, mon 12:00-17:00", "mon 09:00-17:00"),
        ("mon 09:00-12:00, tue 09:00-12:00", "mon-tue 09:00-12:00"),
        ("sat-mon 20:00-24:00", "mon 20:00-24:00, sat-sun 20:00-24:00"),
        (CHRISTMAS, CHRISTMAS),
        ("2026-12-24 9:00-12:00", "2026-12-24 09:00-12:00"),
        ("12-26 Closed, mon 09:00-17:00", "mon 09:00-17:00, 12-26 closed"),
        (f"{WEEK}, 2026-12-25 to 2026-12-25 closed", f"{WEEK}, 2026-12-25 closed"),
        (f"{WEEK}, 2026-12-26 closed, 2026-12-25 closed", f"{WEEK}, 2026-12-25 to 2026-12-26 closed"),
        (f"{WEEK}, 2026-12-31 closed, 2027-01-01 closed", f"{WEEK}, 2026-12-31 to 2027-01-01 closed"),
        (f"{WEEK}, 02-28 closed, 02-29 closed, 03-01 closed", f"{WEEK}, 02-28 to 03-01 closed"),
        (f"{WEEK}, 12-24 to 01-01 closed", f"{WEEK}, 01-01 closed, 12-24 to 12-31 closed"),
        (
            "2026-12-24 14:00-16:00, 2026-12-24 09:00-12:00, 2026-12-24 11:00-13:00",
            "2026-12-24 09:00-13:00, 2026-12-24 14:00-16:00",
        ),
        (
            "2026-12-20 to 2026-12-31 closed, 2026-12-23 09:00-12:00",
            "2026-12-20 to 2026-12-22 closed, 2026-12-23 09:00-12:00, 2026-12-24 to 2026-12-31 closed",
        ),
        ("9999-12-31 09:00-12:00, 0001-01-01 closed", "0001-01-01 closed, 9999-12-31 09:00-12:00"),
    ],
)
def test_the_same_hours_have_one_normal_form(written: str, normal: str) -> None:
    assert write(read(written)) == normal
    assert write(read(normal)) == normal


@pytest.mark.parametrize(
    ("day", "open_hours"),
    [
        (date(2026, 12, 23), ((540, 1020),)),  # a Wednesday
        (date(2026, 12, 24), ((540, 720),)),
        (date(2026, 12, 25), ()),
        (date(2026, 12, 26), ()),
        (date(2028, 12, 26), ()),  # every year: a Tuesday
        (date(2027, 1, 3), ()),
        (date(2027, 1, 4), ((540, 1020),)),
    ],
)
def test_the_hours_of_a_date_replace_those_of_its_weekday(
    day: date, open_hours: tuple[tuple[int, int], ...]
) -> None:
    assert read(CHRISTMAS).of(day) == open_hours


def test_a_date_with_its_year_goes_before_one_of_every_year() -> None:
    hours = read(f"{WEEK}, 12-24 closed, 2026-12-24 09:00-12:00")

    assert hours.of(date(2026, 12, 24)) == ((540, 720),)
    assert hours.of(date(2027, 12, 24)) == ()


def test_a_date_can_be_open_though_its_weekday_is_not() -> None:
    assert read(f"{WEEK}, 2026-12-05 10:00-12:00").of(date(2026, 12, 5)) == ((600, 720),)


def test_february_29_is_a_date_of_every_year_that_has_it() -> None:
    hours = read("mon-sun 09:00-17:00, 02-29 closed")

    assert hours.of(date(2028, 2, 29)) == ()
    assert hours.of(date(2027, 2, 28)) == hours.of(date(2027, 3, 1)) == ((540, 1020),)


def test_some_dates_of_every_year_go_over_its_end() -> None:
    hours = read("mon-sun 09:00-17:00, 12-24 to 01-01 closed")

    assert [hours.of(date(2026, 12, day)) == () for day in (23, 24, 31)] == [False, True, True]
    assert [hours.of(date(2027, 1, day)) == () for day in (1, 2)] == [True, False]


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
        "closed",
        "mon-fri closed",
        f"{WEEK}, 2026-12-25",
        f"{WEEK}, 2026-12-25 shut",
        f"{WEEK}, 2026-12-27 to 01-03 closed",
        f"{WEEK}, 2027-01-03 to 2026-12-27 closed",
        f"{WEEK}, 2026-12-27 - 2027-01-03 closed",
        f"{WEEK}, 12-26 closed (every year)",
        "2026-12-25 closed, 12-26 closed",
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        read(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "2026-02-30",
        "2027-02-29",
        "2026-13-01",
        "0000-01-01",
        "02-30",
        "13-01",
        "2026-12-27 to 2026-12-32",
        "1-2-3",
    ],
)
def test_a_date_that_is_none_is_refused_with_how_to_write_one(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^.* write a date like 2026-12-24, .*$"):
        read(f"{WEEK}, {wrong} closed")


def test_a_preference_that_would_close_for_ever_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match=r"^nothing is ever open with '2026-12-25 closed' alone"):
        read("2026-12-25 closed")


# --- any working hours ---------------------------------------------------------

minutes = st.tuples(st.integers(0, 1438), st.integers(1, 600)).map(lambda a: (a[0], min(a[0] + a[1], 1440)))
hours = st.one_of(st.none(), minutes)
NEAR = st.dates(date(2026, 12, 20), date(2027, 1, 10))
Hours = tuple[int, int] | None


def written(days: str, of: Hours) -> str:
    def clock(at: int) -> str:
        return f"{at // 60:02}:{at % 60:02}"

    return f"{days} {clock(of[0])}-{clock(of[1])}" if of else f"{days} closed"


def open_minutes(stretches: object) -> set[int]:
    return {minute for start, end in stretches for minute in range(start, end)}  # type: ignore


@given(
    st.lists(st.tuples(st.integers(0, 6), minutes), min_size=1),
    st.lists(st.tuples(NEAR, st.integers(0, 9), hours), max_size=5),
    st.lists(st.tuples(NEAR, hours), max_size=5),
    NEAR,
)
@settings(deadline=None)
def test_the_normal_form_means_the_same(
    week: list[tuple[int, tuple[int, int]]],
    dates: list[tuple[date, int, Hours]],
    yearly: list[tuple[date, Hours]],
    day: date,
) -> None:
    entries = [written(("mon", "tue", "wed", "thu", "fri", "sat", "sun")[each], of) for each, of in week]
    entries += [
        written(f"{first} to {date.fromordinal(first.toordinal() + more)}", of) for first, more, of in dates
    ]
    entries += [written(f"{each:%m-%d}", of) for each, of in yearly]
    found = read(", ".join(entries))

    there = [of for first, more, of in dates if 0 <= (day - first).days <= more]
    there = there or [of for each, of in yearly if (each.month, each.day) == (day.month, day.day)]
    there = there or [of for weekday, of in week if weekday == day.weekday()]
    assert open_minutes(found.of(day)) == open_minutes([of for of in there if of])
    assert read(write(found)) == found
    assert write(read(write(found))) == write(found)
