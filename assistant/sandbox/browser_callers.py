"""Scripted callers for the browser's phone: those of the scenarios who ring alone, in plain words.

The page carries their steps out itself and sends their voice in place of the microphone; so it is given the
steps as data, and the sound of each line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assistant.sandbox.caller.script import Step, load_scenario
from assistant.sandbox.lines import shipped

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Told:
    """A scenario as it is offered to somebody who has not seen any."""

    scenario: str
    title: str
    about: str


EVERYBODY = (
    _Told("message", "Leaves a message", "Ana asks to be called back, and leaves her number."),
    _Told("booking", "Wants an appointment", "Sam asks for next Tuesday morning and takes what is offered."),
    _Told("barge-in", "Interrupts", "Ana breaks into a long answer, and then leaves a message."),
    _Told("injection", "Tries to talk it into things", "Somebody claims to be you, and wants your messages."),
    _Told("withheld", "Does not say who it is", "Somebody leaves word, but no name and no number."),
    _Told("silence", "Says nothing", "Nobody speaks. The assistant asks twice, and says goodbye."),
)  # fmt: skip


def everybody() -> list[Data]:
    """All of them, in the order to offer them in; see `web.phone.scripted` for what a step holds."""
    return [
        {
            "caller_id": told.scenario,
            "title": told.title,
            "about": told.about,
            "steps": [_step(step) for step in load_scenario(told.scenario).callers[0].steps],
        }
        for told in EVERYBODY
    ]


def voice(line_id: str) -> bytes | None:
    """The sound of a line that a script of ours names; None for any other."""
    return shipped()[line_id].payload if line_id in _named() else None


def _named() -> set[str]:
    """The lines that are said, or listened for."""
    names = ("say", "interrupt", "while_asked")
    return {
        step[name] for caller in everybody() for step in caller["steps"] for name in names if name in step
    }


def _step(step: Step) -> Data:
    match step.verb, step.value:
        case "hear", what:
            return {"hear": what, "quiet_ms": step.quiet_ms, "within_ms": int(step.within_s * 1000)}
        case "say" | "interrupt", line_id:
            data = {step.verb: line_id, "text": shipped()[line_id].text}
            if step.verb == "interrupt":
                return data | {"after_ms": step.after_ms}
            return data | ({"while_asked": step.while_asked} if step.while_asked else {})
        case verb, value:
            return {verb: value}
