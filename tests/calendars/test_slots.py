"""Which times are offered. Unless they say otherwise, they are of Berlin, on Monday, November 23, 2026."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from assistant.calendars import slots
from assistant.calendars.events import Event, Span
from assistant.calendars.slots import Rules
from assistant.store import working_hours
from assistant.store.preferences import Preferences

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 23)
TUESDAY = date(2026, 11, 24)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HALF_AN_HOUR = 30 * MINUTE


def at(clock: str, day: date = MONDAY, zone: ZoneInfo = BERLIN) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


def span(start: str, end: str, day: date = MONDAY, zone: ZoneInfo = BERLIN) -> Span:
    return Span(at(start, day, zone), at(end, day, zone))


EARLY = at("06:00")


def rules(
    hours: str = "mon-fri 09:00-17:00",
    zone: ZoneInfo = BERLIN,
    buffer: int = 0,
    notice: int = 0,
    horizon: int = 30,
) -> Rules:
    return Rules(working_hours.read(hours), zone, buffer * MINUTE, notice * HOUR, horizon)


def free(
    *busy: Span,
    by: Rules | None = None,
    now: datetime = EARLY,
    days: int = 1,
    first: date = MONDAY,
    minutes: int = 30,
) -> list[Span]:
    return slots.free_spans(busy, by or rules(), now=now, first=first, days=days, length=minutes * MINUTE)


def clocks(found: list[datetime], zone: ZoneInfo = BERLIN) -> list[str]:
    return [f"{start.astimezone(zone):%a %H:%M}" for start in found]


# --- what is free --------------------------------------------------------------


def test_an_empty_day_is_free_in_working_hours() -> None:
    assert free() == [span("09:00", "17:00")]
    assert free(first=date(2026, 11, 28)) == []  # a Saturday
    assert free(days=7) == [span("09:00", "17:00", MONDAY + timedelta(days=n)) for n in range(5)]


def test_an_appointment_may_begin_when_another_ends() -> None:
    assert free(span("10:00", "11:00"), span("11:00", "16:30")) == [
        span("09:00", "10:00"),
        span("16:30", "17:00"),
    ]


def test_what_is_too_short_is_not_offered() -> None:
    assert free(span("09:29", "16:31")) == []
    assert free(span("09:30", "16:31")) == [span("09:00", "09:30")]


def test_busy_times_may_overlap_and_come_in_any_order() -> None:
    mixed = [span("15:00", "18:00"), span("08:00", "09:30"), span("12:00", "14:00"), span("13:00", "13:30")]

    assert free(*mixed) == [span("09:30", "12:00"), span("14:00", "15:00")]


def test_something_busy_over_several_days_takes_them_all() -> None:
    away = Span(at("16:00"), at("10:00", date(2026, 11, 26)))

    assert free(away, days=4) == [span("09:00", "16:00"), span("10:00", "17:00", date(2026, 11, 26))]


def test_a_buffer_is_kept_on_both_sides_but_not_at_the_ends_of_working_hours() -> None:
    assert free(span("12:00", "13:00"), by=rules(buffer=15)) == [
        span("09:00", "11:45"),
        span("13:15", "17:00"),
    ]


def test_a_buffer_counts_for_what_lies_outside_working_hours() -> None:
    assert free(span("08:00", "08:50"), span("17:05", "18:00"), by=rules(buffer=30)) == [
        span("09:20", "16:35")
    ]


def test_what_lasts_no_time_takes_none() -> None:
    assert free(span("12:00", "12:00"), by=rules(buffer=15)) == [span("09:00", "17:00")]


def test_notice_is_from_now_on_and_may_reach_into_the_next_day() -> None:
    assert free(by=rules(notice=2), now=at("10:10")) == [span("12:10", "17:00")]
    assert free(by=rules(notice=24), now=at("10:10"), days=2) == [span("10:10", "17:00", TUESDAY)]


def test_notice_is_counted_in_real_hours() -> None:
    now = datetime(2026, 10, 25, 1, 30, tzinfo=BERLIN)  # the night in which 02:00 comes twice

    (found,) = free(by=rules("sun 00:00-24:00", notice=3), now=now, first=now.date())

    assert found.start == datetime(2026, 10, 25, 2, 30, tzinfo=UTC)


def test_the_last_bookable_date_is_counted_by_the_local_calendar() -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # half past midnight on Monday in Berlin
    found = free(by=rules(horizon=2), now=late, days=31)

    assert [each.start.astimezone(BERLIN).day for each in found] == [23, 24, 25]
    assert free(by=rules(horizon=2), now=late, first=date(2026, 11, 26), days=31) == []


def test_dates_that_are_over_have_no_time() -> None:
    assert free(now=at("12:00"), first=date(2026, 10, 1), days=31) == []
    assert free(now=at("12:00"), first=date(2026, 11, 1), days=23) == [span("12:00", "17:00")]
    assert free(days=0) == []
    assert free(days=-1) == []


def test_hours_until_midnight_and_from_midnight_are_one_stretch() -> None:
    nightly = rules("mon 20:00-24:00, tue 00:00-03:00")

    assert free(by=nightly, days=2, minutes=240) == [Span(at("20:00"), at("03:00", TUESDAY))]


def test_a_holiday_has_its_own_hours() -> None:
    by = rules(
        "mon-fri 09:00-17:00, 2026-11-24 closed, 2026-11-25 13:00-14:00, 11-28 10:00-11:00, 11-24 00:00-24:00"
    )

    assert free(by=by, days=6) == [
        span("09:00", "17:00"),
        span("13:00", "14:00", date(2026, 11, 25)),
        span("09:00", "17:00", date(2026, 11, 26)),
        span("09:00", "17:00", date(2026, 11, 27)),
        span("10:00", "11:00", date(2026, 11, 28)),
    ]


def test_an_hour_that_the_clock_skips_is_not_offered() -> None:
    (found,) = free(by=rules("sun 01:00-04:00", horizon=365), first=date(2027, 3, 28))

    assert found.end - found.start == 2 * HOUR


def test_an_hour_that_comes_twice_is_offered_twice() -> None:
    (found,) = free(
        by=rules("sun 01:00-04:00"), first=date(2026, 10, 25), now=at("12:00", date(2026, 10, 20))
    )

    assert found.end - found.start == 4 * HOUR


def test_a_day_without_a_midnight_is_open_from_its_first_minute() -> None:
    santiago = ZoneInfo("America/Santiago")
    by = rules("sun 00:00-02:00", santiago)

    (found,) = free(by=by, first=date(2026, 9, 6), now=datetime(2026, 9, 1, tzinfo=UTC))

    assert found == Span(datetime(2026, 9, 6, 4, tzinfo=UTC), datetime(2026, 9, 6, 5, tzinfo=UTC))


def test_rules_are_made_of_the_preferences() -> None:
    preferences = Preferences(
        timezone="Europe/Berlin",
        working_hours="sat 10:00-12:00",
        buffer_minutes=15,
        notice_hours=3,
        horizon_days=7,
    )

    assert Rules.of(preferences) == rules("sat 10:00-12:00", buffer=15, notice=3, horizon=7)


# --- what is busy ----------------------------------------------------------------


def test_only_events_that_take_up_time_are_busy() -> None:
    whole_day = slots.day_span(MONDAY, BERLIN)
    events = [
        Event("holiday", whole_day, "Shown as free", all_day=True, busy=False),
        Event("reminder", span("12:00", "12:00"), "Lasts no time"),
        Event("later", span("11:00", "12:00"), "Touches the other"),
        Event("first", span("10:00", "11:00"), "Tentative", status="tentative"),
    ]

    assert slots.busy_of(events) == [span("10:00", "12:00")]
    assert free(*slots.busy_of([Event("away", whole_day, "Away", all_day=True)])) == []


def test_a_whole_day_of_another_zone_is_busy_when_it_is_there() -> None:
    tokyo = slots.day_span(TUESDAY, ZoneInfo("Asia/Tokyo"))  # 16:00 to 16:00 in Berlin

    assert free(tokyo, days=2) == [span("09:00", "16:00"), span("16:00", "17:00", TUESDAY)]


# --- what of it is offered -------------------------------------------------------


def test_rounding_hides_when_appointments_begin_and_end() -> None:
    spans = [span("09:00", "10:10"), span("10:40", "11:20"), span("11:50", "13:00")]

    found = slots.rounded(spans, BERLIN, length=HALF_AN_HOUR)

    assert found == [span("09:00", "10:00"), span("12:00", "13:00")]


def test_rounding_goes_by_the_local_clock() -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")  # 5:45 from UTC

    (found,) = slots.rounded([span("09:10", "11:10", zone=kathmandu)], kathmandu, length=HALF_AN_HOUR)

    assert found == span("09:30", "11:00", zone=kathmandu)


def test_rounding_holds_where_a_change_shifts_the_grid() -> None:
    lord_howe = ZoneInfo("Australia/Lord_Howe")  # on October 4, 2026, 02:00 becomes 02:30
    day = date(2026, 10, 4)

    later = slots.rounded([span("01:50", "05:10", day, lord_howe)], lord_howe, length=MINUTE, step=HOUR)
    earlier = slots.rounded([span("00:10", "02:40", day, lord_howe)], lord_howe, length=MINUTE, step=HOUR)

    assert later == [span("03:00", "05:00", day, lord_howe)]
    assert earlier == []


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("any", [span("09:00", "19:00")]),
        ("morning", [span("09:00", "12:00")]),
        ("afternoon", [span("12:00", "17:00")]),
        ("evening", [span("17:00", "19:00")]),
    ],
)
def test_a_part_of_the_day(part: slots.Part, expected: list[Span]) -> None:
    assert slots.part_of([span("09:00", "19:00")], part, BERLIN, HALF_AN_HOUR) == expected


def test_a_part_of_the_day_that_is_too_short_is_none() -> None:
    assert slots.part_of([span("11:31", "14:00")], "morning", BERLIN, HALF_AN_HOUR) == []


def test_suggestions_are_spread_over_the_days_first() -> None:
    week = free(days=7)

    assert clocks(slots.starts(week, HOUR, BERLIN)) == [
        "Mon 09:00",
        "Tue 09:00",
        "Wed 09:00",
        "Thu 09:00",
        "Fri 09:00",
    ]
    assert clocks(slots.starts(week[:2], HOUR, BERLIN)) == [
        "Mon 09:00", "Mon 11:30", "Mon 14:00", "Tue 09:00", "Tue 12:30",
    ]  # fmt: skip


def test_suggestions_on_one_day_are_spread_over_it() -> None:
    assert clocks(slots.starts([span("09:00", "17:00")], HOUR, BERLIN)) == [
        "Mon 09:00", "Mon 10:30", "Mon 12:00", "Mon 13:30", "Mon 15:00",
    ]  # fmt: skip


def test_a_suggestion_is_easy_to_say_where_that_fits() -> None:
    def one(start: datetime, end: datetime) -> list[datetime]:
        return slots.starts([Span(start, end)], HALF_AN_HOUR, BERLIN)

    assert clocks(one(at("09:10"), at("10:05"))) == ["Mon 09:30"]
    assert clocks(one(at("09:10"), at("09:50"))) == ["Mon 09:15"]
    assert clocks(one(at("09:20"), at("09:52"))) == ["Mon 09:20"]
    assert clocks(one(at("09:20") + timedelta(seconds=1), at("09:52"))) == ["Mon 09:21"]
    assert (
        one(at("09:20") + timedelta(seconds=1), at("09:50") + timedelta(seconds=1)) == []
    )  # at no whole minute


def test_there_are_never_more_suggestions_than_times() -> None:
    assert clocks(slots.starts([span("09:00", "10:00")], HALF_AN_HOUR, BERLIN)) == ["Mon 09:00", "Mon 09:30"]
    assert slots.starts([], HALF_AN_HOUR, BERLIN) == []


def test_a_day_with_few_times_leaves_its_share_to_the_others() -> None:
    spans = [span("09:00", "09:30"), span("09:00", "17:00", TUESDAY)]

    assert clocks(slots.starts(spans, HALF_AN_HOUR, BERLIN)) == [
        "Mon 09:00", "Tue 09:00", "Tue 11:00", "Tue 13:00", "Tue 15:00",
    ]  # fmt: skip


def test_the_nearest_times_to_the_one_wished_for() -> None:
    spans = free(span("13:00", "15:00"), days=2)

    assert clocks(slots.nearest(spans, HALF_AN_HOUR, BERLIN, at("14:00"))) == [
        "Mon 12:30", "Mon 15:00", "Mon 15:30",
    ]  # fmt: skip
    assert clocks(slots.nearest(spans, HALF_AN_HOUR, BERLIN, at("23:00", TUESDAY), most=1)) == ["Tue 16:30"]
    assert slots.nearest([], HALF_AN_HOUR, BERLIN, at("14:00")) == []
