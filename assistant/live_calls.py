"""The calls the assistant has, for everybody who must know: caps, budget, webhooks, the drain, the owner.

As a rule a call's media stream is open as long as it is here. A parked one has none: the owner's phone is
being rung, and the caller may come back on a new stream.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any, Literal, Protocol

from assistant.call.events import CallOver, Event, ShutDown

CallState = Literal["talking", "ringing_owner"]


class RunningCall(Protocol):
    """What is asked of a call that is being served (a `bridge.Bridge`)."""

    call_sid: str

    @property
    def cost_usd(self) -> float: ...
    @property
    def ended_because(self) -> str | None: ...
    @property
    def caller_gone(self) -> bool: ...
    @property
    def parked(self) -> bool: ...
    @property
    def away(self) -> bool: ...
    @property
    def state(self) -> CallState: ...
    def run(self) -> bool: ...
    def go_on(self) -> None: ...
    def adopt(self, phone: Any) -> bool: ...
    def clock(self) -> int: ...
    def put(self, event: Event) -> None: ...


class LiveCalls:
    """The calls that are being served. `draining`: the program is about to leave."""

    def __init__(self) -> None:
        self.draining = False
        self._calls: dict[str, RunningCall] = {}

    def count(self) -> int:
        """How many streams are open."""
        return sum(not (call.caller_gone or call.away) for call in self.running())

    def has(self, call_sid: str) -> bool:
        return call_sid in self._calls

    def parked(self, call_sid: str) -> bool:
        """Whether the assistant waits for this caller to come back on a new stream."""
        call = self._calls.get(call_sid)
        return call is not None and call.parked

    def away(self, call_sid: str) -> bool:
        """Whether this caller left their stream for the owner's phone, and has not come back on another."""
        call = self._calls.get(call_sid)
        return call is not None and call.away

    def ringing_owner(self, call_sid: str) -> bool:
        """Whether the owner's phone is being rung for this caller, or about to be."""
        call = self._calls.get(call_sid)
        return call is not None and call.state == "ringing_owner"

    def cost_usd(self) -> float:
        """What the running calls have cost so far."""
        return sum(call.cost_usd for call in self.running())

    def serve(self, call: RunningCall) -> None:
        """Serve a call until its stream is over, and know it as live until it is."""
        self._calls[call.call_sid] = call
        goes_on = False
        try:
            goes_on = call.run()
        finally:
            if goes_on:
                threading.Thread(target=self._go_on, args=(call,), name="parked", daemon=True).start()
            else:
                self._forget(call)

    def _go_on(self, call: RunningCall) -> None:
        try:
            call.go_on()
        finally:
            self._forget(call)

    def _forget(self, call: RunningCall) -> None:
        del self._calls[call.call_sid]
        if not self._calls:
            # The collector is kept from working while somebody is on the line (see `green`), and the
            # parts of a call know each other: what is left of the calls before is given back now.
            gc.collect()

    def adopt(self, call_sid: str, phone: Any) -> str | None:
        """A parked call's caller is back, on this phone; blocks until its stream is over.

        Returns why the assistant's part ended; None: it is parked again.
        """
        call = self._calls.get(call_sid)
        return call.ended_because if call is not None and call.adopt(phone) else "line_lost"

    def put(self, call_sid: str, make: Callable[[int], Event]) -> bool:
        """Something has happened to a call; `make` is given its clock, in ms. False: it is not running."""
        call = self._calls.get(call_sid)
        if call is None:
            return False
        call.put(make(call.clock()))
        return True

    def hung_up(self, call_sid: str) -> None:
        """The telephone company says that this call is over."""
        self.put(call_sid, lambda at_ms: CallOver(at_ms=at_ms))

    def close_all(self) -> None:
        """Close every stream as going away (1001); callers come to the apology."""
        for call in self.running():
            call.put(ShutDown(at_ms=call.clock()))

    def running(self) -> list[RunningCall]:
        """All of them, the oldest first."""
        return list(self._calls.values())
