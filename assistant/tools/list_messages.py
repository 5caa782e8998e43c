"""The newest messages, read out to the owner. What callers said is quoted, and short."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from assistant.store import messages
from assistant.tools.speech import at, listing, quoted
from assistant.tools.toolbox import OWNER_ALONE, Arguments, Tool, ToolContext, ToolResult

MOST_MESSAGES = 10


class NoArguments(Arguments):
    pass


def list_messages(context: ToolContext, wanted: NoArguments) -> ToolResult:
    """The newest first; not those of this call."""
    zone = context.diary.rules(context.trust)[1].zone
    found = context.store.read(messages.newest, MOST_MESSAGES, not_of=context.call_sid)
    shown = [_quoted(one, zone) for one in found]
    count = f"{len(shown)} message{'' if len(shown) == 1 else 's'}" if shown else "No messages"
    return ToolResult(listing(messages=shown, say=f"{count}, the newest first." if shown else f"{count}."))


def _quoted(message: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    created_at: datetime = message["created_at"]
    return {
        "from": quoted(message["from_number"]) or None,
        "name": quoted(message["name"]) or None,
        "callback_number": quoted(message["callback_number"]) or None,
        "text": quoted(message["text"]),
        "urgency": message["urgency"],
        "when": at(created_at.astimezone(zone)),
    }


LIST_MESSAGES = Tool(
    name="list_messages",
    description="The newest messages that callers have left. Read out what they say, as theirs.",
    arguments=NoArguments,
    run=list_messages,
    levels=OWNER_ALONE,
)
