"""The caller's phone, as the bridge knows it: hear, play, mark, clear, hang up, transfer, close.

One thread hears, one other writes. Closing the stream does not end the call: Twilio goes on with what
follows it in its document, which is the apology and the tone. Ending the call is asked for over REST.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Protocol

from simple_websocket import ConnectionClosed
from wsproto.utilities import LocalProtocolError

from assistant.call.commands import ClearPlayback, PlaceMark, Play
from assistant.call.events import CallerGone, Event
from assistant.errors import PhoneLost, RestError
from assistant.telephony import streams

log = logging.getLogger(__name__)

STALL_S = 2.0  # a write that takes longer is a lost socket
REST_S = 5.0  # a hang-up that fails is tried again soon, so no try may take long
MOST_MALFORMED = 20
NORMAL, NOT_TEXT, NOT_OURS = 1000, 1003, 1008  # WebSocket close codes

_GONE = (ConnectionClosed, LocalProtocolError, OSError)  # TimeoutError is an OSError

Within = Callable[[float], AbstractContextManager[Any]]


class Socket(Protocol):
    """What is used of simple_websocket's server side."""

    connected: bool
    event: threading.Event

    def receive(self, timeout: float | None = None) -> str | bytes | None: ...
    def send(self, data: str) -> None: ...
    def close(self, reason: int | None = None, message: str | None = None) -> None: ...


class RestSide(Protocol):
    """What is used of `rest.Rest`."""

    def hang_up(self, call_sid: str) -> None: ...
    def update(self, call_sid: str, twiml: str) -> None: ...


class TwilioPhone:
    """One media stream. rest: None where there is no REST side."""

    def __init__(
        self,
        socket: Socket,
        stream_sid: str,
        call_sid: str,
        rest: RestSide | None,
        within: Within = nullcontext,
    ) -> None:
        self._socket = socket
        self._stream_sid = stream_sid
        self._call_sid = call_sid
        self._rest = rest
        self._within = within
        self._malformed = 0
        self._hung_up = False
        self._lost = False
        self._closed = False

    # --- from the caller -----------------------------------------------------

    def hear(self, clock: Callable[[], int]) -> Event:
        """The next event; blocks. The last is CallerGone, and it is all there is from then on.

        `hung_up` is True when the stream said so; a socket that is just gone proves nothing.
        """
        while not self._hung_up:
            try:
                text = self._socket.receive()
            except _GONE:
                break
            if text is not None and (event := self._read(text, clock())):
                self._hung_up = isinstance(event, CallerGone)
                return event
        return CallerGone(hung_up=self._hung_up, at_ms=clock())

    def _read(self, text: str | bytes, at_ms: int) -> Event | None:
        try:
            event = streams.read(text, at_ms)
        except streams.MalformedMessage as error:
            self._note_malformed(text, error)
            return None
        return event if isinstance(event, Event) else None

    def _note_malformed(self, text: str | bytes, error: streams.MalformedMessage) -> None:
        self._malformed += 1
        if self._malformed == 1:
            log.warning("%s: the stream sent %s", self._call_sid, error)
        if self._malformed == MOST_MALFORMED:
            self.close(NOT_TEXT if isinstance(text, bytes) else NOT_OURS, "not a media stream")

    # --- to the caller -------------------------------------------------------

    def play(self, payload: bytes) -> None:
        """Queue a piece of the assistant's voice. Raises PhoneLost, as all of these do."""
        self._send(streams.write(Play(payload), self._stream_sid))

    def mark(self, name: str) -> None:
        """Ask to be told when everything queued so far has been played."""
        self._send(streams.write(PlaceMark(name), self._stream_sid))

    def clear(self) -> None:
        """Throw away what has not been played."""
        self._send(streams.write(ClearPlayback(), self._stream_sid))

    def _send(self, text: str) -> None:
        if self._lost or self._closed:
            raise PhoneLost("the phone's socket is gone")
        try:
            with self._within(STALL_S):
                self._socket.send(text)
        except _GONE as error:
            # Half a frame may be on the wire: nothing more can be said on this socket.
            self._lost = True
            raise PhoneLost(f"the phone's socket does not take a write: {type(error).__name__}") from error

    # --- about the call ------------------------------------------------------

    def hang_up(self) -> None:
        """End the call. Raises RestError."""
        self._ask(lambda rest: rest.hang_up(self._call_sid))

    def transfer(self, twiml: str) -> None:
        """Give the call another document. Raises RestError."""
        self._ask(lambda rest: rest.update(self._call_sid, twiml))

    def _ask(self, question: Callable[[RestSide], None]) -> None:
        if self._rest is None:
            raise RestError("there is no REST side to ask")
        try:
            with self._within(REST_S):
                question(self._rest)
        except TimeoutError as error:
            raise RestError("Twilio takes too long to answer") from error

    def close(self, code: int, reason: str) -> None:
        """Close the stream; quick, and harmless a second time. Whoever hears comes to an end."""
        if self._closed:
            return
        self._closed = True
        if not self._lost:
            with suppress(*_GONE), self._within(STALL_S):
                self._socket.close(NORMAL if self._hung_up else code, reason)
        self._socket.connected = False
        self._socket.event.set()  # simple_websocket itself would let the one who hears wait on


class WholeWrites:
    """A socket whose `send` sends everything, one message at a time.

    simple_websocket trusts a plain `send`, which may take a part; and its pings come from another
    thread than our sound, into the middle of what is left.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._one_at_a_time = threading.Lock()

    def send(self, data: bytes) -> int:
        with self._one_at_a_time:
            # Not `sendall` at once: gevent's asks for the size of the buffer each time.
            sent = self._sock.send(data)
            if sent < len(data):
                self._sock.sendall(data[sent:])
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
