"""The end of the call. The tool only asks; the call hangs up when it is polite."""

from __future__ import annotations

from pydantic import Field

from assistant.call.events import ThenHangUp
from assistant.tools.toolbox import Arguments, Tool, ToolContext, ToolResult


class Ending(Arguments):
    reason: str = Field("", description="Why the call is over, in a few words.")


def end_call(context: ToolContext, ending: Ending) -> ToolResult:
    """Ask for the call to be ended."""
    return ToolResult({"ok": True}, then=ThenHangUp())


END_CALL = Tool(
    name="end_call",
    description=(
        "End the call. Only after you have said goodbye and the caller has nothing more to say; "
        "say nothing after it."
    ),
    arguments=Ending,
    run=end_call,
)
