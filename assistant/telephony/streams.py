"""The media stream's messages, read into events and written from commands. Pure.

Twilio writes its numbers as strings, spells a track in two ways, and may add events at any time; so what
is unknown is nothing, and what is known but makes no sense is a MalformedMessage.
Source: Twilio's "Media Streams: WebSocket messages".
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import Any

import orjson

from assistant.call import commands as do
from assistant.call.events import CallerAudio, CallerGone, CallerPressed, Event, MarkReturned

FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}


class MalformedMessage(ValueError):
    """A message that cannot be read. The text holds nothing of it."""


@dataclass(frozen=True, slots=True)
class StreamStart:
    """The stream begins: whose it is, and the parameters of our own document."""

    call_sid: str
    stream_sid: str
    account_sid: str
    parameters: dict[str, str]


def read(text: bytes, at_ms: int) -> Event | StreamStart | None:
    """One message of the stream. None: nothing that concerns us. Raises MalformedMessage.

    at_ms: when it was read, on the call's clock.
    """
    message = _decoded(text)
    match message.get("event"):
        case "media":  # fifty times a second: first
            return _audio(_part(message, "media"), at_ms)
        case "mark":
            return MarkReturned(_text(_part(message, "mark"), "name"), at_ms=at_ms)
        case "dtmf":
            return CallerPressed(_digit(_part(message, "dtmf")), at_ms=at_ms)
        case "start":
            return _start(message)
        case "stop":
            return CallerGone(hung_up=True, at_ms=at_ms)
        case str():
            return None
    raise MalformedMessage("no event")


def _decoded(text: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeError):
        raise MalformedMessage("not JSON") from None
    if not isinstance(message, dict):
        raise MalformedMessage("not an object")
    return message


def _audio(media: dict[str, Any], at_ms: int) -> CallerAudio | None:
    # Fifty times a second: every call of a function counts.
    if media.get("track", "inbound") != "inbound":
        return None
    payload, digits = media.get("payload"), str(media.get("timestamp"))
    if not isinstance(payload, str):
        raise MalformedMessage("no payload")
    if not (digits.isdecimal() and digits.isascii() and len(digits) <= 15):
        raise MalformedMessage("no timestamp")
    try:
        sound = binascii.a2b_base64(payload, strict_mode=True)
    except ValueError:  # binascii.Error is one
        raise MalformedMessage("a payload that is not base64") from None
    return CallerAudio(sound, int(digits), at_ms=at_ms) if sound else None


def _digit(dtmf: dict[str, Any]) -> str:
    digit = _text(dtmf, "digit").upper()
    if not re.fullmatch(r"[0-9*#A-D]", digit):
        raise MalformedMessage("a key that is none")
    return digit


def _start(message: dict[str, Any]) -> StreamStart:
    start = _part(message, "start")
    form = start.get("mediaFormat", FORMAT)
    if not isinstance(form, dict) or any(form.get(name) != value for name, value in FORMAT.items()):
        raise MalformedMessage("sound that is not 8 kHz mu-law")
    parameters = start.get("customParameters") or {}
    if not isinstance(parameters, dict):
        raise MalformedMessage("customParameters")
    return StreamStart(
        call_sid=_sid(start, "callSid", "CA"),
        stream_sid=_sid(start, "streamSid", "MZ"),
        account_sid=_sid(start, "accountSid", "AC"),
        parameters={name: value for name, value in parameters.items() if isinstance(value, str)},
    )


def _part(message: dict[str, Any], name: str) -> dict[str, Any]:
    part = message.get(name)
    if not isinstance(part, dict):
        raise MalformedMessage(f"no {name}")
    return part


def _text(part: dict[str, Any], name: str) -> str:
    text = part.get(name)
    if not isinstance(text, str):
        raise MalformedMessage(f"no {name}")
    return text


def _sid(part: dict[str, Any], name: str, prefix: str) -> str:
    sid = _text(part, name)
    if not re.fullmatch(prefix + r"[0-9A-Za-z]{32}", sid):
        raise MalformedMessage(f"no {name}")
    return sid


_MEDIA = b'{"event":"media","streamSid":"%b","media":{"payload":"%b"}}'


def write(command: do.Play | do.PlaceMark | do.ClearPlayback, stream_sid: str) -> bytes:
    """A command as the stream's own message."""
    if isinstance(command, do.Play):
        # Fifty times a second and call: no need of a JSON encoder for base64 and letters.
        sound = binascii.b2a_base64(command.payload, newline=False)
        return _MEDIA % (stream_sid.encode(), sound)
    message: dict[str, Any] = {"event": "clear", "streamSid": stream_sid}
    if isinstance(command, do.PlaceMark):
        message |= {"event": "mark", "mark": {"name": command.name}}
    return orjson.dumps(message)
