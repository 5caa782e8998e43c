"""The `openai` package's types, as judge of every message we send or expect."""

from __future__ import annotations

from typing import Any

import orjson
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

_CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
_SERVER: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def check_client(message: bytes | dict[str, Any]) -> dict[str, Any]:
    """Valid, and without a field the types do not know. Returns the message as data."""
    data = orjson.loads(message) if isinstance(message, bytes) else message
    assert unknown_fields(_CLIENT.validate_python(data)) == []
    return data


def check_server(message: dict[str, Any]) -> dict[str, Any]:
    """A message of the server's that the types know."""
    assert _SERVER.validate_python(message).type == message["type"]
    return message


def unknown_fields(value: Any, path: str = "") -> list[str]:
    """The types accept any extra field; a strict server does not."""
    if isinstance(value, BaseModel):
        found = [f"{path}.{name}" for name in value.model_extra or {}]
        for name, part in value:
            if name in value.model_fields_set:
                found += unknown_fields(part, f"{path}.{name}")
        return found
    if isinstance(value, list):
        return [one for item in value for one in unknown_fields(item, f"{path}[]")]
    return []
