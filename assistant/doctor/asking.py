"""Questions to an address, as a stranger on the internet would ask them: one request, or one WebSocket.

By the standard library: nothing is followed, nothing is tried twice, and the certificate is at hand. A proxy
of the environment is used where this machine reaches the world through one, and never to reach itself.
"""

from __future__ import annotations

import base64
import http.client
import os
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from socket import gaierror
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from assistant.channel import Channel, ChannelClosed
from assistant.config import is_loopback
from assistant.doctor.patient import ASK_S

MOST_BYTES = 4096
SWITCHING = 101


class NoAnswer(Exception):
    """Nobody answered, or not as they should; `str` says why, in words for the owner."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. at: our clock halfway. certificate_ends_at: None over http."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: datetime
    certificate_ends_at: datetime | None


def ask(
    url: str, *, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request and its answer, as it comes: a redirect is an answer. Raises NoAnswer."""
    with _connected(url) as (connection, path):
        began = time.time()
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        halfway = datetime.fromtimestamp((began + time.time()) / 2, UTC)
        return Answer(
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            answer.read(MOST_BYTES),
            halfway,
            _certificate_ends_at(connection),
        )


def echo(url: str, text: bytes) -> bytes:
    """Open `url` as a WebSocket, send one message and return the answer. Raises NoAnswer."""
    asked = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    with _connected(url) as (connection, path):
        connection.request("GET", path, headers=asked)
        answer = connection.getresponse()
        if answer.status != SWITCHING:
            raise NoAnswer(f"the handshake was answered with {answer.status}")
        try:
            return _say(connection, text)
        finally:
            answer.close()  # else it keeps the socket


def _say(connection: http.client.HTTPConnection, text: bytes) -> bytes:
    channel = Channel(connection.sock, client=True, largest_message=MOST_BYTES)
    try:
        channel.write(text)
        said = bytes(channel.read(ASK_S)[1])
        channel.close()
    except ChannelClosed as error:
        raise NoAnswer(f"it was opened, and then {error}") from error
    except TimeoutError:
        raise NoAnswer("it was opened, and nothing comes through it") from None
    finally:
        channel.end()
    return said


@contextmanager
def _connected(url: str) -> Iterator[tuple[http.client.HTTPConnection, str]]:
    """A connection, made when it is first used, and what to ask it for; whatever goes wrong is NoAnswer."""
    split = urlsplit(url)
    connection = _connection(split)
    try:
        yield connection, (split.path or "/") + (f"?{split.query}" if split.query else "")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(_why(error)) from error
    finally:
        connection.close()


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    host = url.hostname or ""
    named = "" if is_loopback(host) or proxy_bypass(host) else getproxies().get(url.scheme, "")
    if not named:
        return kind(host, url.port, timeout=ASK_S)
    proxy = urlsplit(named if "//" in named else f"//{named}")
    connection = kind(proxy.hostname or "", proxy.port or 8080, timeout=ASK_S)
    connection.set_tunnel(host, url.port)
    return connection


def _certificate_ends_at(connection: http.client.HTTPConnection) -> datetime | None:
    if not isinstance(connection.sock, ssl.SSLSocket):
        return None
    text = str((connection.sock.getpeercert() or {}).get("notAfter", ""))
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if text else None


def _why(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            return "no encrypted connection came about"
        case gaierror():
            return "nobody knows this name"
        case TimeoutError():
            return f"no answer within {ASK_S:.0f} s"
        case OSError() if error.strerror:
            return error.strerror.lower()
        case _:
            return f"what answers there makes no sense ({type(error).__name__})"
