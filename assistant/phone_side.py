"""The caller's side of a call, as the bridge knows it: a phone, whoever made it.

Twilio's (`telephony.phone`) is one, the browser's (`web.phone`) another; the tests bring their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from assistant.call import events as ev


class Phone(Protocol):
    """The caller's side. Raises PhoneLost when it is gone or stalls; `hang_up` and `transfer` RestError.

    `transfer` rings the owner's phone in place of this stream; `reason` is for the owner's ear.
    """

    def hear(self, clock: Callable[[], int]) -> ev.Event: ...
    def play(self, payload: bytes) -> None: ...
    def send_held(self) -> None: ...
    def mark(self, name: str) -> None: ...
    def clear(self) -> None: ...
    def hang_up(self) -> None: ...
    def transfer(self, reason: str) -> None: ...
    def close(self, code: int, reason: str) -> None: ...
