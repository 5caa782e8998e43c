"""Who is watching which call.

A page that shows a running call asks for a `Watcher` and reads from it; whoever makes a turn durable
tells the watchers. Nobody who tells ever waits: a watcher that does not keep up is dropped, and its
page reads the call from the store when it asks again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST = 200  # things untold to one watcher; a page that far behind had better be loaded anew


@dataclass(eq=False, slots=True)
class Watcher:
    """One page's view of one call. Close it when the page is gone."""

    call_sid: str
    leave: Callable[[Watcher], None]
    untold: queue.Queue[object] = field(default_factory=lambda: queue.Queue(LONGEST))
    dropped: bool = False

    def next(self, timeout_s: float) -> object | None:
        """The next thing told, or None when there was none for that long or the watcher was dropped."""
        try:
            return self.untold.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Watch no longer."""
        self.leave(self)


class Live:
    """The watchers of all calls; from any thread."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[Watcher]] = {}
        self._lock = threading.Lock()

    def watch(self, call_sid: str) -> Watcher:
        """Begin to watch a call; also one that has not begun, or is over."""
        watcher = Watcher(call_sid, self._leave)
        with self._lock:
            self._watchers.setdefault(call_sid, set()).add(watcher)
        return watcher

    def tell(self, call_sid: str, what: object) -> None:
        """Tell everybody who watches this call. Never waits."""
        with self._lock:
            watchers = tuple(self._watchers.get(call_sid, ()))
        for watcher in watchers:
            try:
                watcher.untold.put_nowait(what)
            except queue.Full:
                watcher.dropped = True
                self._leave(watcher)

    def watching(self, call_sid: str) -> int:
        """How many watch this call."""
        return len(self._watchers.get(call_sid, ()))

    def _leave(self, watcher: Watcher) -> None:
        with self._lock:
            watchers = self._watchers.get(watcher.call_sid, set())
            watchers.discard(watcher)
            if not watchers:
                self._watchers.pop(watcher.call_sid, None)
