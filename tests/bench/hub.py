"""Does the loop that serves every call ever wait for the database or the disk?"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import serve
from tests.bench.bench import Bench
from tests.bench.figures import percentile
from tests.bench.load import SETTLE_S
from tests.bench.rows import Row
from tests.bench.servers import Afterbeep

CALLS = 20  # that talk: their turns are kept while they do
QUIET_S, LOCKED_S, SLOW_S = 3.0, 10.0, 5.0
SYNC_S = 0.06

_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""
_SLOW_DISK = """
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int late(int result) {
    struct timespec sync = {0, %d};
    nanosleep(&sync, 0);
    return result;
}
int fsync(int fd) { return late(syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { return late(syscall(SYS_fdatasync, fd)); }
"""


async def rows(bench: Bench) -> list[Row]:
    """Lateness under a locked database and under a slow disk."""
    return [await _locked_database(bench), await _slow_disk(bench)]


async def _locked_database(bench: Bench) -> Row:
    async with _talking(bench, "locked") as watched:
        quiet = await watched.during(QUIET_S)
        with _locked(watched.server.database):
            late = await watched.during(LOCKED_S - 0.5)
    how = (
        f"BEGIN EXCLUSIVE for {LOCKED_S:.0f} s, {CALLS} talking calls; before it {percentile(quiet, 99):.1f}"
    )
    return Row("hub lateness, database locked, p99", percentile(late, 99), "ms", 5, None, how)


async def _slow_disk(bench: Bench) -> Row:
    name = "hub lateness, disk syncs in 60 ms, p99"
    library = _compiled(bench.load.folder)
    if library is None:
        return Row(name, None, "ms", 5, None, "there is no C compiler (cc) to make the disk slow with")
    async with _talking(bench, "slow", LD_PRELOAD=str(library)) as watched:
        late = await watched.during(SLOW_S)
    return Row(name, percentile(late, 99), "ms", 5, None, f"fsync and fdatasync; {CALLS} talking calls")


@dataclass(frozen=True, slots=True)
class _Watched:
    """A program that notes how late its loop is."""

    server: Afterbeep
    notes: Path

    async def during(self, seconds: float) -> list[float]:
        """How late it is in the next `seconds`, in ms."""
        before = len(serve.read(self.notes))
        await asyncio.sleep(seconds)
        return serve.read(self.notes)[before:]


@asynccontextmanager
async def _talking(bench: Bench, name: str, **environ: str) -> AsyncIterator[_Watched]:
    """Such a program, while calls talk."""
    watched = _Watched(bench.new(name), bench.load.folder / f"{name}.lateness")
    command = ("-m", "tests.bench.serve")
    await watched.server.start(command, BENCH_LATENESS=str(watched.notes), **environ)
    bench.load.model.behave("talk")
    try:
        async with bench.load.calls(watched.server) as calls:
            await calls.begin(CALLS)
            await asyncio.sleep(SETTLE_S)
            yield watched
    finally:
        watched.server.stop()


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Another process holds the database, for LOCKED_S at the most."""
    command = [sys.executable, "-c", _LOCK, str(database), str(LOCKED_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield
        finally:
            process.terminate()


def _compiled(folder: Path) -> Path | None:
    """The library that makes a disk slow; None without a compiler."""
    library = folder / "slow_disk.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o", str(library)]
    try:
        subprocess.run(command, input=_SLOW_DISK % (SYNC_S * 1e9), text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return library
