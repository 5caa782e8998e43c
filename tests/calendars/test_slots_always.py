"""What holds for every offer of free time, in every zone and whenever a clock is changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.calendars import slots
from assistant.calendars.clock import TimeWish
from assistant.calendars.events import Span
from tests.calendars.minute_walk import (
    DAY,
    MINUTE,
    ZONES,
    Change,
    Diary,
    Shown,
    changes,
    runs,
    shown,
    shown_on,
)

HALF_HOUR = timedelta(minutes=30)
AROUND = (0, 1, 29, 30, 31, 59, 60, 61, 90)  # minutes, before and after
ORDINARY = datetime(2026, 6, 16, 12, tzinfo=UTC)  # no clock is changed near it
ROUND_THE_CLOCK = {day: [(0, 1440)] for day in range(7)}
SMALL_HOURS = {day: [(30, 75), (105, 160), (1390, 1440)] for day in range(7)}

# --- every zone, every change of 2026 and 2027 ---------------------------------


def moments() -> dict[Change, list[ZoneInfo]]:
    """Each change of a clock with the zones that make it; an ordinary day is a change by nothing."""
    found: dict[Change, list[ZoneInfo]] = {}
    for zone in map(ZoneInfo, ZONES):
        offset = ORDINARY.astimezone(zone).utcoffset()
        assert offset is not None
        for change in [Change(ORDINARY, offset, offset), *changes(zone, 2026, 2027)]:
            found.setdefault(change, []).append(zone)
    return found


MOMENTS = moments()


def first_date(change: Change) -> date:
    """The date that the clock shows just before it is changed."""
    return (change.at - MINUTE + change.before).date()


@cache
def minutes_around(change: Change) -> list[Shown]:
    """Every minute of that date and the next."""
    return shown_on(first_date(change), 2, MOMENTS[change][0])


def layouts(change: Change) -> list[tuple[Diary, timedelta]]:
    """A few diaries for the days of a change, with the length of an appointment."""
    at, day = change.at, first_date(change)
    long_ago = at - 3 * DAY
    busy = [Span(at - 70 * MINUTE, at - 50 * MINUTE), Span(at + 20 * MINUTE, at + 36 * MINUTE)]
    return [
        (Diary(ROUND_THE_CLOCK, long_ago), 30 * MINUTE),
        (Diary(SMALL_HOURS, long_ago, busy=busy, buffer=5 * MINUTE), 10 * MINUTE),
        (
            Diary(
                ROUND_THE_CLOCK,
                at - 2 * HALF_HOUR,
                dates={day: [(0, 210), (600, 1410)], day + DAY: []},
                yearly={((day + DAY).month, (day + DAY).day): [(0, 1440)]},
                busy=busy[1:],
                notice=25 * MINUTE,
                horizon_days=1,
            ),
            20 * MINUTE,
        ),
    ]


def test_there_are_changes_of_many_kinds() -> None:
    sizes = {(change.after - change.before) // MINUTE for change in MOMENTS}
    missing_midnight = {
        zone.key
        for change, zones in MOMENTS.items()
        if change.after > change.before and (change.at + change.before).time() == time()
        for zone in zones
    }

    assert {-60, -30, 0, 30, 60} <= sizes
    assert {zone.key for zones in MOMENTS.values() for zone in zones} == set(ZONES)
    assert len(ZONES) > 400
    assert {"America/Santiago", "Africa/Cairo"} <= missing_midnight


def test_what_is_offered_around_every_change_is_what_a_walk_through_the_minutes_finds() -> None:
    for change, zones in MOMENTS.items():
        first, offered = first_date(change), 0
        for diary, length in layouts(change):
            expected = diary.free(minutes_around(change), zones[0], first, 2, length)
            offered += len(expected)
            for zone in zones:
                found = slots.free_spans(
                    diary.busy, diary.rules(zone), now=diary.now, first=first, days=2, length=length
                )

                assert found == expected, (zone.key, change)
        assert offered > 5


def test_a_time_of_the_clock_is_never_once_or_twice() -> None:
    for change, zones in MOMENTS.items():
        by_clock: dict[datetime, list[datetime]] = {}
        for minute in minutes_around(change):
            local = datetime.combine(minute.day, time()) + minute.of_day * MINUTE
            by_clock.setdefault(local, []).append(minute.at)
        changed_at = (change.at + change.before).replace(tzinfo=None)
        around = (changed_at + sign * number * MINUTE for number in AROUND for sign in (-1, 1))
        for local in (local for local in around if local.date() >= first_date(change)):
            wish, expected = TimeWish(local.time()), by_clock.get(local, [])
            for zone in zones:
                assert slots.instants(local.date(), wish, zone) == expected, (zone.key, local)
                if not expected:
                    gap = slots.around_gap(local.date(), local.time(), zone)
                    assert gap == (change.at - MINUTE, change.at), (zone.key, local)


def test_a_date_lasts_as_long_as_the_clock_shows_it() -> None:
    for change, zones in MOMENTS.items():
        for day in (first_date(change), first_date(change) + DAY):
            expected = runs(minute.at for minute in minutes_around(change) if minute.day == day)
            for zone in zones:
                assert [slots.day_span(day, zone)] == expected, (zone.key, day)


# --- any diary, any zone -------------------------------------------------------

stretches = st.lists(
    st.tuples(st.integers(0, 1439), st.integers(1, 900)).map(lambda a: (a[0], min(a[0] + a[1], 1440))),
    max_size=3,
)
open_stretches = stretches.filter(bool)


@dataclass(frozen=True)
class Question:
    """A question for free time in a diary."""

    diary: Diary
    zone: ZoneInfo
    first: date
    days: int
    length: timedelta

    def answer(self) -> list[Span]:
        """The program's."""
        diary, rules = self.diary, self.diary.rules(self.zone)
        return slots.free_spans(
            diary.busy, rules, now=diary.now, first=self.first, days=self.days, length=self.length
        )

    def half_hours(self, span: Span) -> list[datetime]:
        """The half hours of the local clock at which an appointment in this span can begin."""
        minutes = shown(span.start, span.end - self.length + MINUTE, self.zone)
        return [minute.at for minute in minutes if minute.of_day % 30 == 0]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Any diary, often on the days of a change."""
    zone, days = ZoneInfo(draw(st.sampled_from(ZONES))), draw(st.integers(1, 3))
    changed = [first_date(change) for change, zones in MOMENTS.items() if zone in zones]
    first = draw(st.one_of(st.sampled_from(changed), st.dates(date(2026, 1, 3), date(2027, 12, 28))))
    noon = datetime.combine(first, time(12), UTC)
    minutes = st.integers(-1440, 1440 * 4).map(lambda number: noon + number * MINUTE)
    lengths = st.integers(0, 400).map(lambda number: number * MINUTE)
    near = st.integers(-1, 3).map(lambda number: first + number * DAY)
    busy = draw(st.lists(st.tuples(minutes, lengths), max_size=8))
    diary = Diary(
        week=draw(st.dictionaries(st.integers(0, 6), open_stretches, min_size=1)),
        dates=draw(st.dictionaries(near, stretches, max_size=2)),
        yearly=draw(st.dictionaries(near.map(lambda day: (day.month, day.day)), stretches, max_size=2)),
        busy=[Span(start, start + long) for start, long in busy],
        buffer=draw(st.sampled_from([0, 5, 30, 120])) * MINUTE,
        now=draw(minutes) - draw(st.sampled_from([0, 1, 40])) * DAY,
        notice=draw(st.sampled_from([0, 2, 48])) * 60 * MINUTE,
        horizon_days=draw(st.sampled_from([1, 3, 60])),
    )
    return Question(diary, zone, first, days, draw(st.sampled_from([5, 30, 45, 240])) * MINUTE)


@given(questions())
@settings(deadline=None, max_examples=60)
def test_offered_is_what_is_free_and_nothing_is_left_out(asked: Question) -> None:
    minutes = shown_on(asked.first, asked.days, asked.zone)

    assert asked.answer() == asked.diary.free(minutes, asked.zone, asked.first, asked.days, asked.length)


@given(questions(), st.sampled_from(["morning", "afternoon", "evening"]))
@settings(deadline=None, max_examples=40)
def test_a_part_of_the_day_is_what_the_clock_shows_of_it(asked: Question, part: slots.Part) -> None:
    first, end = {"morning": (0, 720), "afternoon": (720, 1020), "evening": (1020, 1440)}[part]
    in_part = [
        minute.at
        for span in asked.answer()
        for minute in shown(*span, asked.zone)
        if first <= minute.of_day < end
    ]

    found = slots.part_of(asked.answer(), part, asked.zone, asked.length)

    assert found == [span for span in runs(in_part) if span.end - span.start >= asked.length]


@given(questions())
@settings(deadline=None, max_examples=40)
def test_rounded_spans_are_the_widest_on_half_hours_inside(asked: Question) -> None:
    expected = []
    for start, end in asked.answer():
        on_it = [minute.at for minute in shown(start, end + MINUTE, asked.zone) if minute.of_day % 30 == 0]
        if on_it and on_it[-1] - on_it[0] >= asked.length:
            expected.append(Span(on_it[0], on_it[-1]))

    assert slots.rounded(asked.answer(), asked.zone, length=asked.length) == expected


@given(questions(), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_suggestions_fit_and_are_few_and_as_many_as_there_can_be(asked: Question, most: int) -> None:
    spans = asked.answer()

    found = slots.starts(spans, asked.length, asked.zone, most=most)

    assert len(found) <= most
    assert found == sorted(set(found))
    assert all(any(span.holds(Span(start, start + asked.length)) for span in spans) for start in found)
    assert bool(found) == bool(spans)
    days = {span.start.astimezone(asked.zone).date() for span in spans}
    assert len({start.astimezone(asked.zone).date() for start in found}) >= min(len(found), len(days))
    for span in spans:
        half_hours = asked.half_hours(span)
        inside = {start for start in found if span.start <= start < span.end}
        assert not half_hours or inside <= set(half_hours)


@given(questions(), st.integers(0, 4000))
@settings(deadline=None, max_examples=40)
def test_the_nearest_fit_and_none_is_nearer(asked: Question, minutes: int) -> None:
    spans = asked.answer()
    wished = datetime.combine(asked.first, time(), UTC) + minutes * MINUTE

    found = slots.nearest(spans, asked.length, asked.zone, wished)

    assert found == sorted(set(found))
    assert all(any(span.holds(Span(start, start + asked.length)) for span in spans) for start in found)
    assert bool(found) == bool(spans)
    farthest = max((abs(start - wished) for start in found), default=timedelta())
    for start in (start for span in spans for start in asked.half_hours(span)):
        assert start in found or (len(found) == 3 and abs(start - wished) >= farthest)
