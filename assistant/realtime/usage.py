"""What a call used of the model, and what that costs.

Every `response.done` is counted, also of cancelled and failed responses: all are billed.
Cached tokens are part of the tokens in, and cheaper. Transcription is billed on its own, by
the minute or by tokens, depending on its model; `transcription_s` is filled in either way
(a caller's audio is ten tokens a second), and the cost counts what was really reported.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from assistant.realtime.models import known_as

Wire = dict[str, Any]

_MILLION = 1_000_000
_TOKENS_PER_S = 10  # of a caller's audio
# Spoken words of one minute as tokens out; only where a model billed by tokens reports seconds.
_WORD_TOKENS_PER_S = 4


@dataclass(frozen=True, slots=True)
class Prices:
    """USD per million tokens of one model and its transcriber. `guessed`: a name we have no price of."""

    model: dict[str, float]
    transcription: dict[str, float]
    guessed: bool = False


@cache
def _table() -> Wire:
    return tomllib.loads(Path(__file__).with_name("prices.toml").read_text("utf-8"))


def prices_for(model: str, transcription: str = "") -> Prices:
    """The prices of a model and a transcription model ("" for none).

    An unknown one is counted like the dearest current one, so that a budget errs on the safe side.
    """
    table = _table()
    name = known_as(model, table["models"])
    transcriber = known_as(transcription, table["transcription"])
    return Prices(
        table["models"][name or table["default_model"]],
        table["transcription"][transcriber or table["default_transcription"]],
        guessed=name is None or (transcriber is None and transcription != ""),
    )


@dataclass(slots=True)
class Usage:
    """Summed up so far. `estimated`: something was not told in detail, and counted as audio."""

    text_in: int = 0
    text_cached: int = 0
    text_out: int = 0
    audio_in: int = 0
    audio_cached: int = 0
    audio_out: int = 0
    transcription_s: float = 0.0
    timed_s: float = 0.0
    transcription_tokens_in: int = 0
    transcription_tokens_out: int = 0
    estimated: bool = False

    def add_response(self, usage: Wire | None) -> None:
        """Count the `usage` of one `response.done`."""
        usage = _object(usage)
        details = _object(usage.get("input_token_details"))
        text_in, audio_in = self._split(details, _number(usage, "input_tokens"))
        text_cached, audio_cached = _cached(details, text_in, audio_in)
        details_out = _object(usage.get("output_token_details"))
        text_out, audio_out = self._split(details_out, _number(usage, "output_tokens"))
        self.text_in += text_in
        self.audio_in += audio_in
        self.text_cached += text_cached
        self.audio_cached += audio_cached
        self.text_out += text_out
        self.audio_out += audio_out

    def _split(self, details: Wire, total: int) -> tuple[int, int]:
        """Text and audio tokens. What the details leave open counts as audio, the dearer."""
        text, audio = _number(details, "text_tokens"), _number(details, "audio_tokens")
        # Images are not sent on a call; were they counted, they are not to become audio.
        rest = total - text - audio - _number(details, "image_tokens")
        if rest > 0:
            self.estimated = True
        return text, audio + max(rest, 0)

    def add_transcription(self, usage: Wire | None) -> None:
        """Count the `usage` of one finished transcription."""
        usage = _object(usage)
        if usage.get("type") == "tokens" or "input_tokens" in usage:
            tokens = _number(usage, "input_tokens")
            audio = _number(_object(usage.get("input_token_details")), "audio_tokens")
            self.transcription_tokens_in += tokens
            self.transcription_tokens_out += _number(usage, "output_tokens")
            self.transcription_s += (audio or tokens) / _TOKENS_PER_S
            return
        seconds = usage.get("seconds")
        if isinstance(seconds, (int, float)) and seconds > 0:
            self.timed_s += seconds
            self.transcription_s += seconds

    def as_dict(self) -> dict[str, int | float]:
        """The export's `usage`."""
        return {
            "text_in": self.text_in,
            "text_cached": self.text_cached,
            "text_out": self.text_out,
            "audio_in": self.audio_in,
            "audio_cached": self.audio_cached,
            "audio_out": self.audio_out,
            "transcription_s": round(self.transcription_s, 3),
        }

    def cost_usd(self, prices: Prices) -> float:
        """The model's bill for all of it, transcription included."""
        price = prices.model
        tokens = (
            (self.text_in - self.text_cached) * price["text_in"]
            + self.text_cached * price["text_cached"]
            + self.text_out * price["text_out"]
            + (self.audio_in - self.audio_cached) * price["audio_in"]
            + self.audio_cached * price["audio_cached"]
            + self.audio_out * price["audio_out"]
        )
        return tokens / _MILLION + self._transcription_usd(prices.transcription)

    def _transcription_usd(self, price: dict[str, float]) -> float:
        if "usd_per_minute" in price:
            return self.transcription_s / 60 * price["usd_per_minute"]
        tokens_in = self.transcription_tokens_in + self.timed_s * _TOKENS_PER_S
        tokens_out = self.transcription_tokens_out + self.timed_s * _WORD_TOKENS_PER_S
        return (tokens_in * price["tokens_in"] + tokens_out * price["tokens_out"]) / _MILLION


def _object(told: Any) -> Wire:
    return told if isinstance(told, dict) else {}


def _number(counts: Wire, name: str) -> int:
    value = counts.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _cached(details: Wire, text_in: int, audio_in: int) -> tuple[int, int]:
    """Cached text and audio tokens; where only their sum is told, text is taken first."""
    split = details.get("cached_tokens_details")
    if isinstance(split, dict):
        text, audio = _number(split, "text_tokens"), _number(split, "audio_tokens")
        return min(text, text_in), min(audio, audio_in)
    total = _number(details, "cached_tokens")
    text = min(total, text_in)
    return text, min(total - text, audio_in)
