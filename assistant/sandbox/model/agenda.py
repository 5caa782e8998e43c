"""What is to be done later in a loop that otherwise waits for its socket."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from itertools import count


class Agenda:
    """Entries in the order they are due. One loop owns it; no locks."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._entries, (time.monotonic() + seconds, next(self._numbers), do))

    def wait_s(self, at_most: float) -> float:
        """Seconds until the next entry is due."""
        if not self._entries:
            return at_most
        return min(at_most, max(0.0, self._entries[0][0] - time.monotonic()))

    def run_due(self) -> None:
        while self._entries and self._entries[0][0] <= time.monotonic():
            heapq.heappop(self._entries)[2]()
