"""A key that is a yes: some tools must not be talked into what they do, and ask for the caller's hand.

One of them waits at a time: a second would wait for the same key, and nobody could say which of the two it
was pressed for. And the key has to stay alone. It may be the first of a PIN that is typed once more, so it
counts only when no other has followed for a moment, or when none can follow any more: then it was pressed,
and what the caller wanted is not given up because they were quick to hang up.

Any other key is a no. The question is dropped then, not kept: whoever types something else has not understood
it, and the next key may be meant for that as well. To ask again costs a sentence; what was cancelled is gone.
"""

from __future__ import annotations

from assistant.call.commands import Command, ConfirmTool, DropTool, StartTimer, StopTimer
from assistant.call.tools import ToolRuns

ASKED_MS = 60_000  # a key is waited for so long
ALONE_MS = 1_000  # more than lies between two keys of somebody who types


class Consent:
    """What waits for a key on one call. pressed: the key has come, and has to stay alone."""

    def __init__(self, tools: ToolRuns) -> None:
        self.pressed = False
        self._tools = tools
        self._tool_call_id: str | None = None
        self._key = ""

    @property
    def wanted(self) -> bool:
        """Something waits for a key."""
        return self._tool_call_id is not None

    def ask(self, key: str, tool_call_id: str, at_ms: int) -> list[Command]:
        """This tool does what it was asked when the key is pressed."""
        if self.wanted:
            return [DropTool(tool_call_id)]
        self._key, self._tool_call_id = key, tool_call_id
        return [StartTimer("asked", at_ms + ASKED_MS)]

    def press(self, key: str, at_ms: int, *, first: bool) -> list[Command]:
        """The caller has pressed a key. first: none has come shortly before it."""
        if self.wanted and not self.pressed and first and key == self._key:
            self.pressed = True
            return [StopTimer("asked"), StartTimer("yes", at_ms + ALONE_MS)]
        return self.drop()

    def drop(self) -> list[Command]:
        """It was a no, or none came in time."""
        tool_call_id, self._tool_call_id, self.pressed = self._tool_call_id, None, False
        if tool_call_id is None:
            return []
        return [StopTimer("asked"), StopTimer("yes"), DropTool(tool_call_id)]

    def give(self) -> list[Command]:
        """No other key has come, or none can come: it was a yes, if it was pressed."""
        if self._tool_call_id is None or not self.pressed:
            return []
        tool_call_id, self._tool_call_id, self.pressed = self._tool_call_id, None, False
        self._tools.confirm(tool_call_id)
        return [StopTimer("yes"), ConfirmTool(tool_call_id)]
