"""The caller's media stream: who may in, and what happens to the socket.

flask-sock answers the WebSocket handshake before its view runs, so a bad signature is refused before that,
with a plain 403. A good one proves only that Twilio is calling: the first message has to come soon, and
to bring the one-time token of the document that opened this very stream.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Flask, abort, request
from flask_sock import Sock

from assistant.channel import Channel
from assistant.store.calls import CALL_GOES_ON
from assistant.telephony import streams
from assistant.telephony.phone import TwilioPhone
from assistant.telephony.signature import stream_signature_ok
from assistant.web import books, sockets
from assistant.web.parts import parts
from assistant.web.putting_through import ring_owner
from assistant.web.signed import SIGNATURE, signed_url
from assistant.web.sockets import BROKEN, NotOurs

log = logging.getLogger(__name__)

STREAM = "/voice/stream"
LARGEST_MESSAGE = 64 * 1024
START_S = 5.0


def register(app: Flask) -> None:
    """Put the media socket on the map, behind its signature."""
    sockets.take_over(app)
    app.before_request(_before_the_handshake)
    Sock(app).route(STREAM, endpoint="voice_stream")(stream)


def _before_the_handshake() -> None:
    if request.url_rule is None or request.url_rule.rule != STREAM:
        return
    sockets.agree_to_no_compression()
    settings = parts().settings
    url = signed_url(lambda path: settings.stream_url)
    token = settings.twilio_auth_token.get_secret_value()
    if not stream_signature_ok(token, url, request.headers.get(SIGNATURE)):
        log.warning("refused: a media stream that is not signed by Twilio")
        abort(403)


def stream(socket: Any) -> None:
    """Serve one media stream until it is over."""
    sockets.serve(socket, "a media stream", LARGEST_MESSAGE, _begin)


def _begin(channel: Channel) -> None:
    _serve(channel, sockets.first_message(channel, _start, START_S))


def _start(text: bytes) -> streams.StreamStart | None:
    """The stream's start. None: a message that may come before it. Raises NotOurs for any other."""
    try:
        message = streams.read(text, 0)
    except streams.MalformedMessage as error:
        raise NotOurs(str(error)) from error
    if message is not None and not isinstance(message, streams.StreamStart):
        raise NotOurs("sound before its start")
    return message


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
    phone = TwilioPhone(
        channel,
        start.stream_sid,
        call_sid,
        rest,
        everything.within,
        ring,
        partial(everything.dials.forget, call_sid),
    )
    ended_because: str | None = "model_failed"  # what it is when a fault of ours ends it
    try:
        if call.had_stream:  # its caller is back from the owner's phone
            ended_because = everything.live_calls.adopt(call_sid, phone)
        else:
            call.had_stream = True
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
