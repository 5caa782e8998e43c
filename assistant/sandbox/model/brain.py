"""What the sandbox's model answers: fixed rules (brain.toml) over what it heard and a very small memory.

It does what a model does and no more: it speaks and asks for tools. Whether a tool may run is not its
business, and a caller who talks it round is obeyed; what it says then follows from what the tools answered.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from assistant.sandbox.lines import Line, bare, shipped, spoken_by

CALLER_SAID = re.compile(r"^\W*caller\b\W*(.+)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Say:
    """One audio item with these words."""

    text: str


@dataclass(frozen=True, slots=True)
class CallTool:
    """One function call. `rule`: why it was made, so that its output can be answered later."""

    name: str
    arguments: dict[str, str]
    rule: int
    left: int  # calls of the rule that come after this one


Part = Say | CallTool


@dataclass(frozen=True, slots=True)
class Means:
    """The tools a response may use: their names, or none at all; and whether several at once."""

    declared: frozenset[str] = frozenset()
    allowed: bool = True
    parallel: bool = True


@cache
def rulebook() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("brain.toml").read_text("utf-8"))


@dataclass
class Brain:
    """The memory of one session."""

    waiting: str = ""
    known: dict[str, str] = field(default_factory=dict)

    def answer(self, line: Line | None, means: Means) -> list[Part]:
        """What to say and do after the caller said this line; None: words it does not know."""
        number, rule = self._take_rule(line)
        calls = self._calls(number, rule, means)
        parts: list[Part] = list(_say(rule.get("say", [])))
        parts += calls if means.parallel else calls[:1]
        # A rule that only calls still has something to say where the tool cannot be called.
        return parts or list(_say(rule["refused"] if rule["ok"] == ["*"] else rule["ok"]))

    def answer_tools(self, calls: list[CallTool], outputs: list[str], means: Means) -> list[Part]:
        """What to say after the outputs of these calls, or the calls that are still to be made."""
        last = calls[-1]
        rule = rulebook()["rules"][last.rule]
        if last.left and not means.parallel:
            return [*self._calls(last.rule, rule, means)[-last.left :][:1]]
        if not all(_allowed(output) for output in outputs):
            return list(_say(rule["refused"]))
        return [Say(" ".join(outputs))] if rule["ok"] == ["*"] else list(_say(rule["ok"]))

    def answer_note(self, note: str, means: Means) -> list[Part]:
        """Go on with a conversation this session was only told about."""
        said = lines_in(note)
        self.recall(said[:-1])
        if not said or said[-1] is None:
            return list(_say(rulebook()["lost"]["say"]))
        return self.answer(said[-1], means)

    def recall(self, lines: list[Line | None]) -> None:
        """Remember what these lines would have left in the memory."""
        for line in lines:
            self._take_rule(line)

    def asked(self, instructions: str) -> list[Part]:
        """What to say when the instructions of one response want something it knows; else nothing."""
        fits = (asked for asked in rulebook()["asked"] if bare(asked["words"]) in bare(instructions))
        return list(_say(next(fits, {"say": []})["say"]))

    def speak_up(self) -> list[Part]:
        """Something to say when nothing is left to be answered."""
        return list(_say(rulebook()["silent"]["say"]))

    def _take_rule(self, line: Line | None) -> tuple[int, dict[str, Any]]:
        for number, rule in enumerate(rulebook()["rules"]):
            fits = "*" in rule["heard"] or (line is not None and line.line_id in rule["heard"])
            if fits and rule.get("waiting", self.waiting) == self.waiting:
                self.known.update(rule.get("remember", {}))
                self.waiting = rule.get("then_wait_for", self.waiting)
                return number, rule
        raise LookupError("the rule book has no rule for everything else")

    def _calls(self, number: int, rule: dict[str, Any], means: Means) -> list[CallTool]:
        wanted = [call for call in rule.get("call", []) if rule.get("obey") or call["name"] in means.declared]
        if not means.allowed:
            return []
        return [
            CallTool(call["name"], self._fill(call["arguments"]), number, len(wanted) - place - 1)
            for place, call in enumerate(wanted)
        ]

    def _fill(self, arguments: dict[str, str]) -> dict[str, str]:
        filled = {name: re.sub(r"{(\w+)}", self._recall, value).strip() for name, value in arguments.items()}
        return {name: value for name, value in filled.items() if value}

    def _recall(self, blank: re.Match[str]) -> str:
        return self.known.get(blank.group(1), "")


def lines_in(note: str) -> list[Line | None]:
    """The caller's lines told in a note, in order. None: the caller said something else there."""
    told = CALLER_SAID.findall(note)
    if told:
        return [_line_within(bare(words)) for words in told]
    words = bare(note)
    found = {words.rfind(bare(line.text)): line for line in spoken_by("caller")}
    return [found[at] for at in sorted(found) if at >= 0]


def _line_within(words: str) -> Line | None:
    within = [line for line in spoken_by("caller") if bare(line.text) in words]
    return max(within, key=lambda line: len(line.text), default=None)


def _say(line_ids: list[str]) -> list[Say]:
    return [Say(shipped()[line_id].text) for line_id in line_ids]


def _allowed(output: str) -> bool:
    try:
        told = json.loads(output)
    except ValueError:
        return bool(output)
    return told.get("ok", True) is True if isinstance(told, dict) else True
