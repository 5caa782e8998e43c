"""Has the caller heard that the call is recorded? Before that, nothing of theirs is.

The disclosure is the first sentence of the opening, so its end is a share of one item's sound. It counts
as heard when that share has been played, which can be told once the whole item has been generated
(long before it has been played), or when the opening has been heard to its end. A caller who speaks
before that has not heard it, so the model is asked to say it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assistant.call.words import plain


@dataclass(slots=True)
class Disclosure:
    """The sentence, and whether it has been heard. An empty one needs no hearing."""

    text: str
    heard: bool = field(init=False)
    _asked_again: bool = False

    def __post_init__(self) -> None:
        self.heard = not self.text

    def ask_again(self, *, cut_off: bool) -> str:
        """What the model must be told if the caller has not heard it; "" when there is nothing to tell.

        cut_off: something that was being said has just been cut off; else asking once is enough.
        """
        if self.heard or (self._asked_again and not cut_off):
            return ""
        self._asked_again = True
        return (
            "The caller has not heard the notice yet. Begin your next reply with exactly this "
            f'sentence: "{self.text}"'
        )

    def said_by(self, text: str) -> float | None:
        """The share of `text` after which the disclosure has been said; None when it is not in it."""
        whole, sentence = plain(text), plain(self.text)
        begin = whole.find(sentence) if sentence else -1
        return (begin + len(sentence)) / len(whole) if begin >= 0 else None

    def ends_ms(self, text: str, total_ms: float) -> float | None:
        """Where in the sound of a complete item with these words it ends; None when it is not in it."""
        share = self.said_by(text)
        return share * total_ms if share is not None and total_ms > 0 else None

    def listen(self, heard_ms: float, ends_ms: float | None) -> None:
        """So much of an item has been heard in which it ends there."""
        if ends_ms is not None and heard_ms >= ends_ms:
            self.heard = True
