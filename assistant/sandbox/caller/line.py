"""The media stream as Twilio runs it: a WebSocket to the app, sound every 20 ms, marks and clears.

One `MediaStream` is one `<Connect><Stream>`. The phone's ticks (`handset`) send the caller's sound; the
thread that follows the document reads what the app sends, plays it out (`playout`) and gives marks back the
moment they are due. Anything the real service would complain about is kept as a complaint.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from assistant.audio import BYTES_PER_MS
from assistant.sandbox.caller.documents import Complaint
from assistant.sandbox.caller.handset import FRAME_MS
from assistant.sandbox.caller.playout import MOST_QUEUED_MS, PlayOut

NO_ANSWER, REFUSED, NOT_SWITCHED, CLOSED_BADLY = 31901, 31902, 31920, 31921
TOO_MUCH_QUEUED, NOT_DECODED, INVALID = 31931, 31950, 31951
OPEN_TIMEOUT_S = 5.0
# How soon the reading thread notices that the call is over or has been given a new document.
LOOK_UP_S = 0.05


class StreamRefused(Exception):
    """The stream could not be opened. `code`: as in Twilio's debugger."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class MediaStream:
    """One media stream, from `start` to close; the phone's far end meanwhile."""

    real_time = True
    done = False

    def __init__(self, socket: ClientConnection, *, account_sid: str, call_sid: str) -> None:
        self.stream_sid = "MZ" + secrets.token_hex(16)
        self.playout = PlayOut()
        self.complaints: list[Complaint] = []
        self.chunks = 0
        self.keys = ""
        self.first_sound_ms: float | None = None  # start sent -> first voice received
        self.close_code: int | None = None  # the app's; None while open or when it just went away
        self.close_reason = ""
        self.stopped = False
        self._socket = socket
        self._account_sid = account_sid
        self._call_sid = call_sid
        self._lock = threading.Lock()  # the socket's order of sending, the play-out, the counters
        self._sequence = 0
        self._began = 0.0
        self._heard_until = 0

    def start(self, parameters: dict[str, str]) -> None:
        """Say `connected` and `start`; the stream's clock runs from here."""
        start = {
            "accountSid": self._account_sid,
            "streamSid": self.stream_sid,
            "callSid": self._call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        with self._lock:
            self._send({"event": "connected", "protocol": "Call", "version": "1.0.0"}, numbered=False)
            self._send({"event": "start", "start": start})
            self._began = time.monotonic()

    def now_ms(self) -> float:
        """The stream's own clock."""
        return (time.monotonic() - self._began) * 1000

    # --- the phone's side ----------------------------------------------------

    def exchange(self, frame: bytes) -> bytes:
        """Send 20 ms of the caller's sound; return what has been heard since the last time."""
        with self._lock:
            media = {
                "track": "inbound",
                "chunk": str(self.chunks + 1),
                "timestamp": str(self.chunks * FRAME_MS),
                "payload": base64.b64encode(frame).decode(),
            }
            self._send({"event": "media", "media": media})
            self.chunks += 1
            self._give_back(self.playout.advance(self.now_ms()))
            heard = bytes(self.playout.ear[self._heard_until :])
            self._heard_until += len(heard)
            return heard

    def press(self, key: str) -> None:
        """The caller presses a key."""
        with self._lock:
            self.keys += key
            self._send({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": key}})

    # --- the app's side ------------------------------------------------------

    def run(self, ended: Callable[[], bool]) -> None:
        """Read what the app sends until it closes the socket, or until `ended()`: then say `stop`."""
        try:
            while not ended():
                self._read_one()
            self._stop()
        except ConnectionClosed as closed:
            self._note_close(closed)
        finally:
            self.done = True

    def _read_one(self) -> None:
        try:
            text: str | bytes | None = self._socket.recv(timeout=self._patience_s())
        except TimeoutError:
            text = None
        with self._lock:
            now = self.now_ms()
            self._give_back(self.playout.advance(now))
            if text is not None:
                self._take(text, now)

    def _patience_s(self) -> float:
        with self._lock:
            due = self.playout.next_mark_ms()
            return LOOK_UP_S if due is None else min(LOOK_UP_S, max(0.0, (due - self.now_ms()) / 1000))

    def _take(self, text: str | bytes, now: float) -> None:
        message = self._decode(text)
        if message is None:
            return
        match message:
            case {"event": "media", "media": {"payload": str(payload)}}:
                self._take_voice(payload, now)
            case {"event": "mark", "mark": {"name": str(name)}} if name:
                self._give_back(self.playout.place(name, now))
            case {"event": "clear"}:
                self._give_back(self.playout.clear(now))
            case _:
                self._complain(INVALID, f"message not understood: {sorted(message)} {message.get('event')}")

    def _decode(self, text: str | bytes) -> dict[str, Any] | None:
        if isinstance(text, bytes):
            self._complain(NOT_DECODED, "a binary frame")
            return None
        try:
            message = json.loads(text)
        except ValueError:
            self._complain(NOT_DECODED, "not JSON")
            return None
        if not isinstance(message, dict) or message.get("streamSid") != self.stream_sid:
            self._complain(INVALID, "streamSid is missing or not this stream's")
            return None
        return message

    def _take_voice(self, payload: str, now: float) -> None:
        try:
            voice = base64.b64decode(payload, validate=True)
        except binascii.Error:
            self._complain(INVALID, "media.payload is not base64")
            return
        if self.first_sound_ms is None:
            self.first_sound_ms = now
        if self.playout.queued_ms + len(voice) / BYTES_PER_MS > MOST_QUEUED_MS:
            self._complain(TOO_MUCH_QUEUED, "more than 10 minutes queued")
            return
        self._give_back(self.playout.push(voice, now))

    def _give_back(self, names: list[str]) -> None:
        for name in names:
            self._send({"event": "mark", "mark": {"name": name}})

    def _stop(self) -> None:
        with self._lock:
            self._send(
                {"event": "stop", "stop": {"accountSid": self._account_sid, "callSid": self._call_sid}}
            )
            self.stopped = True

    def _note_close(self, closed: ConnectionClosed) -> None:
        if closed.rcvd is None:
            self._complain(CLOSED_BADLY, "the socket went away without a close frame")
            return
        self.close_code, self.close_reason = closed.rcvd.code, closed.rcvd.reason

    def _send(self, message: dict[str, Any], *, numbered: bool = True) -> None:
        """Write one message; a socket that is gone is noticed by the thread that reads."""
        if self.stopped:
            return  # nothing follows `stop`
        if numbered:
            self._sequence += 1
            message |= {"sequenceNumber": str(self._sequence), "streamSid": self.stream_sid}
        try:
            self._socket.send(json.dumps(message, separators=(",", ":")))
        except ConnectionClosed:
            self.done = True

    def _complain(self, code: int, text: str) -> None:
        self.complaints.append(Complaint(code, f"stream: {text}"))


def open_socket(url: str, signature: str) -> ClientConnection:
    """The handshake of a media stream; to be used in a `with`. Raises StreamRefused."""
    try:
        return connect(
            url,
            additional_headers={"x-twilio-signature": signature},
            user_agent_header="TwilioMediaStreams/1.0",
            compression=None,
            proxy=None,
            open_timeout=OPEN_TIMEOUT_S,
            ping_interval=None,
            close_timeout=2,
            max_size=None,
        )
    except InvalidStatus as error:
        raise StreamRefused(NOT_SWITCHED, f"{url} answered {error.response.status_code}") from error
    except (InvalidHandshake, InvalidMessage, ValueError) as error:
        raise StreamRefused(NOT_SWITCHED, f"{url}: {error}") from error
    except TimeoutError as error:
        raise StreamRefused(NO_ANSWER, f"{url}: no answer") from error
    except OSError as error:
        raise StreamRefused(REFUSED, f"{url}: {error}") from error
