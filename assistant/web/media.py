"""The caller's media stream: who may in, and what happens to the socket.

flask-sock answers the WebSocket handshake before its view runs, so a bad signature is refused before that,
with a plain 403. A good one proves only that Twilio is calling: the first message has to come soon, and
to bring the one-time token of the document that opened this very stream.

Whatever happens, the socket ends with a WebSocket close and then for good: Flask would write an error page
into it, and the server would read what is left in it as a new request.
"""

from __future__ import annotations

import logging
import socket as sockets
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from flask import Flask, abort, request
from flask_sock import Sock
from simple_websocket import ConnectionClosed

from assistant.store.calls import CALL_GOES_ON
from assistant.telephony import streams
from assistant.telephony.phone import NORMAL, NOT_OURS, TwilioPhone, WholeWrites
from assistant.telephony.signature import stream_signature_ok
from assistant.web import books
from assistant.web.parts import parts
from assistant.web.webhooks import SIGNATURE, signed_url

log = logging.getLogger(__name__)

STREAM = "/voice/stream"
LARGEST_MESSAGE = 64 * 1024
PING_S = 25
START_S = 5.0
MOST_BEFORE_START = 10
BROKEN = 1011


def register(app: Flask) -> None:
    """Put the media socket on the map, behind its signature."""
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": PING_S, "max_message_size": LARGEST_MESSAGE}
    app.before_request(_only_signed)
    Sock(app).route(STREAM, endpoint="voice_stream")(stream)


def _only_signed() -> None:
    if request.url_rule is None or request.url_rule.rule != STREAM:
        return
    settings = parts().settings
    url = signed_url(lambda path: settings.stream_url)
    token = settings.twilio_auth_token.get_secret_value()
    if not stream_signature_ok(token, url, request.headers.get(SIGNATURE)):
        log.warning("refused: a media stream that is not signed by Twilio")
        abort(403)


class NotOurs(Exception):
    """This stream belongs to none of our documents; `str` is for the log and the other side."""


def stream(socket: Any) -> None:
    """Serve one media stream until it is over."""
    code, reason = NORMAL, ""
    try:
        socket.sock = WholeWrites(socket.sock)
        _serve(socket, _start(socket))
    except ConnectionClosed:
        log.info("a media stream closed before it began")
    except NotOurs as error:
        log.warning("refused: a media stream: %s", error)
        code, reason = NOT_OURS, str(error)
    except Exception:
        log.exception("a media stream failed")
        code, reason = BROKEN, "over"
    finally:
        _end(socket, code, reason)


def _start(socket: Any) -> streams.StreamStart:
    """The stream's first message that matters. Raises NotOurs when it is late, or is another one."""
    until = time.monotonic() + START_S
    for _ in range(MOST_BEFORE_START):
        text = socket.receive(timeout=max(0.0, until - time.monotonic()))
        if text is None:
            break
        try:
            message = streams.read(text, 0)
        except streams.MalformedMessage as error:
            raise NotOurs(str(error)) from error
        if isinstance(message, streams.StreamStart):
            return message
        if message is not None:
            raise NotOurs("sound before its start")
    raise NotOurs("no start in time")


def _serve(socket: Any, start: streams.StreamStart) -> None:
    if start.account_sid != parts().settings.twilio_account_sid:
        raise NotOurs("another account's")
    call_sid = start.call_sid
    if parts().is_streaming(call_sid):
        raise NotOurs("the call has a stream")
    if not parts().tokens.take(start.parameters.get("token", ""), call_sid):
        raise NotOurs("its token is not good")
    parts().streams.add(call_sid)
    try:
        parts().store.put(books.stream_began, call_sid, datetime.now(UTC))
        _answer(socket, start)
    finally:
        parts().streams.discard(call_sid)
        _close_books(call_sid)


def _answer(socket: Any, start: streams.StreamStart) -> None:
    call_sid, everything = start.call_sid, parts()
    call = everything.memory.of(call_sid)
    rest = everything.rest_for(call_sid)
    phone = TwilioPhone(socket, start.stream_sid, call_sid, rest, everything.within)
    ended_because: str | None = "model_failed"  # what it is when a fault of ours ends it
    try:
        ended_because = everything.serve_call(
            phone, call_sid=call_sid, number=call.identity, trust=call.trust, scenario=call.scenario
        )
    finally:
        if ended_because in CALL_GOES_ON and ended_because != "shut_down" and call.over_at is None:
            everything.voicemails.add(call_sid)  # on the way to the tone; a stop that cuts waits for nobody
        phone.close(BROKEN, "over")


def _close_books(call_sid: str) -> None:
    """What Twilio said of the end while the assistant was still closing its own books."""
    over_at = parts().memory.of(call_sid).over_at
    if over_at is not None:
        parts().store.put(books.caller_has_gone, call_sid, over_at)


def _end(socket: Any, code: int, reason: str) -> None:
    with suppress(Exception):  # closed already, by either side, or the line is dead
        socket.close(code, reason)
    socket.connected = False
    with suppress(OSError):
        # Not reading either would throw the close frame away with what is unread; the server reads on
        # until the other side has closed too.
        socket.sock.shutdown(sockets.SHUT_WR)
