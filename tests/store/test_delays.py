"""How long callers had to wait, over the last 30 days."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from math import ceil
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.store import Database, Store, calls, delays
from assistant.store.delays import Delays, Waits
from assistant.store.schema import as_text

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def over(store: Store, ring: Callable[..., bool]) -> Callable[..., None]:
    """A call that is over: `over("CA1", NOW - DAY, first_sound_ms=3, response_ms=[700])`."""

    def over(call_sid: str, started_at: datetime, **facts: Any) -> None:
        ring(call_sid, started_at=started_at)
        store.write(calls.finish, call_sid, ended_at=started_at, ended_because="silence", **facts)

    return over


def test_without_a_call_there_is_nothing_to_tell(store: Store) -> None:
    assert store.read(delays.lately, NOW) is None


def test_one_call_is_half_and_nearly_all(store: Store, over: Callable[..., None]) -> None:
    over("CA1", NOW - DAY, first_sound_ms=3, response_ms=[700])

    assert store.read(delays.lately, NOW) == Delays(Waits(1, 3, 3), Waits(1, 700, 700))


def test_every_answer_of_every_call_counts(store: Store, over: Callable[..., None]) -> None:
    over("CA1", NOW - DAY, first_sound_ms=30, response_ms=[2000, 100])
    over("CA2", NOW - 2 * DAY, first_sound_ms=5, response_ms=[])
    over("CA3", NOW - 3 * DAY, first_sound_ms=10, response_ms=[300])

    assert store.read(delays.lately, NOW) == Delays(Waits(3, 10, 30), Waits(3, 300, 2000))


def test_callers_who_said_nothing_had_no_answer_to_wait_for(store: Store, over: Callable[..., None]) -> None:
    over("CA1", NOW - DAY, first_sound_ms=0, response_ms=[])

    assert store.read(delays.lately, NOW) == Delays(Waits(1, 0, 0), None)


def test_running_calls_and_those_without_the_assistant_do_not_count(
    store: Store, over: Callable[..., None], ring: Callable[..., bool]
) -> None:
    over("CAmissed", NOW - DAY)
    over("CAfailed", NOW - DAY, usage={}, first_sound_ms=None, response_ms=[])
    ring("CArunning", started_at=NOW - DAY)
    store.write(calls.set_columns, "CArunning", first_sound_ms=3, response_ms=[700])

    assert store.read(delays.lately, NOW) is None


def test_thirty_days_are_counted_from_now_in_any_zone(store: Store, over: Callable[..., None]) -> None:
    over("CAold", NOW - 30 * DAY - timedelta(milliseconds=1), first_sound_ms=900, response_ms=[9000])
    over("CAnew", NOW - 30 * DAY, first_sound_ms=3, response_ms=[700])

    elsewhere = NOW.astimezone(timezone(timedelta(hours=13)))
    assert store.read(delays.lately, elsewhere) == Delays(Waits(1, 3, 3), Waits(1, 700, 700))
    with pytest.raises(ValueError, match="without a zone"):
        store.read(delays.lately, NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("number", "half", "nearly_all"),
    [(1, 1, 1), (2, 1, 2), (3, 2, 3), (20, 10, 19), (21, 11, 20), (100, 50, 95)],
)
def test_the_nearest_rank(number: int, half: int, nearly_all: int) -> None:
    waits = list(range(1, number + 1))

    assert (delays.nearest_rank(waits, 50), delays.nearest_rank(waits, 95)) == (half, nearly_all)


@given(st.lists(st.integers(0, 60_000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_shortest_wait_that_so_many_do_not_exceed(waits: list[int], percent: int) -> None:
    waits.sort()

    found = delays.nearest_rank(waits, percent)

    enough = ceil(len(waits) * percent / 100)
    assert found in waits
    assert sum(wait <= found for wait in waits) >= enough
    assert sum(wait < found for wait in waits) < enough


def fill(db: Database) -> None:
    db.conn.executemany(
        "INSERT INTO calls (call_sid, direction, started_at, ended_at, ended_because, outcome,"
        " first_sound_ms, response_ms) VALUES (?, 'inbound', ?, ?, 'silence', 'talked', ?, ?)",
        (
            (f"CA{n}", began, began, n % 40, orjson.dumps([(n * k) % 2503 for k in range(1, 9)]).decode())
            for n in range(5000)
            for began in [as_text(NOW - timedelta(minutes=8 * n))]
        ),
    )


def test_five_thousand_calls_are_read_while_nobody_notices(store: Store) -> None:
    """In time of the processor, which the machine's other work does not lengthen."""
    store.write(fill)
    took_s = []

    for _ in range(5):
        began = time.thread_time()
        found = store.read(delays.lately, NOW)
        took_s.append(time.thread_time() - began)

    assert found is not None
    assert found.answers is not None
    assert (found.first_sound.number, found.answers.number) == (5000, 40_000)
    assert min(took_s) < 0.02
