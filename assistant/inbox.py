"""What happens on one call, one event at a time and in the order it came; and its timers.

Whoever brings an event to an empty inbox takes care of it, and of all that others bring meanwhile: at any
time there is one at work and nobody who waits, and a piece of sound goes from one socket to the other
without a change of threads. Somebody who brings more than can be taken care of has to wait for their turn,
and does not read on meanwhile: so the inbox of a call whose phone or model has stopped reading stays small.

Timers are kept by the thread that serves the call (`serve`), which has nothing else to do.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from assistant.call.events import Event, TimerFired

MOST_WAITING = 500  # events: ten seconds of a caller's sound

Handle = Callable[[Event, int], None]


class Inbox:
    """Events of one call. `handle(event, source)` is never called twice at the same time.

    clock: milliseconds since the call began.
    """

    def __init__(self, handle: Handle, clock: Callable[[], int]) -> None:
        self._handle = handle
        self._clock = clock
        self._events: deque[tuple[Event, int]] = deque()
        self._turn = threading.Lock()
        self._timers: dict[str, int] = {}
        self._next_look_ms: float = float("inf")
        self._wake = threading.Event()
        self._closed = False
        self._left = False
        self._error: BaseException | None = None

    # --- events ----------------------------------------------------------------

    def put(self, event: Event, source: int = 0) -> None:
        """Something has happened. From any thread; also from `handle`, which finishes first."""
        self._events.append((event, source))
        self._work()

    def bring(self, event: Event, source: int = 0) -> None:
        """`put`, for those who read from a socket: with too much waiting, they wait for their turn."""
        if not self._events and not self._closed and self._turn.acquire(False):
            # Nobody is before it, and nobody at work: nearly always, and so the quick way.
            try:
                self._handle(event, source)
            except BaseException as error:
                self._fail(error)
            finally:
                self._turn.release()
        else:
            self._events.append((event, source))
            if len(self._events) > MOST_WAITING and not self._closed:
                with self._turn:
                    self._take_care()
        if self._events:
            self._work()

    def _work(self) -> None:
        # Looked at again after every turn: what came in its last moment was left to whoever had it.
        while self._events and self._turn.acquire(False):
            try:
                self._take_care()
            finally:
                self._turn.release()

    def _take_care(self) -> None:
        events = self._events
        try:
            while events and not self._closed:
                self._handle(*events.popleft())
        except BaseException as error:
            self._fail(error)
        if self._closed:
            events.clear()

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self.close()

    # --- timers ----------------------------------------------------------------

    def start_timer(self, name: str, at_ms: int) -> None:
        """TimerFired(name) happens then; replaces a timer of that name. From `handle` alone."""
        self._timers[name] = at_ms
        if at_ms < self._next_look_ms:
            self._wake.set()

    def stop_timer(self, name: str) -> None:
        """Forget a timer; harmless when there is none. From `handle` alone."""
        self._timers.pop(name, None)

    def serve(self) -> bool:
        """Let timers fire until the inbox is closed, or left. Blocks. Raises what `handle` raised, in any
        thread. True: it was left, and another has to serve it."""
        while not (self._closed or self._left):
            self._wait_for_a_timer()
            with self._turn:
                self._take_care()
                self._fire()
            self._work()
        with self._turn:  # whoever closed it may still be at work, and fail
            error = self._error
        if error is not None:
            raise error
        left, self._left = self._left, False
        return left

    def _wait_for_a_timer(self) -> None:
        """Until the next one is due; not as long if another starts that is due before, or at the end."""
        self._wake.clear()
        self._next_look_ms = float("inf")  # a timer that starts while the next is looked for wakes us
        self._next_look_ms = min(self._timers.copy().values(), default=float("inf"))
        wait_ms = self._next_look_ms - self._clock()
        # Looked at after `clear`: a close since then wakes us.
        if wait_ms > 0 and not (self._closed or self._left):
            self._wake.wait(None if wait_ms == float("inf") else wait_ms / 1000)

    def _fire(self) -> None:
        now_ms = self._clock()
        for name, at_ms in sorted(self._timers.items(), key=lambda timer: timer[1]):
            # One that fired before it may have stopped or replaced this one.
            if at_ms <= now_ms and self._timers.get(name) == at_ms and not self._closed:
                del self._timers[name]
                # Before what has just come: that may be what stops this timer, which would fire all the same.
                self._events.appendleft((TimerFired(name, at_ms=self._clock()), 0))
                self._take_care()

    # --- the end ---------------------------------------------------------------

    def leave(self) -> None:
        """Whoever serves now stops; the inbox stays open, for another to serve. From `handle` alone."""
        self._left = True
        self._wake.set()

    def close(self) -> None:
        """Nothing more is taken care of; `serve` returns."""
        self._closed = True
        self._wake.set()
