"""The owner's PIN, typed on the keypad: compared in code, and seen nowhere else."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from assistant import owner_pin
from assistant.owner_pin import OwnerPin
from assistant.store import calls, pins
from assistant.store.export import export_call
from assistant.store.writer import Store

PIN, WRONG = "730916", "481957"
HASH = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PIN)  # as weak as tests are patient


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """With its writer at work, as in the server."""
    store = Store(tmp_path / "afterbeep.db")
    store.write(pins.set_pin_hash, HASH)
    store.start()
    yield store
    assert store.stop(10)


def tries(store: Store) -> int:
    store.write(lambda db: None)  # whatever was only put is written now
    return store.read(lambda db: int(db.execute("SELECT count(*) FROM pin_tries").fetchone()[0]))


def test_the_right_digits_are_the_owners(store: Store):
    assert OwnerPin(store).is_right("CA1", PIN) is True
    assert tries(store) == 0


@pytest.mark.parametrize(
    "digits", [WRONG, PIN + "0", " " + PIN, PIN + "#", "０" * 6, pytest.param(HASH, id="the hash itself")]
)
def test_any_others_are_not(store: Store, digits: str):
    assert OwnerPin(store).is_right("CA1", digits) is False
    assert tries(store) == 1


@pytest.mark.parametrize("digits", ["", "7", PIN[:-1]])
def test_what_is_too_short_for_any_pin_costs_no_try(store: Store, digits: str):
    """Somebody has pressed a key by accident."""
    assert OwnerPin(store).is_right("CA1", digits) is False
    assert tries(store) == 0


def test_without_a_pin_nobody_is_the_owner(store: Store):
    store.write(pins.set_pin_hash, None)

    assert [OwnerPin(store).is_right("CA1", digits) for digits in (PIN, "", "None")] == [False] * 3


def test_what_is_kept_may_be_no_hash_at_all(store: Store):
    store.write(pins.set_pin_hash, PIN)

    assert OwnerPin(store).is_right("CA1", PIN) is False


def test_a_call_has_three_tries(store: Store):
    pin = OwnerPin(store)

    assert [pin.is_right("CA1", WRONG) for _ in range(3)] == [False] * 3
    assert not pin.is_right("CA1", PIN)
    assert pin.is_right("CA2", PIN)


def test_a_day_has_ten_whatever_the_calls(store: Store):
    pin = OwnerPin(store)
    for number in range(10):
        assert not pin.is_right(f"CA{number // 3}", WRONG)

    assert not pin.is_right("CAnew", PIN)
    assert tries(store) == 10


def test_a_right_one_uses_no_try_up(store: Store):
    pin = OwnerPin(store)

    assert [pin.is_right("CA1", digits) for digits in (WRONG, PIN, WRONG, PIN, PIN)] == [
        False,
        True,
        False,
        True,
        True,
    ]
    assert tries(store) == 2


def test_the_call_is_kept_as_the_owners(store: Store):
    store.write(
        calls.begin, "CA1", direction="inbound", from_number="+12025550101", to_number="+12025550100",
        forwarded_from=None, caller_name=None, trust="stranger", stir_verstat=None,
        started_at=datetime.now(UTC),
    )  # fmt: skip

    def level() -> Any:
        store.write(lambda db: None)
        kept = store.read(export_call, "CA1")
        return kept["trust"] if kept else None

    OwnerPin(store).is_right("CA1", WRONG)
    assert level() == "stranger"
    OwnerPin(store).is_right("CA1", PIN)
    assert level() == "owner"


def test_the_comparison_is_made_in_the_pool(store: Store):
    asked: list[str] = []

    def in_pool(function: Any, *args: Any) -> Any:
        asked.append(function.__name__)
        return function(*args)

    assert OwnerPin(store, in_pool).is_right("CA1", PIN)
    assert asked == ["_matches"]


def test_a_locked_database_gives_no_level_and_no_free_try(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner_pin, "TRY_S", 0.2)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert OwnerPin(store).is_right("CA1", PIN) is None

    other.execute("ROLLBACK")
    other.close()
    assert tries(store) == 1


def test_the_digits_are_in_no_log_and_no_table(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    caplog.set_level(logging.DEBUG)
    pin = OwnerPin(store)
    for call_sid, digits in (
        ("CA1", WRONG),
        ("CA1", PIN),
        ("CA2", WRONG),
        ("CA2", WRONG),
        ("CA2", WRONG),
        ("CA2", PIN),
    ):
        pin.is_right(call_sid, digits)
    store.write(pins.set_pin_hash, "no hash")
    pin.is_right("CA3", PIN)
    store.write(lambda db: db.execute("DROP TABLE pin_tries"))
    assert pin.is_right("CA4", PIN) is None
    store.stop(10)

    assert "CA1: a PIN was typed: right" in caplog.text
    assert "CA2: a PIN was typed: wrong" in caplog.text
    assert "CA4: the PIN was not compared" in caplog.text
    assert PIN not in caplog.text
    assert WRONG not in caplog.text
    for file in store.path.parent.iterdir():
        assert PIN.encode() not in file.read_bytes()
        assert WRONG.encode() not in file.read_bytes()
