"""Free time, as each caller learns it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.tools.house import House, refused


def spans(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(span["start"][5:].replace("T", " "), span["end"][11:]) for span in answer["spans"]]


def test_whole_spans_and_a_few_starts_in_words_are_offered(house: House):
    house.busy("12-01 10:00", "12:00")

    answer = house.rings().asks("2026-12-01", days=1)

    assert answer["ok"]
    assert (answer["timezone"], answer["duration_minutes"]) == ("Europe/Berlin", 30)
    assert answer["spans"] == [
        {"start": "2026-12-01T09:00", "end": "2026-12-01T10:00", "weekday": "Tuesday"},
        {"start": "2026-12-01T12:00", "end": "2026-12-01T17:00", "weekday": "Tuesday"},
    ]
    assert len(answer["suggestions"]) == 5
    assert answer["suggestions"][0] == {
        "date": "2026-12-01",
        "time": "09:00",
        "weekday": "Tuesday",
        "say": "Tuesday, December 1, at 9:00 AM",
    }
    assert all(each["say"] in answer["say"] for each in answer["suggestions"])


def test_suggestions_are_spread_over_the_days(house: House):
    suggestions = house.rings().asks("2026-12-01", days=7)["suggestions"]

    assert [each["date"][8:] for each in suggestions] == ["01", "02", "03", "04", "07"]


def test_without_a_date_it_is_today_and_a_week_and_the_notice_is_kept(house: House):
    assert spans(house.rings().asks()) == [
        ("11-30 11:00", "17:00"),
        ("12-01 09:00", "17:00"),
        ("12-02 09:00", "17:00"),
        ("12-03 09:00", "17:00"),
        ("12-04 09:00", "17:00"),
    ]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("any", [("12-01 10:00", "19:00")]),
        ("Morning", [("12-01 10:00", "12:00")]),
        (" afternoon ", [("12-01 12:00", "17:00")]),
        ("evening", [("12-01 17:00", "19:00")]),
        ("", [("12-01 10:00", "19:00")]),
        (None, [("12-01 10:00", "19:00")]),
    ],
)
def test_a_part_of_the_day(house: House, part: str | None, expected: list[tuple[str, str]]):
    house.prefer(working_hours="tue 10:00-19:00")

    assert spans(house.rings().asks("2026-12-01", days="1", part_of_day=part)) == expected


def test_only_what_is_long_enough(house: House):
    house.busy("12-01 09:45", "15:30")
    line = house.rings()

    assert spans(line.asks("2026-12-01", days=1)) == [("12-01 09:00", "09:30"), ("12-01 15:30", "17:00")]
    assert spans(line.asks("2026-12-01", days=1, duration_minutes=90)) == [("12-01 15:30", "17:00")]


def test_strangers_learn_half_hours_others_the_minute(house: House):
    house.busy("12-01 10:10", "15:20")

    offered = [
        spans(house.rings(trust, call_sid=trust).asks("2026-12-01", days=1))
        for trust in ("stranger", "known", "owner")
    ]

    assert offered[0] == [("12-01 09:00", "10:00"), ("12-01 15:30", "17:00")]
    assert offered[1] == offered[2] == [("12-01 09:00", "10:10"), ("12-01 15:20", "17:00")]


def test_nobody_is_told_seconds_that_a_clock_does_not_show(house: House):
    house.now = house.now.replace(hour=13, second=37)  # notice ends at 16:00:37

    answer = house.rings("known").asks(days=1)

    assert spans(answer) == [("11-30 16:01", "17:00")]


def test_whole_days_and_what_overlaps_are_taken(house: House):
    house.busy("12-01 00:00", "12-02 00:00", all_day=True)
    house.busy("12-02 09:00", "12:00")
    house.busy("12-02 11:00", "16:00")

    assert spans(house.rings().asks("2026-12-01", days=2)) == [("12-02 16:00", "17:00")]


def test_a_day_without_time_names_later_ones(house: House):
    house.busy("12-01 00:00", "12-04 00:00")
    line = house.rings()

    answer = line.asks("2026-12-01", days=2)

    assert answer["ok"]
    assert (answer["spans"], answer["suggestions"]) == ([], [])
    assert answer["later"][0]["date"] == "2026-12-04"
    assert answer["later"][0]["say"] in answer["say"]
    assert line.wants("12-04 09:00")["ok"]


def test_no_time_at_all_is_said(house: House):
    house.busy("11-30 00:00", "2027-03-01 00:00")

    answer = house.rings().asks()

    assert (answer["ok"], answer["spans"], answer.get("later")) == (True, [], None)
    assert "message" in answer["say"]


# --- how much strangers may ask ----------------------------------------------------


def test_a_strangers_fourth_question_is_too_many(house: House):
    line = house.rings()

    assert [line.asks()["ok"] for _ in range(3)] == [True] * 3
    result = line.run("find_free_times")

    assert (refused(result.output), result.refused) == ("too_many", True)
    assert line.wants("12-01 14:00")["ok"]


def test_questions_that_were_not_understood_are_not_counted(house: House):
    line = house.rings()

    refusals = [line.asks(date) for date in ("tomorrow", "2026-11-01", "2027-12-01", "tuesday")]

    assert [refused(each) for each in refusals] == ["bad_time", "past", "too_far", "bad_time"]
    assert [line.asks()["ok"] for _ in range(3)] == [True] * 3


def test_three_are_three_also_when_they_come_all_at_once(house: House):
    line = house.rings()

    with ThreadPoolExecutor(10) as models:
        answers = list(models.map(lambda _: line.asks(), range(10)))

    assert [answer["ok"] for answer in answers].count(True) <= 3


@pytest.mark.parametrize("trust", ["known", "owner"])
def test_others_may_ask_as_often_as_they_like(house: House, trust: Any):
    line = house.rings(trust)

    assert all(line.asks(days=31)["ok"] for _ in range(6))


def test_another_call_asks_anew(house: House):
    first, second = house.rings(), house.rings(call_sid="CA2")
    for _ in range(4):
        first.asks()

    assert second.asks()["ok"]


def test_strangers_ask_for_fourteen_days_at_most(house: House):
    line = house.rings()

    assert line.asks(days=14)["ok"]
    result = line.run("find_free_times", days=15)

    assert (refused(result.output), result.refused) == ("bad_arguments", True)


def test_nothing_beyond_the_horizon_is_offered(house: House):
    house.prefer(horizon_days=2)

    assert [start[:5] for start, _ in spans(house.rings().asks(days=14))] == ["11-30", "12-01", "12-02"]
