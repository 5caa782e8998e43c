"""The model's side as a call knows it: whatever can be opened, spoken to and closed.

The socket is one (`client`), a session that was opened before its call another; tests have theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from assistant.call.commands import Command
from assistant.call.events import Event
from assistant.realtime.usage import Usage


class ModelSide(Protocol):
    """One session with a model, used once. usage, cost_usd: so far.

    `run` puts what the model says, and may block until the session ends. `send` raises ModelGone. `close` may
    come at any time, from any thread.
    """

    usage: Usage

    @property
    def cost_usd(self) -> float: ...
    def run(self, put: Callable[[Event], None]) -> None: ...
    def send(self, command: Command) -> None: ...
    def close(self) -> None: ...
