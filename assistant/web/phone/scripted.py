"""Callers from a script, who speak in place of the microphone: handed in, since they are the sandbox's.

A caller is a mapping: `caller_id`, `title`, `about`, and `steps`, which the page carries out
(static/phone-script.js):

    {"hear": "reply", "quiet_ms": 900, "within_ms": 30000}    voice since our last word, then that much quiet
    {"hear": "end", "within_ms": 80000}                       until the other side ends the call
    {"say": line_id, "text": words}                           "while_asked": line_id: as long as that is asked
    {"interrupt": line_id, "text": words, "after_ms": 4000}   so long after the assistant began to speak
    {"press": "1"}    {"be_quiet_ms": 3000}    {"hang_up": True}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app

Caller = Mapping[str, Any]

EXTENSION = "afterbeep_scripted_callers"
LINES = ("say", "interrupt", "while_asked")


@dataclass(frozen=True, slots=True)
class ScriptedCallers:
    """Everybody there is, and the sound (8 kHz mu-law) of a line by its id."""

    everybody: Callable[[], Sequence[Caller]] = tuple
    voice: Callable[[str], bytes | None] = lambda line_id: None

    def find(self, caller_id: str) -> Caller | None:
        """The caller of that id, if there is one."""
        return next((one for one in self.everybody() if one["caller_id"] == caller_id), None)


def bring_callers(
    app: Flask, everybody: Callable[[], Sequence[Caller]], voice: Callable[[str], bytes | None]
) -> None:
    """Let these callers speak on the app's phone."""
    app.extensions[EXTENSION] = ScriptedCallers(everybody, voice)


def callers() -> ScriptedCallers:
    """Those of the app that is serving; nobody, where none were brought."""
    found: ScriptedCallers = current_app.extensions.get(EXTENSION) or ScriptedCallers()
    return found


def steps_for_page(
    caller: Caller, address: Callable[[str], str], *, knows_voices: bool
) -> list[dict[str, Any]]:
    """A caller's steps with the addresses of their lines' sound.

    knows_voices: the assistant speaks with the sandbox's voice, which the page can tell by its sound; where
    another speaks, what is said as long as something is asked is said once.
    """
    steps = []
    for step in caller["steps"]:
        kept = {name: value for name, value in step.items() if knows_voices or name != "while_asked"}
        steps.append({name: address(value) if name in LINES else value for name, value in kept.items()})
    return steps
