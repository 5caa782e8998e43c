"""Whether the digits typed on the keypad are the owner's PIN. The one place where they are looked at.

A caller ID proves nobody, so the owner's level needs both: a call that shows the owner's number, and this.
The digits come here and go nowhere else. A comparison takes as long as a few frames of sound: it is made in
the pool.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from assistant.errors import AssistantError
from assistant.store import calls, pins
from assistant.store.writer import Store, directly

log = logging.getLogger(__name__)

TRY_S = 3.0  # how long the database may take to write a try down; without it nothing is compared


class OwnerPin:
    """Compares what was typed with what is kept."""

    def __init__(self, store: Store, in_pool: Callable[..., Any] = directly) -> None:
        self._store = store
        self._in_pool = in_pool

    def is_right(self, call_sid: str, digits: str) -> bool | None:
        """Whether these are the PIN, with a try of this call and of this day used for it. Never raises.

        None: they could not be compared just now. What is too short for any PIN is wrong, and costs no try.
        """
        if len(digits) < pins.SHORTEST:
            return False
        now = datetime.now(UTC)
        try:
            kept = self._store.write(pins.begin_try, call_sid, now, timeout_s=TRY_S)
            right = kept is not None and self._in_pool(_matches, kept, digits)
        except AssistantError as error:
            log.warning("%s: the PIN was not compared: %s", call_sid, error)
            return None
        log.info("%s: a PIN was typed: %s", call_sid, "right" if right else "wrong, or no try was left")
        if right:
            self._store.put(pins.forgive, call_sid, now)
            self._store.put(calls.set_columns, call_sid, trust="owner")
        return right


def _matches(kept: str, digits: str) -> bool:
    try:
        return PasswordHasher().verify(kept, digits)
    except (VerificationError, InvalidHashError):
        return False
