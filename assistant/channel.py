"""A WebSocket on a socket that somebody else has upgraded: one thread reads, any thread writes.

The libraries do the handshake (and TLS, proxies, routing); from then on the frames are ours, because fifty
a second and call pass here each way. Reading waits without a time limit and writing takes whatever time the
socket takes, so neither pays for a timer: one thread looks after all open channels, four times a second.
It pings, notices that nobody is there any more, ends a write that stalls, and ends a goodbye that is not
answered.

Plain sockets and threads: green in the serving process, real ones in tests.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from socket import SHUT_RDWR, SHUT_WR
from typing import Any

from assistant.frames import (
    CLOSE,
    PING,
    PONG,
    FrameError,
    FrameReader,
    Message,
    close_frame,
    closing,
    frame,
    masked_text_frame,
    text_frame,
)

READ_BYTES = 65536
STALL_S = 2.0  # a write that takes longer is a lost socket
PING_S = 20.0
SILENT_S = 2 * PING_S + 5  # not even a pong for so long: nobody is there
GOODBYE_S = 1.0  # how long a close of ours waits for the other side's
LOOK_S = 0.25
NORMAL = 1000

# What sockets raise at their end; the last two when another thread has dropped a TLS socket meanwhile.
_BROKEN = (OSError, ValueError, AttributeError)


class ChannelClosed(Exception):
    """Nothing more comes, or can be sent. code, reason: of the other side's close frame; None: none came."""

    def __init__(self, why: str, code: int | None = None, reason: str = "") -> None:
        super().__init__(why)
        self.code = code
        self.reason = reason


class Channel:
    """One end of a WebSocket. client: we are the side that masks.

    `read` is for one thread; `write`, `close` and `drop` for any.
    """

    def __init__(self, sock: Any, *, client: bool, largest_message: int) -> None:
        self._sock = sock
        self._client = client
        self._frames = FrameReader(masked=not client, largest_message=largest_message)
        self._text_frame = masked_text_frame if client else text_frame
        self._arrived: list[Message] = []  # the next one last
        self._one_at_a_time = threading.Lock()
        self._closed = False  # our close frame has been sent
        self._why = ""  # why we dropped it
        self._end: ChannelClosed | None = None  # what whoever reads is told
        self._reading = False
        self._read_out = threading.Event()
        self._heard_at = self._pinged_at = time.monotonic()
        self._writing_since = self._goodbye_at = 0.0
        sock.settimeout(None)
        _watch.over(self)

    # --- reading ---------------------------------------------------------------

    def read(self, timeout_s: float | None = None) -> Message:
        """The next message: (TEXT or BINARY, payload). Raises ChannelClosed at the end, and ever after.

        timeout_s: raises TimeoutError after that; for the time in which nobody writes.
        """
        while True:
            while not self._arrived:
                self._receive(timeout_s)
            message = self._arrived.pop()
            if message[0] < CLOSE:
                return message
            self._control(*message)

    def _receive(self, timeout_s: float | None) -> None:
        if self._end is not None:
            raise self._end
        self._reading = True
        try:
            received = self._recv(timeout_s) if timeout_s is not None else self._sock.recv(READ_BYTES)
        except _BROKEN as error:
            if timeout_s is not None and isinstance(error, TimeoutError):
                raise
            raise self._over(f"the connection was lost: {type(error).__name__}") from error
        finally:
            self._reading = False
        if not received:
            raise self._over("the connection was lost")
        self._heard_at = time.monotonic()
        try:
            self._arrived = arrived = self._frames.feed(received)
        except FrameError as error:
            # What was whole before the mistake is read; then it is over.
            self.close(error.code, error.reason)
            self._over(f"the other side breaks the rules: {error.reason}")
            self._arrived = arrived = error.messages
        if len(arrived) > 1:
            arrived.reverse()

    def _recv(self, timeout_s: float) -> bytes:
        self._sock.settimeout(timeout_s)
        try:
            return bytes(self._sock.recv(READ_BYTES))
        finally:
            with suppress(*_BROKEN):
                self._sock.settimeout(None)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            with suppress(ChannelClosed):  # a read will tell
                self._send(frame(PONG, payload, mask=self._client))
        elif opcode == CLOSE:
            code, reason = closing(payload)
            if not self._closed:
                self._closed = True
                with suppress(ChannelClosed):
                    self._send(frame(CLOSE, payload[:2], mask=self._client))
            raise self._over(f"closed with {code}", code, reason)

    def _over(self, why: str, code: int | None = None, reason: str = "") -> ChannelClosed:
        self._end = ChannelClosed(self._why or why, code, reason)
        self._read_out.set()
        _watch.no_more(self)
        return self._end

    # --- writing ---------------------------------------------------------------

    def write(self, text: bytes) -> None:
        """Send one text message, whole. Raises ChannelClosed, also when that takes longer than 2 s."""
        if self._closed:
            raise ChannelClosed(self._why or "closed by us")
        self._send(self._text_frame(text))

    def _send(self, data: bytes) -> None:
        with self._one_at_a_time:
            self._writing_since = time.monotonic()
            try:
                # Not `sendall` at once: gevent's asks for the size of the buffer each time.
                sent = self._sock.send(data)
                if sent < len(data):
                    self._sock.sendall(data[sent:])
            except _BROKEN as error:
                why = self._why or f"the connection was lost: {type(error).__name__}"
                raise ChannelClosed(why) from error
            finally:
                self._writing_since = 0.0

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say goodbye; quick, and harmless a second time. Whoever reads comes to an end within a second."""
        if self._closed:
            return
        self._closed = True
        self._goodbye_at = time.monotonic()
        with suppress(ChannelClosed):
            self._send(close_frame(code, reason, mask=self._client))
        if not self._client:
            # The server closes first (RFC 6455, 7.1.1), and hears the answer all the same.
            with suppress(*_BROKEN):
                self._sock.shutdown(SHUT_WR)

    def wait_until_read_out(self, timeout_s: float = GOODBYE_S + 2 * LOOK_S) -> None:
        """Wait for whoever is reading to come to the end, if there is somebody."""
        if self._reading:
            self._read_out.wait(timeout_s)
        _watch.no_more(self)

    def drop(self, why: str = "") -> None:
        """End the connection at once, and wake whoever reads or writes."""
        self._why = self._why or why
        _watch.no_more(self)
        with suppress(*_BROKEN):
            self._sock.shutdown(SHUT_RDWR)

    def end(self) -> None:
        """Drop it and give the socket back to the system. Whoever reads has come to an end."""
        self.drop()
        with suppress(*_BROKEN):
            self._sock.close()

    # --- being looked after ----------------------------------------------------

    def look_after(self, now: float) -> None:
        """Called four times a second by the thread that looks after all channels."""
        if self._writing_since and now - self._writing_since > STALL_S:
            self.drop("a write stalled")
        elif self._goodbye_at and now - self._goodbye_at > GOODBYE_S:
            self.drop()
        elif now - self._heard_at > SILENT_S:
            self.drop("nobody answers pings")
        elif now - self._pinged_at > PING_S and not self._closed:
            self._pinged_at = now
            # Beside this thread: a socket that takes no more is waited for by nobody who looks after others.
            threading.Thread(target=self._ping, name="ping", daemon=True).start()

    def _ping(self) -> None:
        with suppress(ChannelClosed):  # a read will tell
            self._send(frame(PING, mask=self._client))


class _Watch:
    """Looks after all open channels, in one thread that ends with the last of them."""

    def __init__(self) -> None:
        self._channels: set[Channel] = set()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def over(self, channel: Channel) -> None:
        with self._lock:
            self._channels.add(channel)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="channels", daemon=True)
                self._thread.start()

    def no_more(self, channel: Channel) -> None:
        with self._lock:
            self._channels.discard(channel)

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_S)
            now = time.monotonic()
            with self._lock:
                channels = tuple(self._channels)
            for channel in channels:
                channel.look_after(now)
            with self._lock:
                if not self._channels:
                    self._thread = None
                    return


_watch = _Watch()
