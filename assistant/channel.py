"""A WebSocket on a socket that somebody else has upgraded: one thread reads, any thread writes.

The libraries do the handshake (and TLS, proxies, routing); from then on the frames are ours, because fifty
a second and call pass here each way. Reading waits without a time limit and writing takes whatever time the
socket takes, so neither pays for a timer: one thread looks after all open channels, four times a second.
It pings, notices that nobody is there any more, ends a write that stalls, and ends a goodbye that is not
answered.

Plain sockets and threads: green in the serving process, real ones in tests.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RDWR, SHUT_WR
from ssl import SSLSocket
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

log = logging.getLogger(__name__)

READ_BYTES = 65536
STALL_S = 2.0  # a write that takes longer is a lost socket
PING_S = 20.0
SILENT_S = 2 * PING_S + 5  # not even a pong for so long: nobody is there
GOODBYE_S = 1.0  # how long a close of ours waits for the other side's
LOOK_S = 0.25
NORMAL = 1000

Readiness = Callable[[Any], Callable[[], None]]

# What sockets raise at their end; the last two when another thread has dropped a TLS socket meanwhile.
_BROKEN = (OSError, ValueError, AttributeError)


class ChannelClosed(Exception):
    """Nothing more comes, or can be sent. code, reason: of the other side's close frame; None: none came."""

    def __init__(self, why: str, code: int | None = None, reason: str = "") -> None:
        super().__init__(why)
        self.code = code
        self.reason = reason


class Channel:
    """One end of a WebSocket. client: we are the side that masks, and the only one that may speak TLS.

    `read` is for one thread; `write`, `close` and `drop` for any. readiness: makes, for a socket, what waits
    until it can be read, where that is cheaper than a `recv` that finds nothing.
    """

    def __init__(
        self, sock: Any, *, client: bool, largest_message: int, readiness: Readiness | None = None
    ) -> None:
        self._sock = sock
        # What TLS has decrypted already does not show on the socket: there `recv` has to do.
        self._wait = readiness(sock) if readiness and not isinstance(sock, SSLSocket) else None
        self._client = client
        self._frames = FrameReader(masked=not client, largest_message=largest_message)
        self._text_frame = masked_text_frame if client else text_frame
        self._arrived: list[Message] = []  # the next one last
        self._one_at_a_time = threading.Lock()
        self._closed = False  # our close frame is the next thing sent, or has been
        self._why = ""  # why we dropped it
        self._end: tuple[str, int | None, str] | None = None  # what whoever reads is told
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
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            while not self._arrived:
                self._receive(until)
            message = self._arrived.pop()
            if message[0] < CLOSE:
                return message
            self._control(*message)

    def _receive(self, until: float | None) -> None:
        """Read what has come, or what there is to know of the end; the latter is raised the next time."""
        if self._end is not None:
            raise ChannelClosed(*self._end)
        self._reading = True
        try:
            if until is not None:
                received = self._recv(until)
            else:
                if self._wait is not None:
                    self._wait()
                received = self._sock.recv(READ_BYTES)
        except _BROKEN as error:
            if until is not None and isinstance(error, TimeoutError):
                raise
            return self._lost(f"the connection was lost: {type(error).__name__}")
        finally:
            self._reading = False
        if not received:
            return self._lost("the connection was lost")
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
        return None

    def _recv(self, until: float) -> bytes:
        self._sock.settimeout(max(0.001, until - time.monotonic()))
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
            self._over(f"closed with {code}", code, reason)
            self._say_goodbye(frame(CLOSE, payload[:2], mask=self._client))

    def _over(self, why: str, code: int | None = None, reason: str = "") -> None:
        """Nothing more is read. It is looked after until the goodbye is over: somebody may be writing."""
        self._end = self._why or why, code, reason
        self._read_out.set()

    def _lost(self, why: str) -> None:
        self._over(why)
        self.drop()  # nobody takes what is still being written

    # --- writing ---------------------------------------------------------------

    def write(self, *texts: bytes) -> None:
        """Send text messages, whole. Raises ChannelClosed, also when that takes longer than 2 s."""
        self._send(self._text_frame(texts[0]) if len(texts) == 1 else b"".join(map(self._text_frame, texts)))

    def _send(self, data: bytes, *, last: bool = False) -> None:
        with self._one_at_a_time:
            if self._closed and not last:  # nothing follows a close frame
                raise ChannelClosed(self._why or (self._end[0] if self._end else "closed by us"))
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
        self._say_goodbye(close_frame(code, reason, mask=self._client))

    def _say_goodbye(self, last_frame: bytes) -> None:
        if self._closed:
            return
        self._closed = True
        self._goodbye_at = time.monotonic()
        with suppress(ChannelClosed):
            self._send(last_frame, last=True)
        if not self._client:
            # The server closes first (RFC 6455, 7.1.1), and hears the answer all the same.
            with suppress(*_BROKEN):
                self._sock.shutdown(SHUT_WR)

    def wait_until_read_out(self, timeout_s: float = GOODBYE_S + 2 * LOOK_S) -> None:
        """Wait for whoever is reading to come to the end, if there is somebody; nobody begins again."""
        if self._reading:
            self._read_out.wait(timeout_s)
        if self._end is None:
            self._over("closed by us")
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
                thread = threading.Thread(target=self._look, name="channels", daemon=True)
                thread.start()
                self._thread = thread

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
                try:
                    channel.look_after(now)
                except Exception:
                    log.exception("a channel cannot be looked after")  # the others are, all the same
            with self._lock:
                if not self._channels:
                    self._thread = None
                    return


_watch = _Watch()
