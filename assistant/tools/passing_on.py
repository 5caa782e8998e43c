"""Wishes that could not be carried out because the calendar is out of reach: they become a message.

The caller is told that the wish is passed on, so it is, whatever the model does next: it is written down at
once, and stays part of any message that is taken later in the call.
"""

from __future__ import annotations

from contextlib import suppress

from assistant.errors import CalendarUnavailable, StoreBusy, UnknownOutcome
from assistant.store import messages
from assistant.tools.toolbox import ToolContext

# What stands in a wish's way without being an answer to it. TimeoutError: the tool's time was over.
OUT_OF_REACH = (CalendarUnavailable, UnknownOutcome, TimeoutError)
KEEP_S = 0.3  # of what the calendar's deadline leaves


def pass_on(context: ToolContext, wish: str, *, name: str = "") -> None:
    """Keep a wish, a sentence, for the owner, beside what the caller may have left before."""
    if wish not in context.wishes:
        context.wishes.append(wish)
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
