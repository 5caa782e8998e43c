"""The one way to open the database, and times as it keeps them.

The file is in WAL mode with `synchronous=FULL`: readers never wait for the writer, and what was
committed survives the loss of power. `secure_delete` overwrites what is deleted, because words of
callers are what is deleted here. Foreign keys are off in SQLite unless a connection switches them on.

`open_database` may be called from several processes at once, also when there is no file yet: making
the file, changing the journal mode and migrating happen under a lock on the directory.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from assistant.errors import StoreBusy, StoreError
from assistant.store.tables import SCHEMA_VERSION, migrations

BUSY_S = 1.0  # how long one statement waits for another process's lock
MIGRATION_BUSY_S = 10.0


def open_database(path: Path | str, *, busy_s: float = BUSY_S) -> Database:
    """Open the database, making and migrating it when needed. Close it when done.

    Raises StoreError when the file is not ours to read, StoreBusy when it stays locked.
    """
    path = Path(path)
    try:
        if not path.exists():
            _make_file(path)
        db = _connect(path, busy_s)
    except (OSError, sqlite3.Error) as error:
        raise store_error(error, path) from error
    try:
        if _version(db, path) < SCHEMA_VERSION:
            _bring_up_to_date(db, path)
            _execute(db, f"PRAGMA busy_timeout = {int(busy_s * 1000)}")
    except (OSError, sqlite3.Error) as error:
        db.close()
        raise store_error(error, path) from error
    except BaseException:
        db.close()
        raise
    return db


def _connect(path: Path, busy_s: float) -> Database:
    # isolation_level None: a transaction is open when, and only when, we said BEGIN.
    # The writer's connection is made in one native thread and may be closed from another.
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:  # no database: then nobody else can close it
        connection.close()
        raise
    return Database(connection, execute_plugins=False)


def _make_file(path: Path) -> None:
    """An empty file that only its owner can read; SQLite gives -wal and -shm the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone_in(path.parent):
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _version(db: Database, path: Path) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was made by a newer version of this program (its format is {version}, "
            f"this version knows {SCHEMA_VERSION}): update the program, or restore an older copy"
        )
    return version


def _bring_up_to_date(db: Database, path: Path) -> None:
    with _alone_in(path.parent):
        _execute(db, f"PRAGMA busy_timeout = {int(MIGRATION_BUSY_S * 1000)}")
        _execute(db, "PRAGMA journal_mode = WAL")
        _execute(db, "BEGIN IMMEDIATE")
        try:
            if _version(db, path) < SCHEMA_VERSION:  # nobody was quicker
                migrations.apply(db)
                _execute(db, f"PRAGMA user_version = {SCHEMA_VERSION}")
        except BaseException:
            db.rollback()
            raise
        db.commit()


def _execute(db: Database, sql: str) -> None:
    """A statement whose rows, if any, nobody wants; read to the end, so that it is over."""
    db.execute(sql).fetchall()


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Keep every other process and thread that wants to make or migrate a database here waiting.

    A lock of the file system on the directory: released by the kernel whatever happens to us, and
    free of anything that a green thread could have patched.
    """
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        # Not left to the close: where sockets are green, closing a folder waits for the event loop.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def is_passing(error: BaseException) -> bool:
    """Whether trying again later can help: locked, full, or a disk that is in trouble."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _PASSING


_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
}


def store_error(error: Exception, path: Path) -> StoreError:
    """What SQLite or the system said, as ours, for the owner."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"{path} is locked by another program; try again")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreError(f"{path} is damaged or not a database ({error}): restore a copy of it")
    return StoreError(f"{path}: {error}")


def as_text(at: datetime) -> str:
    """An aware datetime as it is stored and exported: `2026-11-21T09:00:00.000Z`."""
    if at.tzinfo is None:
        raise ValueError(f"a time without a zone: {at}")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_time(text: str) -> datetime:
    """The other way."""
    return datetime.fromisoformat(text)
