"""What a call cost and how long its caller waited, as rows of a table.

A waiting time is the program's, a token the model's word; the rows say both in a reader's words.
"""

from __future__ import annotations

from babel.numbers import format_decimal

from assistant.store.delays import nearest_rank
from assistant.store.export import Row
from assistant.web.words import Words

# What the model used: in words, the count, and how many of these it had read before.
USED = (
    ("Text read", "text_in", "text_cached"),
    ("Text written", "text_out", ""),
    ("Sound heard", "audio_in", "audio_cached"),
    ("Sound spoken", "audio_out", ""),
)

Figure = tuple[str, str]


def in_short(record: Row, show: Words) -> str:
    """A sentence or two on delays and cost."""
    cost = f"The model cost {show.dollars(record['cost_usd'])}."
    if record["first_sound_ms"] is None:
        return cost
    first = f"The caller heard the first word after {show.wait(record['first_sound_ms'])}"
    return f"{first}{_answers(record['response_ms'], show)}. {cost}"


def _answers(waits: list[int], show: Words) -> str:
    if not waits:
        return ""
    if len(waits) == 1:
        return f" and the answer after {show.wait(waits[0])}"
    half, longest = show.wait(nearest_rank(sorted(waits), 50)), show.wait(max(waits))
    if half == longest:
        return f" and each answer within {half}"
    return f", half of the answers within {half} and the slowest after {longest}"


def table(record: Row, show: Words) -> list[Figure]:
    """All that was measured; what there was nothing of is left out."""
    found: list[Figure] = []
    if record["first_sound_ms"] is not None:
        found.append(("First word", show.wait(record["first_sound_ms"])))
    found += [(f"Answer {n}", show.wait(ms)) for n, ms in enumerate(record["response_ms"], start=1)]
    found += [
        (label, _tokens(record["usage"], read, again, show))
        for label, read, again in USED
        if record["usage"][read]
    ]
    if record["usage"]["transcription_s"]:
        found.append(("Speech put into words", show.length(record["usage"]["transcription_s"])))
    return [*found, ("Cost of the model", show.dollars(record["cost_usd"]))]


def _tokens(usage: Row, counted: str, again: str, show: Words) -> str:
    tokens = f"{format_decimal(usage[counted], locale=show.locale)} tokens"
    if not again or not usage[again]:
        return tokens
    return f"{tokens}, {format_decimal(usage[again], locale=show.locale)} of them read before"
