"""A wished time that cannot be: each refusal, with what may help, and the order in which they are given."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.tools.house import House, Line, refused

TUESDAY = "2026-12-01"


@pytest.fixture
def line(house: House) -> Line:
    return house.rings("known")


def add(line: Line, **wish: Any) -> dict[str, Any]:
    return line.use("add_event", **{"date": TUESDAY, "time": "14:00", **wish})


# --- what cannot be read -----------------------------------------------------------


@pytest.mark.parametrize(
    "wish",
    [
        {"time": "2pm"}, {"time": "24:00"}, {"time": "14"}, {"time": "14:60"}, {"time": 14},
        {"time": ["14:00"]}, {"time": "noon"}, {"time": "14:00 sharp"}, {"time": "14:00:00"},
        {"date": "tomorrow"}, {"date": "2026-13-01"}, {"date": "2026-02-30"}, {"date": "01.12.2026"},
        {"date": "2026-12-01T14:00"}, {"date": "20261201"}, {"date": 20261201}, {"date": {"day": 1}},
        {"date": "0001-01-01"}, {"date": "9999-12-31"}, {"date": "2026-W49-2"},
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_read_is_not_guessed(line: Line, wish: dict[str, Any]):
    answer = add(line, **wish)

    assert refused(answer) == "bad_time"
    assert answer["expected"] == "YYYY-MM-DD, HH:MM (24 hours)"
    assert answer["today"] == "2026-11-30 (Monday)"


@pytest.mark.parametrize("time", ["14:00Z", "14:00+02:00", "14:00-05:00", "14:00 +00:00"])
def test_an_offset_that_is_not_the_zones_is_never_shifted_silently(line: Line, time: str):
    assert refused(add(line, time=time)) == "bad_time"


@pytest.mark.parametrize("time", ["14:00", "14:00+01:00", " 14:00 ", "14:00 earlier", "14:00 later"])
def test_the_owners_own_time_is_understood(line: Line, time: str):
    assert add(line, time=time)["booked"]["start"] == "2026-12-01T14:00"


@pytest.mark.parametrize(
    "minutes", [0, 4, 241, -30, 29.5, "half an hour", "1e9", "nan", "inf", True, False, [30], {"minutes": 30}]
)
def test_a_duration_is_five_minutes_to_four_hours(line: Line, minutes: object):
    for tool in ("add_event", "find_free_times"):
        answer = line.use(tool, date=TUESDAY, duration_minutes=minutes, **_time_for(tool))

        assert refused(answer) == "bad_duration"
        assert answer["allowed"] == "5 to 240 minutes"


def _time_for(tool: str) -> dict[str, str]:
    return {"time": "14:00"} if tool == "add_event" else {}


@pytest.mark.parametrize(
    ("minutes", "end"), [(5, "14:05"), ("45", "14:45"), (180.0, "17:00"), (None, "14:30")]
)
def test_a_duration_may_be_text_or_left_out(line: Line, minutes: object, end: str):
    assert add(line, duration_minutes=minutes)["booked"]["end"] == f"2026-12-01T{end}"


def test_the_longest_appointment_is_four_hours(line: Line):
    assert add(line, time="10:00", duration_minutes=240)["booked"]["end"] == "2026-12-01T14:00"


@pytest.mark.parametrize(
    ("tool", "wish"),
    [
        ("add_event", {"time": "14:00"}),
        ("add_event", {"date": TUESDAY, "time": ""}),
        ("add_event", {"date": TUESDAY, "time": "14:00", "title": ["x"]}),
        ("add_event", {"date": TUESDAY, "time": "14:00", "calendar": "private"}),
        ("find_free_times", {"days": 0}),
        ("find_free_times", {"days": 32}),
        ("find_free_times", {"days": "a week"}),
        ("find_free_times", {"part_of_day": "teatime"}),
        ("find_free_times", {"weekday": {"name": "Tuesday"}}),
    ],
)
def test_any_other_wrong_argument_is_a_bad_argument(line: Line, tool: str, wish: dict[str, Any]):
    result = line.run(tool, **wish)

    assert (refused(result.output), result.refused) == ("bad_arguments", True)


# --- what cannot be meant ----------------------------------------------------------


def test_a_weekday_that_is_not_the_dates_is_asked_about(line: Line):
    answer = add(line, date="2026-12-09", weekday="Tuesday")

    assert refused(answer) == "weekday_mismatch"
    assert answer["dates"] == {"Wednesday": "2026-12-09", "Tuesday": "2026-12-08"}


def test_of_two_dates_none_is_over(line: Line):
    answer = line.asks("2026-12-01", weekday="Sunday")

    assert answer["dates"] == {"Tuesday": "2026-12-01", "Sunday": "2026-12-06"}


@pytest.mark.parametrize("weekday", ["Tuesday", "tuesday", "Tue", "TUES", "", "Dienstag"])
def test_the_right_weekday_and_one_nobody_knows_are_no_obstacle(line: Line, weekday: str):
    assert add(line, weekday=weekday)["ok"]


@pytest.mark.parametrize(
    ("date", "time"), [("2026-11-29", "14:00"), ("2026-11-30", "08:59"), ("1926-12-01", "14:00")]
)
def test_what_is_over_is_past(line: Line, date: str, time: str):
    answer = add(line, date=date, time=time)

    assert refused(answer) == "past"
    assert answer["now"] == "2026-11-30T09:00"
    assert answer["earliest"] == "2026-11-30T11:00"
    assert "Monday, November 30, at 11:00" in answer["message"]


def test_what_comes_before_the_notice_is_past_too(house: House, line: Line):
    assert refused(add(line, date="2026-11-30", time="10:59")) == "past"
    assert add(line, date="2026-11-30", time="11:00")["ok"]

    house.prefer(notice_hours=168)
    answer = add(line, date="2026-12-07", time="08:59")

    assert (refused(answer), answer["earliest"]) == ("past", "2026-12-07T09:00")


def test_the_earliest_time_that_is_told_can_be_had(house: House, tmp_path: Path):
    house.now = house.now.replace(minute=10, second=37)
    stranger, known = house.rings(), house.rings("known", call_sid="CA2")

    told = [add(line, date="2026-11-30", time="11:10")["earliest"] for line in (stranger, known)]

    assert told == ["2026-11-30T11:30", "2026-11-30T11:11"]
    assert add(known, date="2026-11-30", time="11:11", duration_minutes=15)["ok"]
    assert add(stranger, date="2026-11-30", time="11:30")["ok"]


def test_what_is_beyond_the_horizon_is_too_far(house: House, line: Line):
    house.prefer(horizon_days=3)

    answer = add(line, date="2026-12-04")

    assert refused(answer) == "too_far"
    assert answer["last_date"] == "2026-12-03"
    assert add(line, date="2026-12-03")["ok"]
    assert refused(line.asks("2026-12-04")) == "too_far"


# --- when the clock is changed -----------------------------------------------------


def changing(tmp_path: Path, zone: str, now: str) -> House:
    house = House(tmp_path / "afterbeep.db", zone=zone, now=datetime.fromisoformat(now).replace(tzinfo=UTC))
    house.prefer(working_hours="mon-sun 00:00-24:00", notice_hours=0)
    return house


@pytest.mark.parametrize(
    ("zone", "now", "date", "time", "around"),
    [
        ("Europe/Berlin", "2027-03-27", "2027-03-28", "02:30", ["1:59 AM", "3:00 AM"]),
        ("Australia/Lord_Howe", "2026-10-03", "2026-10-04", "02:15", ["1:59 AM", "2:30 AM"]),
        ("America/Santiago", "2026-09-05", "2026-09-06", "00:30", ["11:59 PM", "1:00 AM"]),
    ],
)  # fmt: skip
def test_a_time_that_the_clock_leaves_out_does_not_exist(
    tmp_path: Path, zone: str, now: str, date: str, time: str, around: list[str]
):
    line = changing(tmp_path, zone, now).rings("known")

    answer = add(line, date=date, time=time)

    assert refused(answer) == "nonexistent_time"
    assert [at["say"].split(", at ")[1] for at in answer["around"]] == around
    assert add(line, date=date, time="03:00")["booked"]["start"] == f"{date}T03:00"


@pytest.mark.parametrize(
    ("zone", "now", "date", "time", "offsets"),
    [
        ("Europe/Berlin", "2026-10-24", "2026-10-25", "02:30", ["+0200", "+0100"]),
        ("Australia/Lord_Howe", "2027-04-03", "2027-04-04", "01:45", ["+1100", "+1030"]),
        ("America/Santiago", "2027-04-02", "2027-04-03", "23:30", ["-0300", "-0400"]),
    ],
)
def test_a_time_that_comes_twice_is_asked_about(
    tmp_path: Path, zone: str, now: str, date: str, time: str, offsets: list[str]
):
    house = changing(tmp_path, zone, now)
    line = house.rings("known")

    answer = add(line, date=date, time=time)

    assert refused(answer) == "ambiguous_time"
    assert answer["readings"] == {
        "earlier": f"{date}T{time}{offsets[0]}",
        "later": f"{date}T{time}{offsets[1]}",
    }
    assert add(line, date=date, time=f"{time} later", duration_minutes=15)["ok"]
    assert add(line, date=date, time=f"{time} earlier", duration_minutes=15)["ok"]
    starts = [entry.start for entry in house.events()]
    assert starts == [house.at(f"{date} {time}"), house.at(f"{date} {time}", later=True)]


def test_an_offset_says_which_of_two(tmp_path: Path):
    house = changing(tmp_path, "Europe/Berlin", "2026-10-24")

    assert add(house.rings("known"), date="2026-10-25", time="02:30+01:00")["ok"]
    assert [entry.start for entry in house.events()] == [datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]


def test_of_two_that_one_may_be_past(tmp_path: Path):
    house = changing(tmp_path, "Europe/Berlin", "2026-10-25T00:40")  # 02:40, for the first time
    line = house.rings("known")

    told = [add(line, date="2026-10-25", time=f"02:30{which}") for which in ("+02:00", " earlier", "")]

    assert [refused(each) for each in told] == ["past", "past", "ambiguous_time"]
    assert add(line, date="2026-10-25", time="02:30+01:00")["ok"]


def test_a_suggestion_in_the_hour_that_comes_twice_says_which_and_can_be_had(tmp_path: Path):
    house = changing(tmp_path, "Europe/Berlin", "2026-10-24")
    house.prefer(working_hours="sun 02:00-03:00")
    line = house.rings("known")

    suggestions = line.asks("2026-10-25", days=1)["suggestions"]

    assert [each["time"] for each in suggestions] == [
        "02:00 earlier", "02:30 earlier", "02:00 later", "02:30 later",
    ]  # fmt: skip
    assert all(add(line, date=each["date"], time=each["time"])["ok"] for each in suggestions)


def test_an_appointment_over_the_change_lasts_as_long_as_it_was_wished(tmp_path: Path):
    house = changing(tmp_path, "Europe/Berlin", "2026-10-24")

    booked = add(house.rings("known"), date="2026-10-25", time="01:30", duration_minutes=120)["booked"]

    assert (booked["start"], booked["end"]) == ("2026-10-25T01:30", "2026-10-25T02:30")
    assert house.events()[0].end - house.events()[0].start == house.at("10-25 03:30") - house.at(
        "10-25 02:30"
    )


# --- hours, and what is taken ------------------------------------------------------


def test_outside_the_working_hours_is_told_with_that_days_hours(house: House, line: Line):
    house.prefer(
        working_hours="mon-fri 09:00-12:00, mon-fri 13:00-17:00, 2026-12-24 09:00-12:00, 12-25 closed"
    )

    at_noon = add(line, time="12:00")
    too_long = add(line, time="11:45")
    holiday = add(line, date="2026-12-24", time="14:00")
    closed = add(line, date="2026-12-25")

    assert [refused(each) for each in (at_noon, too_long, holiday, closed)] == ["outside_hours"] * 4
    assert at_noon["hours"] == too_long["hours"] == ["09:00-12:00", "13:00-17:00"]
    assert holiday["hours"] == ["09:00-12:00"]
    assert closed["hours"] == []


def test_a_stranger_learns_the_hours_in_half_hours(house: House):
    house.prefer(working_hours="mon-fri 09:15-12:50")

    answer = add(house.rings(), time="09:15")

    assert (refused(answer), answer["hours"]) == ("outside_hours", ["09:30-12:30"])


def test_hours_may_go_on_past_midnight(house: House, line: Line):
    house.prefer(working_hours="tue 20:00-24:00, wed 00:00-02:00")

    assert add(line, time="23:45")["booked"]["end"] == "2026-12-02T00:15"
    assert add(line, date="2026-12-02", time="00:15")["ok"]
    assert refused(add(line, date="2026-12-02", time="01:45")) == "outside_hours"


def test_what_is_taken_is_told_with_free_times_near_it(house: House, line: Line):
    house.busy("12-01 14:00", "15:00")

    answer = add(line, time="14:30")

    assert refused(answer) == "taken"
    assert [each["time"] for each in answer["free"]] == ["13:30", "15:00", "15:30"]
    assert all(add(line, date=each["date"], time=each["time"])["ok"] for each in answer["free"])


def test_the_buffer_is_in_the_way_too(house: House, line: Line):
    house.busy("12-01 14:00", "15:00")
    house.prefer(buffer_minutes=15)

    assert refused(add(line, time="15:10")) == "taken"
    assert refused(add(line, time="13:20")) == "taken"
    assert add(line, time="15:15")["ok"]
    assert add(line, time="13:15")["ok"]


# --- the first of several ----------------------------------------------------------


def test_a_wish_with_several_faults_is_told_the_first(house: House, line: Line):
    house.prefer(working_hours="mon-fri 09:00-17:00", horizon_days=5)
    house.busy("12-02 00:00", "23:59")
    unreadable: dict[str, Any] = {"time": "14:00+09:00"}
    too_long = {"duration_minutes": 500}
    wrong_day = {"weekday": "Friday"}
    past, far = {"date": "2026-11-25"}, {"date": "2027-03-28"}
    nonexistent, outside = {"date": "2027-03-28", "time": "02:30"}, {"date": "2026-12-02", "time": "20:00"}

    told = [
        add(line, **faults)
        for faults in (
            {**unreadable, "title": ["x"], **past},
            {**past, **too_long, **wrong_day, **unreadable},
            {**past, **too_long, **wrong_day},
            {**past, **wrong_day},
            {**past, "time": "20:00"},
            {**far, "time": "20:00"},
            nonexistent,
            outside,
            {"date": "2026-12-02"},
        )
    ]

    assert [refused(each) for each in told] == [
        "bad_arguments", "bad_time", "bad_duration", "weekday_mismatch", "past", "too_far", "too_far",
        "outside_hours", "taken",
    ]  # fmt: skip


def test_the_clock_comes_before_the_hours(house: House, line: Line):
    house.prefer(horizon_days=365)

    assert refused(add(line, date="2027-03-28", time="02:30")) == "nonexistent_time"
    assert refused(add(line, date="2027-10-31", time="02:30")) == "ambiguous_time"
    assert refused(add(line, date="2027-10-31", time="02:30 later")) == "outside_hours"


def test_a_question_for_free_times_is_checked_in_the_same_order(house: House, line: Line):
    past = {"date": "2026-11-25"}

    told = [
        line.use("find_free_times", **faults)
        for faults in (
            {**past, "days": 99, "duration_minutes": 1},
            {**past, "duration_minutes": 1, "weekday": "Friday"},
            {**past, "weekday": "Friday"},
            past,
            {"date": "2027-11-30"},
        )
    ]

    assert [refused(each) for each in told] == [
        "bad_arguments", "bad_duration", "weekday_mismatch", "past", "too_far",
    ]  # fmt: skip


# --- the owner ---------------------------------------------------------------------


def test_the_owner_is_held_by_neither_hours_nor_horizon_nor_notice(house: House):
    house.prefer(horizon_days=1, notice_hours=48)
    house.busy("12-01 14:00", "15:00")
    owner = house.rings("owner")

    assert add(owner, time="03:00")["status"] == "confirmed"
    assert add(owner, time="14:15")["status"] == "confirmed"
    assert add(owner, date="2027-11-15", time="22:00")["status"] == "confirmed"
    assert add(owner, date="2026-11-30", time="09:05")["status"] == "confirmed"
    assert refused(add(owner, date="2026-11-30", time="08:55")) == "past"
    assert refused(add(owner, date="2027-12-02")) == "too_far"
    assert refused(add(owner, date="2027-03-28", time="02:30")) == "nonexistent_time"
