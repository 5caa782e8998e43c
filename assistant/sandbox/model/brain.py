"""What the sandbox's model answers: fixed rules (brain.toml) over what it heard and a very small memory.

It does what a model does and no more: it speaks and asks for tools. Whether a tool may run is not its
business, and a caller who talks it round is obeyed; what it says then follows from what the tools answered.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from assistant.sandbox.lines import Line, bare, shipped, spoken_by
from assistant.sandbox.model.answers import answer_in, facts_in, names_of
from assistant.sandbox.model.times import day_called

Rule = dict[str, Any]

CALLER_SAID = re.compile(r"^\W*caller\b\W*(.+)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Say:
    """One audio item with these words."""

    text: str


@dataclass(frozen=True, slots=True)
class CallTool:
    """One function call. `rule`: why it was made, so that its output can be answered later."""

    name: str
    arguments: dict[str, Any]
    rule: Rule = field(compare=False, repr=False)
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
    """The memory of one session. `today`: the day it was told."""

    today: date | None = None
    waiting: str = ""
    known: dict[str, str] = field(default_factory=dict)

    def answer(self, line: Line | None, means: Means) -> list[Part]:
        """What to say and do after the caller said this line; None: words it does not know."""
        return self._follow(self._rule_for(line), means)

    def answer_tools(self, calls: list[CallTool], outputs: list[str], means: Means) -> list[Part]:
        """What to say after the outputs of these calls, or the calls that are still to be made."""
        last = calls[-1]
        if last.left and not means.parallel:
            return [*self._calls(last.rule, means)[-last.left :][:1]]
        for output in outputs:
            self.known |= facts_in(output)
        worst = max(outputs, key=lambda output: "refused" in names_of(output))
        then = _entry(last.rule, worst)
        return [Say(" ".join(outputs))] if then == ["*"] else self._go_on(then, means)

    def answer_report(self, note: str, means: Means) -> list[Part]:
        """What to say when a note tells of a tool's answer; nothing when it does not."""
        answer = answer_in(note)
        return self._go_on(_entry(rulebook()["told"], answer), means) if answer else []

    def noted(self, note: str) -> list[Part]:
        """What to say when a note tells of something it knows; else nothing."""
        return self._known_words("noted", note)

    def answer_note(self, note: str, means: Means) -> list[Part]:
        """Go on with a conversation this session was only told about."""
        said = lines_in(note)
        self.recall(said[:-1])
        if not said or said[-1] is None:
            return [*self._sentences(rulebook()["lost"]["say"])]
        return self.answer(said[-1], means)

    def recall(self, lines: list[Line | None]) -> None:
        """Remember what these lines would have left in the memory."""
        for line in lines:
            self._keep(self._rule_for(line))

    def asked(self, instructions: str) -> list[Part]:
        """What to say when the instructions of one response want something it knows; else nothing."""
        return self._known_words("asked", instructions)

    def _known_words(self, kind: str, told: str) -> list[Part]:
        fits = (known for known in rulebook()[kind] if bare(known["words"]) in bare(told))
        return [*self._sentences(next(fits, {"say": []})["say"])]

    def speak_up(self) -> list[Part]:
        """Something to say when nothing is left to be answered."""
        return [*self._sentences(rulebook()["silent"]["say"])]

    def _rule_for(self, line: Line | None) -> Rule:
        for rule in rulebook()["rules"]:
            fits = "*" in rule["heard"] or (line is not None and line.line_id in rule["heard"])
            if fits and rule.get("waiting", self.waiting) == self.waiting:
                return dict(rule)
        raise LookupError("the rule book has no rule for everything else")

    def _follow(self, rule: Rule, means: Means) -> list[Part]:
        """Say and call what the rule wants, and remember what it says."""
        self._keep(rule)
        if "do" in rule:
            return self._go_on(rule["do"], means)
        calls = self._calls(rule, means)
        parts: list[Part] = list(self._sentences(rule.get("say", [])))
        parts += calls if means.parallel else calls[:1]
        # Where the tool cannot be called, that is as if it had been refused.
        return parts or self._go_on(rule["refused"], means)

    def _go_on(self, then: str | list[str], means: Means) -> list[Part]:
        """A step by its name, or lines to say."""
        if isinstance(then, str):
            return self._follow(rulebook()["steps"][then], means)
        return [*self._sentences(then)]

    def _keep(self, rule: Rule) -> None:
        self.known |= rule.get("remember", {})
        self.waiting = rule.get("then_wait_for", self.waiting)

    def _calls(self, rule: Rule, means: Means) -> list[CallTool]:
        wanted = [call for call in rule.get("call", []) if rule.get("obey") or call["name"] in means.declared]
        if not means.allowed:
            return []
        return [
            CallTool(call["name"], self._arguments(call["arguments"]), rule, len(wanted) - place - 1)
            for place, call in enumerate(wanted)
        ]

    def _arguments(self, wanted: dict[str, Any]) -> dict[str, Any]:
        filled = {
            name: self._fill(value) if isinstance(value, str) else value for name, value in wanted.items()
        }
        return {name: value for name, value in filled.items() if value != ""}

    def _sentences(self, names: list[str]) -> list[Say]:
        """What is to be said under these names: a line, or a sentence of the rule book filled in."""
        sentences = rulebook()["sentences"]
        return [
            Say(self._fill(sentences[name]) if name in sentences else shipped()[name].text) for name in names
        ]

    def _fill(self, words: str) -> str:
        return re.sub(r"{([\w-]+)}", lambda blank: self._recall(blank[1]), words).strip()

    def _recall(self, name: str) -> str:
        return self.known.get(name) or day_called(name, self.today)


def _entry(rule: Rule, answer: str) -> Any:
    """What the rule has for this answer, under the most exact of its names."""
    return next(rule[name] for name in names_of(answer) if name in rule)


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
