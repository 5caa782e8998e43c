"""What a Realtime session is asked for, and whether it was given.

A server refuses a `session.update` whole when one field does not please it, and goes on
talking with its own instructions, its own audio format and no tools. So the session that
takes effect is compared with the wish; a refused field that is not needed is left out and
the rest asked for again; and what cannot be done without (our instructions, our tools, an
audio format we can convert, turns that end by themselves) makes us give up, which sends
the caller to the apology and the tone.

Pure: `Negotiation` is given the server's messages and says what to do next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from assistant.realtime.models import MODELS, TRANSCRIBERS, VOICES, Model, Transcriber, known_as

Wire = dict[str, Any]
Audio = Literal["pcmu", "pcm"]


# --- the wish ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """When the caller's turn is over. Callers who dictate a number pause in the middle of it."""

    threshold: float = 0.6
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 700


@dataclass(frozen=True, slots=True)
class SessionWish:
    """What we want of a session. `language`: ISO 639-1. `transcription`: a model, or "" for none.

    `dropped` and `tries` keep what negotiation has learned: fields (dotted, below `session`)
    that this server refuses.
    """

    model: str
    instructions: str
    voice: str = VOICES[0]
    language: str = "en"
    audio: Audio = "pcmu"
    transcription: str = "gpt-transcribe"
    keywords: tuple[str, ...] = ()
    tools: tuple[Wire, ...] = ()
    turn_detection: TurnDetection = field(default_factory=TurnDetection)
    noise_reduction: str = "near_field"
    # Room for more than three minutes of speech, so that no sentence of a call is cut, and an
    # end for a model that never stops. Also the most that older models accept.
    max_output_tokens: int = 4096
    dropped: frozenset[str] = frozenset()
    tries: int = 1


_FORMATS: dict[Audio, Wire] = {
    "pcmu": {"type": "audio/pcmu"},
    "pcm": {"type": "audio/pcm", "rate": 24_000},
}


def session_update(wish: SessionWish) -> Wire:
    """The `session.update` that asks for the wish."""
    session = _session(wish)
    for path in wish.dropped:
        _remove(session, path)
    return {"type": "session.update", "event_id": update_id(wish), "session": session}


def update_id(wish: SessionWish) -> str:
    """The event_id of this try, by which its refusal is recognised."""
    return f"session_{wish.tries}"


def _session(wish: SessionWish) -> Wire:
    session: Wire = {
        "type": "realtime",
        "model": wish.model,
        "output_modalities": ["audio"],
        "instructions": wish.instructions,
        "audio": {"input": _input(wish), "output": _output(wish)},
        "tools": list(wish.tools),
        "tool_choice": "auto",
        "max_output_tokens": wish.max_output_tokens,
        # Forgetting a fifth at a time keeps the rest in the (ten times cheaper) cache.
        "truncation": {
            "type": "retention_ratio",
            "retention_ratio": 0.8,
            "token_limits": {"post_instructions": 12_000},
        },
    }
    if MODELS.get(known_as(wish.model, MODELS) or "", Model()).reasoning:
        session["reasoning"] = {"effort": "low"}
        session["parallel_tool_calls"] = False
    return session


def _input(wish: SessionWish) -> Wire:
    detection = wish.turn_detection
    return {
        "format": dict(_FORMATS[wish.audio]),
        "transcription": _transcription(wish),
        "noise_reduction": {"type": wish.noise_reduction} if wish.noise_reduction else None,
        # No idle_timeout_ms: the call itself notices silence, counted from what was heard.
        "turn_detection": {
            "type": "server_vad",
            "threshold": detection.threshold,
            "prefix_padding_ms": detection.prefix_padding_ms,
            "silence_duration_ms": detection.silence_duration_ms,
            "create_response": True,
            "interrupt_response": True,
        },
    }


def _transcription(wish: SessionWish) -> Wire | None:
    if not wish.transcription:
        return None
    facts = TRANSCRIBERS.get(known_as(wish.transcription, TRANSCRIBERS) or "", Transcriber())
    transcription: Wire = {"model": wish.transcription}
    if wish.language and facts.languages:
        transcription["languages"] = [wish.language]
    elif wish.language:
        transcription["language"] = wish.language
    if wish.keywords and facts.keywords:
        transcription["keywords"] = list(wish.keywords)
    return transcription


def _output(wish: SessionWish) -> Wire:
    own = wish.voice.startswith("voice_")
    return {"format": dict(_FORMATS[wish.audio]), "voice": {"id": wish.voice} if own else wish.voice}


def _remove(session: Wire, path: str) -> None:
    *parents, name = path.split(".")
    at: Any = session
    for parent in parents:
        at = at.get(parent) if isinstance(at, dict) else None
    if isinstance(at, dict):
        at.pop(name, None)


# --- what took effect --------------------------------------------------------

# Where the older interface, and servers that still speak it, keep the same thing.
_OLDER = {
    "audio.input.format": "input_audio_format",
    "audio.output.format": "output_audio_format",
    "audio.output.voice": "voice",
    "audio.input.turn_detection": "turn_detection",
    "audio.input.transcription": "input_audio_transcription",
}
_OLDER_FORMATS = {"g711_ulaw": "audio/pcmu", "pcm16": "audio/pcm", "g711_alaw": "audio/pcma"}
_ABSENT = object()


def effective_format(session: Wire, direction: Literal["input", "output"], wish: SessionWish) -> Audio | None:
    """The audio format in force, None when we cannot convert it; as wished when it is not told."""
    told = _told(session, f"audio.{direction}.format")
    if told is _ABSENT or told is None:
        return wish.audio
    if isinstance(told, str):
        told = {"type": _OLDER_FORMATS.get(told, told)}
    kind, rate = _object(told).get("type"), _object(told).get("rate")
    if kind == "audio/pcmu" and rate in (None, 8000):
        return "pcmu"
    return "pcm" if kind == "audio/pcm" and rate in (None, 24_000) else None


def differences(wish: SessionWish, session: Wire) -> list[str]:
    """What the effective session has otherwise than wished, as dotted names.

    What a server does not tell cannot be compared, and counts as granted.
    """
    asked = session_update(wish)["session"]
    different = lacking(wish, session)
    if effective_format(session, "input", wish) != wish.audio:
        different.append("audio.input.format")
    if effective_format(session, "output", wish) != wish.audio:
        different.append("audio.output.format")
    for path, key in (("audio.input.turn_detection", "type"), ("audio.input.transcription", "model")):
        told, wished = _told(session, path), _told(asked, path)
        if told is not _ABSENT and wished is not _ABSENT and _part(told, key) != _part(wished, key):
            different.append(path)
    voice = _told(session, "audio.output.voice")
    if voice is not _ABSENT and _part(voice, "id") != wish.voice:
        different.append("audio.output.voice")
    return list(dict.fromkeys(different))


def lacking(wish: SessionWish, session: Wire) -> list[str]:
    """What is missing of what a call cannot do without; worse than the apology and the tone."""
    missing = []
    instructions = _told(session, "instructions")
    if instructions is not _ABSENT and str(instructions).strip() != wish.instructions.strip():
        missing.append("instructions")
    tools = _told(session, "tools")
    if tools is not _ABSENT and not _names(tools) >= _names(wish.tools):
        missing.append("tools")
    if _told(session, "audio.input.turn_detection") is None:
        missing.append("audio.input.turn_detection")
    return missing


def _told(session: Wire, path: str) -> Any:
    at: Any = session
    for name in path.split("."):
        at = at.get(name, _ABSENT) if isinstance(at, dict) else _ABSENT
    if at is _ABSENT and path in _OLDER:
        return session.get(_OLDER[path], _ABSENT)
    return at


def _object(told: Any) -> Wire:
    return told if isinstance(told, dict) else {}


def _part(told: Any, key: str) -> Any:
    """What is to be compared of a value: one entry of an object, or a plain value itself."""
    return told.get(key) if isinstance(told, dict) else told


def _names(tools: Any) -> set[str]:
    listed = tools if isinstance(tools, (list, tuple)) else ()
    return {str(_object(tool).get("name")) for tool in listed}


# --- repair ------------------------------------------------------------------

_MOST_TRIES = 6
_CONTAINERS = frozenset({"", "audio", "audio.input", "audio.output"})
# Of these a single entry can be left out; the others are refused and left out whole.
_OPEN = frozenset({"audio.input.transcription", "audio.input.turn_detection"})
_REQUIRED = frozenset({"type", "instructions", "tools"})
_OPTIONAL = frozenset(
    {
        "reasoning",
        "parallel_tool_calls",
        "truncation",
        "max_output_tokens",
        "audio.input.noise_reduction",
        "audio.input.transcription.keywords",
        "audio.input.transcription.languages",
    }
)
_ABOUT_A_FIELD = ("invalid_request_error", "unknown_parameter", "invalid_value", "unsupported")


def repaired(wish: SessionWish, error: Wire) -> SessionWish | None:
    """The wish without what this refusal of it complains about; None when nothing is left to try."""
    if wish.tries >= _MOST_TRIES:
        return None
    path = _complaint(error)
    if path is None:
        # Refused without saying what for: once more with only what we cannot do without.
        return None if wish.dropped >= _OPTIONAL else _without(wish, _OPTIONAL)
    if path.split(".")[-1] in ("format", "type", "rate") and ".format" in f".{path}":
        return replace(wish, audio="pcm", tries=wish.tries + 1) if wish.audio == "pcmu" else None
    field_path = _field_of(session_update(wish)["session"], path)
    return _without(wish, {field_path}) if field_path else None


def _complaint(error: Wire) -> str | None:
    """The field an error names, below `session`: in `param`, else in its message."""
    named = str(error.get("param") or "")
    if not named:
        found = re.search(r"'(session\.[\w.\[\]]+)'", str(error.get("message") or ""))
        named = found[1] if found else ""
    return re.sub(r"\[\d+\]", "", named.removeprefix("session.")) or None


def _field_of(session: Wire, path: str) -> str | None:
    """The field to leave out for that complaint; None when it is one we cannot do without."""
    while path and path not in _CONTAINERS:
        parent = path.rpartition(".")[0]
        alone = parent in _OPEN and not path.endswith((".type", ".model"))
        if _told(session, path) is not _ABSENT and (alone or parent in _CONTAINERS):
            return None if path in _REQUIRED else path
        path = parent
    return None


def _without(wish: SessionWish, paths: Iterable[str]) -> SessionWish:
    return replace(wish, dropped=wish.dropped | frozenset(paths), tries=wish.tries + 1)


# --- the conversation about it -----------------------------------------------

FATAL_ACCOUNT = frozenset(
    {
        "insufficient_quota",
        "invalid_api_key",
        "account_deactivated",
        "billing_hard_limit_reached",
    }
)
_FATAL_SETUP = FATAL_ACCOUNT | {
    "beta_api_shape_disabled",
    "missing_required_parameter",
    "model_not_found",
    "invalid_model",
}


def fatal_code(code: str) -> bool:
    """Is a second session with this code useless? Codes may come with their type before a dot."""
    return code.rpartition(".")[2] in _FATAL_SETUP


@dataclass(slots=True)
class Agreed:
    """The session is ours. `unlike`: what is otherwise than wished, for the log."""

    hears: Audio
    speaks: Audio
    unlike: list[str]


@dataclass(slots=True)
class GivenUp:
    """The session cannot be what we need. `reason`: for the log and the owner."""

    reason: str
    fatal: bool


@dataclass(slots=True)
class Negotiation:
    """From `session.created` to a session that is checked, without I/O.

    Give every message to `hear`; it returns a message to send, the end of it, or nothing.
    """

    wish: SessionWish
    created: bool = False
    asked_again: bool = False
    refused: list[str] = field(default_factory=list)

    def hear(self, message: Wire) -> Wire | Agreed | GivenUp | None:
        """Take one message of the server; what is to be done about it."""
        match message.get("type"):
            case "session.created" if not self.created:
                self.created = True
                return session_update(self.wish)
            case "session.updated" if self.created:
                return self._check(_object(message.get("session")))
            case "error":
                return self._refused(_object(message.get("error")))
        return None

    def _check(self, session: Wire) -> Wire | Agreed | GivenUp:
        missing = lacking(self.wish, session)
        if missing and self.asked_again:
            return GivenUp(f"the session does not take our {' and '.join(missing)}", fatal=True)
        if missing:
            self.asked_again = True
            self.wish = replace(self.wish, tries=self.wish.tries + 1)
            return session_update(self.wish)
        hears = effective_format(session, "input", self.wish)
        speaks = effective_format(session, "output", self.wish)
        if hears is None or speaks is None:
            return GivenUp("the session has an audio format we cannot convert", fatal=True)
        return Agreed(hears, speaks, differences(self.wish, session))

    def _refused(self, error: Wire) -> Wire | GivenUp | None:
        code = str(error.get("code") or error.get("type") or "error")
        if not self.created:
            # The socket was let in to be told why it is not: the close follows.
            return GivenUp(f"the model refused the session: {code}", fatal=fatal_code(code))
        if error.get("event_id") not in (None, update_id(self.wish)):
            return None
        if code in FATAL_ACCOUNT or code == "beta_api_shape_disabled":
            return GivenUp(f"the model refused the session: {code}", fatal=True)
        if not _concerns_a_field(error):
            return GivenUp(f"the model refused the session: {code}", fatal=False)
        self.refused.append(_complaint(error) or code)
        wish = repaired(self.wish, error)
        if wish is None:
            return GivenUp(
                f"the model refused our session: {code} {_complaint(error) or ''}".strip(), fatal=True
            )
        self.wish = wish
        return session_update(wish)


def _concerns_a_field(error: Wire) -> bool:
    """Is this about what we asked for, and not about the server's own trouble?"""
    kinds = (str(error.get("type") or ""), str(error.get("code") or ""))
    return bool(error.get("param")) or any(kind.startswith(_ABOUT_A_FIELD) for kind in kinds)
