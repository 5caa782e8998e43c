"""Store: how the rest of the program reads and writes, and the one writer behind it.

A commit waits for the disk, and a lock held by another process for as long as that process likes.
Neither may happen where calls are served: so everything that is written goes into a queue, one
thread takes out what has gathered, and commits it as one transaction somewhere else (`in_writer`: in
the serving process, a native thread of its own). Only after the commit is anybody told.

Each job of a batch has a savepoint: one that fails is undone alone and its error goes to whoever
asked. A database that is locked or full is nobody's error: the batch is kept and tried again until
it works; a caller who cannot wait that long gets StoreBusy, and the job stays queued.

What runs by `in_writer` and `in_pool` (`_Desk`, `_read`) takes and gives plain values, logs nothing
and touches no lock, queue or event: a green thread could otherwise wait for ever.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from sqlite_utils import Database

from assistant.errors import StoreBusy, StoreError
from assistant.store.schema import is_passing, open_database, store_error

log = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")
Then = Callable[[Any], None]
InThread = Callable[..., Any]

MOST_IN_A_BATCH = 256
PAUSE_S = 0.1  # between two tries at a locked database (each waits schema.BUSY_S by itself)
COMPLAIN_EVERY_S = 60.0
PATIENCE_S = 5.0  # of a command or a test, which has no writer to leave its job with


def directly(function: Callable[..., T], *args: Any) -> T:
    """Run it here and now: what `in_writer` and `in_pool` are where nothing is green."""
    return function(*args)


class Work(NamedTuple):
    """What is to be done to the database. `alone`: outside any transaction (VACUUM)."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    alone: bool = False


class Done(NamedTuple):
    """What came of it."""

    result: Any = None
    error: Exception | None = None


class TryAgain(NamedTuple):
    """Nothing was written, and nobody is to blame."""

    why: Exception


class _Desk:
    """The writing connection. Everything here runs by `in_writer`, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: Database | None = None

    def carry_out(self, batch: list[Work]) -> list[Done] | TryAgain:
        """Do a batch in one transaction (or a single job that wants none)."""
        try:
            db = self._db = self._db or open_database(self._path)
            if batch[0].alone:
                return [Done(result=_run(db, batch[0]))]
            return _in_one_transaction(db, batch)
        except Exception as error:
            # Whatever state the connection is in, the next try begins with a new one.
            self.close()
            if is_passing(error.__cause__ or error):  # StoreError has SQLite's own as its cause
                return TryAgain(error)
            return [Done(error=error) for _ in batch]

    def close(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None


def _run(db: Database, work: Work) -> Any:
    return work.function(db, *work.args, **work.kwargs)


def _in_one_transaction(db: Database, batch: list[Work]) -> list[Done]:
    db.execute("BEGIN IMMEDIATE")
    done = [_with_savepoint(db, work) for work in batch]
    db.execute("COMMIT")
    return done


def _with_savepoint(db: Database, work: Work) -> Done:
    """One job of the batch; its own failure is undone and returned, the disk's is everybody's."""
    db.execute("SAVEPOINT job")
    try:
        result = _run(db, work)
    except Exception as error:
        if is_passing(error) or not db.conn.in_transaction:
            raise
        db.execute("ROLLBACK TO job")
        db.execute("RELEASE job")
        return Done(error=error)
    db.execute("RELEASE job")
    return Done(result=result)


def _read(path: Path, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    """Read on an own connection, from one moment of the database however many statements it takes.

    An error is returned, not raised: gevent prints what is raised in its pool.
    """
    try:
        db = open_database(path)
    except Exception as error:
        return Done(error=error)
    try:
        db.execute("PRAGMA query_only = ON")
        db.execute("BEGIN")
        return Done(result=function(db, *args, **kwargs))
    except Exception as error:
        return Done(error=error)
    finally:
        db.close()


@dataclass(slots=True)
class _Job:
    work: Work
    then: Then | None = None
    waited_for: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    done: Done = field(default_factory=Done)


class Writer:
    """The one thread that writes. Until `start()`, and after `stop()`, jobs run where they are given."""

    def __init__(self, path: Path, in_writer: InThread = directly) -> None:
        self._path = path
        self._in_writer = in_writer
        self._desk = _Desk(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._complained_at = -COMPLAIN_EVERY_S

    def start(self) -> None:
        """Begin to write. Raises StoreError when the database cannot be opened at all."""
        if self._thread is None:
            opened = self._in_writer(self._desk.carry_out, [Work(_nothing, (), {}, alone=True)])
            if not isinstance(opened, TryAgain) and opened[0].error is not None:
                raise opened[0].error
            self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Write what is queued, then end. False: it could not be written within `timeout_s`."""
        if self._thread is None:
            return True
        self._jobs.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self._thread = None
        while not self._jobs.empty():  # given while the thread was closing its connection
            self._write([job for job in self._gather() if job is not None])
        self._in_writer(self._desk.close)
        return True

    def give(self, job: _Job) -> None:
        """Queue a job; without a thread, do it now. Its error is then the giver's."""
        if self._thread is not None:
            self._jobs.put(job)
            return
        self._do_now(job)

    def is_me(self) -> bool:
        """Whether the writer's own thread is asking."""
        return self._thread is not None and threading.current_thread() is self._thread

    def _serve(self) -> None:
        stopping = False
        while not (stopping and self._jobs.empty()):
            batch = self._gather()
            stopping = stopping or None in batch
            for part in _parts([job for job in batch if job is not None]):
                self._write(part)

    def _gather(self) -> list[_Job | None]:
        """At least one job, waiting for it, and what else is there."""
        batch = [self._jobs.get()]
        with suppress(queue.Empty):
            while len(batch) < MOST_IN_A_BATCH:
                batch.append(self._jobs.get_nowait())
        return batch

    def _write(self, jobs: list[_Job]) -> None:
        """Until it works. Then, and only then, tell those who wanted to know."""
        works = [job.work for job in jobs]
        while isinstance(outcome := self._try(works), TryAgain):
            self._complain(outcome.why)
            time.sleep(PAUSE_S)
        for job, done in zip(jobs, outcome, strict=True):
            job.done = done
            job.over.set()
        for job in jobs:
            self._tell(job)

    def _try(self, works: list[Work]) -> list[Done] | TryAgain:
        try:
            outcome: list[Done] | TryAgain = self._in_writer(self._desk.carry_out, works)
        except Exception as error:  # a bug, or the pool is gone: those who wait must not wait for ever
            return [Done(error=error) for _ in works]
        return outcome

    def _complain(self, why: Exception) -> None:
        now = time.monotonic()
        if now - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = now
            log.error("the database cannot be written, trying on: %s", why)

    def _tell(self, job: _Job) -> None:
        if job.done.error is not None:
            if not job.waited_for:
                _log_failure(job.work, job.done.error)
        elif job.then is not None:
            try:
                job.then(job.done.result)
            except Exception:
                log.exception("after the commit of %s", job.work.function.__name__)

    def _do_now(self, job: _Job) -> None:
        """Without a thread: patience in place of a queue."""
        desk = _Desk(self._path)
        until = time.monotonic() + PATIENCE_S
        try:
            while isinstance(outcome := desk.carry_out([job.work]), TryAgain):
                if time.monotonic() > until:
                    raise _as_ours(outcome.why, self._path)
                time.sleep(PAUSE_S)
        finally:
            desk.close()
        job.done = outcome[0]
        job.over.set()
        if job.done.error is not None:
            raise _as_ours(job.done.error, self._path)
        if job.then is not None:
            job.then(job.done.result)


def _nothing(db: Database) -> None:
    """Open the database and leave it at that."""


def _parts(jobs: list[_Job]) -> list[list[_Job]]:
    """The batch in its order, cut where a job has to be alone."""
    parts: list[list[_Job]] = []
    for job in jobs:
        if not parts or job.work.alone or parts[-1][0].work.alone:
            parts.append([])
        parts[-1].append(job)
    return parts


def _as_ours(error: Exception, path: Path) -> Exception:
    """SQLite's errors as ours, with SQLite's as the cause; others as they are."""
    if not isinstance(error, sqlite3.Error):
        return error
    ours = store_error(error, path)
    ours.__cause__ = error
    return ours


def _log_failure(work: Work, error: Exception) -> None:
    """Where and what kind; an exception's text may quote a caller's words, SQLite's own never does."""
    said = f": {error}" if isinstance(error, sqlite3.Error | StoreError) else ""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("not written: %s: %s%s\n%s", work.function.__name__, type(error).__name__, said, where)


class Store:
    """The database as the rest of the program knows it. Opens nothing until it is used."""

    def __init__(self, path: Path, *, in_writer: InThread = directly, in_pool: InThread = directly) -> None:
        self.path = Path(path)
        self.in_pool = in_pool
        self._writer = Writer(self.path, in_writer)

    def start(self) -> None:
        """From now on one thread writes, and nobody else waits for the disk."""
        self._writer.start()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Write what is queued and end the writer. False: not all of it within `timeout_s`."""
        return self._writer.stop(timeout_s)

    def read(self, function: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(db, *args, **kwargs)` on an own connection, in the pool. It cannot write."""
        done: Done = self.in_pool(_read, self.path, function, args, kwargs)
        if done.error is not None:
            raise _as_ours(done.error, self.path)
        return done.result  # type: ignore[no-any-return]

    def write(
        self, function: Callable[..., T], *args: Any, timeout_s: float | None = None, **kwargs: Any
    ) -> T:
        """`function(db, *args, **kwargs)` through the writer; its result, once committed.

        Raises what the function raised (nothing of it is written then), or StoreBusy when the
        database took longer than `timeout_s`: the job stays queued.
        """
        return self._wait(Work(function, args, kwargs), timeout_s)  # type: ignore[no-any-return]

    def put(
        self, function: Callable[..., T], *args: Any, then: Callable[[T], None] | None = None, **kwargs: Any
    ) -> None:
        """The same without waiting. `then(result)` is called after the commit, in the writer's thread:
        it must be quick and may `put`, never `write`. Failures are logged."""
        self._writer.give(_Job(Work(function, args, kwargs), then=then))

    def alone(self, function: Callable[..., T], *args: Any, timeout_s: float | None = None) -> T:
        """Like `write`, but outside any transaction and retried only when locked: for VACUUM."""
        return self._wait(Work(function, args, {}, alone=True), timeout_s)  # type: ignore[no-any-return]

    def _wait(self, work: Work, timeout_s: float | None) -> Any:
        if self._writer.is_me():
            raise RuntimeError("write() inside a `then` would wait for itself: use put()")
        job = _Job(work, waited_for=True)
        self._writer.give(job)
        if not job.over.wait(timeout_s):
            raise StoreBusy("the database is busy; what was to be written is still queued")
        if job.done.error is not None:
            raise _as_ours(job.done.error, self.path)
        return job.done.result
