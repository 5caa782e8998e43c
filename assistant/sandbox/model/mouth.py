"""Sound for any words: shipped lines in their own voice, everything else murmured to the right length."""

from __future__ import annotations

import re

from assistant import audio
from assistant.sandbox.lines import Line, bare, shipped, spoken_by

BREATH_MS = 200  # between two sentences
MS_PER_LETTER = 65
SENTENCE = re.compile(r"[^.!?]+[.!?]*\s*")
QUOTED = re.compile('["\u201c](.+)["\u201d]', re.DOTALL)
LAST_QUOTED = re.compile('["\u201c]([^"\u201c\u201d]+)["\u201d]')


def speak(text: str) -> bytes:
    """8 kHz mu-law of the text; empty for a text without words."""
    return audio.silence(BREATH_MS).join(_pieces(text.strip()))


def knows(text: str) -> bool:
    """Whether the text is shipped lines and nothing else: none of it would be murmured."""
    rest = text.strip()
    while bare(rest):
        line, rest = _shipped_start(rest)
        if line is None:
            return False
    return bool(bare(text))


def exact_words(instructions: str, usual: str) -> str | None:
    """The words a response's instructions want said exactly: their last quoted passage.

    usual: the session's own instructions. When they come first, quotation marks in them mean nothing.
    """
    if usual and instructions.startswith(usual):
        found = QUOTED.search(instructions[len(usual) :])
        return found.group(1) if found else None
    passages = LAST_QUOTED.findall(instructions)
    return passages[-1] if passages else None


def _pieces(text: str) -> list[bytes]:
    pieces = []
    while bare(text):
        line, rest = _shipped_start(text)
        if line is None:
            sentence = SENTENCE.match(text)
            rest = text[sentence.end() :] if sentence else ""
            pieces.append(_murmur(text[: len(text) - len(rest)]))
        else:
            pieces.append(line.payload)
        text = rest
    return pieces


def _shipped_start(text: str) -> tuple[Line | None, str]:
    """The longest shipped line the text begins with, and what follows it."""
    ends = [found.end() for found in SENTENCE.finditer(text)]
    for end in reversed(ends):
        for line in spoken_by("assistant"):
            if bare(line.text) == bare(text[:end]):
                return line, text[end:]
    return None, text


def _murmur(sentence: str) -> bytes:
    clip = shipped()["murmur"].payload
    length = max(1, len(bare(sentence))) * MS_PER_LETTER // 20 * 20 * audio.BYTES_PER_MS
    return (clip * (length // len(clip) + 1))[:length]
