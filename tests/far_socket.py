"""The other end of a `Channel`, spoken by wsproto: two misreadings of one RFC are not the same."""

from __future__ import annotations

import queue
import socket
import threading
from contextlib import ExitStack
from typing import Any

from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage

from assistant.channel import Channel, ChannelClosed
from assistant.frames import Message

WAIT_S = 5.0


class FarSocket:
    """One end of a socket. client: this end masks."""

    def __init__(self, sock: Any, *, client: bool) -> None:
        self.sock = sock
        self.sock.settimeout(WAIT_S)
        self._connection = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)

    def bytes_of(self, event: Event) -> bytes:
        """What would be sent."""
        return self._connection.send(event)

    def tell(self, *messages: str | bytes) -> None:
        """Text and binary messages, in one piece."""
        events = [
            TextMessage(data=message) if isinstance(message, str) else BytesMessage(data=message)
            for message in messages
        ]
        self.sock.sendall(b"".join(map(self.bytes_of, events)))

    def ping(self, payload: bytes = b"") -> None:
        self.sock.sendall(self.bytes_of(Ping(payload=payload)))

    def close(self, code: int, reason: str = "") -> None:
        self.sock.sendall(self.bytes_of(CloseConnection(code=code, reason=reason)))

    def next(self) -> Event | None:
        """What comes next, whole; None at the end of the file."""
        text = ""
        while True:
            for event in self._connection.events():
                if not isinstance(event, TextMessage):
                    return event
                text += event.data
                if event.message_finished:
                    return TextMessage(data=text)
            try:
                received = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not received:
                return None
            self._connection.receive_data(received)

    def next_text(self) -> str:
        event = self.next()
        assert isinstance(event, TextMessage), event
        return event.data

    def close_code(self) -> int | None:
        """Read until the other side closes; None when it is just gone."""
        while (event := self.next()) is not None:
            if isinstance(event, CloseConnection):
                return event.code
        return None


class Reading:
    """A channel read to its end by a thread of its own."""

    def __init__(self, channel: Channel) -> None:
        self.messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._channel = channel
        self._end: ChannelClosed | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while True:
                self.messages.put(self._channel.read())
        except ChannelClosed as over:
            self._end = over

    def next(self) -> Message:
        return self.messages.get(timeout=WAIT_S)

    def end(self) -> ChannelClosed:
        """How it ended, when it has."""
        self._thread.join(WAIT_S)
        assert self._end is not None
        return self._end


def pair(
    stack: ExitStack, *, client: bool = False, largest_message: int = 1 << 20
) -> tuple[Channel, FarSocket]:
    """A channel and its other end; the stack closes both. client: what the channel is."""
    ours, theirs = socket.socketpair()
    stack.callback(theirs.close)
    channel = Channel(ours, client=client, largest_message=largest_message)
    stack.callback(channel.end)
    return channel, FarSocket(theirs, client=not client)
