"""The bench: what the bridge costs and how much it delays, beside the least that any bridge can.

    make bench                                     all rows; exit status 1 when a bar is missed
    .venv/bin/python -m tests.bench --only echo    some of them

A server under test stands between two far ends that are ours: a telephone company with up to hundreds of
callers (`phone`, `ringing`, `pace`, together `load`) and a model that answers at once (`model`). Both are
in this process and one loop, so a frame's times need no second clock; each 20 ms frame carries its own
number (`stamp`, `journal`). The servers (`servers`), each a process of its own on a core of its own, take
turns within each of three rounds, and medians are compared: the machine may be slow or busy, but it is so
for all of them.

`floor` is the measure: a relay that passes base64 on and does nothing else. What is measured is in the
sections below, a module each. Each figure is a `Row`, with the bar it has to clear and the aim.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import uvloop

from tests.bench import (
    barge_in,
    crowd,
    echo,
    find_times,
    first_sound,
    hub,
    inbox_page,
    live_page,
    search,
    sound,
    start,
    talk,
)
from tests.bench.bench import Bench
from tests.bench.load import Load
from tests.bench.rows import Row, table
from tests.bench.servers import CORES, OUR_CORE

HIGH = -19
SECTIONS: dict[str, Callable[[Bench], Awaitable[list[Row]]]] = {
    "echo": echo.rows,
    "talk": talk.rows,
    "crowd": crowd.rows,
    "barge-in": barge_in.rows,
    "first-sound": first_sound.rows,
    "hub": hub.rows,
    "sound": sound.rows,
    "find-times": find_times.rows,
    "inbox-page": inbox_page.rows,
    "live-page": live_page.rows,
    "search": search.rows,
    "start": start.rows,
}


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    about, names = "What the bridge costs, and how much it delays.", ", ".join(SECTIONS)
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=about)
    parser.add_argument("--only", metavar="NAME,...", default=",".join(SECTIONS), help=f"of {names}")
    parser.add_argument("--quick", action="store_true", help="one short round: to try out, not to tell")
    given = parser.parse_args()
    given.only = given.only.split(",")
    if wrong := [name for name in given.only if name not in SECTIONS]:
        parser.error(f"no section {', '.join(wrong)}; there are {names}")
    return given


async def run(only: list[str], quick: bool) -> list[Row]:
    """The sections' rows. All that was started is stopped, whatever happens."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    os.sched_setaffinity(0, {OUR_CORE})
    rows: list[Row] = []
    with precedence(), tempfile.TemporaryDirectory(prefix="bench-") as folder:
        load = await Load(Path(folder)).open()
        bench = Bench(load, rounds=1, seconds=2.0) if quick else Bench(load)
        try:
            for name in only:
                rows += await section(name, bench)
        finally:
            bench.stop()
            await load.close()
    return rows


@contextmanager
def alone() -> Iterator[None]:
    """Two benches at once would measure each other."""
    with (Path(tempfile.gettempdir()) / "afterbeep-bench.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another bench is running; this one waits for its end", sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def precedence() -> Iterator[None]:
    """Ask the scheduler to put us before whatever else the machine does; it grants that to root alone."""
    # Where the scheduler groups processes by terminal, a priority counts inside the group only.
    group = Path("/proc/self/autogroup")
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, HIGH)
        group.write_text(str(HIGH))
    try:
        yield
    finally:
        with suppress(OSError):
            group.write_text("0")


async def section(name: str, bench: Bench) -> list[Row]:
    """One section's rows; one that fails is a row that misses."""
    began = time.monotonic()
    try:
        rows = await SECTIONS[name](bench)
    except Exception as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # what the end of a bench does to its calls is no result
            raise asyncio.CancelledError from error
        traceback.print_exc()
        rows = [Row(name, None, "", 0, None, f"failed: {type(error).__name__}")]
    say(f"{name}: {time.monotonic() - began:.0f} s", sys.stderr)
    return rows


def say(line: str, to: TextIO = sys.stdout) -> None:
    """A line for the person at the terminal."""
    to.write(line + "\n")
    to.flush()


def main() -> int:
    """Returns the exit status."""
    given = arguments()
    with alone():
        began = time.monotonic()
        try:
            rows = uvloop.run(run(given.only, given.quick))
        except asyncio.CancelledError:
            return 130
    say(table(rows))
    machine = f"{platform.machine()}, {len(CORES)} cores, Python {platform.python_version()}"
    missed = sum(row.missed for row in rows)
    say(f"\n{machine}; {time.monotonic() - began:.0f} s; {missed} of {len(rows)} bars missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
