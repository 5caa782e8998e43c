"""Why a session was refused or has ended, in words for the owner and the log. Pure.

Whatever the other side says may quote the key or headers back: of a refusal only its code
is told, of a close its code and reason, with anything that looks like a key taken out.
"""

from __future__ import annotations

import re

import orjson

from assistant.errors import ModelGone, ModelRefused
from assistant.realtime.session import fatal_code

_RETRYABLE = (408, 409, 425, 429)  # of the 4xx statuses of a handshake


def refusal(status: int, body: bytes | None) -> ModelRefused:
    """A handshake that was answered with an HTTP status."""
    code = _code_in(body)
    fatal = fatal_code(code) or (400 <= status < 500 and status not in _RETRYABLE)
    return ModelRefused(f"the model refused the connection: {status} {code}".strip(), fatal=fatal)


def _code_in(body: bytes | None) -> str:
    """The error code in a refusal's body; never its message, which may quote the key."""
    try:
        error = orjson.loads(body or b"")["error"]
        return str(error.get("code") or error.get("type") or "")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return ""


_FATAL_CLOSES = (3000, 3003, 4000)  # unauthorized, forbidden, the older interface


def closed(code: int, reason: str) -> ModelGone | ModelRefused:
    """The other side's close frame, as what it means to us."""
    said = f"closed by the model: {code} {reason}".strip()
    if code in _FATAL_CLOSES or any(fatal_code(word) for word in re.findall(r"[\w.]+", reason)):
        return ModelRefused(said, fatal=True)
    return ModelGone(said)


def kind_of(error: Exception) -> str:
    """What kind of failure it was, in words that quote nothing."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def printable(reason: str, api_key: str) -> str:
    """A reason fit for a log: no key, no control characters, not endless."""
    if api_key:
        reason = reason.replace(api_key, "…")
    reason = re.sub(r"\bsk-[\w*.-]+", "sk-…", reason)
    return "".join(c if c.isprintable() else " " for c in reason)[:200]
