"""A small client of the sandbox's model: plays lines, and holds every answer against the vendor's types."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import websocket
from openai.types.realtime import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from assistant import audio
from assistant.sandbox.lines import shipped
from assistant.sandbox.model import sound

ORACLE: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
# In session objects, though the type of the request that describes them does not have them.
ONLY_IN_ANSWERS = {"id", "object", "expires_at"}
TAKE_MESSAGE = {"type": "function", "name": "take_message", "description": "Keep it.", "parameters": {}}
END_CALL = {"type": "function", "name": "end_call", "description": "Hang up.", "parameters": {}}
INSTRUCTIONS = 'You answer the telephone. Your manner is "warm".'


def session(fmt: sound.Format = "audio/pcmu", **other: Any) -> dict[str, Any]:
    """The session the assistant asks for."""
    wire_format = {"type": fmt, "rate": 24000} if fmt == "audio/pcm" else {"type": fmt}
    words = {"model": "gpt-transcribe", "languages": ["en"], "prompt": "A message.", "keywords": ["Ana"]}
    kept = {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 12000}}
    detection = {"type": "server_vad", "threshold": 0.6, "prefix_padding_ms": 300, "silence_duration_ms": 700}
    return {
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "output_modalities": ["audio"],
        "instructions": INSTRUCTIONS,
        "audio": {
            "input": {
                "format": wire_format,
                "transcription": words,
                "noise_reduction": {"type": "near_field"},
                "turn_detection": {**detection, "create_response": True, "interrupt_response": True},
            },
            "output": {"format": wire_format, "voice": "marin"},
        },
        "tools": [TAKE_MESSAGE, END_CALL],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low"},
        "max_output_tokens": 2048,
        "truncation": kept,
        **other,
    }


class Client:
    """One connection. `seen`: every event in the order it came; `closed`: code and reason of the end."""

    def __init__(self, url: str, *, model: str = "gpt-realtime-2.1", header: tuple[str, ...] = ()) -> None:
        self.seen: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self.fmt: sound.Format = "audio/pcm"
        address = url.replace("http", "ws", 1) + "/realtime" + (f"?model={model}" if model else "")
        header = header or ("Authorization: Bearer sk-test",)
        self.socket = websocket.create_connection(
            address, timeout=5, header=list(header), http_no_proxy=["127.0.0.1"]
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()
        self.socket.shutdown()  # close() leaves the TCP connection open when a close frame has come

    # --- sending ---

    def send(self, kind: str, **facts: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **facts}))

    def configure(self, fmt: sound.Format = "audio/pcmu", **other: Any) -> dict[str, Any]:
        self.send("session.update", event_id="setup", session=session(fmt, **other))
        answer = self.until("session.updated", "error")
        if answer["type"] == "session.updated":
            self.fmt = answer["session"]["audio"]["input"]["format"]["type"]
        return answer

    def append(self, payload: bytes) -> None:
        """Mu-law as 20 ms frames in the session's format, as fast as they go."""
        wire, step = sound.outlet(payload, self.fmt), 20 * sound.BYTES_PER_MS[self.fmt]
        for at in range(0, len(wire), step):
            self.send("input_audio_buffer.append", audio=base64.b64encode(wire[at : at + step]).decode())

    def play(self, line_id: str) -> None:
        """A caller's line and silence enough to end it."""
        self.append(audio.silence(200) + shipped()[line_id].payload + audio.silence(900))

    def say(self, words: str, **facts: Any) -> None:
        told = {"instructions": f'{INSTRUCTIONS}\n\nSay exactly: "{words}"', "tool_choice": "none"}
        self.send("response.create", event_id="say", response={**told, **facts})

    def answer_tool(self, call_id: str, output: str) -> None:
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        self.send("conversation.item.create", item=item)

    # --- hearing ---

    def next(self, timeout_s: float = 5) -> dict[str, Any] | None:
        """The next event, held against the types; None when the connection has ended."""
        self.socket.settimeout(timeout_s)
        opcode, data = self.socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            self.closed = (int.from_bytes(data[:2], "big"), data[2:].decode())
            return None
        event = json.loads(data)
        check(event)
        self.seen.append(event)
        return event

    def until(self, *kinds: str, timeout_s: float = 5) -> dict[str, Any]:
        """The next event of one of these types; those before it are in `seen`."""
        deadline = time.monotonic() + timeout_s
        while (event := self.next(max(0.01, deadline - time.monotonic()))) is not None:
            if event["type"] in kinds:
                return event
        raise ConnectionError(f"closed {self.closed} while waiting for {kinds}; {self.types()}")

    def reply(self) -> dict[str, Any]:
        """The next response that is over."""
        return dict(self.until("response.done")["response"])

    def transcription(self) -> dict[str, Any]:
        """The first caller's words, which may come before, in or after a reply."""
        completed = "conversation.item.input_audio_transcription.completed"
        return next(iter(self.of(completed)), None) or self.until(completed)

    def until_closed(self) -> tuple[int, str]:
        while self.next() is not None:
            pass
        assert self.closed is not None
        return self.closed

    # --- what was heard ---

    def types(self) -> list[str]:
        return [event["type"] for event in self.seen]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.seen if event["type"] == kind]

    def sound_of(self, item_id: str) -> bytes:
        """All audio of an item as it came, in the session's format."""
        deltas = [event for event in self.of("response.output_audio.delta") if event["item_id"] == item_id]
        return b"".join(base64.b64decode(event["delta"]) for event in deltas)


def words_of(reply: dict[str, Any]) -> list[str]:
    """What each message of a response says."""
    return [item["content"][0]["transcript"] for item in reply["output"] if item["type"] == "message"]


def calls_of(reply: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Name and arguments of each function call of a response."""
    calls = [item for item in reply["output"] if item["type"] == "function_call"]
    return [(call["name"], json.loads(call["arguments"])) for call in calls]


def text(line_id: str) -> str:
    return shipped()[line_id].text


def check(event: dict[str, Any]) -> None:
    """The event is one of the vendor's, and has no field the vendor's types do not know."""
    read = ORACLE.validate_python(event)
    assert read.type == event["type"]
    assert type(read).__name__ != "dict"
    unknown = {name for name in _extras(read) if name not in ONLY_IN_ANSWERS}
    assert not unknown, f"{event['type']}: {unknown}"


def _extras(read: object) -> list[str]:
    if isinstance(read, list):
        return [name for entry in read for name in _extras(entry)]
    if not isinstance(read, BaseModel):
        return []
    own = list(read.model_extra or {})
    return own + [name for field in type(read).model_fields for name in _extras(getattr(read, field))]
