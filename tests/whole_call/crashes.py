"""kill -9, again and again, while five callers talk; what was there before, and what is there after.

At each kill the callers are left alone with the rest of the document they were given: an apology, a tone and
a recording. The next start finds the calls open, closes them, and fetches those recordings from the telephone
company, which is then asked for calls and recordings for the first time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.sandbox.caller import CallRecord
from assistant.sandbox.caller.script import Scenario
from tests.whole_call.house import NO_CAPS, House, Kept, beside, eventually, free_port, script, telephone

KILLS = 4
CALLERS = 5
# Everything after the kill is heard so much faster than life.
HURRY = 6.0
# All callers together have finished so many turns when the machine stops: somewhere in their conversations.
FEWEST_TURNS, MOST_TURNS = 7, 22

CALLER = """
[[caller]]
label = "caller {number}"
from = "+1202555013{number}"
starts_after_ms = {after_ms}
steps = [
  {{ hear = "reply" }},
  {{ say = "hello" }},
  {{ hear = "reply" }},
  {{ say = "question-1" }},
  {{ hear = "tone", within_s = 90 }},
  {{ say = "message-1" }},
  {{ be_quiet_ms = 300 }},
  {{ hang_up = true }},
]
"""


def five_callers() -> Scenario:
    """Each a little later than the one before, so that no two are at the same word."""
    return script("".join(CALLER.format(number=n, after_ms=n * 350) for n in range(CALLERS)))


@dataclass(frozen=True)
class Crash:
    """One kill and the start after it. `before`: what was on the disk at the kill, by call."""

    before: dict[str, Kept]
    interrupted: dict[str, Kept]  # as the next start found them, before any recording came home
    records: tuple[CallRecord, ...]


class Crashes:
    """Makes them all, beside everything else."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.house = House(folder / "instance", **telephone(port, "http://127.0.0.1:9"))
        self.house.prefer(**NO_CAPS, disclosure="")
        self._made = beside(self._make)

    def all(self) -> list[Crash]:
        """All of them, once they have been made; the program runs again after the last."""
        return self._made.result(180)

    def _make(self) -> list[Crash]:
        self.house.start()
        return [self._crash() for _ in range(KILLS)]

    def _crash(self) -> Crash:
        house = self.house
        ringing = house.ring(five_callers(), hurry=HURRY, media_not_ready=0)
        ringing.until("rings", times=CALLERS)
        turns = random.randint(FEWEST_TURNS, MOST_TURNS)
        before = eventually(lambda: self._talked(ringing.call_sids, turns), f"{turns} turns were spoken")
        house.kill()
        ringing.until("over", times=CALLERS)
        house.start(TWILIO_API_URL=ringing.caller.rest.url)
        interrupted = {call_sid: house.kept(call_sid) for call_sid in before}
        return Crash(before, interrupted, ringing.report().calls)

    def _talked(self, call_sids: list[str], turns: int) -> dict[str, Any]:
        """The calls, as soon as each has a turn and all have so many."""
        kept = {call_sid: self.house.kept(call_sid) for call_sid in call_sids}
        each = [len(call.get("turns", ())) for call in kept.values()]
        return kept if all(each) and sum(each) >= turns else {}
