"""Dates and times as they are said on the phone, and the instants they are."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from assistant.calendars.clock import (
    TimeWish,
    around_gap,
    clock_spans,
    day_span,
    instants,
    read_date,
    read_time,
)
from assistant.calendars.events import Span

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = date(2027, 3, 28)  # 02:00 becomes 03:00
AUTUMN = date(2026, 10, 25)  # 03:00 becomes 02:00


def utc(day: int, hour: int, minute: int = 0, month: int = 10, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def test_a_date_is_read() -> None:
    assert read_date(" 2026-12-01 ") == date(2026, 12, 1)


@pytest.mark.parametrize(
    "wrong",
    ["", "tomorrow", "1.12.2026", "2026-12-1", "20261201", "2026-12-01T14:00", "2026-W49-2", "٢٠٢٦-١٢-٠١"],
)
def test_what_is_no_date_says_how_to_write_one(wrong: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        read_date(wrong)


@pytest.mark.parametrize("wrong", ["2026-02-30", "2026-13-01", "0026-12-01", "9999-12-31", "0000-01-01"])
def test_a_date_that_the_calendar_lacks_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^there is no "):
        read_date(wrong)


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ("14:30", TimeWish(time(14, 30))),
        ("9:00", TimeWish(time(9))),
        (" 00:00 ", TimeWish(time(0))),
        ("02:30 earlier", TimeWish(time(2, 30), fold="earlier")),
        ("02:30 later", TimeWish(time(2, 30), fold="later")),
        ("02:30+02:00", TimeWish(time(2, 30), offset=timedelta(hours=2))),
        ("02:30 -03:30", TimeWish(time(2, 30), offset=-timedelta(hours=3, minutes=30))),
        ("02:30Z", TimeWish(time(2, 30), offset=timedelta())),
    ],
)
def test_a_time_is_read(said: str, wish: TimeWish) -> None:
    assert read_time(said) == wish


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "9am",
        "9",
        "0900",
        "14.30",
        "2:30 pm",
        "14:30:00",
        "2026-12-01T14:00",
        "24:00",
        "09:60",
        "02:30 sooner",
    ],
)
def test_what_is_no_time_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"HH:MM|there is no time"):
        read_time(wrong)


def test_a_time_is_one_instant_on_most_days() -> None:
    assert instants(date(2026, 12, 1), read_time("14:00"), BERLIN) == [utc(1, 13, month=12)]
    assert instants(date(2026, 7, 1), read_time("14:00"), BERLIN) == [utc(1, 12, month=7)]


def test_a_time_that_the_clock_leaves_out_is_none_and_has_times_around_it() -> None:
    for said in ("02:00", "02:30", "02:59", "02:30 later", "02:30+01:00"):
        assert instants(SPRING, read_time(said), BERLIN) == []
    before, after = around_gap(SPRING, time(2, 30), BERLIN)
    assert (before.astimezone(BERLIN).time(), after.astimezone(BERLIN).time()) == (time(1, 59), time(3))
    assert after - before == timedelta(minutes=1)


def test_only_a_time_that_is_left_out_has_a_gap_around_it() -> None:
    for clock in (time(1, 59), time(3), time(12)):
        with pytest.raises(ValueError, match="does show"):
            around_gap(SPRING, clock, BERLIN)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("02:30", [utc(25, 0, 30), utc(25, 1, 30)]),
        ("02:30 earlier", [utc(25, 0, 30)]),
        ("02:30 later", [utc(25, 1, 30)]),
        ("02:30+02:00", [utc(25, 0, 30)]),
        ("02:30+01:00", [utc(25, 1, 30)]),
        ("03:00", [utc(25, 2)]),
        ("01:59 later", [utc(24, 23, 59)]),
    ],
)
def test_a_time_that_comes_twice_is_two_instants_unless_it_says_which(
    said: str, expected: list[datetime]
) -> None:
    assert instants(AUTUMN, read_time(said), BERLIN) == expected


@pytest.mark.parametrize("said", ["14:00Z", "14:00+02:00", "14:00-05:00", "14:00+99:99"])
def test_an_offset_that_the_zone_does_not_have_is_never_shifted_silently(said: str) -> None:
    with pytest.raises(ValueError, match="Europe/Berlin does not have that offset"):
        instants(date(2026, 12, 1), read_time(said), BERLIN)


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("Europe/Berlin", date(2026, 12, 1), utc(30, 23, month=11), 24),
        ("Europe/Berlin", SPRING, utc(27, 23, month=3, year=2027), 23),
        ("Europe/Berlin", AUTUMN, utc(24, 22), 25),
        ("America/Santiago", date(2026, 9, 6), utc(6, 4, month=9), 23),  # begins at 01:00
        ("America/Havana", date(2026, 11, 1), utc(1, 4, month=11), 25),  # has two midnights
        ("Australia/Lord_Howe", date(2026, 10, 4), utc(3, 13, 30), 23.5),
        ("Australia/Lord_Howe", date(2027, 4, 4), utc(3, 13, month=4, year=2027), 24.5),
        ("Asia/Kathmandu", date(2026, 12, 1), utc(30, 18, 15, month=11), 24),
    ],
)
def test_a_date_is_from_midnight_to_midnight(zone: str, day: date, begins: datetime, hours: float) -> None:
    assert day_span(day, ZoneInfo(zone)) == Span(begins, begins + timedelta(hours=hours))


def test_a_date_that_a_zone_skipped_lasts_no_time() -> None:
    start, end = day_span(date(2011, 12, 30), ZoneInfo("Pacific/Apia"))

    assert start == end == datetime(2011, 12, 30, 10, tzinfo=UTC)


def test_what_the_clock_shows_twice_is_there_twice() -> None:
    assert clock_spans(AUTUMN, [(90, 150)], BERLIN) == [
        Span(utc(24, 23, 30), utc(25, 0, 30)),
        Span(utc(25, 1), utc(25, 1, 30)),
    ]


def test_what_the_clock_leaves_out_is_not_there() -> None:
    assert clock_spans(SPRING, [(130, 170)], BERLIN) == []
    assert clock_spans(SPRING, [(90, 200)], BERLIN) == [
        Span(utc(28, 0, 30, 3, 2027), utc(28, 1, 0, 3, 2027)),
        Span(utc(28, 1, 0, 3, 2027), utc(28, 1, 20, 3, 2027)),
    ]
