"""One response: its events in their order, spread over time the way a model that talks faster than it speaks
does it.

`Reply.run` is a generator: it sends what is due and yields how many seconds to wait. Between two steps the
reply can be stopped; what is open is then closed as incomplete, so that a client always gets its `done`
events.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from assistant.sandbox.model import mouth
from assistant.sandbox.model.brain import CallTool, Part, Say
from assistant.sandbox.model.conversation import ASSISTANT_MS_PER_TOKEN, LETTERS_PER_TOKEN, Conversation, Item
from assistant.sandbox.model.sound import BYTES_PER_MS, Format, outlet

NewId = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the model's side is.

    think_s: response.created to its first item. speed: times real time; audio comes in pieces of delta_ms.
    transcribe_s: end of an utterance to its words.
    """

    think_s: float = 0.25
    transcribe_s: float = 0.3
    speed: float = 6.0
    delta_ms: int = 200


@dataclass(frozen=True, slots=True)
class Terms:
    """What a response was asked for, the session's wishes filled in."""

    fmt: Format
    voice: Any
    modality: str
    max_tokens: int | str
    metadata: Any
    in_conversation: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """Input tokens of a response; the cached ones are a part of the others."""

    text: int
    audio: int
    text_cached: int = 0
    audio_cached: int = 0


@dataclass
class Reply:
    """A response being given. `send(type, **fields)` puts an event on the socket."""

    response_id: str
    parts: list[Part]
    terms: Terms
    reading: Reading
    conversation: Conversation
    conversation_id: str
    pace: Pace
    send: Callable[..., None]
    new_id: NewId
    output: list[Item] = field(default_factory=list)
    status: str = "in_progress"
    sent_ms: int = 0
    _said: str = ""  # words of the open item so far

    def run(self) -> Iterator[float]:
        yield self.pace.think_s
        for part in self.parts:
            yield from self._say(part) if isinstance(part, Say) else self._call(part)
            if self.over:
                return
        self._finish("completed", None)

    @property
    def over(self) -> bool:
        return self.status != "in_progress"

    @property
    def half_way(self) -> bool:
        """Whether half of all its speech has been sent."""
        whole_ms = sum(len(mouth.speak(part.text)) // 8 for part in self.parts if isinstance(part, Say))
        return self.sent_ms * 2 >= whole_ms

    def begin(self) -> None:
        self.send("response.created", response=self._wire(None))

    def stop(self, status: str, reason: str) -> None:
        """Break off: `cancelled` or `incomplete`, with the reason the service gives."""
        if self.output and self.output[-1].wire["status"] == "in_progress":
            item = self.output[-1]
            if item.wire["type"] == "message":
                self._close_part(item)
            self._close_item(item, "incomplete")
        self._finish(status, {"type": status, "reason": reason})

    def fail(self, code: str, message: str) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message}
        self._finish("failed", {"type": "failed", "error": error})

    # --- speech ---

    def _say(self, part: Say) -> Iterator[float]:
        item = self._open_item({"type": "message", "role": "assistant", "content": []})
        self._said = ""
        empty = {"type": "audio", "transcript": ""} if self._aloud else {"type": "text", "text": ""}
        self._of_item("response.content_part.added", item, content_index=0, part=empty)
        yield from self._aloud_deltas(item, part.text) if self._aloud else self._text_deltas(item, part.text)
        if not self.over:
            self._close_part(item)
            self._close_item(item, "completed")

    def _aloud_deltas(self, item: Item, text: str) -> Iterator[float]:
        payload = mouth.speak(text)
        wire = outlet(payload, self.terms.fmt)
        words = text.split(" ")
        pieces = max(1, -(-len(payload) // (8 * self.pace.delta_ms)))
        step = BYTES_PER_MS[self.terms.fmt] * self.pace.delta_ms
        for n in range(pieces):
            until = -(-len(words) * (n + 1) // pieces)
            self._words(item, "response.output_audio_transcript.delta", words, until)
            if not payload:
                return
            self._sound(item, payload[: 8 * self.pace.delta_ms * (n + 1)], wire[step * n : step * (n + 1)])
            if self._too_long():
                return
            yield self.pace.delta_ms / 1000 / self.pace.speed

    def _text_deltas(self, item: Item, text: str) -> Iterator[float]:
        words = text.split(" ")
        for until in range(4, len(words) + 4, 4):
            self._words(item, "response.output_text.delta", words, min(until, len(words)))
            yield 0.02

    def _words(self, item: Item, event: str, words: list[str], until: int) -> None:
        so_far = " ".join(words[:until])
        if delta := so_far[len(self._said) :]:
            self._of_item(event, item, content_index=0, delta=delta)
        self._said = so_far

    def _sound(self, item: Item, payload: bytes, wire: bytes) -> None:
        self.sent_ms += (len(payload) - len(item.sound)) // 8
        item.sound = payload
        delta = base64.b64encode(wire).decode("ascii")
        self._of_item("response.output_audio.delta", item, content_index=0, delta=delta)

    def _too_long(self) -> bool:
        limit = self.terms.max_tokens
        if isinstance(limit, int) and self.sent_ms // ASSISTANT_MS_PER_TOKEN >= limit:
            self.stop("incomplete", "max_output_tokens")
        return self.over

    def _close_part(self, item: Item) -> None:
        if self._aloud:
            self._of_item("response.output_audio.done", item, content_index=0)
            self._of_item(
                "response.output_audio_transcript.done", item, content_index=0, transcript=self._said
            )
            part = {"type": "audio", "transcript": self._said}
            item.wire["content"] = [{"type": "output_audio", "transcript": self._said}]
        else:
            self._of_item("response.output_text.done", item, content_index=0, text=self._said)
            part = {"type": "text", "text": self._said}
            item.wire["content"] = [{"type": "output_text", "text": self._said}]
        self._of_item("response.content_part.done", item, content_index=0, part=part)

    # --- tools ---

    def _call(self, part: CallTool) -> Iterator[float]:
        call_id = self.new_id("call")
        item = self._open_item(
            {"type": "function_call", "name": part.name, "call_id": call_id, "arguments": ""}, part
        )
        arguments = json.dumps(part.arguments)
        event = "response.function_call_arguments"
        for delta in (arguments[:8], arguments[8:]):
            if delta:
                self._of_item(f"{event}.delta", item, call_id=call_id, delta=delta)
                item.wire["arguments"] += delta
                yield 0.01
        self._of_item(f"{event}.done", item, call_id=call_id, name=part.name, arguments=arguments)
        self._close_item(item, "completed")

    # --- items and the response itself ---

    @property
    def _aloud(self) -> bool:
        return self.terms.modality == "audio"

    def _open_item(self, wire: dict[str, Any], call: CallTool | None = None) -> Item:
        started = {"id": self.new_id("item"), "object": "realtime.item", "status": "in_progress", **wire}
        item = Item(started, call=call)
        self.output.append(item)
        index = len(self.output) - 1
        self.send(
            "response.output_item.added", response_id=self.response_id, output_index=index, item=started
        )
        if self.terms.in_conversation:
            previous = self.conversation.add(item)
            self.send("conversation.item.added", previous_item_id=previous, item=started)
        return item

    def _close_item(self, item: Item, status: str) -> None:
        item.wire["status"] = status
        index = len(self.output) - 1
        self.send(
            "response.output_item.done", response_id=self.response_id, output_index=index, item=item.wire
        )
        if self.terms.in_conversation and item in self.conversation.items:
            previous = self.conversation.before(item.item_id)
            self.send("conversation.item.done", previous_item_id=previous, item=item.wire)

    def _of_item(self, event: str, item: Item, **facts: Any) -> None:
        index = len(self.output) - 1
        self.send(event, response_id=self.response_id, item_id=item.item_id, output_index=index, **facts)

    def _finish(self, status: str, details: dict[str, Any] | None) -> None:
        self.status = status
        self.send("response.done", response=self._wire(details))

    def _wire(self, details: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "object": "realtime.response",
            "id": self.response_id,
            "status": self.status,
            "status_details": details,
            "output": [item.wire for item in self.output],
            "conversation_id": self.conversation_id if self.terms.in_conversation else None,
            "output_modalities": [self.terms.modality],
            "max_output_tokens": self.terms.max_tokens,
            "audio": {"output": {"format": _format(self.terms.fmt), "voice": self.terms.voice}},
            "usage": self._usage() if self.over else None,
            "metadata": self.terms.metadata,
        }

    def _usage(self) -> dict[str, Any]:
        reading = self.reading
        text_out = sum(len(item.text()) for item in self.output) // LETTERS_PER_TOKEN
        audio_out = self.sent_ms // ASSISTANT_MS_PER_TOKEN
        cached = {"text_tokens": reading.text_cached, "audio_tokens": reading.audio_cached, "image_tokens": 0}
        return {
            "total_tokens": reading.text + reading.audio + text_out + audio_out,
            "input_tokens": reading.text + reading.audio,
            "output_tokens": text_out + audio_out,
            "input_token_details": {
                "text_tokens": reading.text,
                "audio_tokens": reading.audio,
                "image_tokens": 0,
                "cached_tokens": reading.text_cached + reading.audio_cached,
                "cached_tokens_details": cached,
            },
            "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
        }


def _format(fmt: Format) -> dict[str, Any]:
    return {"type": fmt, "rate": 24000} if fmt == "audio/pcm" else {"type": fmt}
