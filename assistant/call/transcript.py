"""Who said what, in the order of the conversation.

Words arrive late and out of order: the caller's are recognised beside the reply they caused,
the assistant's are generated before they are heard. So items are put in order by the
`previous_item_id` each one names, and words are attached to items. A turn is finished when its
words are final (or will never come) and, for the assistant, when it is known what was heard.

Every method returns the turns that are to be kept now. A turn whose place moved because an older
item turned up is returned again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from assistant.call import events as ev
from assistant.call.commands import Turn

# Events that only say who said what, or where it belongs.
WORDS = (
    ev.CallerCommitted,
    ev.ItemAdded,
    ev.CallerTranscribed,
    ev.TranscriptionFailed,
    ev.ReplyWords,
    ev.ReplyText,
)


def heard_part(text: str, heard_ms: int, total_ms: int) -> str:
    """The words of `text` that fit into the part of its sound that was heard, cut at a word.

    An estimate: nobody aligns sound and words for us. Never more than the share heard.
    """
    if total_ms <= 0 or heard_ms <= 0:
        return ""
    if heard_ms >= total_ms:
        return text
    share = int(len(text) * heard_ms / total_ms)
    if text[share : share + 1].isspace():
        return text[:share].rstrip()
    return text[:share].rpartition(" ")[0].rstrip()


@dataclass(slots=True)
class _Entry:
    """What is known of one item. `kept`: its turn as it was last returned; touched: it may be another now."""

    item_id: str
    epoch: int
    previous: str | None
    speaker: Literal["caller", "assistant", "other"] = "other"
    text: str = ""
    words_final: bool = False
    started_ms: int | None = None
    ended_ms: int | None = None
    total_ms: int = 0
    heard_ms: int | None = None
    interrupted: bool = False
    kept: Turn | None = None
    touched: bool = True


@dataclass(slots=True)
class Transcript:
    """The turns of one call. `epoch` counts model sessions: a later one's items follow all earlier ones."""

    epoch: int = 0
    transcribes: bool = True  # the caller's words will come
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _order: list[str] | None = None  # while no item has come, gone or moved

    def take(self, event: ev.Event) -> list[Turn]:
        """An event that says who said what, or where it belongs; others change nothing."""
        match event:
            case ev.SpeechStopped(item_id):
                self.caller_stopped(item_id, event.at_ms)
            case ev.CallerCommitted(item_id, previous):
                turns = self.place(item_id, previous, "caller")
                return turns if self.transcribes else turns + self.caller_words(item_id, "", event.at_ms)
            case ev.ItemAdded(item_id, previous, kind):
                return self.place(item_id, previous, kind)
            case ev.CallerTranscribed(item_id, text):
                return self.caller_words(item_id, text, event.at_ms)
            case ev.TranscriptionFailed(item_id):
                return self.caller_words(item_id, "", event.at_ms)
            case ev.ReplyWords(_, item_id, delta):
                self.reply_words(item_id, delta)
            case ev.ReplyText(_, item_id, text):
                return self.reply_text(item_id, text)
        return []

    # --- order ---

    def place(self, item_id: str, previous: str | None, speaker: str = "other") -> list[Turn]:
        """An item has its place. previous: see `events.ItemAdded`."""
        entry = self._entries.get(item_id)
        if entry is None:
            entry = self._add(item_id, previous)
        elif entry.previous == "" and previous != "":
            entry.previous = previous
            self._order = None
        if entry.speaker == "other":
            entry.speaker, entry.touched = speaker, True  # type: ignore[assignment]
        return self._changed()

    def order(self) -> list[str]:
        """All item ids in the order of the conversation."""
        if self._order is None:
            self._order = self._in_order()
        return self._order

    def _in_order(self) -> list[str]:
        after: dict[str, list[str]] = {}
        first: list[str] = []
        for item_id, entry in self._entries.items():
            if entry.previous in self._entries:
                after.setdefault(entry.previous or "", []).append(item_id)
            else:
                first.append(item_id)
        # "None" is the very beginning; an item whose predecessor never turned up stays where it arrived.
        first.sort(
            key=lambda item_id: (self._entries[item_id].epoch, self._entries[item_id].previous is not None)
        )
        order = list(self._walk(first, after))
        # Items that name each other in a circle are after nobody.
        reached = set(order)
        return order + [item_id for item_id in self._entries if item_id not in reached]

    @staticmethod
    def _walk(first: list[str], after: dict[str, list[str]]) -> Iterator[str]:
        waiting = first[::-1]
        seen = set()
        while waiting:
            item_id = waiting.pop()
            if item_id in seen:
                continue
            seen.add(item_id)
            yield item_id
            # Of two that name the same predecessor the later one was put between: it comes first.
            waiting.extend(after.get(item_id, ()))

    # --- the caller ---

    def caller_began(self, item_id: str, at_ms: int) -> None:
        entry = self._speaking(item_id, "caller")
        if entry.started_ms is None:
            entry.started_ms = at_ms

    def caller_stopped(self, item_id: str, at_ms: int) -> None:
        self._speaking(item_id, "caller").ended_ms = at_ms

    def caller_words(self, item_id: str, text: str, at_ms: int) -> list[Turn]:
        """The final words of a caller's item; "" when there were none or recognition failed."""
        entry = self._speaking(item_id, "caller")
        if entry.words_final:
            return []
        entry.text, entry.words_final = text.strip(), True
        entry.started_ms = at_ms if entry.started_ms is None else entry.started_ms
        entry.ended_ms = max(entry.started_ms, at_ms) if entry.ended_ms is None else entry.ended_ms
        return self._changed()

    def awaiting_words(self) -> list[str]:
        """Caller's items whose words are still to come."""
        return [
            entry.item_id
            for entry in self._entries.values()
            if entry.speaker == "caller" and not entry.words_final
        ]

    def give_up_words(self, at_ms: int) -> list[Turn]:
        """The words that have not come will not."""
        return [turn for item_id in self.awaiting_words() for turn in self.caller_words(item_id, "", at_ms)]

    def began_ms(self, item_id: str) -> int | None:
        """When the item's sound began, if that is known."""
        entry = self._entries.get(item_id)
        return entry.started_ms if entry else None

    def drop(self, item_id: str) -> None:
        """Forget an item that will be heard again under another name."""
        self._entries.pop(item_id, None)
        self._order = None

    # --- the assistant ---

    def reply_sound(self, item_id: str, length_ms: float, begins_ms: int | None) -> None:
        """More sound was generated for an item. begins_ms: when it is (first) heard; None: it never is."""
        entry = self._speaking(item_id, "assistant")
        entry.total_ms += round(length_ms)
        if entry.started_ms is None and begins_ms is not None:
            entry.started_ms = begins_ms

    def reply_words(self, item_id: str, delta: str) -> None:
        entry = self._speaking(item_id, "assistant")
        if not entry.words_final:
            entry.text += delta

    def reply_text(self, item_id: str, text: str) -> list[Turn]:
        """All words generated for an item."""
        entry = self._speaking(item_id, "assistant")
        entry.text, entry.words_final = text.strip() or entry.text, True
        return self._changed()

    def reply_settled(self, item_id: str) -> list[Turn]:
        """No more words will come for an item, whether or not its text was ever called final."""
        entry = self._entries.get(item_id)
        if entry is None or entry.speaker != "assistant":
            return []
        entry.words_final = entry.touched = True
        return self._changed()

    def reply_heard(self, item_id: str, heard_ms: int, ended_ms: int, *, interrupted: bool) -> list[Turn]:
        """It is known now how much of an item was heard."""
        entry = self._speaking(item_id, "assistant")
        if entry.heard_ms is not None:
            return []
        entry.heard_ms, entry.interrupted = heard_ms, interrupted
        entry.started_ms = ended_ms if entry.started_ms is None else min(entry.started_ms, ended_ms)
        entry.ended_ms = ended_ms
        return self._changed()

    def was_heard(self, item_id: str) -> bool:
        """True when it is already settled how much of this item was heard."""
        entry = self._entries.get(item_id)
        return entry is not None and entry.heard_ms is not None

    def words_of(self, item_id: str) -> str:
        """The words known of an item so far."""
        entry = self._entries.get(item_id)
        return entry.text if entry else ""

    def heard_text_of(self, item_id: str) -> str | None:
        """What was heard of an item's words; None while that is not settled."""
        entry = self._entries.get(item_id)
        turn = self._turn(entry, 0) if entry and entry.heard_ms is not None else None
        return turn.heard_text if turn else None

    def settle_replies(self) -> list[Turn]:
        """The model is gone: what it has said so far is all it will say."""
        for entry in self._entries.values():
            if entry.speaker == "assistant":
                entry.words_final = entry.touched = True
        return self._changed()

    # --- turns ---

    def turns(self) -> tuple[Turn, ...]:
        """Everything said so far, in order, finished or not."""
        turns = (self._turn(self._entries[item_id], place) for place, item_id in enumerate(self.order()))
        return tuple(turn for turn in turns if turn is not None and (turn.text or turn.heard_ms))

    def _add(self, item_id: str, previous: str | None) -> _Entry:
        awaited = any(entry.previous == item_id for entry in self._entries.values())
        if self._order is not None and previous == "" and not awaited:
            self._order.append(item_id)  # after nothing, before nothing: it comes last
        else:
            self._order = None
        entry = self._entries[item_id] = _Entry(item_id, self.epoch, previous)
        return entry

    def _speaking(self, item_id: str, speaker: Literal["caller", "assistant"]) -> _Entry:
        entry = self._entries.get(item_id)
        if entry is None:
            entry = self._add(item_id, "")
        entry.speaker, entry.touched = speaker, True
        return entry

    def _changed(self) -> list[Turn]:
        """Finished turns that are new, or whose place or words are no longer what was kept."""
        changed = []
        for place, item_id in enumerate(self.order()):
            entry = self._entries[item_id]
            moved = entry.kept is None or entry.kept.position != place
            if not (entry.touched or moved) or not self._finished(entry):
                continue
            entry.touched = False
            turn = self._turn(entry, place)
            if turn is not None and turn != entry.kept:
                entry.kept = turn
                changed.append(turn)
        return changed

    @staticmethod
    def _finished(entry: _Entry) -> bool:
        if entry.speaker == "caller":
            return entry.words_final
        return entry.speaker == "assistant" and entry.words_final and entry.heard_ms is not None

    @staticmethod
    def _turn(entry: _Entry, place: int) -> Turn | None:
        if entry.speaker == "other":
            return None
        started_ms = entry.started_ms or 0
        ended_ms = max(started_ms, entry.ended_ms if entry.ended_ms is not None else started_ms)
        heard_ms, heard_text = ended_ms - started_ms, entry.text
        if entry.speaker == "assistant":
            heard_ms = entry.heard_ms or 0
            if entry.heard_ms is None or entry.interrupted:
                heard_text = heard_part(entry.text, heard_ms, entry.total_ms)
        return Turn(
            item_id=entry.item_id,
            position=float(place),
            speaker=entry.speaker,
            text=entry.text,
            heard_text=heard_text,
            interrupted=entry.interrupted,
            started_ms=started_ms,
            ended_ms=ended_ms,
            heard_ms=heard_ms,
        )
