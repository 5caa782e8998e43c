"""What a link's requests bring to light, written down: for the pages, and for the next request.

A call never waits for it. What an answer said is kept until a better one comes; a success is kept once a
minute at most, unless it puts an end to trouble.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from assistant.calendars.google.tokens import Tokens, seal_tokens
from assistant.store import Store, google_link
from assistant.store.google_link import SUCCESS_EVERY, Link

log = logging.getLogger(__name__)


class Notes:
    """Told of wire.py, for one link. key: gives SECRET_KEY's text."""

    def __init__(self, store: Store, link: Link, key: Callable[[], str]) -> None:
        self._store = store
        self._link = link
        self._key = key
        self._trouble = link.trouble

    def refreshed(self, tokens: Tokens) -> None:
        self._store.put(google_link.keep_tokens, self._link.linked_at, seal_tokens(self._key(), tokens))

    def answered(self) -> None:
        now, last = datetime.now(UTC), self._link.last_success_at
        if self._trouble or last is None or now - last >= SUCCESS_EVERY:
            self._store.put(google_link.succeeded, self._link.linked_at, now)
        self._trouble = ""

    def troubled(self, why: str) -> None:
        if why != self._trouble:
            self._store.put(google_link.troubled, self._link.linked_at, why)
        self._trouble = why

    def died(self, why: str) -> None:
        log.warning("the link with Google is dead")
        self._store.put(google_link.broke, self._link.linked_at, datetime.now(UTC), why)
