"""The browser phone's socket: who may in, and the call behind it.

The session's cookie comes with any page's request, so the Origin has to be ours as well, and both are looked
at before the handshake. The first message has to come soon, with the one-time token of a call that this very
login has dialled.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Flask, abort, request
from flask_login import current_user
from flask_sock import Sock

from assistant.channel import Channel, ChannelClosed
from assistant.config import is_loopback
from assistant.store import calls
from assistant.web import books, sockets
from assistant.web.parts import parts
from assistant.web.phone.dialling import dialled, is_browser_call, row
from assistant.web.phone.handset import BrowserPhone
from assistant.web.sockets import BROKEN, NotOurs

log = logging.getLogger(__name__)

STREAM = "/phone/stream"
LARGEST_MESSAGE = 4 * 1024
START_S = 5.0
KEPT = b'{"event":"kept"}'


def register(app: Flask) -> None:
    """Put the socket on the map, behind its Origin."""
    sockets.take_over(app)
    app.before_request(_before_the_handshake)
    Sock(app).route(STREAM, endpoint="phone_stream")(stream)


def _before_the_handshake() -> None:
    if request.url_rule is None or request.url_rule.rule != STREAM:
        return
    sockets.agree_to_no_compression()
    if not _is_ours(request.headers.get("Origin", "")):
        log.warning("refused: a phone's stream from another site")
        abort(403)


def _is_ours(origin: str) -> bool:
    """Whether a page of ours asks: on the public address, or on the address of this machine it is seen at."""
    asked = _site(origin)
    here = _site(f"{request.scheme}://{request.host}")
    return asked is not None and (
        asked == _site(parts().settings.url("")) or (asked == here and is_loopback(asked[1]))
    )


def _site(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an address; None when it is none."""
    try:
        split = urlsplit(url)
        port = split.port or {"http": 80, "https": 443}[split.scheme]
    except (ValueError, KeyError):
        return None
    return (split.scheme, split.hostname, port) if split.hostname else None


def stream(socket: Any) -> None:
    """Serve one call from the browser until it is over."""
    sockets.serve(socket, "a phone's stream", LARGEST_MESSAGE, _serve)


def _serve(channel: Channel) -> None:
    call_sid, token = sockets.first_message(channel, _start, START_S)
    if not is_browser_call(call_sid) or not dialled().take(call_sid, current_user.get_id()):
        raise NotOurs("a call that was not dialled here")
    if not parts().tokens.take(token, call_sid):
        parts().lobby.give_up(call_sid, "its stream is refused")
        raise NotOurs("its token is not good")
    parts().streams.add(call_sid)
    try:
        _begin(channel, call_sid)
        _answer(channel, call_sid)
    finally:
        parts().streams.discard(call_sid)
        parts().lobby.give_up(call_sid, "its stream is over")  # as a rule the call has taken it long ago
        # Nobody else will tell when the caller was really gone; and a fault of ours has left the row open.
        parts().store.put(calls.finish, call_sid, ended_at=datetime.now(UTC), ended_because="model_failed")


def _begin(channel: Channel, call_sid: str) -> None:
    """Give the call its row; the page is told when it is there to be watched. Waits for nothing."""
    beside, store = parts().beside, parts().store
    store.put(calls.begin, call_sid, **row(call_sid))
    store.put(
        books.stream_began, call_sid, datetime.now(UTC), then=lambda nothing: beside(_tell, channel, KEPT)
    )


def _tell(channel: Channel, text: bytes) -> None:
    with suppress(ChannelClosed):
        channel.write(text)


def _start(text: bytes) -> tuple[str, str]:
    """The call and the token of the stream's first message."""
    try:
        match orjson.loads(text):
            case {"event": "start", "callSid": str(call_sid), "token": str(token)}:
                return call_sid, token
    except (orjson.JSONDecodeError, UnicodeError):
        pass
    raise NotOurs("no start")


def _answer(channel: Channel, call_sid: str) -> None:
    call = parts().memory.of(call_sid)
    phone = BrowserPhone(channel, call_sid)
    try:
        parts().serve_call(phone, call_sid=call_sid, number=call.identity, trust=call.trust)
    finally:
        phone.close(BROKEN, "over")
