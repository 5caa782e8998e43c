"""Sound for any words: shipped lines and pieces in their own voice, the rest murmured to the right length.

A text is put together like a railway announcement: of the longest shipped passages that stand in it, from
left to right. Words that nobody has spoken are murmured, a sentence at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from assistant import audio
from assistant.sandbox.lines import Line, bare, shipped, spoken_by

BREATH_MS = 200  # between two sentences
JOINT_MS = 40  # between two passages of one sentence
MS_PER_LETTER = 65
SENTENCE_END = re.compile(r"[.!?]\W*$")
QUOTED = re.compile('["\u201c](.+)["\u201d]', re.DOTALL)
LAST_QUOTED = re.compile('["\u201c]([^"\u201c\u201d]+)["\u201d]')


def speak(text: str) -> bytes:
    """8 kHz mu-law of the text; empty for a text without words."""
    sound = gap = b""
    for words, line in _passages(text):
        sound += gap + (line.payload if line else _murmur(words))
        gap = audio.silence(BREATH_MS if SENTENCE_END.search(words) else JOINT_MS)
    return sound


def knows(text: str) -> bool:
    """Whether all of the text has a voice: none of it would be murmured."""
    lines = [line for _, line in _passages(text)]
    return bool(lines) and None not in lines


def exact_words(instructions: str, usual: str) -> str | None:
    """The words a response's instructions want said exactly: their last quoted passage.

    usual: the session's own instructions. When they come first, quotation marks in them mean nothing.
    """
    if usual and instructions.startswith(usual):
        found = QUOTED.search(instructions[len(usual) :])
        return found.group(1) if found else None
    passages = LAST_QUOTED.findall(instructions)
    return passages[-1] if passages else None


def _passages(text: str) -> Iterator[tuple[str, Line | None]]:
    """The text in passages that are shipped, or (None) that nobody has spoken."""
    words, unknown = text.split(), ""
    while words:
        count, line = _shipped_start(words)
        passage = " ".join(words[:count])
        if line is None:
            unknown = f"{unknown} {passage}"
        if bare(unknown) and (line or not words[count:] or SENTENCE_END.search(unknown)):
            yield unknown, None
            unknown = ""
        if line:
            yield passage, line
        words = words[count:]


def _shipped_start(words: list[str]) -> tuple[int, Line | None]:
    """How many words the longest shipped passage takes that they begin with; one unknown word if none."""
    voices, longest = _voices()
    for count in range(min(longest, len(words)), 0, -1):
        if line := voices.get(bare(" ".join(words[:count]))):
            return count, line
    return 1, None


@cache
def _voices() -> tuple[dict[str, Line], int]:
    """What is shipped of the assistant's, by its bare words; and of how many words the longest is."""
    voices = {bare(line.text): line for line in spoken_by("assistant")}
    return voices, max(len(words.split()) for words in voices)


def _murmur(sentence: str) -> bytes:
    clip = shipped()["murmur"].payload
    length = max(1, len(bare(sentence))) * MS_PER_LETTER // 20 * 20 * audio.BYTES_PER_MS
    return (clip * (length // len(clip) + 1))[:length]
