"""Running calls to the owner's phone, and how to tell one that comes back to us.

We ring the owner; nobody answers; the carrier's own forwarding sends *our* call to our number. Answered,
the assistant would talk with itself on two paid lines. What comes back looks like a new call: another
CallSid, our number, and the caller ID we showed (the caller's own, or ours). So what we show is noted
while the owner's phone rings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from assistant.trust import Caller, same_number

# Twilio rings about 5 s longer than it is told, and forwarding takes its time.
LONGER_THAN_RINGING_S = 20.0


@dataclass(frozen=True, slots=True)
class _Dial:
    shown: str
    caller_withheld: bool
    forgotten_at: float


class RunningDials:
    """The owner's phone rings for these calls. `clock`: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._dials: dict[str, _Dial] = {}

    def begin(self, call_sid: str, caller: Caller, *, shown: str, ring_seconds: int) -> None:
        """The owner is being rung for this call. `shown`: the caller ID the owner's phone is given."""
        forgotten_at = self._clock() + ring_seconds + LONGER_THAN_RINGING_S
        self._dials[call_sid] = _Dial(shown, caller.withheld, forgotten_at)

    def running(self) -> int:
        """For how many calls the owner's phone may be ringing."""
        return len(self._others(""))

    def forget(self, call_sid: str) -> None:
        """That dial is over."""
        self._dials.pop(call_sid, None)

    def is_loop(
        self, call_sid: str, caller: Caller, forwarded_from: str | None, *, twilio_number: str, owner: str
    ) -> bool:
        """Whether this new call is one of our own dials, forwarded back to us."""
        if same_number(caller.number, twilio_number):
            return True  # nobody but us calls from our number
        dials = self._others(call_sid)
        if any(same_number(caller.identity, dial.shown) for dial in dials):
            return True
        if dials and same_number(forwarded_from, owner):
            return True
        # Nameless calls are all alike, so one can only be matched with the only one.
        return caller.withheld and sum(dial.caller_withheld for dial in dials) == 1

    def _others(self, call_sid: str) -> list[_Dial]:
        now = self._clock()
        self._dials = {sid: dial for sid, dial in self._dials.items() if dial.forgotten_at > now}
        return [dial for sid, dial in self._dials.items() if sid != call_sid]
