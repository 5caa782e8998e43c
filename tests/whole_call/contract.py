"""The export's shape, as the contract has it."""

from __future__ import annotations

import re
from typing import Any

Kept = dict[str, Any]

CALL = [
    *("call_sid", "direction", "from", "to", "forwarded_from", "caller_name", "trust"),
    *("started_at", "answered_at", "ended_at", "duration_s", "outcome", "ended_because", "summary"),
    *("message", "turns", "tool_runs", "recordings", "usage", "cost_usd", "first_sound_ms", "response_ms"),
]
MESSAGE = ["name", "callback_number", "text", "urgency"]
TURN = ["n", "speaker", "text", "heard_text", "interrupted", "started_ms", "ended_ms", "heard_ms"]
TOOL_RUN = ["name", "arguments", "result", "refused", "started_ms", "took_ms"]
RECORDING = ["kind", "file", "seconds"]
USAGE = ["text_in", "text_cached", "text_out", "audio_in", "audio_cached", "audio_out", "transcription_s"]

OUTCOMES = [
    *("message", "booked", "transferred", "answered_by_owner", "talked", "no_message"),
    *("voicemail", "blocked", "missed"),
]
ENDED_BECAUSE = [
    *("caller_hung_up", "assistant_ended", "owner_ended", "transferred", "owner_took_over", "silence"),
    *("time_limit", "model_failed", "line_lost", "shut_down", "interrupted", "rejected"),
]
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def breaches(kept: Kept) -> list[str]:
    """Where a finished call differs in shape from the contract."""
    found = [
        *_differs("the call's keys", list(kept), CALL),
        *_differs("usage's keys", list(kept["usage"]), USAGE),
        *(line for turn in kept["turns"] for line in _differs("a turn's keys", list(turn), TURN)),
        *(line for run in kept["tool_runs"] for line in _differs("a tool run's keys", list(run), TOOL_RUN)),
        *(
            line
            for made in kept["recordings"]
            for line in _differs("a recording's keys", list(made), RECORDING)
        ),
    ]
    if kept["message"] is not None:
        found += _differs("the message's keys", list(kept["message"]), MESSAGE)
    return [*found, *_values(kept)]


def _differs(what: str, keys: list[str], expected: list[str]) -> list[str]:
    return [] if keys == expected else [f"{what}: {keys}"]


def _values(kept: Kept) -> list[str]:
    """Fields with a value that the contract does not know."""
    good = {
        "direction": kept["direction"] == "inbound",
        "from": kept["from"] is None or re.fullmatch(r"\+\d{7,15}", kept["from"]),
        "to": re.fullmatch(r"\+\d{7,15}", kept["to"]),
        "trust": kept["trust"] in ("stranger", "known", "owner"),
        "times": all(UTC_TIME.fullmatch(kept[name]) for name in ("started_at", "answered_at", "ended_at")),
        "order of times": kept["started_at"] <= kept["answered_at"] <= kept["ended_at"],
        "duration_s": kept["duration_s"] > 0,
        "outcome": kept["outcome"] in OUTCOMES,
        "ended_because": kept["ended_because"] in ENDED_BECAUSE,
        "summary": kept["summary"] and "\n" not in kept["summary"],
        "speaker": all(turn["speaker"] in ("caller", "assistant") for turn in kept["turns"]),
        "objects": all(
            isinstance(run[name], dict) for run in kept["tool_runs"] for name in ("arguments", "result")
        ),
        "kind": all(made["kind"] in ("call", "voicemail") for made in kept["recordings"]),
        "whole numbers": all(type(number) is int for number in _milliseconds(kept)),
    }
    return [f"{name}: {kept.get(name)}" for name, fits in good.items() if not fits]


def _milliseconds(kept: Kept) -> list[Any]:
    entries = [*kept["turns"], *kept["tool_runs"]]
    named = [entry[name] for entry in entries for name in entry if name.endswith("_ms")]
    return [
        *named,
        *kept["response_ms"],
        *([] if kept["first_sound_ms"] is None else [kept["first_sound_ms"]]),
    ]
