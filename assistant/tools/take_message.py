"""A message for the owner.

Only the text is needed: a message without a name is better than none, and the number is
the one the caller is calling from unless they give another. What is too long is cut, not
refused; a caller who has said it once will not say it again.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assistant.store import messages
from assistant.tools.speech import quoted
from assistant.tools.toolbox import AnyCase, Arguments, Tool, ToolContext, ToolResult

_STORE_S = 3.5  # less than a tool's time limit, so that the answer says what happened
_MOST_NAME = 120
_MOST_NUMBER = 40
_MOST_TEXT = 4000
_FEWEST_DIGITS = 3  # fewer are "the same number" or "unknown"
_ENOUGH_DIGITS = 7  # so many equal last digits are the same number, said without its prefix


class Message(Arguments):
    text: str = Field(description="What the owner is to know, complete, in the caller's sense.")
    name: str = Field("", description="Who called, as confirmed by the caller.")
    callback_number: str = Field(
        "",
        description="Where to call back, in digits, only if it is not the number they are calling from.",
    )
    urgency: Annotated[Literal["low", "normal", "high"], AnyCase] = "normal"


def take_message(context: ToolContext, message: Message) -> ToolResult:
    """Store the message; durable when this returns."""
    number = _number(message.callback_number, context.caller_number)
    text = quoted(message.text, _MOST_TEXT)
    context.store.write(
        messages.add,
        context.call_sid,
        name=quoted(message.name, _MOST_NAME) or None,
        callback_number=number,
        text=" ".join([text, *(wish for wish in context.wishes if wish not in text)]),
        urgency=message.urgency,
        created_at=context.now(),
        timeout_s=_STORE_S,
    )
    return ToolResult({"ok": True, "callback_number": number, "say": _say(number)})


def _say(number: str | None) -> str:
    if number is None:
        return "The message has been taken down. There is no number to call back."
    return "The message has been taken down."


def _number(given: str, caller_number: str | None) -> str | None:
    """The number to call back: the caller's own unless another was given."""
    said = quoted(given, _MOST_NUMBER)
    digits = _digits(said)
    if len(digits) < _FEWEST_DIGITS:
        return caller_number
    own = _digits(caller_number or "")
    if len(digits) >= _ENOUGH_DIGITS and own.endswith(digits.lstrip("0")):
        return caller_number
    return said


def _digits(text: str) -> str:
    return "".join(char for char in text if char in "0123456789")


TAKE_MESSAGE = Tool(
    name="take_message",
    description=(
        "Keep a message for the owner. Call it when name and number have been confirmed by the caller, or "
        "when the caller does not want to give them. A second call replaces the first message."
    ),
    arguments=Message,
    run=take_message,
)
