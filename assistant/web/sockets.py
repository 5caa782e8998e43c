"""The sockets a call's sound comes in by: what they have in common, whoever is at the other end.

flask-sock does the handshake and nothing else; the frames are read and written by a `Channel`. A stream has
to begin soon, with the message that says what it is. Whatever happens, the socket ends with a WebSocket close
and then for good: Flask would write an error page into it, and the server would read what is left in it as a
new request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, request

from assistant.channel import NORMAL, Channel, ChannelClosed
from assistant.frames import TEXT
from assistant.telephony.phone import NOT_OURS
from assistant.web.parts import parts

log = logging.getLogger(__name__)

MOST_BEFORE_START = 10
BROKEN = 1011

Start = TypeVar("Start")


class NotOurs(Exception):
    """This stream belongs to no call of ours; `str` is for the log and the other side."""


class _NoReader:
    """In place of simple_websocket's own reader: after the handshake the socket is ours."""

    name = ""

    def __init__(self, target: Callable[[], None]) -> None: ...

    def start(self) -> None: ...


def take_over(app: Flask) -> None:
    """Have flask-sock do the handshakes of this app, and nothing after them."""
    app.config["SOCK_SERVER_OPTIONS"] = {"thread_class": _NoReader}


def agree_to_no_compression() -> None:
    """Before a handshake: simple_websocket would agree to it, and it costs more than it saves here."""
    request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)


def serve(socket: Any, what: str, largest_message: int, talk: Callable[[Channel], None]) -> None:
    """Serve one stream until it is over. what: "a media stream", for the log."""
    socket.connected = False  # what flask-sock would say at the end is said by us
    readiness = parts().readiness
    channel = Channel(socket.sock, client=False, largest_message=largest_message, readiness=readiness)
    code, reason = NORMAL, ""
    try:
        talk(channel)
    except ChannelClosed:
        log.info("%s closed before it began", what)
    except NotOurs as error:
        log.warning("refused: %s: %s", what, error)
        code, reason = NOT_OURS, str(error)
    except Exception:
        log.exception("%s failed", what)
        code, reason = BROKEN, "over"
    finally:
        channel.close(code, reason)
        channel.wait_until_read_out()
        if socket.mode == "gevent":
            socket.sock.close()  # a duplicate that flask-sock made; the server ends its own


def first_message(channel: Channel, read: Callable[[bytes], Start | None], within_s: float) -> Start:
    """The stream's first message that matters, as `read` has it; None there: wait for the next.

    Raises NotOurs when it does not come in time, or is another one; so may `read`.
    """
    until = time.monotonic() + within_s
    for _ in range(MOST_BEFORE_START):
        try:
            opcode, text = channel.read(timeout_s=max(0.001, until - time.monotonic()))
        except TimeoutError:
            break
        if opcode != TEXT:
            raise NotOurs("a binary frame")
        if (start := read(text)) is not None:
            return start
    raise NotOurs("no start in time")
