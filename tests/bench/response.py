"""One reply of the model, in the Realtime API's own events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import orjson

from tests.bench import stamp

DELTA_MS = 200
_USAGE = {
    "total_tokens": 300,
    "input_tokens": 200,
    "output_tokens": 100,
    "input_token_details": {"text_tokens": 100, "audio_tokens": 100, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 20, "audio_tokens": 80},
}

Wire = dict[str, Any]


class Side(Protocol):
    """The session it is part of."""

    def new_item(self) -> int: ...
    def add_item(self, item: Wire) -> str: ...
    def send(self, kind: str, **fields: Any) -> None: ...
    def send_bytes(self, message: bytes) -> None: ...


class Response:
    """One reply: a single item with sound and words."""

    def __init__(self, session: Side) -> None:
        self._session = session
        self._number = session.new_item()
        self._id, self._item_id = f"resp_{self._number}", f"item_{self._number}"
        self._words = ""
        self.over = False
        part = {"response_id": self._id, "item_id": self._item_id, "output_index": 0, "content_index": 0}
        self._part: Wire = part
        self._head = orjson.dumps(
            {"type": "response.output_audio.delta", "event_id": f"event_{self._number}", **part}
        )[:-1]
        session.send("response.created", response=self._told("in_progress"))
        item = {"id": self._item_id, "type": "message", "role": "assistant", "content": []}
        session.send("response.output_item.added", response_id=self._id, output_index=0, item=item)
        session.add_item({**item, "status": "in_progress"})

    def speech(self, length_ms: int) -> Iterator[bytes]:
        """So much speech in deltas of 200 ms, each with its stamp."""
        rest = stamp.rest(DELTA_MS * 8)
        for count in range(length_ms // DELTA_MS):
            yield stamp.stamped("model", self._number, count) + rest

    def say(self, payload: bytes) -> None:
        """A piece of sound, in base64."""
        self._session.send_bytes(self._head + b',"delta":"' + payload + b'"}')

    def words(self, words: str) -> None:
        """A piece of the transcript."""
        self._words += words
        self._session.send("response.output_audio_transcript.delta", delta=words, **self._part)

    def done(self, status: str = "completed") -> None:
        """Nothing more of it."""
        self.over = True
        send = self._session.send
        send("response.output_audio.done", **self._part)
        send("response.output_audio_transcript.done", transcript=self._words, **self._part)
        send("response.done", response=self._told(status))

    def _told(self, status: str) -> Wire:
        told: Wire = {"object": "realtime.response", "id": self._id, "status": status}
        if status == "in_progress":
            return {**told, "conversation_id": "conv_1", "output": []}
        content = [{"type": "output_audio", "transcript": self._words}]
        item = {"id": self._item_id, "type": "message", "role": "assistant", "content": content}
        return {**told, "conversation_id": "conv_1", "output": [item], "usage": _USAGE}
