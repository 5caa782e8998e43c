"""What the assistant did on a call, in plain words: a line for each run of a tool.

The record has names and codes, which the page shows too, folded away; what the owner reads first is this.
What a code does not say the tool's own answer does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from assistant.tools.toolbox import all_tools

# Each tool as something done, and as something wished.
DEEDS = {
    "take_message": ("Took a message", "take a message"),
    "find_free_times": ("Looked for free times", "look for free times"),
    "add_event": ("Made an appointment", "make an appointment"),
    "list_events": ("Read out appointments", "read out appointments"),
    "move_event": ("Moved an appointment", "move an appointment"),
    "cancel_event": ("Cancelled an appointment", "cancel an appointment"),
    "list_messages": ("Read out your messages", "read out your messages"),
    "search_notes": ("Looked through your notes", "look through your notes"),
    "transfer_to_owner": ("Rang your phone", "ring your phone"),
    "end_call": ("Ended the call", "end the call"),
}
WHY_NOT = {
    "unknown_tool": "there is no such tool",
    "bad_arguments": "what it asked for made no sense",
    "too_many": "it was asked for too often",
    "bad_time": "that is no day or time",
    "bad_duration": "an appointment cannot be that long or that short",
    "past": "that time was over",
    "too_far": "that is too far ahead",
    "nonexistent_time": "the clocks change then, and skip that hour",
    "ambiguous_time": "the clocks change then, and show that hour twice",
    "outside_hours": "that is outside your working hours",
    "taken": "that time was not free",
    "weekday_mismatch": "the day of the week and the date did not go together",
    "calendar_unavailable": "the calendar could not be reached",
    "unknown_outcome": "the calendar did not say whether it worked",
    "not_available": "it was not possible then",
    "timeout": "it took too long",
    "failed": "something went wrong",
}
NOT_FOR = {
    "stranger": "the caller is a stranger",
    "known": "only you may do that, and this was a caller you know",
}
NOT_THEN = "it was not allowed at that moment"
NAMES = {
    "callback_number": "call back",
    "caller_name": "name of the caller",
    "duration_minutes": "minutes",
    "event_id": "which one",
    "ok": "done",
    "error": "reason",
    "message": "in words",
    "say": "to be said",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """A run. title: what was done, or should have been. mark: "", "failed" or "refused"; and why."""

    title: str
    mark: str = ""
    why: str = ""


def deed(run: Mapping[str, Any], trust: str) -> Deed:
    """A run as it is told. trust: what its caller was."""
    done, wished = DEEDS.get(run["name"], (f"Used “{run['name']}”", f"use “{run['name']}”"))
    if run["refused"]:
        return Deed(f"Wanted to {wished}", "refused", _why(run, trust))
    if run["result"].get("ok") is False:
        return Deed(f"Could not {wished}", "failed", _why(run, trust))
    if run["name"] == "add_event" and "requested" in run["result"]:
        return Deed("Asked you for an appointment")
    return Deed(done)


def _why(run: Mapping[str, Any], trust: str) -> str:
    code, said = run["result"].get("error"), run["result"].get("message")
    in_words = said if isinstance(said, str) else ""
    if code == "not_allowed":
        may = trust in _levels().get(run["name"], ())
        return (in_words or NOT_THEN) if may else NOT_FOR.get(trust, NOT_THEN)
    return WHY_NOT.get(str(code)) or in_words or WHY_NOT["failed"]


@cache
def _levels() -> dict[str, frozenset[Any]]:
    """Who may use which tool."""
    return {tool.name: tool.levels for tool in all_tools()}


def name(argument: str) -> str:
    """What a tool is asked, or answers, in words."""
    return NAMES.get(argument, argument.replace("_", " "))


def value(given: Any) -> str:
    """One value of what a tool was asked or answered; what is in it stands on lines of its own."""
    if isinstance(given, list):
        return "\n".join(f"• {_within(one)}" for one in given) or "none"
    return _within(given)


def _within(given: Any) -> str:
    if isinstance(given, bool):
        return "yes" if given else "no"
    if given is None:
        return "–"
    if isinstance(given, Mapping):
        return ", ".join(f"{name(key)}: {_within(one)}" for key, one in given.items())
    if isinstance(given, list):
        return "; ".join(map(_within, given))
    return str(given)
