"""Models, transcribers and voices of the Realtime API, as data.

As of November 2026. A name that is not here (another server's, or one that is newer than
this list) is used all the same, without the fields only some models accept.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """What must be known of a Realtime model. `shutdown`: the announced day, "" if none."""

    reasoning: bool = False
    shutdown: str = ""


MODELS = {
    "gpt-realtime-2.1": Model(reasoning=True),
    "gpt-realtime-2.1-mini": Model(reasoning=True),
    "gpt-realtime-2": Model(reasoning=True),
    "gpt-realtime-1.5": Model(),
    "gpt-realtime": Model(shutdown="2027-01-20"),
    "gpt-realtime-mini": Model(shutdown="2027-01-20"),
}


@dataclass(frozen=True, slots=True)
class Transcriber:
    """What a transcription model accepts beside its name."""

    languages: bool = False  # a list of languages; the others take one `language`
    keywords: bool = False
    shutdown: str = ""


TRANSCRIBERS = {
    "gpt-transcribe": Transcriber(languages=True, keywords=True),
    "gpt-4o-transcribe": Transcriber(shutdown="2027-02-26"),
    "gpt-4o-mini-transcribe": Transcriber(shutdown="2027-02-26"),
    "whisper-1": Transcriber(shutdown="2027-02-26"),
}

VOICES = ("marin", "cedar", "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")

# Voices of the text-to-speech endpoint. The Realtime API takes them without complaint and
# sends distorted noise, so each is replaced by the nearest that speaks.
_NOT_REALTIME = {"nova": "coral", "onyx": "cedar", "fable": "verse"}


def known_as(name: str, table: Container[str]) -> str | None:
    """The entry a model id belongs to: itself, or the one it is a dated snapshot of."""
    undated = re.sub(r"-\d{4}-\d{2}-\d{2}$", "", name)
    return undated if undated in table else None


def fitting_voice(name: str) -> tuple[str, str | None]:
    """A voice that can be used for the wished one, and a warning when it is another."""
    wished = name.strip()
    if wished in VOICES or wished.startswith("voice_"):  # voice_…: made from the owner's own samples
        return wished, None
    fitting = _NOT_REALTIME.get(wished.lower(), wished.lower())
    if fitting not in VOICES:
        fitting = VOICES[0]
    if fitting == wished.lower():
        return fitting, None
    return fitting, f"{wished or 'no voice'} cannot be used on a call; {fitting} speaks instead"
