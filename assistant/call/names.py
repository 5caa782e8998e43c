"""Names of items, responses and tool calls, unique in the whole call.

The model's side names them, uniquely within one session; a server that counts `item_1, item_2` begins
anew when the call reconnects. So what a later session names carries the session's number, on the way in,
and loses it on the way out. The first session's names stay as they are.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from assistant.call.commands import Command
from assistant.call.events import Event, ReplyDone

NAMED = frozenset({"item_id", "previous_item_id", "response_id", "tool_call_id"})

T = TypeVar("T")


class Names:
    """The names of one session. `session` counts from 1."""

    def __init__(self, session: int) -> None:
        self._prefix = f"{session}/" if session > 1 else ""

    def ours(self, event: Event) -> Event:
        """An event of the model, with names that nothing else in this call has."""
        if not self._prefix:
            return event
        if isinstance(event, ReplyDone) and event.tool_calls:
            event = replace(event, tool_calls=tuple(self._with_prefix(call) for call in event.tool_calls))
        return self._with_prefix(event)

    def theirs(self, command: Command) -> Command:
        """A command, with the names the model gave."""
        if not self._prefix:
            return command
        return _renamed(command, lambda name: name.removeprefix(self._prefix))

    def _with_prefix(self, named: T) -> T:
        # "" is an item that was not named.
        return _renamed(named, lambda name: self._prefix + name if name else name)


def _renamed(named: T, rename: Any) -> T:
    """A copy with other names; the thing itself where it has none."""
    names = [entry.name for entry in fields(named) if entry.name in NAMED]  # type: ignore[arg-type]
    given = {name: getattr(named, name) for name in names}
    changed = {name: rename(text) for name, text in given.items() if isinstance(text, str)}
    return replace(named, **changed) if changed else named  # type: ignore[type-var]
