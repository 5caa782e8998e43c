"""What is offered can be had, and nothing else: for any diary, any rules, in any zone, whatever is wished."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.calendars.events import Span
from assistant.store import events, preferences
from assistant.store.events import Entry
from assistant.trust import Trust
from tests.calendars.minute_walk import runs, shown_on
from tests.tools.house import House, Line

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ZONES = [
    "Europe/Berlin",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/New_York",
    "UTC",
]
# The day before a clock is changed in one of those zones, at a year's end, and an ordinary one.
EVES = [
    (2026, 9, 5),
    (2026, 10, 3),
    (2026, 10, 24),
    (2026, 11, 1),
    (2026, 12, 30),
    (2027, 3, 27),
    (2027, 4, 3),
]
MORNINGS = [datetime(*day, hour, 10, tzinfo=UTC) for day in [(2026, 11, 30), *EVES] for hour in (0, 8, 15)]
HOURS = [
    "mon-sun 00:00-24:00",
    "mon-sun 06:00-20:00",
    "mon-fri 09:15-12:50, mon-fri 13:10-17:05, sat 23:00-24:00, sun 00:00-03:20",
    "mon-sun 00:20-04:10, mon-sun 22:00-24:00",
]
# Minutes after the notice ends; scattered, for what is drawn is small more often than not.
WISHED = st.integers(0, 2250).map(lambda number: number * 977 % 2251 - 90)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("offer") / "afterbeep.db")


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    now = draw(st.sampled_from(MORNINGS)) + draw(st.integers(0, 3600)) * timedelta(seconds=1)
    minutes = st.integers(-60, 60 * 72)
    return {
        "now": now,
        "preferences": {
            "timezone": draw(st.sampled_from(ZONES)),
            "working_hours": draw(st.sampled_from(HOURS)),
            "buffer_minutes": draw(st.sampled_from([0, 5, 30])),
            "notice_hours": draw(st.sampled_from([0, 2, 30])),
            "horizon_days": draw(st.sampled_from([2, 3, 30])),
        },
        "busy": [
            Span(now + start * MINUTE, now + (start + long) * MINUTE)
            for start, long in draw(st.lists(st.tuples(minutes, st.integers(1, 500)), max_size=6))
        ],
    }


def arrange(house: House, world: dict[str, Any]) -> None:
    """The house is as the world says, and nothing is booked."""

    def write(db: Any) -> None:
        for table in ("events", "bookings", "calls", "messages", "preferences"):
            db.execute(f"DELETE FROM {table}")
        for name, value in world["preferences"].items():
            preferences.set(db, name, str(value))
        for number, span in enumerate(world["busy"]):
            events.add(db, Entry(f"busy{number}", *span, timezone="UTC", title="Busy"))

    house.now = world["now"]
    house.store.write(write)


def earliest(world: dict[str, Any]) -> datetime:
    """The full minute in which the notice ends."""
    at: datetime = world["now"] + timedelta(hours=world["preferences"]["notice_hours"])
    return at.replace(second=0, microsecond=0)


def free_to(house: House, world: dict[str, Any], trust: Trust) -> list[Span]:
    """Every minute in which this caller may have an appointment; by a walk through the minutes."""
    rules = house.diary.rules(trust)[1]
    today = house.now.astimezone(rules.zone).date()
    buffer = rules.buffer
    taken = {
        (start - buffer).replace(second=0) + number * MINUTE
        for start, end in world["busy"]
        if start < end
        for number in range(int((end - start + 2 * buffer) / MINUTE) + (start.second > 0))
    }
    free = [
        minute.at
        for minute in shown_on(today, min(4, rules.horizon_days + 1), rules.zone)
        if minute.at >= house.now + rules.notice
        and minute.at not in taken
        and any(start <= minute.of_day < end for start, end in rules.hours.of(minute.day))
    ]
    return runs(free) if trust != "stranger" else runs(_whole_half_hours(free, rules.zone))


def _whole_half_hours(minutes: list[datetime], zone: ZoneInfo) -> list[datetime]:
    """Those of the minutes whose half hour, by the clock on the wall, is free as a whole."""
    there = set(minutes)

    def half_hour(at: datetime) -> list[datetime]:
        first = at - at.astimezone(zone).minute % 30 * MINUTE
        return [first + number * MINUTE for number in range(30)]

    return [at for at in minutes if all(other in there for other in half_hour(at))]


def wish(line: Line, start: datetime, zone: ZoneInfo, minutes: int) -> dict[str, Any]:
    """Ask for this instant, as a model does: which of two is only said when it is asked for."""
    local = start.astimezone(zone)
    given = {"date": f"{local:%Y-%m-%d}", "duration_minutes": minutes}
    answer = line.use("add_event", time=f"{local:%H:%M}", **given)
    if answer.get("error") == "ambiguous_time":
        which = "later" if local.fold else "earlier"
        answer = line.use("add_event", time=f"{local:%H:%M} {which}", **given)
    return answer


common = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@common
@given(
    world=worlds(),
    trust=st.sampled_from(["stranger", "known"]),
    minutes=st.sampled_from([30, 45, 120, 240]),
    days=st.integers(1, 4),
    wished=WISHED,
    on_the_grid=st.booleans(),
)  # fmt: skip
def test_a_wish_is_booked_exactly_when_a_walk_through_the_minutes_finds_it_free(
    house: House, world: dict[str, Any], trust: Trust, minutes: int, days: int, wished: int, on_the_grid: bool
):
    arrange(house, world)
    line, zone = house.rings(trust), house.zone
    start = earliest(world) + wished * MINUTE
    if on_the_grid:
        start -= start.astimezone(zone).minute % 30 * MINUTE
    span = Span(start, start + minutes * MINUTE)
    free = free_to(house, world, trust)
    today = house.now.astimezone(zone).date()
    last = today + min(3, house.diary.rules(trust)[1].horizon_days) * DAY
    if start.astimezone(zone).date() > last or span.end.astimezone(zone).date() > last:
        return  # the walk went no further

    answer = wish(line, start, zone, minutes)

    assert answer["ok"] == any(each.holds(span) for each in free), answer
    assert len(house.bookings()) == answer["ok"]


@common
@given(
    world=worlds(),
    trust=st.sampled_from(["stranger", "known"]),
    minutes=st.sampled_from([5, 30, 45, 120]),
    days=st.integers(1, 4),
    part=st.sampled_from(["any", "morning", "afternoon", "evening"]),
    where=st.floats(0, 1),
)  # fmt: skip
def test_whatever_is_offered_can_be_had(
    house: House, world: dict[str, Any], trust: Trust, minutes: int, days: int, part: str, where: float
):
    arrange(house, world)
    zone, length = house.zone, minutes * MINUTE
    asked = house.rings(trust).asks(days=days, part_of_day=part, duration_minutes=minutes)
    offer = house.diary.offer(
        trust, first=house.now.astimezone(zone).date(), days=days, part=part, length=length
    )
    assert [(each["start"], each["end"]) for each in asked["spans"]] == [
        tuple(f"{at.astimezone(zone):%Y-%m-%dT%H:%M}" for at in span) for span in offer.spans
    ]
    assert len(asked["suggestions"]) <= 5
    assert len(asked.get("later", [])) <= 5

    for number, span in enumerate(_some(offer.spans, where)):
        assert (span.start.second, span.end - span.start >= length) == (0, True)
        within = int((span.end - span.start - length) / MINUTE * where) * MINUTE
        line = house.rings(trust, call_sid=f"CAspan{number}")
        assert wish(line, span.start + within, zone, minutes)["ok"], (span, within)
        _cancel_all(house)
    for number, one in enumerate(_some([*asked["suggestions"], *asked.get("later", [])], where)):
        line = house.rings(trust, call_sid=f"CAone{number}")
        assert line.use("add_event", date=one["date"], time=one["time"], duration_minutes=minutes)["ok"], one
        _cancel_all(house)


def _some(offered: list[Any], where: float) -> list[Any]:
    """The first and the last, and one between."""
    chosen = {0, int((len(offered) - 1) * where), len(offered) - 1} if offered else set()
    return [offered[number] for number in sorted(chosen)]


def _cancel_all(house: House) -> None:
    def write(db: Any) -> None:
        db.execute("DELETE FROM bookings")
        db.execute("DELETE FROM events WHERE event_id NOT LIKE 'busy%'")

    house.store.write(write)


@common
@given(world=worlds(), trust=st.sampled_from(["stranger", "known"]), wished=WISHED)
def test_what_is_named_in_place_of_a_taken_time_can_be_had(
    house: House, world: dict[str, Any], trust: Trust, wished: int
):
    arrange(house, world)
    start = earliest(world) + wished * MINUTE

    answer = wish(house.rings(trust), start, house.zone, 30)
    for number, one in enumerate(answer.get("free", [])):
        line = house.rings(trust, call_sid=f"CAother{number}")
        assert line.use("add_event", date=one["date"], time=one["time"])["ok"], one
        _cancel_all(house)

    assert len(answer.get("free", [])) <= 3
