"""The socket to the Realtime API: one session, one reader, writes with a time limit.

`run` connects, agrees on the session and then turns what the model sends into events, until
the socket ends; `send` carries out a command, from any thread, one at a time; `close` may come from
anywhere, also while the connection is still being made. There are no second tries here: a
session that was refused or lost is told once, as ModelLost, and the call decides.

websocket-client makes the connection and shakes hands; the frames are read and written by a
`Channel`. It is watched in two places: it obeys proxy settings even for loopback addresses, and
follows redirects with our key in its hand. Both are switched off.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
import websocket

from assistant.call.commands import Command, HearCaller
from assistant.call.events import Event, ItemAdded, ModelLost, ModelReady, ReplyAudio, ReplyDone
from assistant.channel import Channel, ChannelClosed, Readiness
from assistant.errors import ModelGone, ModelRefused
from assistant.realtime import wire
from assistant.realtime.endings import closed, kind_of, printable, refusal
from assistant.realtime.memory import Memory
from assistant.realtime.session import Agreed, GivenUp, Negotiation, SessionWish, Wire
from assistant.realtime.sound import PcmSound
from assistant.realtime.usage import Usage, prices_for

log = logging.getLogger(__name__)

Within = Callable[[float], AbstractContextManager[Any]]

_READY_S = 10.0  # connecting and agreeing together
_LARGEST_MESSAGE = 32 * 1024 * 1024  # ten minutes of PCM in one delta; the service has never sent a tenth
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
        readiness: Readiness | None = None,
    ) -> None:
        self.usage = Usage()
        self._address = address
        self._negotiation = Negotiation(wish)
        self._clock = clock
        self._within = within
        self._readiness = readiness
        self._channel: Channel | None = None
        self._sound: PcmSound | None = None
        self._memory = Memory()
        self._closing = threading.Event()
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
            if self._channel is not None:
                self._channel.end()
        if not self._closing.is_set():
            put(lost)

    def _serve(self, put: Callable[[Event], None]) -> ModelLost:
        if self._closing.is_set():
            return self._lost("closed before it was opened")
        deadline = time.monotonic() + _READY_S
        self._channel = channel = self._connect()
        if self._closing.is_set():
            # The handshake came through after all; nobody waits for it any more.
            channel.close()
        else:
            self._agree(channel, deadline)
        if not self._closing.is_set():
            put(ModelReady(at_ms=self._clock()))
        return self._listen(channel, put)

    def _connect(self) -> Channel:
        try:
            with self._within(_READY_S):
                return _open(self._address, self._readiness)
        except websocket.WebSocketBadStatusException as error:
            raise refusal(error.status_code, error.resp_body) from error
        except (websocket.WebSocketException, OSError, ValueError) as error:
            # Only the kind: these messages quote headers.
            raise ModelRefused(f"the model cannot be reached: {kind_of(error)}", fatal=False) from error

    def _agree(self, channel: Channel, deadline: float) -> None:
        """Hear `session.created`, ask for our session and check what takes effect."""
        while not self._closing.is_set():
            left_s = deadline - time.monotonic()
            try:
                message = self._next(channel, max(0.001, left_s))
            except TimeoutError:
                raise ModelRefused(f"no session within {_READY_S:.0f} s", fatal=False) from None
            answer = self._negotiation.hear(message) if message else None
            match answer:
                case dict():
                    self._answer(channel, answer)
                case GivenUp(reason, fatal):
                    raise ModelRefused(reason, fatal=fatal)
                case Agreed():
                    self._begin(answer)
                    return

    @staticmethod
    def _answer(channel: Channel, message: Wire) -> None:
        try:
            channel.write(orjson.dumps(message))
        except ChannelClosed as over:
            raise _why_gone(over) from over

    def _begin(self, agreed: Agreed) -> None:
        for what in (*self._negotiation.refused, *agreed.unlike):
            log.warning("the model's session has its own %s", what)
        if "pcm" in (agreed.hears, agreed.speaks):
            self._sound = PcmSound(hears=agreed.hears == "pcm", speaks=agreed.speaks == "pcm")

    def _listen(self, channel: Channel, put: Callable[[Event], None]) -> ModelLost:
        while True:  # until the channel says that it is over
            message = self._next(channel)
            event = self._event(message) if message else None
            if isinstance(event, ModelLost):
                return event
            if event is not None and not self._closing.is_set():
                put(event)

    def _next(self, channel: Channel, timeout_s: float | None = None) -> Wire | None:
        """The next message, None when it cannot be read. Raises TimeoutError, ModelGone."""
        try:
            _, text = channel.read(timeout_s)
        except ChannelClosed as over:
            raise _why_gone(over) from over
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
        if isinstance(event, ReplyAudio):
            return event if self._sound is None else self._in_ulaw(event, self._sound)
        match event:
            case ItemAdded() if self._memory.knows_item(event.item_id):
                return None
            case ReplyDone(fatal=True):
                log.error("the model's account: %s", event.error_code)
        return event

    @staticmethod
    def _in_ulaw(event: ReplyAudio, sound: PcmSound) -> ReplyAudio | None:
        payload = sound.spoken(event.item_id, event.payload)
        return replace(event, payload=payload) if payload else None

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
        channel = self._channel
        if channel is None or self._closing.is_set():
            raise ModelGone("there is no session with the model")
        if self._sound is not None and isinstance(command, HearCaller):
            command = HearCaller(self._sound.heard(command.payload))
        text = wire.write(command, self._negotiation.wish.instructions)
        try:
            channel.write(text)
        except ChannelClosed as over:
            gone = _why_gone(over)
            self._failure = str(gone)
            channel.drop()
            raise gone from over

    def close(self) -> None:
        """End the session: quick, from any thread, also while it is still being opened."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._channel is not None:
            self._channel.close()


def _why_gone(over: ChannelClosed) -> ModelGone | ModelRefused:
    if over.code is None:
        return ModelGone(f"the line to the model: {over}")
    return closed(over.code, over.reason)


# --- the handshake ----------------------------------------------------------------


def _open(address: ModelAddress, readiness: Readiness | None) -> Channel:
    """Connect and shake hands; from then on the frames are ours. Raises what websocket-client raises."""
    options: dict[str, Any] = {}
    host = urlsplit(address.url).hostname or ""
    if host in _LOOPBACK:
        # http_no_proxy is only looked at beside a proxy, so one is named that is not used.
        options = {"http_proxy_host": host, "http_proxy_port": 1, "http_no_proxy": [host]}
    socket = websocket.create_connection(
        address.url,
        timeout=_READY_S,
        header=address.headers,
        suppress_origin=True,
        redirect_limit=0,
        **options,
    )
    return Channel(socket.sock, client=True, largest_message=_LARGEST_MESSAGE, readiness=readiness)
