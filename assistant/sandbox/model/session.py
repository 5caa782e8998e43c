"""One connection of the sandbox's model: what the client sends is read here, what the service would send is
sent.

One loop owns a session: it hands in the client's messages (`take`) and runs the agenda. Replies,
transcriptions and late answers are entries of the agenda, so that nothing here needs a lock or a thread.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant import audio
from assistant.sandbox.model import shapes
from assistant.sandbox.model.agenda import Agenda
from assistant.sandbox.model.conversation import LAST, LETTERS_PER_TOKEN, Conversation, Item, NoSuchItem
from assistant.sandbox.model.ears import Detection, Ears, SpeechBegan, recognise
from assistant.sandbox.model.faults import Fault
from assistant.sandbox.model.mind import UNKNOWN_WORDS, Mind, write_beside
from assistant.sandbox.model.reply import Pace, Reading, Reply, Terms
from assistant.sandbox.model.shapes import Refused
from assistant.sandbox.model.sound import outlet

SESSION_S = 3600
EAGERNESS_MS = {
    "high": 500,
    "auto": 800,
    "medium": 800,
    "low": 1200,
}  # of silence; the real one judges by the words
CACHE_STEP = 64  # tokens; caches hold whole steps


class Close(Exception):
    """The server ends the connection with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Drop(Exception):
    """The connection breaks without a word."""


class Session:
    """Server side of one session. `put` writes one JSON text to the client."""

    def __init__(
        self, put: Callable[[str], None], model: str, fault: Fault, pace: Pace, agenda: Agenda
    ) -> None:
        self._put, self.fault, self.pace, self.agenda = put, fault, pace, agenda
        self._numbers = count(1)
        self._tag = f"{time.time_ns():x}"[-9:]
        self.settings = shapes.first_session(self.new_id("sess"), model, int(time.time()) + SESSION_S)
        self.conversation, self.conversation_id = Conversation(), self.new_id("conv")
        self.ears, self.mind = Ears(), Mind(self.conversation)
        self.active: Reply | None = None  # the one reply of the conversation; others may run beside it
        self.replies = 0
        self.stalled = False
        self._user_item_id = ""
        self._untranscribed = 0
        self._read_before = Reading(0, 0)

    def begin(self) -> None:
        self.send("session.created", session=self.settings)

    def refuse(self, code: str, message: str, close_code: int) -> None:
        """End the connection before it has begun."""
        self._complain(None, code, message, None)
        raise Close(close_code, f"invalid_request_error.{code}")

    def send(self, event: str, **facts: Any) -> None:
        self._put(json.dumps({"type": event, "event_id": self.new_id("event"), **facts}))

    def new_id(self, kind: str) -> str:
        return f"{kind}_{self._tag}{next(self._numbers):05d}"

    def take(self, text: str | bytes) -> None:
        """One message of the client. Raises Close or Drop when that is the end."""
        event: Any = None
        try:
            event = json.loads(text)
            shapes.check_event(event)
            self._carry_out(event)
        except Refused as refused:
            self._complain(event, refused.code, str(refused), refused.param)
        except NoSuchItem as missing:
            code = f"item_{event['type'].rsplit('.')[-1]}_invalid_item_id"
            self._complain(event, code, f"There is no item with the id '{missing}'.", "item_id")
        except ValueError:
            self._complain(None, "invalid_json", "The message is not JSON.", None)

    def _complain(self, event: Any, code: str | None, message: str, param: str | None) -> None:
        cause = event.get("event_id") if isinstance(event, dict) else None
        error = {"type": "invalid_request_error", "code": code, "message": message, "param": param}
        self.send("error", error={**error, "event_id": cause if isinstance(cause, str) else None})

    def _carry_out(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.update":
                self._update(event)
            case "input_audio_buffer.append":
                self._append(event["audio"])
            case "input_audio_buffer.commit":
                self._commit_by_hand()
            case "input_audio_buffer.clear":
                self.ears.clear()
                self.send("input_audio_buffer.cleared")
            case "conversation.item.create":
                self._create_item(event)
            case "conversation.item.retrieve":
                self.send(
                    "conversation.item.retrieved",
                    item=self._with_sound(self.conversation.find(event["item_id"])),
                )
            case "conversation.item.delete":
                self.conversation.delete(event["item_id"])
                self.send("conversation.item.deleted", item_id=event["item_id"])
            case "conversation.item.truncate":
                self._truncate(event)
            case "response.create":
                self._create_response(event.get("response") or {})
            case "response.cancel":
                self._cancel(event.get("response_id"))

    # --- the session ---

    def _update(self, event: dict[str, Any]) -> None:
        if self.fault.update_error:
            self._complain(event, self.fault.update_error, "You exceeded your current quota.", None)
            raise Close(1008, self.fault.update_error)
        new = shapes.updated(self.settings, event["session"])
        voice = new["audio"]["output"]["voice"]
        if voice != self.settings["audio"]["output"]["voice"] and self._has_spoken():
            message = "Cannot update a conversation's voice once there is assistant audio."
            raise Refused("cannot_update_voice", message, "session.audio.output.voice")
        if self.fault.keeps_pcm:
            for side in ("input", "output"):
                new["audio"][side]["format"] = {"type": "audio/pcm", "rate": 24000}
        self.agenda.after(self.fault.update_delay_s, partial(self._use, new))
        self.agenda.run_due()

    def _use(self, new: dict[str, Any]) -> None:
        self.settings = new
        hearing = new["audio"]["input"]
        self.ears.configure(hearing["format"]["type"], _detection(hearing["turn_detection"]))
        self.send("session.updated", session=new)

    def _has_spoken(self) -> bool:
        return any(item.kind == "assistant" and item.sound for item in self.conversation.items)

    # --- the caller's voice ---

    def _append(self, encoded: str) -> None:
        try:
            wire = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise Refused("invalid_value", "The audio is not base64.", "audio") from None
        for heard in self.ears.append(wire):
            if isinstance(heard, SpeechBegan):
                self._speech_began(heard.at_ms)
            else:
                self.send(
                    "input_audio_buffer.speech_stopped", audio_end_ms=heard.at_ms, item_id=self._user_item_id
                )
                self._commit(heard.pcm)
                if self._detection_says("create_response"):
                    self._answer_by_itself()

    def _speech_began(self, at_ms: int) -> None:
        self._user_item_id = self.new_id("item")
        self.send("input_audio_buffer.speech_started", audio_start_ms=at_ms, item_id=self._user_item_id)
        if self.active and self._detection_says("interrupt_response"):
            self.active.stop("cancelled", "turn_detected")
            self._over(self.active)

    def _detection_says(self, switch: str) -> bool:
        detection = self.settings["audio"]["input"]["turn_detection"]
        return bool(detection and detection[switch])

    def _commit_by_hand(self) -> None:
        spoke = self.ears.speaking
        pcm = self.ears.commit()
        if pcm is None:
            raise Refused(
                "input_audio_buffer_commit_empty", "The buffer is empty: there is nothing to commit."
            )
        if not spoke:
            self._user_item_id = self.new_id("item")
        self._commit(pcm)

    def _commit(self, pcm: NDArray[np.int16]) -> None:
        wire = {"id": self._user_item_id, "object": "realtime.item", "type": "message", "status": "completed"}
        content = [{"type": "input_audio", "transcript": None}]
        line = recognise(pcm)
        item = Item({**wire, "role": "user", "content": content}, sound=audio.encode_ulaw(pcm), line=line)
        previous = self.conversation.last_id()
        self.send("input_audio_buffer.committed", item_id=item.item_id, previous_item_id=previous)
        self._place(item, LAST)
        if self.settings["audio"]["input"]["transcription"]:
            self._untranscribed += 1
            words = line.text if line else UNKNOWN_WORDS if self.ears.is_speech(pcm) else ""
            self.agenda.after(self.pace.transcribe_s, partial(self._transcribe, item, words))

    def _transcribe(self, item: Item, words: str) -> None:
        self._untranscribed -= 1
        event = "conversation.item.input_audio_transcription"
        about = {"item_id": item.item_id, "content_index": 0}
        if self.fault.no_words:
            error = {
                "type": "transcription_error",
                "code": "audio_unintelligible",
                "message": "No words.",
                "param": None,
            }
            self.send(f"{event}.failed", **about, error=error)
            return
        item.wire["content"][0]["transcript"] = words
        half = len(words) // 2
        for delta in filter(None, (words[:half], words[half:])):
            self.send(f"{event}.delta", **about, delta=delta)
        by = self.settings["audio"]["input"]["transcription"] or {}
        known = {"languages": [{"code": "en"}]} if by.get("model") == "gpt-transcribe" and words else {}
        usage = {"type": "duration", "seconds": round(item.sound_ms / 1000, 2)}
        self.send(f"{event}.completed", **about, transcript=words, usage=usage, **known)

    # --- items ---

    def _create_item(self, event: dict[str, Any]) -> None:
        wire = dict(event["item"])
        self._check_item(wire)
        wire.setdefault("id", self.new_id("item"))
        item = Item({**wire, "object": "realtime.item", "status": "completed"})
        after = event.get("previous_item_id") or LAST
        try:
            self._place(item, None if after == "root" else after)
        except NoSuchItem:
            message = f"There is no item with the id '{after}'."
            raise Refused("invalid_value", message, "previous_item_id") from None

    def _check_item(self, wire: dict[str, Any]) -> None:
        if any(item.item_id == wire.get("id") for item in self.conversation.items):
            raise Refused("invalid_value", "There is an item of this id.", "item.id")
        allowed = {"system": {"input_text"}, "user": {"input_text"}, "assistant": {"output_text"}}
        for part in wire.get("content", []):
            if part["type"] not in allowed[wire["role"]]:
                raise Refused(
                    "invalid_value", f"Not for a {wire['role']} message: '{part['type']}'.", "item.content"
                )
        if wire["type"] == "function_call_output":
            if self.conversation.call_of(wire["call_id"]) is None:
                raise Refused("invalid_value", f"There is no call '{wire['call_id']}'.", "item.call_id")
            if self.conversation.is_answered(wire["call_id"]):
                raise Refused("invalid_value", f"The call '{wire['call_id']}' has an output.", "item.call_id")

    def _place(self, item: Item, after: str | None) -> None:
        previous = self.conversation.add(item, after)
        self.send("conversation.item.added", previous_item_id=previous, item=item.wire)
        self.send("conversation.item.done", previous_item_id=previous, item=item.wire)

    def _truncate(self, event: dict[str, Any]) -> None:
        item, end_ms = self.conversation.find(event["item_id"]), event["audio_end_ms"]
        if item.kind != "assistant" or event["content_index"] != 0:
            raise Refused(
                "invalid_value", "Only the sound of an assistant's message can be truncated.", "item_id"
            )
        have_ms = item.sound_ms if item.cut_ms is None else item.cut_ms
        if end_ms > have_ms:
            raise Refused(None, f"Audio content of {have_ms}ms is already shorter than {end_ms}ms")
        item.cut_ms = end_ms
        item.wire["content"] = [{"type": "output_audio"}]  # what was written of it goes too
        facts = {"item_id": item.item_id, "content_index": 0, "audio_end_ms": end_ms}
        self.send("conversation.item.truncated", **facts)

    def _with_sound(self, item: Item) -> dict[str, Any]:
        side = "output" if item.kind == "assistant" else "input"
        payload = item.sound if item.cut_ms is None else item.sound[: item.cut_ms * audio.BYTES_PER_MS]
        wire = outlet(payload, self.settings["audio"][side]["format"]["type"])
        encoded = {"audio": base64.b64encode(wire).decode("ascii")} if item.sound else {}
        content = [{**part, **encoded} for part in item.wire.get("content", [])]
        return {**item.wire, "content": content} if content else item.wire

    # --- replies ---

    def _create_response(self, wish: dict[str, Any]) -> None:
        beside = wish.get("conversation") == "none"
        if self.active and not beside:
            message = f"Conversation already has an active response in progress: {self.active.response_id}."
            raise Refused("conversation_already_has_active_response", message)
        if not (self.fault.mute_after and self.replies >= self.fault.mute_after):
            self._start(wish, beside)

    def _answer_by_itself(self) -> None:
        try:
            self._create_response({})
        except Refused as refused:  # it was not to interrupt, and the reply goes on
            self._complain(None, refused.code, str(refused), None)

    def _start(self, wish: dict[str, Any], beside: bool) -> None:
        parts = write_beside(wish) if beside else self.mind.think(self.settings, wish)
        reply = Reply(
            self.new_id("resp"), parts, self._terms(wish, beside), self._reading(wish), self.conversation,
            self.conversation_id, self.pace, self.send, self.new_id,
        )  # fmt: skip
        self.replies += 1
        if not beside:
            self.active = reply
        reply.begin()
        tokens = {
            "name": "tokens",
            "limit": 40_000,
            "remaining": 40_000 - reply.reading.text,
            "reset_seconds": 1.5,
        }
        requests = {
            "name": "requests",
            "limit": 1_000,
            "remaining": 1_000 - self.replies,
            "reset_seconds": 0.06,
        }
        self.send("rate_limits.updated", rate_limits=[requests, tokens])
        if self.replies == self.fault.busy_reply:
            reply.fail("rate_limit_exceeded", "Rate limit reached. Please try again in 1s.")
            self._over(reply)
        else:
            self._go_on(reply, reply.run(), self.replies == self.fault.dies_in_reply)

    def _go_on(self, reply: Reply, steps: Iterator[float], doomed: bool) -> None:
        if reply.over:
            return
        try:
            wait_s = self._wait_for_the_end() if doomed and reply.half_way else next(steps)
        except StopIteration:
            self._over(reply)
        else:
            self.agenda.after(wait_s, partial(self._go_on, reply, steps, doomed))

    def _wait_for_the_end(self) -> float:
        """A connection that is to break in a reply does so once the caller's words are known."""
        if not self._untranscribed:
            raise Drop
        return 0.02

    def _over(self, reply: Reply) -> None:
        if reply is self.active:
            self.active = None
        self.stalled = bool(self.fault.stalls_after) and self.replies >= self.fault.stalls_after
        if self.fault.expires_after and self.replies >= self.fault.expires_after:
            message = "Your session hit the maximum duration of 60 minutes."
            self._complain(None, "session_expired", message, None)
            raise Close(1001, message)

    def _cancel(self, response_id: str | None) -> None:
        if self.active is None or response_id not in (None, self.active.response_id):
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found.")
        self.active.stop("cancelled", "client_cancelled")
        self._over(self.active)

    def _terms(self, wish: dict[str, Any], beside: bool) -> Terms:
        voice = {**self.settings["audio"]["output"], **wish.get("audio", {}).get("output", {})}
        modality = wish.get("output_modalities", self.settings["output_modalities"])[0]
        tokens = wish.get("max_output_tokens", self.settings["max_output_tokens"])
        return Terms(
            voice["format"]["type"], voice["voice"], modality, tokens, wish.get("metadata"), not beside
        )

    def _reading(self, wish: dict[str, Any]) -> Reading:
        """Everything is read again for each reply; what was read for the last one is cheaper now."""
        rules = wish.get("instructions", self.settings["instructions"]) + json.dumps(self.settings["tools"])
        text = len(rules) // LETTERS_PER_TOKEN + self.conversation.text_tokens()
        sound = self.conversation.audio_tokens()
        before = self._read_before
        cached = [
            min(now, then) // CACHE_STEP * CACHE_STEP
            for now, then in ((text, before.text), (sound, before.audio))
        ]
        self._read_before = Reading(text, sound, *cached)
        return self._read_before


def _detection(wish: dict[str, Any] | None) -> Detection:
    if wish is None:
        return Detection(on=False)
    if wish["type"] == "semantic_vad":
        return Detection(silence_duration_ms=EAGERNESS_MS[wish["eagerness"]])
    return Detection(True, wish["threshold"], wish["prefix_padding_ms"], wish["silence_duration_ms"])
