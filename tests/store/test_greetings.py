"""Greetings that are kept: found by all that decides how they sound, and only the newest few."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from assistant.store import Database, Store, greetings, housekeeping, open_database, preferences
from assistant.store.greetings import MOST_KEPT, GreetingKey, Kept
from assistant.store.tables import migrations

KEY = GreetingKey("Hello, this is Kim's assistant.", "marin", "gpt-realtime-2.1", "This call is recorded.")
SOUND = bytes(range(256)) * 30


def test_what_is_kept_is_found_again(store: Store, nine: datetime) -> None:
    assert store.read(greetings.find, KEY) is None
    assert store.read(greetings.kept, KEY) is None

    store.write(greetings.keep, KEY, SOUND, nine)

    assert store.read(greetings.find, KEY) == SOUND
    assert store.read(greetings.kept, KEY) == Kept(SOUND, nine)


@pytest.mark.parametrize("part", ["text", "voice", "model", "disclosure"])
def test_another_word_voice_or_model_is_another_greeting(store: Store, nine: datetime, part: str) -> None:
    other = replace(KEY, **{part: ""})
    store.write(greetings.keep, KEY, SOUND, nine)

    assert store.read(greetings.find, other) is None
    store.write(greetings.keep, other, b"other", nine)
    assert (store.read(greetings.find, KEY), store.read(greetings.find, other)) == (SOUND, b"other")


def test_the_same_again_replaces_what_was_kept(store: Store, nine: datetime) -> None:
    later = nine + timedelta(hours=1)
    store.write(greetings.keep, KEY, SOUND, nine)

    store.write(greetings.keep, KEY, SOUND[:800], later)

    assert store.read(greetings.kept, KEY) == Kept(SOUND[:800], later)
    assert count(store) == 1


def test_only_the_newest_stay(store: Store, nine: datetime) -> None:
    keys = [replace(KEY, text=f"Greeting {n}.") for n in range(MOST_KEPT + 2)]
    for key in keys[:MOST_KEPT]:
        store.write(greetings.keep, key, SOUND, nine)
    store.write(greetings.keep, keys[0], SOUND, nine)  # recorded again: now the newest
    for key in keys[MOST_KEPT:]:
        store.write(greetings.keep, key, SOUND, nine)

    there = [store.read(greetings.find, key) is not None for key in keys]

    assert count(store) == MOST_KEPT
    assert there == [True, False, False, *[True] * (MOST_KEPT - 1)]


def test_silence_is_nothing_to_keep(store: Store, nine: datetime) -> None:
    with pytest.raises(ValueError, match="without sound"):
        store.write(greetings.keep, KEY, b"", nine)


def test_the_sound_is_not_printed() -> None:
    assert "payload" not in repr(Kept(SOUND, datetime.max))


def test_a_backup_has_them_and_prune_and_forget_leave_them(store: Store, path: Path, nine: datetime) -> None:
    store.write(greetings.keep, KEY, SOUND, nine)
    copy = path.parent / "copy.db"

    housekeeping.backup(path, copy)
    housekeeping.prune(store, path.parent, now=nine + timedelta(days=4000))
    housekeeping.forget(store, path.parent, "+12025550123")

    with closing(open_database(copy)) as db:
        assert greetings.find(db, KEY) == SOUND
    assert store.read(greetings.find, KEY) == SOUND


def test_a_database_from_before_gets_its_table_and_keeps_the_rest(path: Path, nine: datetime) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        migrations.apply(Database(old), stop_before="kept_greetings")
        old.execute("PRAGMA user_version = 1")
        old.execute("INSERT INTO preferences VALUES ('owner_name', 'Kim')")

    store = Store(path)
    store.write(greetings.keep, KEY, SOUND, nine)

    assert store.read(greetings.find, KEY) == SOUND
    assert store.read(preferences.get, "owner_name") == "Kim"


def count(store: Store) -> int:
    return store.read(lambda db: int(db.execute("SELECT count(*) FROM greetings").fetchone()[0]))
