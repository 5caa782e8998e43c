"""Callers who want the owner now, and what becomes of them when the owner does not take the call."""

from __future__ import annotations

from pathlib import Path

from assistant.sandbox.caller import CallRecord
from tests.whole_call.house import NO_CAPS, House, Kept, script

COMES_BACK = """
[owner]
kind = "{kind}"

[[caller]]
steps = [
  {{ hear = "reply" }},
  {{ say = "put-me-through" }},
  {{ hear = "reply", saying = "not-reached", within_s = 60 }},
  {{ say = "thanks-bye" }},
  {{ hear = "end" }},
]

[expect]
outcome = "talked"
ended_because = "assistant_ended"
ended_by = "app"
tools = ["transfer_to_owner", "end_call"]
streams = 2
"""
DOES_NOT_WAIT = """
[owner]
kind = "no-answer"

[[caller]]
steps = [
  { hear = "reply" },
  { say = "put-me-through" },
  { hear = "reply", saying = "try-owner" },
  { be_quiet_ms = 2500 },
  { hang_up = true },
]

[expect]
outcome = "talked"
ended_because = "caller_hung_up"
ended_by = "caller"
tools = ["transfer_to_owner"]
streams = 1
"""


class Transfers:
    """All of them at once, in one program whose owner's phone rings for as short as it can."""

    def __init__(self, folder: Path) -> None:
        self.house = House(folder / "instance")
        self.house.prefer(**NO_CAPS, disclosure="", greeting="How can I help?", ring_seconds="5").start()
        scripts = {kind: COMES_BACK.format(kind=kind) for kind in ("voicemail", "busy", "no-answer")}
        scripts["does not wait"] = DOES_NOT_WAIT
        self._ringing = {name: self.house.ring(script(text)) for name, text in scripts.items()}

    def call(self, name: str) -> tuple[CallRecord, Kept]:
        record = self._ringing[name].report().call
        return record, self.house.closed(record)
