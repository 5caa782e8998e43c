"""The shipped lines: every sentence the sandbox can say, with its sound. See lines.toml and make_voices."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence or two, or a piece of one. `payload`: 8 kHz mu-law."""

    line_id: str
    speaker: str
    text: str
    payload: bytes


@cache
def shipped() -> dict[str, Line]:
    """All lines and pieces by id, in the file's order."""
    table = tomllib.loads((HERE / "lines.toml").read_text("utf-8"))
    lines = {line_id: (line["speaker"], line["text"]) for line_id, line in table["lines"].items()}
    pieces = {piece_id: ("assistant", text) for piece_id, text in table["pieces"].items()}
    return {
        line_id: Line(line_id, speaker, text, (HERE / "voices" / f"{line_id}.ulaw").read_bytes())
        for line_id, (speaker, text) in (lines | pieces).items()
    }


def spoken_by(speaker: str) -> list[Line]:
    return [line for line in shipped().values() if line.speaker == speaker]


def bare(text: str) -> str:
    """The words alone: lower case, no punctuation, one blank between two words."""
    return " ".join(
        re.findall(r"[a-z0-9]+", text.lower().replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", ""))
    )
