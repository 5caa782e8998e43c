"""An appointment is called off. The owner confirms it by a key: a model may have misheard what was meant."""

from __future__ import annotations

from pydantic import Field

from assistant.calendars.events import Deadline
from assistant.call.events import ThenConfirm
from assistant.errors import NoSuchEvent, ToolRefused
from assistant.tools.own_event import own_event
from assistant.tools.passing_on import OUT_OF_REACH, came_true, passed_on
from assistant.tools.speech import listing, quoted
from assistant.tools.toolbox import (
    CALENDAR_S,
    KNOWN_AND_OWNER,
    Arguments,
    Tool,
    ToolContext,
    ToolResult,
)

KEY = "1"


class Which(Arguments):
    event_id: str = Field(description="The appointment, as list_events or add_event named it.")


def cancel_event(context: ToolContext, which: Which) -> ToolResult:
    """Call it off; or, for the owner, ask for the key that does."""
    deadline = Deadline(CALENDAR_S)
    if context.trust != "owner":
        return _cancel(context, which, deadline)
    found = own_event(context, which.event_id, deadline)
    when = found.when(context.diary.rules("owner")[1].zone)["say"]
    output = listing(
        cancelled=False,
        waits_for_key=KEY,
        title=quoted(found.title),
        say=f"Ask them to press {KEY} on the keypad to cancel the appointment of {when}.",
    )
    return ToolResult(output, then=ThenConfirm(KEY))


def confirmed(context: ToolContext, which: Which) -> ToolResult:
    """The owner has pressed the key."""
    return _cancel(context, which, Deadline(CALENDAR_S))


def _cancel(context: ToolContext, which: Which, deadline: Deadline) -> ToolResult:
    found = own_event(context, which.event_id, deadline)
    when = found.when(context.diary.rules(context.trust)[1].zone)
    try:
        context.diary.cancel(which.event_id, deadline)
    except NoSuchEvent as gone:
        raise ToolRefused("bad_arguments", "event_id: that appointment is not there any more") from gone
    except OUT_OF_REACH as error:
        wished = f"Would like to cancel an appointment ({quoted(found.title)}): {when['say']}."
        raise passed_on(context, error, wished, about=which.event_id) from error
    came_true(context, which.event_id)
    return ToolResult({"ok": True, "cancelled": when, "say": f"{when['say']} is cancelled."})


CANCEL_EVENT = Tool(
    name="cancel_event",
    description="Cancel an appointment. Say which one first, and have it confirmed.",
    arguments=Which,
    run=cancel_event,
    levels=KNOWN_AND_OWNER,
    confirmed=confirmed,
)
