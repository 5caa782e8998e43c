"""Tries at the owner's PIN: three a call, ten a day, written down before anything is compared."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from assistant.store import Store, pins
from tests.at_once import all_at_once

HASH = "$argon2id$…"
SECOND = timedelta(seconds=1)
DAY = timedelta(hours=24)


@pytest.fixture
def locked(store: Store) -> Store:
    """A store whose owner has a PIN."""
    store.write(pins.set_pin_hash, HASH)
    return store


def tries(store: Store, call_sid: str, now: datetime, most: int = 20) -> int:
    """How often a call may try."""
    return sum(store.write(pins.begin_try, call_sid, now) is not None for _ in range(most))


def test_a_pin_is_set_and_removed(store: Store, nine: datetime) -> None:
    assert not store.read(pins.has_pin)
    assert store.write(pins.begin_try, "CA1", nine) is None

    store.write(pins.set_pin_hash, HASH)
    assert store.read(pins.has_pin)
    assert store.write(pins.begin_try, "CA1", nine) == HASH

    store.write(pins.set_pin_hash, None)
    assert not store.read(pins.has_pin)
    assert store.write(pins.begin_try, "CA1", nine) is None


def test_a_call_has_three_tries_and_a_day_ten(locked: Store, nine: datetime) -> None:
    assert tries(locked, "CA1", nine) == 3
    assert tries(locked, "CA2", nine) == 3
    assert tries(locked, "CA3", nine) == 3
    assert tries(locked, "CA4", nine) == 1
    assert tries(locked, "CA5", nine) == 0


def test_a_day_is_the_last_twenty_four_hours(locked: Store, nine: datetime) -> None:
    for n in range(10):
        assert locked.write(pins.begin_try, f"CA{n}", nine + n * SECOND) == HASH

    assert tries(locked, "CA10", nine + DAY - SECOND) == 0
    assert tries(locked, "CA10", nine + DAY) == 1
    assert tries(locked, "CA11", nine + DAY) == 0
    assert locked.read(lambda db: db.execute("SELECT count(*) FROM pin_tries").fetchone()[0]) == 10


def test_without_a_pin_no_try_is_used_up(store: Store, nine: datetime) -> None:
    assert tries(store, "CA1", nine) == 0
    store.write(pins.set_pin_hash, HASH)

    assert tries(store, "CA1", nine) == 3


def test_a_new_pin_gives_no_new_tries(locked: Store, nine: datetime) -> None:
    assert tries(locked, "CA1", nine) == 3

    locked.write(pins.set_pin_hash, "$argon2id$!")

    assert tries(locked, "CA1", nine) == 0


def test_a_right_pin_takes_its_own_try_back_and_no_other(locked: Store, nine: datetime) -> None:
    for n in range(9):
        locked.write(pins.begin_try, f"CA{n}", nine)
    locked.write(pins.begin_try, "CA1", nine + SECOND)
    assert tries(locked, "CA9", nine + SECOND) == 0

    locked.write(pins.forgive, "CA1", nine + 2 * SECOND)
    locked.write(pins.forgive, "CA99", nine + 2 * SECOND)

    assert tries(locked, "CA9", nine + 3 * SECOND) == 1


def test_tries_outlive_the_program(locked: Store, nine: datetime) -> None:
    assert tries(locked, "CA1", nine) == 3

    assert tries(Store(locked.path), "CA1", nine) == 0


@pytest.mark.parametrize("started", [True, False])
def test_many_at_once_have_no_more_tries(locked: Store, nine: datetime, started: bool) -> None:
    if started:
        locked.start()
    given = all_at_once(20, lambda n: locked.write(pins.begin_try, f"CA{n}", nine))

    assert locked.stop(timeout_s=10)
    assert given.count(HASH) == 10
