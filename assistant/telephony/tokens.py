"""One-time tokens: from the document that opens a media stream to the stream itself.

The stream's signature proves that Twilio is calling, but it is the same for every call; only the token
says which of our documents this stream belongs to. It is made when the document is written, works once,
for that call alone, and dies after a minute. A newer one for the same call kills the older.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

LIFETIME_S = 60.0


class StreamTokens:
    """The tokens that are out. `clock`: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: dict[str, tuple[str, float]] = {}  # call_sid: token, when it dies

    def issue(self, call_sid: str) -> str:
        """A new token for this call."""
        self._bury_the_dead()
        token = secrets.token_urlsafe(32)
        self._tokens[call_sid] = token, self._clock() + LIFETIME_S
        return token

    def take(self, token: str, call_sid: str) -> bool:
        """Use a token up. False: not this call's, used before, or dead."""
        self._bury_the_dead()
        kept, _ = self._tokens.get(call_sid, ("", 0.0))
        if not kept or not secrets.compare_digest(kept.encode(), token.encode(errors="replace")):
            return False
        del self._tokens[call_sid]
        return True

    def waiting(self) -> int:
        """How many calls are on their way to their stream."""
        self._bury_the_dead()
        return len(self._tokens)

    def drop(self, call_sid: str) -> None:
        """The call is over, or goes another way."""
        self._tokens.pop(call_sid, None)

    def _bury_the_dead(self) -> None:
        now = self._clock()
        for call_sid in [sid for sid, (_, dies_at) in self._tokens.items() if dies_at <= now]:
            del self._tokens[call_sid]
