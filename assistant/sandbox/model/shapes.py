"""What clients may send: the shape of every event and of the session, checked field by field.

The service refuses a whole event for one field it does not know, names the field, and goes on. So does this:
the first field that is wrong is raised as Refused, and nothing of the event has any effect. Source: the GA
interface of November 2026; the values a G.711 telephone call and a 24 kHz client need are all here, A-law is
not.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], None]


class Refused(Exception):
    """An event the service does not carry out. `param`: the field that is wrong; `code` may be None."""

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.param = code, param


# --- what a field may hold -----------------------------------------------------


def text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise wrong_type(where, "a string", value)


def flag(value: Any, where: str) -> None:
    if not isinstance(value, bool):
        raise wrong_type(where, "a boolean", value)


def anything(value: Any, where: str) -> None:
    """Checked by nobody: JSON schemas of tools, tracing metadata."""


def number(low: float, high: float, *, whole: bool = False) -> Check:
    def check(value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise wrong_type(where, "an integer" if whole else "a number", value)
        if not low <= value <= high:
            raise wrong_value(where, value, f"between {low} and {high}")

    return check


def one_of(*choices: str) -> Check:
    def check(value: Any, where: str) -> None:
        if value not in choices:
            raise wrong_value(where, value, "one of " + ", ".join(f"'{choice}'" for choice in choices))

    return check


def list_of(inner: Check) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, list):
            raise wrong_type(where, "an array", value)
        for place, entry in enumerate(value):
            inner(entry, f"{where}[{place}]")

    return check


def fields(known: Mapping[str, Check], *required: str) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(where, "an object", value)
        inside = f"{where}." if where else ""
        for name in required:
            if name not in value:
                raise Refused(
                    "missing_required_parameter",
                    f"Missing required parameter: '{inside}{name}'.",
                    inside + name,
                )
        for name, entry in value.items():
            if name not in known:
                raise Refused("unknown_parameter", f"Unknown parameter: '{inside}{name}'.", inside + name)
            known[name](entry, inside + name)

    return check


def or_null(inner: Check) -> Check:
    return lambda value, where: None if value is None else inner(value, where)


def text_or(inner: Check, *words: str) -> Check:
    """One of these words, or something that is not a string (any string when no words are given)."""
    word = one_of(*words) if words else text
    return lambda value, where: word(value, where) if isinstance(value, str) else inner(value, where)


def by_type(kinds: Mapping[str, Check]) -> Check:
    def check(value: Any, where: str) -> None:
        fields(dict.fromkeys(value, anything) if isinstance(value, dict) else {}, "type")(value, where)
        one_of(*kinds)(value["type"], f"{where}.type")
        kinds[value["type"]](value, where)

    return check


def wrong_type(where: str, wanted: str, value: Any) -> Refused:
    got = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    found = got.get(type(value), "a number")
    return Refused(
        "invalid_type", f"Invalid type for '{where}': expected {wanted}, but got {found} instead.", where
    )


def wrong_value(where: str, value: Any, wanted: str) -> Refused:
    return Refused("invalid_value", f"Invalid value: {value!r}. It must be {wanted}.", where)


# --- the session ---------------------------------------------------------------

EFFORT = one_of("minimal", "low", "medium", "high", "xhigh")
FORMAT = by_type(
    {
        "audio/pcm": fields({"type": text, "rate": number(24000, 24000, whole=True)}, "rate"),
        "audio/pcmu": fields({"type": text}),
    }
)
STREAMING_TRANSCRIBERS = ("gpt-live-transcribe", "gpt-realtime-whisper")
KEYWORD_TRANSCRIBERS = ("gpt-transcribe", "gpt-live-transcribe")
TRANSCRIBERS = (
    *KEYWORD_TRANSCRIBERS, "gpt-realtime-whisper", "gpt-4o-transcribe", "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15", "gpt-4o-transcribe-diarize", "whisper-1",
)  # fmt: skip
TRANSCRIPTION = fields(
    {
        "model": one_of(*TRANSCRIBERS),
        "language": text,
        "languages": list_of(text),
        "keywords": list_of(text),
        "prompt": text,
        "delay": EFFORT,
    }
)
TURN_DETECTION = by_type(
    {
        "server_vad": fields(
            {
                "type": text,
                "threshold": number(0, 1),
                "prefix_padding_ms": number(0, 5_000, whole=True),
                "silence_duration_ms": number(0, 10_000, whole=True),
                "idle_timeout_ms": or_null(number(5_000, 30_000, whole=True)),  # taken, but never fires here
                "create_response": flag,
                "interrupt_response": flag,
            }
        ),
        "semantic_vad": fields(
            {
                "type": text,
                "eagerness": one_of("low", "medium", "high", "auto"),
                "create_response": flag,
                "interrupt_response": flag,
            }
        ),
    }
)
TOOL = by_type(
    {"function": fields({"type": text, "name": text, "description": text, "parameters": anything}, "name")}
)
TOOL_CHOICE = text_or(
    fields({"type": one_of("function"), "name": text}, "type", "name"), "auto", "none", "required"
)
MODALITIES = list_of(one_of("audio", "text"))
MAX_TOKENS = text_or(number(1, 4096, whole=True), "inf")
VOICE = text_or(fields({"id": text}, "id"))
REASONING = fields({"effort": EFFORT})
RETENTION = fields(
    {
        "type": one_of("retention_ratio"),
        "retention_ratio": number(0, 1),
        "token_limits": fields({"post_instructions": number(0, 10**6, whole=True)}),
    },
    "type",
    "retention_ratio",
)
SESSION = fields(
    {
        "type": one_of("realtime"),
        "model": text,
        "output_modalities": MODALITIES,
        "instructions": text,
        "audio": fields(
            {
                "input": fields(
                    {
                        "format": FORMAT,
                        "transcription": or_null(TRANSCRIPTION),
                        "noise_reduction": or_null(
                            fields(
                                {"type": one_of("near_field", "far_field"), "strength": number(0, 1)}, "type"
                            )
                        ),
                        "turn_detection": or_null(TURN_DETECTION),
                    }
                ),
                "output": fields({"format": FORMAT, "voice": VOICE, "speed": number(0.25, 1.5)}),
            }
        ),
        "tools": list_of(TOOL),
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": flag,
        "reasoning": REASONING,
        "max_output_tokens": MAX_TOKENS,
        "truncation": text_or(RETENTION, "auto", "disabled"),
        "include": or_null(list_of(one_of("item.input_audio_transcription.logprobs"))),
        "tracing": or_null(
            text_or(fields({"workflow_name": text, "group_id": text, "metadata": anything}), "auto")
        ),
    },
    "type",
)

# --- items and events ----------------------------------------------------------

CONTENT = by_type(
    {
        "input_text": fields({"type": text, "text": text}, "text"),
        "output_text": fields({"type": text, "text": text}, "text"),
        "input_audio": fields({"type": text, "audio": text, "transcript": or_null(text)}, "audio"),
    }
)
_ITEM = {"id": text, "object": one_of("realtime.item"), "type": text, "status": text}
ITEM = by_type(
    {
        "message": fields(
            {**_ITEM, "role": one_of("system", "user", "assistant"), "content": list_of(CONTENT)},
            "role",
            "content",
        ),
        "function_call": fields(
            {**_ITEM, "name": text, "call_id": text, "arguments": text}, "name", "arguments"
        ),
        "function_call_output": fields({**_ITEM, "call_id": text, "output": text}, "call_id", "output"),
    }
)
RESPONSE = fields(
    {
        "conversation": one_of("auto", "none"),
        "output_modalities": MODALITIES,
        "instructions": text,
        "input": list_of(anything),
        "tools": list_of(TOOL),
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": flag,
        "reasoning": REASONING,
        "max_output_tokens": MAX_TOKENS,
        "metadata": anything,
        "audio": fields({"output": fields({"format": FORMAT, "voice": VOICE})}),
    }
)
_EVENT = {"type": text, "event_id": text}
_ITEM_ID = {**_EVENT, "item_id": text}
EVENTS: dict[str, Check] = {
    "session.update": fields({**_EVENT, "session": SESSION}, "session"),
    "input_audio_buffer.append": fields({**_EVENT, "audio": text}, "audio"),
    "input_audio_buffer.commit": fields(_EVENT),
    "input_audio_buffer.clear": fields(_EVENT),
    "conversation.item.create": fields({**_EVENT, "previous_item_id": or_null(text), "item": ITEM}, "item"),
    "conversation.item.retrieve": fields(_ITEM_ID, "item_id"),
    "conversation.item.delete": fields(_ITEM_ID, "item_id"),
    "conversation.item.truncate": fields(
        {
            **_ITEM_ID,
            "content_index": number(0, 100, whole=True),
            "audio_end_ms": number(0, 10**9, whole=True),
        },
        "item_id",
        "content_index",
        "audio_end_ms",
    ),
    "response.create": fields({**_EVENT, "response": or_null(RESPONSE)}),
    "response.cancel": fields({**_EVENT, "response_id": text}),
}


def check_event(event: Any) -> None:
    """Raises Refused for the first thing that is wrong with a client's event."""
    fields(dict.fromkeys(event, anything) if isinstance(event, dict) else {}, "type")(event, "")
    if event["type"] not in EVENTS:
        raise wrong_value("type", event["type"], "one of " + ", ".join(f"'{name}'" for name in EVENTS))
    EVENTS[event["type"]](event, "")


# --- the session a client gets -------------------------------------------------

REASONING_MODELS = "gpt-realtime-2"  # and everything that begins with it
DETECTION_DEFAULTS: dict[str, dict[str, Any]] = {
    "server_vad": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}


def first_session(session_id: str, model: str, expires_at: int) -> dict[str, Any]:
    """What a session is before anybody has asked for anything: 24 kHz both ways."""
    pcm = {"type": "audio/pcm", "rate": 24000}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "You are a helpful voice.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": pcm,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(DETECTION_DEFAULTS["server_vad"]),
            },
            "output": {"format": dict(pcm), "voice": "marin", "speed": 1.0},
        },
        "include": None,
    }


def updated(session: dict[str, Any], wish: dict[str, Any]) -> dict[str, Any]:
    """The session with the wish in it, a new object. Raises Refused when the two do not go together."""
    new = copy.deepcopy(session)
    new.update({name: value for name, value in wish.items() if name != "audio"})
    for side, parts in wish.get("audio", {}).items():
        for name, part in parts.items():
            new["audio"][side][name] = _combined(name, new["audio"][side][name], part)
    _check_together(session, new)
    return new


def _combined(name: str, old: Any, wish: Any) -> Any:
    if wish is None or name not in ("turn_detection", "noise_reduction", "transcription"):
        return wish
    if name == "turn_detection":
        same = old and old["type"] == wish["type"]
        return {**(old if same else DETECTION_DEFAULTS[wish["type"]]), **wish}
    if name == "noise_reduction":
        return {"strength": 1.0, **(old or {}), **wish}
    return {**(old or {}), **wish} if "model" not in wish else dict(wish)


def _check_together(old: dict[str, Any], new: dict[str, Any]) -> None:
    if new["model"] != old["model"]:
        raise wrong_value("session.model", new["model"], f"'{old['model']}': a session keeps its model")
    for name in ("reasoning", "parallel_tool_calls"):
        if name in new and not new["model"].startswith(REASONING_MODELS):
            raise Refused("invalid_parameter", f"'{new['model']}' takes no '{name}'.", f"session.{name}")
    if new["output_modalities"] not in (["audio"], ["text"]):
        raise wrong_value("session.output_modalities", new["output_modalities"], "['audio'] or ['text']")
    _check_transcription(new["audio"]["input"])


def _check_transcription(hearing: dict[str, Any]) -> None:
    words, where = hearing["transcription"] or {}, "session.audio.input.transcription"
    if "language" in words and "languages" in words:
        raise Refused(
            "invalid_parameter", "'language' and 'languages' exclude each other.", f"{where}.languages"
        )
    for name in ("languages", "keywords"):
        if name in words and words.get("model") not in KEYWORD_TRANSCRIBERS:
            raise Refused("invalid_parameter", f"This model takes no '{name}'.", f"{where}.{name}")
    if words.get("model") in STREAMING_TRANSCRIBERS and hearing["turn_detection"]:
        message = "Turn detection is not supported for this transcription model."
        raise Refused("invalid_value", message, "session.audio.input.turn_detection")
