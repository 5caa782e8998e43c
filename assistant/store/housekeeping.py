"""Backup, forgetting a caller, and retention.

What is removed has to be gone from the disk, not only from the tables: deleted rows are overwritten
(`secure_delete`), then the whole file is written anew without them and the write-ahead log cut to
nothing. Files go before rows: when we are killed in between, doing it again finishes the work.

Everything works beside a running server. A call that is going on is never touched.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlite_utils import Database

from assistant.errors import StoreError
from assistant.store import appointments, callers, calls, logins, pins, preferences, search
from assistant.store.recordings import DIRECTORY
from assistant.store.schema import as_text, open_database
from assistant.store.writer import Store

LONGEST_CALL = timedelta(hours=4)  # the phone company's own limit: an older row is no running call
REMEMBERED = timedelta(days=90)  # how long the hash of a removed call keeps it from coming back
LINKING = timedelta(days=1)  # after that, whoever began to link a calendar has given up


@dataclass(frozen=True, slots=True)
class Removed:
    """What is gone."""

    calls: int = 0
    turns: int = 0
    messages: int = 0
    tool_runs: int = 0
    recordings: int = 0
    bookings: int = 0
    events: int = 0  # of the embedded calendar
    in_google: int = 0  # appointments that are still there
    caller: bool = False
    traces: bool = False  # somebody is reading an older state: it is in the log file until the next prune

    def __str__(self) -> str:
        counted = {"call": self.calls, "turn": self.turns, "message": self.messages,
                   "tool run": self.tool_runs, "recording": self.recordings, "booking": self.bookings,
                   "calendar event": self.events}  # fmt: skip
        parts = [f"{number} {word}{'' if number == 1 else 's'}" for word, number in counted.items() if number]
        return ", ".join(parts + ["the caller's entry"] * self.caller) or "nothing"


# --- backup ------------------------------------------------------------------


def backup(source: Path, target: Path) -> None:
    """Write a copy of the database, as of one moment, to a new file that only its owner can read.

    Raises StoreError when the file exists or cannot be written. Recordings are not in it.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise StoreError(f"{target} exists already: it is not overwritten") from error
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}") from error
    try:
        _copy(source, target)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error | OSError):
            raise StoreError(f"no copy was made: {error}") from error
        raise


def _copy(source: Path, target: Path) -> None:
    with closing(open_database(source)) as db, closing(sqlite3.connect(target)) as copy:
        db.conn.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # all of it in the one file
    with target.open("rb") as file:
        os.fsync(file.fileno())


# --- forget ------------------------------------------------------------------


def forget(store: Store, instance: Path, number: str, *, now: datetime | None = None) -> Removed:
    """Remove a caller everywhere: calls with all that was said, recordings, appointments, what is kept about
    the number. What is in Google Calendar is left there, and counted.

    `number`: as `calls.from_number` has it. Raises StoreError while a call from it is running.
    """
    now = now or datetime.now(UTC)
    found = store.read(_calls_from, number)
    if any(_is_running(call, now) for call in found):
        raise StoreError(f"a call from {number} is going on: nothing was removed; try again when it is over")
    sids = [call["call_sid"] for call in found]
    _remove_files(store, instance, sids)
    removed = store.write(_forget, number, sids, now)
    return replace(removed, traces=not tidy(store))


def is_on_file(store: Store, number: str) -> bool:
    """Whether there is anything of this number, written exactly so."""
    return (
        bool(store.read(_calls_from, number))
        or store.read(callers.kept, number) != callers.NOTHING
        or store.read(appointments.is_on_file, number)
    )


def _calls_from(db: Database, number: str) -> list[dict[str, Any]]:
    return list(db.query("SELECT call_sid, started_at, ended_at FROM calls WHERE from_number = ?", (number,)))


def _is_running(call: dict[str, Any], now: datetime) -> bool:
    return call["ended_at"] is None and call["started_at"] > as_text(now - LONGEST_CALL)


def _forget(db: Database, number: str, sids: list[str], now: datetime) -> Removed:
    removed = _remove_calls(db, sids, now)
    pins.forget(db, sids)
    booked = appointments.forget(db, number, sids)
    return replace(removed, **booked._asdict(), caller=callers.remove(db, number))


def _remove_calls(db: Database, sids: list[str], now: datetime) -> Removed:
    """Remove calls, with their turns, messages, tool runs and recordings."""
    listed = (orjson.dumps(sids).decode(),)
    tables = ("calls", "turns", "messages", "tool_runs", "recordings")
    counts: dict[str, Any] = {
        table: int(db.execute(
            f"SELECT count(*) FROM {table} WHERE call_sid IN (SELECT value FROM json_each(?))",  # noqa: S608
            listed).fetchone()[0])
        for table in tables
    }  # fmt: skip
    for sid in sids:
        calls.remove(db, sid, now)
    return Removed(**counts)


# --- retention ---------------------------------------------------------------


def prune(store: Store, instance: Path, *, now: datetime | None = None) -> Removed:
    """Apply the retention preferences now: old calls and appointments go whole, old sound goes from calls
    that stay. An appointment is as old as its end, however long ago it was made."""
    now = now or datetime.now(UTC)
    kept = store.read(preferences.load)
    too_old = _cut(now, kept.retention_days_text)
    old_calls = store.read(_ended_before, too_old)
    quiet_calls = store.read(_ended_before, _cut(now, kept.retention_days_audio), with_sound=True)
    _remove_files(store, instance, [*old_calls, *quiet_calls])
    removed = store.write(_prune, old_calls, quiet_calls, too_old, now)
    if kept.retention_days_audio:
        known = store.read(_files)
        store.in_pool(_remove_strays, instance, known, _cut(now, kept.retention_days_audio).timestamp())
    tidy(store)  # also when nothing was removed now: last time a reader may have been in the way
    return removed


def _cut(now: datetime, days: int) -> datetime:
    """What is from before this is too old. 0 days: nothing is."""
    return now - timedelta(days=days) if days else datetime(1970, 1, 1, tzinfo=UTC)


def _ended_before(db: Database, cut: datetime, *, with_sound: bool = False) -> list[str]:
    """Calls that are over and began before then; `with_sound`: only those that have recordings."""
    found = db.execute(
        "SELECT call_sid FROM calls WHERE started_at < ? AND ended_at IS NOT NULL AND (NOT ? OR EXISTS"
        " (SELECT 1 FROM recordings WHERE recordings.call_sid = calls.call_sid)) ORDER BY started_at",
        (as_text(cut), with_sound),
    )
    return [str(row[0]) for row in found]


def _prune(
    db: Database, old_calls: list[str], quiet_calls: list[str], too_old: datetime, now: datetime
) -> Removed:
    listed = (orjson.dumps(quiet_calls).decode(),)
    removed = _remove_calls(db, old_calls, now)
    silenced = db.execute("DELETE FROM recordings WHERE call_sid IN (SELECT value FROM json_each(?))", listed)
    booked = appointments.prune(db, too_old)
    logins.prune(db, now=now)
    pins.prune(db, now)
    db.execute("DELETE FROM gone_calls WHERE gone_at < ?", (as_text(now - REMEMBERED),))
    db.execute("DELETE FROM google_states WHERE made_at < ?", (as_text(now - LINKING),))
    return replace(removed, recordings=removed.recordings + silenced.rowcount, **booked._asdict())


# --- files -------------------------------------------------------------------


def _remove_files(store: Store, instance: Path, sids: list[str]) -> None:
    files = store.read(_files, sids)
    store.in_pool(_unlink, instance, files, sids)


def _files(db: Database, sids: list[str] | None = None) -> list[str]:
    """Files of the recordings of some calls (None: of all), relative to the instance."""
    chosen = "" if sids is None else " WHERE call_sid IN (SELECT value FROM json_each(?))"
    listed = () if sids is None else (orjson.dumps(sids).decode(),)
    rows = db.execute(f"SELECT file FROM recordings{chosen}", listed)  # noqa: S608
    return [str(row[0]) for row in rows]


def _unlink(instance: Path, files: list[str], sids: list[str]) -> None:
    """Remove the files of calls: those with a row, and any a crash has left without one."""
    folder = (instance / DIRECTORY).resolve()
    paths = [(instance / file).resolve() for file in files]
    if folder.is_dir():
        theirs = set(sids)
        paths += [path for path in folder.iterdir() if re.split("[.-]", path.name, maxsplit=1)[0] in theirs]
    for path in paths:
        if path.is_relative_to(folder):  # whatever a row says, nothing else is ours to remove
            path.unlink(missing_ok=True)


def _remove_strays(instance: Path, known: list[str], before: float) -> None:
    """Sound that belongs to no row (we were killed before it had one) follows the same retention."""
    ours = {(instance / file).resolve() for file in known}
    folder = instance / DIRECTORY
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):
            if path.resolve() not in ours and path.is_file() and path.stat().st_mtime < before:
                path.unlink()


def tidy(store: Store) -> bool:
    """Write the database anew, so that nothing that was removed can be found in its files.

    False: somebody is reading an older state of it, and the old log stays until the next time.
    """
    return store.alone(_tidy)


def _tidy(db: Database) -> bool:
    search.forget_removed(db)
    db.execute("VACUUM")
    # Each try waits for readers as long as a statement waits for a lock; reads here are short.
    return any(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0 for _ in range(3))
