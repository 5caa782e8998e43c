"""The calls whose media stream is open, for everybody who must know: caps, budget, webhooks, the drain."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import Protocol

from assistant.call.events import CallerGone, Event, ShutDown


class RunningCall(Protocol):
    """What is asked of a call that is being served (a `bridge.Bridge`)."""

    call_sid: str

    @property
    def cost_usd(self) -> float: ...
    @property
    def caller_gone(self) -> bool: ...
    def run(self) -> None: ...
    def clock(self) -> int: ...
    def put(self, event: Event) -> None: ...


class LiveCalls:
    """The calls that are being served. `draining`: the program is about to leave."""

    def __init__(self) -> None:
        self.draining = False
        self._calls: dict[str, RunningCall] = {}

    def count(self) -> int:
        """How many streams are open."""
        return sum(not call.caller_gone for call in self._all())

    def has(self, call_sid: str) -> bool:
        return call_sid in self._calls

    def cost_usd(self) -> float:
        """What the running calls have cost so far."""
        return sum(call.cost_usd for call in self._all())

    def serve(self, call: RunningCall) -> None:
        """Serve a call and know it as live meanwhile."""
        self._calls[call.call_sid] = call
        try:
            call.run()
        finally:
            del self._calls[call.call_sid]
            if not self._calls:
                # The collector is kept from working while somebody is on the line (see `green`), and the
                # parts of a call know each other: what is left of the calls before is given back now.
                gc.collect()

    def hung_up(self, call_sid: str) -> None:
        """The telephone company says that this call is over."""
        if call := self._calls.get(call_sid):
            call.put(CallerGone(hung_up=True, at_ms=call.clock()))

    def close_all(self) -> None:
        """Close every stream as going away (1001); callers come to the apology."""
        for call in self._all():
            call.put(ShutDown(at_ms=call.clock()))

    def _all(self) -> Iterable[RunningCall]:
        return tuple(self._calls.values())
