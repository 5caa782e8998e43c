"""Every call sends a frame each 20 ms, each at its own moment of the 20.

An event loop's timers tick in whole milliseconds, which would send the frames of many calls in bursts and
measure the queue that makes. The kernel's own timer is exact. It rings every half millisecond and not for
each frame, because setting it costs as much as sending a frame on some virtual machines.
"""

from __future__ import annotations

import asyncio
import bisect
import ctypes
import os
import time
from collections.abc import Callable
from contextlib import suppress

from tests.bench.figures import MS

FRAME_NS = 20 * MS
TICK_NS = MS // 2
GOLDEN = 0.6180339887  # any number of its multiples lie evenly in the unit interval

_CLOCK_MONOTONIC = 1


def _ticking() -> int:
    """A timer of the kernel's, as a file that becomes readable with each tick."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    interval_and_first = (ctypes.c_long * 4)(0, TICK_NS, 0, TICK_NS)
    libc.timerfd_settime(fd, 0, interval_and_first, None)
    return fd


class Pace:
    """A ring of callers, each with its place in the 20 ms."""

    def __init__(self) -> None:
        self._ring: list[tuple[int, int, Callable[[], None]]] = []  # (place in ns, number, send)
        self._next = 0
        self._turn_ns = 0  # when this turn of the ring began
        self._number = 0
        self._timer = _ticking()
        asyncio.get_running_loop().add_reader(self._timer, self._tick)

    def add(self, send: Callable[[], None]) -> Callable[[], None]:
        """Call `send` every 20 ms from now on. Returns what ends it."""
        if not self._ring:
            self._next, self._turn_ns = 0, time.monotonic_ns()
        self._number += 1
        entry = (int(self._number * GOLDEN % 1 * FRAME_NS), self._number, send)
        at = bisect.bisect(self._ring, entry[0], key=lambda other: other[0])
        self._ring.insert(at, entry)
        self._next += at < self._next
        return lambda: self._remove(entry)

    def _remove(self, entry: tuple[int, int, Callable[[], None]]) -> None:
        at = self._ring.index(entry)
        del self._ring[at]
        self._next -= at < self._next

    def close(self) -> None:
        """No more frames."""
        asyncio.get_running_loop().remove_reader(self._timer)
        os.close(self._timer)

    def _tick(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._timer, 8)  # else it stays readable
        now_ns = time.monotonic_ns()
        while self._ring and self._due_ns() <= now_ns:
            send = self._ring[self._next][2]
            self._next += 1
            send()

    def _due_ns(self) -> int:
        if self._next >= len(self._ring):
            self._next = 0
            self._turn_ns += FRAME_NS
        return self._turn_ns + self._ring[self._next][0]
