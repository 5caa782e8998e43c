"""What a response is about: exact words, a known request, or an answer to what was said last."""

from __future__ import annotations

import json
from typing import Any

from assistant.sandbox.model import mouth
from assistant.sandbox.model.brain import Brain, Means, Part, Say, lines_in
from assistant.sandbox.model.conversation import Conversation, Item
from assistant.sandbox.model.times import today_in

UNKNOWN_WORDS = "(words)"
BEGIN_WITH = "begin your next reply"


class Mind:
    """Reads one session's conversation and asks the brain."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.brain = Brain()

    def think(self, settings: dict[str, Any], wish: dict[str, Any]) -> list[Part]:
        """What to say and do. settings: the session; wish: what this one response was asked for."""
        told = wish.get("instructions", "")
        self.brain.today = today_in(settings["instructions"])
        if words := mouth.exact_words(told, settings["instructions"]):
            return [Say(words)]
        if asked := self.brain.asked(told.removeprefix(settings["instructions"])):
            return asked
        return self._answer(_means({**settings, **wish}))

    def _answer(self, means: Means) -> list[Part]:
        waiting = self.conversation.unanswered()
        note = self._note_at_the_start(waiting)
        said = _said_last(waiting)
        told = next((item.text() for item in reversed(waiting) if item.kind == "system"), "")
        noted = self.brain.noted(told)
        if said:
            self.brain.recall(lines_in(note))
            line = said.line or next(iter(lines_in(said.text())), None)
            return [*_asked_before(waiting), *noted, *self.brain.answer(line, means)]
        if noted:
            return noted
        outputs = [item for item in waiting if item.kind == "function_call_output"]
        if outputs:
            return self._answer_tools(outputs, means)
        if note:
            return self.brain.answer_note(note, means)
        return self.brain.answer_report(told, means) or self.brain.speak_up()

    def _answer_tools(self, outputs: list[Item], means: Means) -> list[Part]:
        found = [self.conversation.call_of(item.wire["call_id"]) for item in outputs]
        calls = [item.call for item in found if item and item.call]
        texts = [item.wire["output"] for item in outputs]
        return self.brain.answer_tools(calls, texts, means) if calls else self.brain.speak_up()

    def _note_at_the_start(self, waiting: list[Item]) -> str:
        """What a session that begins in the middle of a call is told about the time before."""
        first = self.conversation.items[0] if self.conversation.items else None
        return first.text() if first in waiting and first is not None and first.kind == "system" else ""


def write_beside(wish: dict[str, Any]) -> list[Part]:
    """What it writes beside the conversation: quoted words, else the caller's lines it finds in the input."""
    words = mouth.exact_words(wish.get("instructions", ""), "")
    found = [line.text for line in lines_in(json.dumps(wish.get("input", []))) if line]
    return [Say(words or "The caller said: " + (" ".join(found) or UNKNOWN_WORDS))]


def _asked_before(waiting: list[Item]) -> list[Say]:
    """What a note wants the next reply to begin with."""
    notes = [item.text() for item in waiting if item.kind == "system"]
    wanted = [mouth.exact_words(note, "") for note in notes if BEGIN_WITH in note.lower()]
    return [Say(words) for words in wanted if words]


def _said_last(waiting: list[Item]) -> Item | None:
    """What the caller said last, unless a function call was the answer to it."""
    answers = ("user", "function_call")
    last = next((item for item in reversed(waiting) if item.kind in answers), None)
    return last if last and last.kind == "user" else None


def _means(terms: dict[str, Any]) -> Means:
    names = frozenset(tool["name"] for tool in terms["tools"])
    return Means(names, terms["tool_choice"] != "none", terms.get("parallel_tool_calls", True))
