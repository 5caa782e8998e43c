"""When are two texts the same words? Recognisers and models punctuate and capitalise as they like."""

from __future__ import annotations


def plain(text: str) -> str:
    """Letters and digits only, in one case."""
    return "".join(char for char in text.casefold() if char.isalnum())


def same_words(text: str, other: str) -> bool:
    """Equal but for case, punctuation and spaces."""
    return plain(text) == plain(other)
