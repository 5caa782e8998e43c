"""The socket to the Realtime API: one session, one reader, writes with a time limit.

`run` connects, agrees on the session and then turns what the model sends into events, until
the socket ends; `send` carries out a command, from one other thread; `close` may come from
anywhere, also while the connection is still being made. There are no second tries here: a
session that was refused or lost is told once, as ModelLost, and the call decides.

websocket-client is watched in four places. Its `recv()` hides why a socket was closed, so
frames are read. Its socket has one timeout for reading and writing, so that timeout is only
a short tick: reading goes on after it, and writing has a deadline of its own. It obeys proxy
settings even for loopback addresses, and follows redirects with our key in its hand: both
are switched off.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
import websocket
from websocket import ABNF

from assistant.call.commands import Command, HearCaller
from assistant.call.events import Event, ItemAdded, ModelLost, ModelReady, ReplyAudio, ReplyDone
from assistant.errors import ModelGone, ModelRefused
from assistant.realtime import wire
from assistant.realtime.endings import closed, kind_of, printable, refusal
from assistant.realtime.memory import Memory
from assistant.realtime.session import Agreed, GivenUp, Negotiation, SessionWish, Wire
from assistant.realtime.sound import PcmSound
from assistant.realtime.usage import Usage, prices_for

log = logging.getLogger(__name__)

Within = Callable[[float], AbstractContextManager[Any]]

_TICK_S = 0.5  # how long a read waits before it looks around
_STALL_S = 2.0  # a write that takes longer is a lost socket
_READY_S = 10.0  # connecting and agreeing together
_PING_S = 20.0
_SILENT_S = 2 * _PING_S + 5  # not even a pong for so long: nobody is there
_GOODBYE_S = 1.0  # how long a close of ours waits for the other side's
_MOST_UNREADABLE = 20  # in a row

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """Where the model is and who asks. `safety_identifier`: a hash that stands for the owner."""

    base_url: str
    model: str
    api_key: str = field(repr=False)
    safety_identifier: str = ""

    @property
    def url(self) -> str:
        base = self.base_url.rstrip("/")
        scheme = "ws" if base.startswith(("http:", "ws:")) else "wss"
        return f"{scheme}:{base.partition(':')[2]}/realtime?model={quote(self.model)}"

    @property
    def headers(self) -> list[str]:
        headers = [f"Authorization: Bearer {self.api_key}"]
        if self.safety_identifier:
            headers.append(f"OpenAI-Safety-Identifier: {self.safety_identifier}")
        return headers


class RealtimeClient:
    """One session with the model. `clock`: the call's, in milliseconds. Used once."""

    def __init__(
        self,
        address: ModelAddress,
        wish: SessionWish,
        *,
        clock: Callable[[], int],
        within: Within = nullcontext,
    ) -> None:
        self.usage = Usage()
        self._address = address
        self._negotiation = Negotiation(wish)
        self._clock = clock
        self._within = within
        self._socket: _Socket | None = None
        self._sound: PcmSound | None = None
        self._memory = Memory()
        self._closing = threading.Event()
        self._closed_at = 0.0
        self._failure = ""
        self._unreadable = 0
        self._started = False

    @property
    def cost_usd(self) -> float:
        """What the model asks for everything so far."""
        wish = self._negotiation.wish
        return self.usage.cost_usd(prices_for(wish.model, wish.transcription))

    # --- reading ---------------------------------------------------------------

    def run(self, put: Callable[[Event], None]) -> None:
        """Serve the session until it ends; blocks. Ends with one ModelLost unless `close` was called."""
        if self._started:
            raise RuntimeError("a session has one reader, and is not opened twice")
        self._started = True
        try:
            lost = self._serve(put)
        except ModelRefused as error:
            lost = self._lost(str(error), fatal=error.fatal)
        except ModelGone as error:
            lost = self._lost(str(error))
        except Exception:
            # A fault of ours must not leave a caller with a model that is silent for ever.
            log.exception("reading from the model failed")
            lost = self._lost("a fault of this program")
        finally:
            if self._socket is not None:
                self._socket.drop()
                self._socket.shutdown()  # type: ignore[no-untyped-call]  # closes it
        if not self._closing.is_set():
            put(lost)

    def _serve(self, put: Callable[[Event], None]) -> ModelLost:
        deadline = time.monotonic() + _READY_S
        self._socket = socket = self._connect()
        if self._closing.is_set():
            # The handshake came through after all; nobody waits for it any more.
            socket.goodbye()
            return self._lost("closed before it was used")
        self._agree(socket, deadline)
        if not self._closing.is_set():
            put(ModelReady(at_ms=self._clock()))
        return self._listen(socket, put)

    def _connect(self) -> _Socket:
        try:
            with self._within(_READY_S):
                return _open(self._address)
        except websocket.WebSocketBadStatusException as error:
            raise refusal(error.status_code, error.resp_body) from error
        except (websocket.WebSocketException, OSError, ValueError) as error:
            # Only the kind: these messages quote headers.
            raise ModelRefused(f"the model cannot be reached: {kind_of(error)}", fatal=False) from error

    def _agree(self, socket: _Socket, deadline: float) -> None:
        """Hear `session.created`, ask for our session and check what takes effect."""
        while not self._closing.is_set():
            if time.monotonic() > deadline:
                raise ModelRefused(f"no session within {_READY_S:.0f} s", fatal=False)
            message = self._next(socket)
            answer = self._negotiation.hear(message) if message else None
            match answer:
                case dict():
                    socket.write_text(orjson.dumps(answer))
                case GivenUp(reason, fatal):
                    raise ModelRefused(reason, fatal=fatal)
                case Agreed():
                    self._begin(answer)
                    return

    def _begin(self, agreed: Agreed) -> None:
        for what in (*self._negotiation.refused, *agreed.unlike):
            log.warning("the model's session has its own %s", what)
        if "pcm" in (agreed.hears, agreed.speaks):
            self._sound = PcmSound(hears=agreed.hears == "pcm", speaks=agreed.speaks == "pcm")

    def _listen(self, socket: _Socket, put: Callable[[Event], None]) -> ModelLost:
        while not (self._closing.is_set() and time.monotonic() > self._closed_at + _GOODBYE_S):
            message = self._next(socket)
            event = self._event(message) if message else None
            if isinstance(event, ModelLost):
                return event
            if event is not None and not self._closing.is_set():
                put(event)
        return self._lost("closed")

    def _next(self, socket: _Socket) -> Wire | None:
        """The next message, None when there was none or none that can be read."""
        text = socket.read()
        if text is None:
            return None
        try:
            return wire.parse(text)
        except wire.Unreadable as error:
            self._forgive(error)
            return None

    def _forgive(self, error: Exception) -> None:
        """Pass over a message that cannot be read; not over the twentieth in a row."""
        self._unreadable += 1
        if self._unreadable == 1:
            log.warning("the model sent what cannot be read: %s", error)
        if self._unreadable >= _MOST_UNREADABLE:
            raise ModelGone("the model sends nothing that can be read") from error

    def _event(self, message: Wire) -> Event | None:
        try:
            self._count(message)
            event = wire.event_of(self._memory.completed(message), self._clock())
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._forgive(error)
            return None
        self._unreadable = 0
        return self._for_the_call(event)

    def _for_the_call(self, event: Event | None) -> Event | None:
        """The event with its audio in mu-law; None for what the call knows already."""
        match event:
            case ItemAdded() if self._memory.knows_item(event.item_id):
                return None
            case ReplyAudio() if self._sound is not None:
                payload = self._sound.spoken(event.item_id, event.payload)
                return replace(event, payload=payload) if payload else None
            case ReplyDone(fatal=True):
                log.error("the model's account: %s", event.error_code)
        return event

    def _count(self, message: Wire) -> None:
        match message["type"]:
            case "response.done":
                self.usage.add_response((message.get("response") or {}).get("usage"))
            case "conversation.item.input_audio_transcription.completed":
                self.usage.add_transcription(message.get("usage"))

    def _lost(self, reason: str, *, fatal: bool = False) -> ModelLost:
        said = printable(self._failure or reason, self._address.api_key)
        return ModelLost(said, fatal=fatal, at_ms=self._clock())

    # --- writing ---------------------------------------------------------------

    def send(self, command: Command) -> None:
        """Carry out a command for the model. Raises ModelGone when it cannot be written in 2 s."""
        socket = self._socket
        if socket is None or self._closing.is_set():
            raise ModelGone("there is no session with the model")
        if self._sound is not None and isinstance(command, HearCaller):
            command = HearCaller(self._sound.heard(command.payload))
        text = wire.write(command, self._negotiation.wish.instructions)
        try:
            socket.write_text(text.encode())
        except ModelGone as error:
            self._failure = str(error)
            socket.drop()
            raise

    def close(self) -> None:
        """End the session: quick, from any thread, also while it is still being opened."""
        if self._closing.is_set():
            return
        self._closed_at = time.monotonic()
        self._closing.set()
        if self._socket is not None:
            self._socket.goodbye()


# --- the socket ------------------------------------------------------------------


class _Socket(websocket.WebSocket):
    """websocket-client's socket, with writes that have a deadline and ends that say why.

    All its writes (also the pongs it sends by itself) pass through `send_frame`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._heard_at = self._pinged_at = time.monotonic()

    def read(self) -> bytes | None:
        """The next message, or None after a tick without one. Raises ModelGone at the end."""
        try:
            opcode, frame = self.recv_data_frame(control_frame=True)
        except websocket.WebSocketTimeoutException:
            self._look_around()
            return None
        except websocket.WebSocketConnectionClosedException as error:
            raise ModelGone("the connection to the model was lost") from error
        except (websocket.WebSocketException, OSError, ValueError, AttributeError) as error:
            # The last two: the socket was dropped by another thread in the middle of a read.
            raise ModelGone(f"the connection to the model was lost: {kind_of(error)}") from error
        self._heard_at = time.monotonic()
        if opcode == ABNF.OPCODE_CLOSE:
            raise closed(frame.data)
        self._look_around()
        return bytes(frame.data) if opcode in (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY) else None

    def _look_around(self) -> None:
        """Ping now and then, and notice when nobody answers."""
        now = time.monotonic()
        if now - self._heard_at > _SILENT_S:
            raise ModelGone("the model does not answer pings")
        if now - self._pinged_at > _PING_S:
            self._pinged_at = now
            self.ping()

    def write_text(self, text: bytes) -> None:
        """Send one message. Raises ModelGone."""
        self.send_frame(ABNF.create_frame(text, ABNF.OPCODE_TEXT))

    def send_frame(self, frame: Any) -> int:
        """Write a frame whole within 2 s, or not at all: half a frame ends the connection."""
        data = frame.format()
        deadline = time.monotonic() + _STALL_S
        if not self.lock.acquire(timeout=_STALL_S):
            raise ModelGone("a write to the model stalled")
        try:
            self._write_before(deadline, memoryview(data))
        except (websocket.WebSocketException, OSError, ValueError, AttributeError) as error:
            raise ModelGone(f"the connection to the model was lost: {kind_of(error)}") from error
        finally:
            self.lock.release()
        return len(data)

    def _write_before(self, deadline: float, rest: memoryview) -> None:
        while rest:
            if self.sock is None:
                raise ModelGone("the connection to the model was lost")
            with suppress(TimeoutError):  # a tick in which nothing could be written
                rest = rest[self.sock.send(rest) :]
            if rest and time.monotonic() >= deadline:
                raise ModelGone("a write to the model stalled")

    def send_close(self, *args: Any, **kwargs: Any) -> None:
        """Answer the other side's close, if it still listens; what it said counts either way."""
        with suppress(ModelGone):
            super().send_close(*args, **kwargs)

    def goodbye(self) -> None:
        """Say that we leave; the reader sees the answer, or stops waiting for it."""
        self.send_close(websocket.STATUS_NORMAL)

    def drop(self) -> None:
        """End the connection at once, and wake whoever reads or writes. The reader closes it."""
        sock = self.sock
        if sock is not None:
            with suppress(OSError, ValueError):
                sock.shutdown(SHUT_RDWR)


def _open(address: ModelAddress) -> _Socket:
    """Connect and shake hands. Raises what websocket-client raises."""
    options: dict[str, Any] = {}
    host = urlsplit(address.url).hostname or ""
    if host in _LOOPBACK:
        # http_no_proxy is only looked at beside a proxy, so one is named that is not used.
        options = {"http_proxy_host": host, "http_proxy_port": 1, "http_no_proxy": [host]}
    # In Python, checking UTF-8 is a quarter of the CPU; the JSON parser does it anyway.
    socket = _Socket(enable_multithread=True, skip_utf8_validation=True)
    socket.connect(  # type: ignore[no-untyped-call]
        address.url,
        timeout=_READY_S,
        header=address.headers,
        suppress_origin=True,
        redirect_limit=0,
        **options,
    )
    socket.settimeout(_TICK_S)
    return socket
