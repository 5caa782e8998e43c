"""Who is watching which call.

A page that shows running calls asks for a `Watcher` and waits on it; whoever makes something durable, or
begins or ends a call, tells. What is told is only that there is something to look at: a watcher reads what
it is from the store, from where it had got to. So a watcher who is slow is told once for many things, misses
none of them, and holds up nobody.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import Literal

What = Literal["began", "kept", "state", "ended"]

FOR_ALL = frozenset(
    {"began", "state", "ended"}
)  # words are for those alone who watch the call they belong to


@dataclass(eq=False, slots=True)
class Watcher:
    """One page's view: of the coming and going of calls, and of all of one call. Close it with the page."""

    live: Live = field(repr=False)
    call_sid: str | None
    closed: bool = False
    _untold: dict[What, None] = field(default_factory=dict)  # in the order told, each once
    _something: threading.Condition = field(default_factory=threading.Condition)

    def next(self, timeout_s: float) -> What | None:
        """What was told first and not yet given; None when nothing was for that long, or it is closed."""
        with self._something:
            self._something.wait_for(lambda: self._untold or self.closed, timeout_s)
            what = next(iter(self._untold), None)
            if what is not None:
                del self._untold[what]
            return what

    def tell(self, what: What) -> None:
        """There is something to look at. Never waits for whoever watches."""
        with self._something:
            self._untold[what] = None
            self._something.notify()

    def close(self) -> None:
        """Watch no longer."""
        self.live.leave(self)
        with self._something:
            self.closed = True
            self._something.notify()


class Live:
    """The watchers of all calls; from any thread."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()
        self._lock = threading.Lock()
        self._program = secrets.token_hex(4)
        self._changes = 0

    @property
    def mark(self) -> str:
        """Another one whenever a call has begun or ended since: what a page made before that shows is old."""
        return f"{self._program}-{self._changes}"

    def watch(self, call_sid: str | None = None) -> Watcher:
        """Begin to watch the coming and going of calls, and one of them closely, begun or not."""
        watcher = Watcher(self, call_sid)
        with self._lock:
            self._watchers.add(watcher)
        return watcher

    def tell(self, call_sid: str, what: What) -> None:
        """Tell everybody whom it concerns. Never waits."""
        with self._lock:
            self._changes += what in ("began", "ended")
            watchers = tuple(self._watchers)
        for watcher in watchers:
            if what in FOR_ALL or watcher.call_sid == call_sid:
                watcher.tell(what)

    def watching(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def leave(self, watcher: Watcher) -> None:
        """It watches no longer; what `Watcher.close` calls."""
        with self._lock:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """Send everybody away: the program leaves."""
        with self._lock:
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher.close()
