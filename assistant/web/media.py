"""The caller's media stream: who may in, and what happens to the socket.

flask-sock answers the WebSocket handshake before its view runs, so a bad signature is refused before that,
with a plain 403. A good one proves only that Twilio is calling: the first message has to come soon, and
to bring the one-time token of the document that opened this very stream.

The handshake is all that flask-sock does; the frames are read and written by a `Channel`.

Whatever happens, the socket ends with a WebSocket close and then for good: Flask would write an error page
into it, and the server would read what is left in it as a new request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Flask, abort, request
from flask_sock import Sock

from assistant.channel import NORMAL, Channel, ChannelClosed
from assistant.frames import TEXT
from assistant.store.calls import CALL_GOES_ON
from assistant.telephony import streams
from assistant.telephony.phone import NOT_OURS, TwilioPhone
from assistant.telephony.signature import stream_signature_ok
from assistant.web import books
from assistant.web.parts import parts
from assistant.web.putting_through import ring_owner
from assistant.web.signed import SIGNATURE, signed_url

log = logging.getLogger(__name__)

STREAM = "/voice/stream"
LARGEST_MESSAGE = 64 * 1024
START_S = 5.0
MOST_BEFORE_START = 10
BROKEN = 1011


def register(app: Flask) -> None:
    """Put the media socket on the map, behind its signature."""
    app.config["SOCK_SERVER_OPTIONS"] = {"thread_class": _NoReader}
    app.before_request(_before_the_handshake)
    Sock(app).route(STREAM, endpoint="voice_stream")(stream)


class _NoReader:
    """In place of simple_websocket's own reader: after the handshake the socket is ours."""

    name = ""

    def __init__(self, target: Callable[[], None]) -> None: ...

    def start(self) -> None: ...


def _before_the_handshake() -> None:
    if request.url_rule is None or request.url_rule.rule != STREAM:
        return
    # simple_websocket would agree to compression, which costs more than it saves here.
    request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
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
    socket.connected = False  # what flask-sock would say at the end is said by us
    channel = Channel(socket.sock, client=False, largest_message=LARGEST_MESSAGE, readiness=parts().readiness)
    code, reason = NORMAL, ""
    try:
        _serve(channel, _start(channel))
    except ChannelClosed:
        log.info("a media stream closed before it began")
    except NotOurs as error:
        log.warning("refused: a media stream: %s", error)
        code, reason = NOT_OURS, str(error)
    except Exception:
        log.exception("a media stream failed")
        code, reason = BROKEN, "over"
    finally:
        channel.close(code, reason)
        channel.wait_until_read_out()
        if socket.mode == "gevent":
            socket.sock.close()  # a duplicate that flask-sock made; the server ends its own


def _start(channel: Channel) -> streams.StreamStart:
    """The stream's first message that matters. Raises NotOurs when it is late, or is another one."""
    until = time.monotonic() + START_S
    for _ in range(MOST_BEFORE_START):
        try:
            opcode, text = channel.read(timeout_s=max(0.001, until - time.monotonic()))
        except TimeoutError:
            break
        if opcode != TEXT:
            raise NotOurs("a binary frame")
        try:
            message = streams.read(text, 0)
        except streams.MalformedMessage as error:
            raise NotOurs(str(error)) from error
        if isinstance(message, streams.StreamStart):
            return message
        if message is not None:
            raise NotOurs("sound before its start")
    raise NotOurs("no start in time")


def _serve(channel: Channel, start: streams.StreamStart) -> None:
    if start.account_sid != parts().settings.twilio_account_sid:
        raise NotOurs("another account's")
    call_sid = start.call_sid
    if parts().is_streaming(call_sid):
        raise NotOurs("the call has a stream")
    if not parts().tokens.take(start.parameters.get("token", ""), call_sid):
        parts().lobby.give_up(call_sid, "its stream is refused")
        raise NotOurs("its token is not good")
    parts().streams.add(call_sid)
    try:
        parts().store.put(books.stream_began, call_sid, datetime.now(UTC))
        _answer(channel, start)
    finally:
        parts().streams.discard(call_sid)
        parts().lobby.give_up(call_sid, "its stream is over")  # as a rule the call has taken it long ago
        _close_books(call_sid)


def _answer(channel: Channel, start: streams.StreamStart) -> None:
    call_sid, everything = start.call_sid, parts()
    call = everything.memory.of(call_sid)
    rest = everything.rest_for(call_sid)
    ring = partial(ring_owner, everything, call_sid) if everything.settings.has_phone else None
    phone = TwilioPhone(channel, start.stream_sid, call_sid, rest, everything.within, ring)
    if everything.live_calls.parked(call_sid):
        everything.live_calls.adopt(call_sid, phone)
        return
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
