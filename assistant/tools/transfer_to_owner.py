"""The owner's phone is rung for the caller. The tool only asks; the call rings when what is said was heard.

A caller never chooses who is rung: there is one number, from the settings. A stranger may have it rung once a
call; the owner hears who it is and why, and decides by a key.
"""

from __future__ import annotations

from pydantic import Field

from assistant.call.events import ThenTransfer
from assistant.errors import ToolRefused
from assistant.tools.toolbox import Arguments, Tool, ToolContext, ToolResult

STRANGERS_RINGS = 1
THEN = "The owner's phone rings when the caller has heard you out. You will be told if nobody takes the call."


class Wish(Arguments):
    reason: str = Field(
        "",
        max_length=300,
        description="Who is calling and why, in one short sentence that is read out to the owner.",
    )


def transfer_to_owner(context: ToolContext, wish: Wish) -> ToolResult:
    """Ask for the owner's phone to be rung."""
    if not context.can_ring_owner:
        raise ToolRefused("not_available", "The owner's phone cannot be rung on this call.")
    if context.trust == "stranger" and context.tally["rings"] >= STRANGERS_RINGS:
        raise ToolRefused("not_allowed", "The owner's phone was asked for on this call already.")
    context.tally["rings"] += 1
    return ToolResult({"ok": True, "ringing": THEN}, then=ThenTransfer(wish.reason))


TRANSFER_TO_OWNER = Tool(
    name="transfer_to_owner",
    description=(
        "Ring the owner's own phone and put the caller through. Only when the caller asks to speak to the "
        "owner now, or something cannot wait. In the same reply say briefly that you will try."
    ),
    arguments=Wish,
    run=transfer_to_owner,
    levels=frozenset({"stranger", "known"}),
)
