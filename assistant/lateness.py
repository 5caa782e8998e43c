"""How late the loop is that serves every call: slept too long, a caller would have waited as long.

Whoever asks to be woken in 400 ms and is woken after 420 was 20 ms late, and so was every piece of sound that
wanted to pass meanwhile. Measured all the time; kept as counts by size, so that an hour of it takes no room.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable

TICK_S = 0.4  # a tick takes a processor that had gone to sleep 0.3 ms: less than a thousandth of it
MINUTES = 60
ENOUGH = 300  # ticks, from which a hundredth can be told; the start itself is late, and passes by it
BOUNDS_MS = tuple(round(0.5 * 1.2**n, 2) for n in range(48))  # half a millisecond to 2.6 s, in fifths
SIZES = len(BOUNDS_MS) + 1


class Lateness:
    """The last hour, minute by minute. One thread ticks; any may ask."""

    def __init__(self) -> None:
        self._minutes: deque[list[int]] = deque([[0] * SIZES], maxlen=MINUTES)

    def tick(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Sleep a little, and note by how much it was too long."""
        due = clock() + TICK_S
        sleep(TICK_S)
        self._minutes[-1][bisect_left(BOUNDS_MS, (clock() - due) * 1000)] += 1

    def next_minute(self) -> None:
        """What is an hour old is forgotten."""
        self._minutes.append([0] * SIZES)

    def p99_ms(self) -> float | None:
        """99 of 100 ticks were at most so late; None: there were too few yet."""
        sizes = [sum(column) for column in zip(*tuple(self._minutes), strict=True)]
        if sum(sizes) < ENOUGH:
            return None
        missing = 0.99 * sum(sizes)
        for bound, count in zip((*BOUNDS_MS, BOUNDS_MS[-1]), sizes, strict=True):
            missing -= count
            if count and missing <= 0:
                return bound
        return None
