"""Opening the database: whose it is, whether it is ours, and many at once."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlite_utils import Database

from assistant.errors import StoreError
from assistant.store import Store, appointments, pins, preferences
from assistant.store.schema import as_text, as_time, open_database
from assistant.store.tables import SCHEMA_VERSION, migrations


def test_only_the_owner_can_read_the_files(path: Path) -> None:
    db = open_database(path)
    db.execute("INSERT INTO house (name, value) VALUES ('a', 'b')")

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    db.close()
    assert modes == {"afterbeep.db": 0o600, "afterbeep.db-wal": 0o600, "afterbeep.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_every_connection_is_durable_and_checks_foreign_keys(path: Path) -> None:
    for _ in range(2):
        db = open_database(path)
        found = [
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        ]
        db.close()

        assert found == ["wal", 2, 1, 1]


def test_the_version_counts_the_migrations(path: Path) -> None:
    db = open_database(path)

    assert len(migrations.applied(db)) == SCHEMA_VERSION
    assert migrations.pending(db) == []
    db.close()


def test_a_database_from_before_the_calendar_gets_its_tables_and_keeps_the_rest(
    path: Path, nine: datetime
) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        migrations.apply(Database(old), stop_before="calendar_and_pin")
        old.execute("PRAGMA user_version = 2")
        old.execute("INSERT INTO preferences VALUES ('owner_name', 'Kim')")

    store = Store(path)

    assert store.read(preferences.get, "owner_name") == "Kim"
    assert store.read(appointments.requests) == []
    store.write(pins.set_pin_hash, "$argon2id$...")
    assert store.write(pins.begin_try, "CA1", nine) == "$argon2id$..."
    assert _tables(path) >= {"events", "bookings", "google_link", "google_states", "pin_tries"}
    assert _schema_of_a_new_one(path.with_name("new.db")) == _schema(path)


def _tables(path: Path) -> set[str]:
    return {name for name, _ in _schema(path)}


def _schema(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT name, sql FROM sqlite_master"))


def _schema_of_a_new_one(path: Path) -> set[tuple[str, str]]:
    open_database(path).close()
    return _schema(path)


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        migrations.apply(Database(old), stop_before="calendar_and_pin")
        old.execute("PRAGMA user_version = 2")
        old.execute("CREATE TABLE pin_tries (mine TEXT)")  # the last of the new tables is in the way
    before = _schema(path)

    with pytest.raises(StoreError, match="pin_tries"):
        open_database(path)
    assert _schema(path) == before


def test_what_is_impossible_cannot_be_kept(path: Path) -> None:
    at = ("2026-11-21T09:00:00.000Z", "2026-11-21T10:00:00.000Z")
    booking = (
        "INSERT INTO bookings (call_sid, tool_call_id, trust, caller_name, title, starts_at, ends_at,"
        " timezone, status, calendar, event_id, created_at, settled_at)"
        " VALUES ('CA1', 'call_1', 'known', '', 'Roof', ?, ?, 'UTC', ?, '', 'e', ?, ?)"
    )
    event = "INSERT INTO events VALUES ('e', ?, ?, 'UTC', 'Roof', '', 'confirmed', 0, NULL)"

    with closing(open_database(path)) as db:
        for wrong in (
            (*at, "requested", at[0], at[0]),  # held and settled
            (*at, "booked", at[0], None),  # settled, nobody knows when
            (*reversed(at), "requested", at[0], None),  # over before it begins
            (*at, "forgotten", at[0], None),
        ):
            with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
                db.execute(booking, wrong)
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            db.execute(event, (at[0], at[0]))
        db.execute(booking, (*at, "booked", at[0], at[0]))
        db.execute(event, at)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    db = open_database(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="newer version"):
        open_database(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are no tables" * 1000)

    with pytest.raises(StoreError, match="not a database"):
        open_database(path)
    assert path.read_bytes() == b"these are no tables" * 1000


def test_a_place_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="file"):
        open_database(tmp_path / "file" / "afterbeep.db")


def test_several_processes_may_open_it_first(path: Path) -> None:
    script = (
        "import sys; from assistant.store import open_database; db = open_database(sys.argv[1]);"
        "print(db.execute('SELECT count(*) FROM calls').fetchone()[0]); db.close()"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]

    answers = [process.communicate(timeout=60)[0].strip() for process in processes]

    assert answers == ["0"] * 6
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_times_are_kept_in_utc_with_milliseconds() -> None:
    berlin = datetime(2026, 11, 21, 10, 0, tzinfo=timezone(timedelta(hours=1)))

    assert as_text(berlin) == "2026-11-21T09:00:00.000Z"
    assert as_time("2026-11-21T09:00:00.000Z") == datetime(2026, 11, 21, 9, tzinfo=UTC)
    with pytest.raises(ValueError, match="without a zone"):
        as_text(datetime(2026, 11, 21))
