"""One caller, as the telephone company carries them: a media stream, and a phone that plays what it gets.

The stream is spoken in bytes that are ready but for their numbers. The phone is honest about marks: one
comes back when everything before it has been played, at 8 bytes a millisecond, and all come back at once
after a clear.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import NamedTuple

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from tests.bench import stamp
from tests.bench.figures import MS
from tests.bench.journal import CallNotes

BYTE_NS = MS // 8
FRAME_MS = 20

_PAYLOAD = b'"payload":"'
_FRAME = (
    b'{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d","timestamp":"%d",'
    b'"payload":"%b' + stamp.rest(stamp.FRAME_BYTES) + b'"},"streamSid":"%b"}'
)
_CONNECTED = b'{"event":"connected","protocol":"Call","version":"1.0.0"}'


class Piece(NamedTuple):
    """Sound of the model's in the queue. `from_ms`: where in its item it begins."""

    item: int
    from_ms: float
    plays_ns: int
    ends_ns: int


class PlayOut:
    """What is queued at the phone, and when each part of it is played."""

    def __init__(self) -> None:
        self.empty_ns = 0
        self._pieces: deque[Piece] = deque()

    def queue(self, size_bytes: int, now_ns: int) -> int:
        """Some sound. Returns when it begins to play."""
        plays_ns = max(self.empty_ns, now_ns)
        self.empty_ns = plays_ns + size_bytes * BYTE_NS
        return plays_ns

    def remember(self, item: int, from_ms: float, plays_ns: int) -> None:
        """The sound that was queued last is this."""
        while self._pieces and self._pieces[0].ends_ns < plays_ns - 60_000 * MS:
            self._pieces.popleft()
        self._pieces.append(Piece(item, from_ms, plays_ns, self.empty_ns))

    def clear(self, now_ns: int) -> dict[int, tuple[float, float]]:
        """Throw it all away. Of each item that is not played whole: how many ms were, and of how many."""
        cut: dict[int, tuple[float, float]] = {}
        for piece in self._pieces:
            if piece.ends_ns > now_ns:
                played_ms = piece.from_ms + max(0, now_ns - piece.plays_ns) / MS
                ends_ms = piece.from_ms + (piece.ends_ns - piece.plays_ns) / MS
                cut[piece.item] = (cut.get(piece.item, (played_ms,))[0], ends_ms)
        self._pieces.clear()
        self.empty_ns = now_ns
        return cut


class Phone(WSListener):
    """One call's media stream. `number`: the call's, in every stamp."""

    def __init__(self, number: int, notes: CallNotes, delta_ms: int) -> None:
        self.number = number
        self.stream_sid = f"MZ{number:032x}"
        self.gone = asyncio.Event()
        self._notes = notes
        self._delta_ms = delta_ms
        self._loop = asyncio.get_running_loop()
        self._transport: WSTransport | None = None
        self._sid = self.stream_sid.encode()
        self._messages = 1
        self._playing = PlayOut()
        self._marks: dict[int, tuple[asyncio.TimerHandle, str]] = {}
        self._mark_count = 0

    # --- what the caller's side sends ------------------------------------------

    def start(self, call_sid: str, account_sid: str, parameters: dict[str, str]) -> None:
        """The stream's first two messages."""
        self._send(_CONNECTED)
        start = {
            "accountSid": account_sid,
            "streamSid": self.stream_sid,
            "callSid": call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        message = {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": self.stream_sid}
        self._notes.started_ns = time.monotonic_ns()
        self._send(orjson.dumps(message))

    def send_frame(self) -> None:
        """The next 20 ms."""
        count = self._notes.send(time.monotonic_ns())
        self._messages += 1
        numbers = (self._messages, count + 1, count * FRAME_MS)
        self._send(_FRAME % (*numbers, stamp.stamped("caller", self.number, count), self._sid))

    def stop(self) -> None:
        """The caller hangs up."""
        self._send(b'{"event":"stop","streamSid":"%b"}' % self._sid)
        if self._transport is not None:
            self._transport.send_close()
            self._transport.disconnect()

    def _send(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message)

    # --- what it is sent -----------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        for timer, _ in self._marks.values():
            timer.cancel()
        self.gone.set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        now_ns = time.monotonic_ns()
        if frame.msg_type != WSMsgType.TEXT:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            return
        message = frame.get_payload_as_bytes()
        at = message.find(_PAYLOAD)
        if at >= 0:
            self._hear(message, at + len(_PAYLOAD), now_ns)
        else:
            self._do(orjson.loads(message), now_ns)

    def _hear(self, message: bytes, at: int, now_ns: int) -> None:
        size_bytes = stamp.size_bytes(message[at : message.index(b'"', at)])
        plays_ns = self._playing.queue(size_bytes, now_ns)
        if not self._notes.first_sound_ns:
            self._notes.first_sound_ns = now_ns
        match stamp.read(message, at):
            case "caller", _, count:
                self._notes.back_ns[count] = now_ns
            case "model", item, count:
                self._playing.remember(item, count * self._delta_ms, plays_ns)

    def _do(self, message: dict[str, dict[str, str]], now_ns: int) -> None:
        if "mark" in message:
            self._mark(message["mark"]["name"], now_ns)
        else:
            self._clear(now_ns)

    def _mark(self, name: str, now_ns: int) -> None:
        wait_ns = self._playing.empty_ns - now_ns
        if wait_ns <= 0:
            self._return(name)
            return
        self._mark_count += 1
        # Whole milliseconds are all the loop keeps; never too early.
        timer = self._loop.call_later(math.ceil(wait_ns / MS) / 1000, self._played, self._mark_count)
        self._marks[self._mark_count] = (timer, name)

    def _played(self, mark: int) -> None:
        self._return(self._marks.pop(mark)[1])

    def _clear(self, now_ns: int) -> None:
        self._notes.cleared_ns.append(now_ns)
        self._notes.cut_ms.update(self._playing.clear(now_ns))
        for timer, name in self._marks.values():
            timer.cancel()
            self._return(name)
        self._marks.clear()

    def _return(self, name: str) -> None:
        self._messages += 1
        returned = {"name": name}
        message = {"event": "mark", "sequenceNumber": str(self._messages), "mark": returned}
        self._send(orjson.dumps({**message, "streamSid": self.stream_sid}))
