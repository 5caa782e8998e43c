"""The conversation of one session: its items, their order, and what reading them costs in tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from assistant.sandbox.lines import Line
from assistant.sandbox.model.brain import CallTool

USER_MS_PER_TOKEN = 100
ASSISTANT_MS_PER_TOKEN = 50
LETTERS_PER_TOKEN = 4
LAST = "(the last item)"


class NoSuchItem(LookupError):
    """There is no item of that id."""


@dataclass
class Item:
    """One item. `wire`: its JSON as clients see it, without sound."""

    wire: dict[str, Any]
    sound: bytes = b""  # 8 kHz mu-law
    cut_ms: int | None = None  # where the client says the caller stopped hearing it
    line: Line | None = None  # what a caller's utterance was recognised as
    call: CallTool | None = None

    @property
    def item_id(self) -> str:
        return str(self.wire["id"])

    @property
    def kind(self) -> str:
        """system, user, assistant, function_call or function_call_output."""
        return str(self.wire.get("role", self.wire["type"]))

    @property
    def sound_ms(self) -> int:
        return len(self.sound) // 8

    def text(self) -> str:
        """All written words of the item."""
        parts = self.wire.get("content", [])
        words = [part.get("text") or part.get("transcript") or "" for part in parts]
        return " ".join([*words, self.wire.get("arguments", ""), self.wire.get("output", "")]).strip()


@dataclass
class Conversation:
    """Items in conversation order."""

    items: list[Item] = field(default_factory=list)

    def add(self, item: Item, after: str | None = LAST) -> str | None:
        """Put an item in its place; returns the id of the item it follows, None when it is the first.

        after: LAST, an item id, or None for the beginning. Raises NoSuchItem.
        """
        place = len(self.items) if after == LAST else 0 if after is None else self._place(after) + 1
        self.items.insert(place, item)
        return self.items[place - 1].item_id if place else None

    def find(self, item_id: object) -> Item:
        """Raises NoSuchItem."""
        return self.items[self._place(item_id)]

    def before(self, item_id: str) -> str | None:
        place = self._place(item_id)
        return self.items[place - 1].item_id if place else None

    def delete(self, item_id: object) -> None:
        """Raises NoSuchItem."""
        del self.items[self._place(item_id)]

    def last_id(self) -> str | None:
        return self.items[-1].item_id if self.items else None

    def unanswered(self) -> list[Item]:
        """The items after the assistant's last words, in order."""
        return list(takewhile(lambda item: item.kind != "assistant", reversed(self.items)))[::-1]

    def call_of(self, call_id: object) -> Item | None:
        return next((item for item in self._of("function_call") if item.wire["call_id"] == call_id), None)

    def is_answered(self, call_id: object) -> bool:
        return any(item.wire["call_id"] == call_id for item in self._of("function_call_output"))

    def text_tokens(self) -> int:
        return sum(len(item.text()) for item in self.items if not item.sound) // LETTERS_PER_TOKEN

    def audio_tokens(self) -> int:
        caller = sum(item.sound_ms for item in self._of("user"))
        heard = (item.sound_ms if item.cut_ms is None else item.cut_ms for item in self._of("assistant"))
        return caller // USER_MS_PER_TOKEN + sum(heard) // ASSISTANT_MS_PER_TOKEN

    def _of(self, kind: str) -> Iterator[Item]:
        return (item for item in self.items if item.kind == kind)

    def _place(self, item_id: object) -> int:
        for place, item in enumerate(self.items):
            if item.item_id == item_id:
                return place
        raise NoSuchItem(item_id)
