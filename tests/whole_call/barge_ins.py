"""Callers who interrupt the same answer, two items queued one behind the other, at different moments."""

from __future__ import annotations

from assistant.sandbox.caller import CallRecord
from tests.whole_call.house import House, Kept, script

# At the beginning and in the middle of the first item, soon after the seam, early and late in the second.
AFTER_MS = (100, 500, 900, 3000, 7000)

CALL = """
[[caller]]
label = "after {after_ms} ms"
steps = [
  {{ hear = "reply" }},
  {{ say = "question-1" }},
  {{ interrupt = "interrupt", after_ms = {after_ms} }},
  {{ hear = "reply" }},
  {{ say = "thanks-bye" }},
  {{ hear = "end" }},
]

[expect]
outcome = "talked"
ended_because = "assistant_ended"
tools = ["end_call"]
streams = 1
"""


class BargeIns:
    """All of them at once."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._ringing = {
            after_ms: house.ring(script(CALL.format(after_ms=after_ms))) for after_ms in AFTER_MS
        }

    def call(self, after_ms: int) -> tuple[CallRecord, Kept]:
        """What the caller's side knows of one, and what the program keeps."""
        record = self._ringing[after_ms].report().call
        return record, self._house.closed(record)
