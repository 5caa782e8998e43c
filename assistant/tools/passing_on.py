"""Wishes that could not be carried out because the calendar is out of reach: they become a message.

The caller is told that the wish is passed on, so it is, whatever the model does next: it is written down at
once, and stays part of any message that is taken later in the call. Should it come true after all before the
call is over, it is taken out again.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from assistant.errors import CalendarError, CalendarUnavailable, StoreBusy, ToolRefused, UnknownOutcome
from assistant.store import messages
from assistant.tools.toolbox import ToolContext

log = logging.getLogger(__name__)

# What stands in a wish's way without being an answer to it.
OUT_OF_REACH = (CalendarUnavailable, UnknownOutcome)
APPOINTMENT = "an appointment"  # what a wish is about that has no event yet
KEEP_S = 0.3  # of what the calendar's deadline leaves

PASSED_ON = "I can't see the calendar just now, I'll pass your wish on."
NOT_SURE = "I could not make sure that it worked. I'll pass your wish on."


def passed_on(
    context: ToolContext, error: CalendarError, wish: str, *, about: str = APPOINTMENT, name: str = ""
) -> ToolRefused:
    """Keep a wish, a sentence, for the owner; what the model is told of that. about: an event, by its id."""
    log.warning("%s: the calendar: %s", context.call_sid, error)
    context.wishes[wish] = about
    with suppress(StoreBusy):  # it is queued, and no reason to tell of another trouble than the calendar's
        context.store.write(
            messages.add_to,
            context.call_sid,
            name=name or None,
            callback_number=context.caller_number,
            text=wish,
            created_at=context.now(),
            timeout_s=KEEP_S,
        )
    if isinstance(error, UnknownOutcome):
        return ToolRefused("unknown_outcome", NOT_SURE, promise="nothing; the owner will confirm")
    return ToolRefused("calendar_unavailable", PASSED_ON, instead="take_message")


def came_true(context: ToolContext, about: str = APPOINTMENT) -> None:
    """What was wished about that is done now: the owner need not read it any more."""
    for wish in [wish for wish, of in context.wishes.items() if of == about]:
        del context.wishes[wish]
        context.store.put(messages.take_out, context.call_sid, wish, context.now())
