"""A call during which another process locks the database for five seconds, and others ring meanwhile."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from assistant.sandbox.caller import CallReport
from assistant.sandbox.caller.webhooks import Webhooks
from tests.whole_call.house import (
    ACCOUNT,
    NO_CAPS,
    OWNER_PHONE,
    TOKEN,
    TWILIO_NUMBER,
    House,
    beside,
    free_port,
    script,
    telephone,
)

LOCKED_S = 5.0

# The lock begins while the number is said, and ends after the model has asked for the message to be kept.
CALL = script("""
[[caller]]
steps = [
  { hear = "reply" },
  { say = "message-1" },
  { hear = "reply" },
  { say = "message-number" },
  { hear = "reply" },
  { say = "thanks-bye" },
  { hear = "end" },
]

[expect]
outcome = "message"
ended_because = "assistant_ended"
ended_by = "app"
tools = ["take_message", "end_call"]
message = ["boiler"]
interrupted = 0
streams = 1
""")


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Nobody else can write while the block runs."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=5.0)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


class Locked:
    """The call, those who rang while the lock was held, and how long each webhook took."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.house = House(folder / "instance", **telephone(port, "http://127.0.0.1:9"))
        self.house.prefer(**NO_CAPS, disclosure="")
        self.rang: list[str] = []
        self.took_s: list[float] = []
        self._report = beside(self._make)

    def report(self) -> CallReport:
        """The report of the call that went on, once it is over."""
        return self._report.result(120)

    def _make(self) -> CallReport:
        ringing = self.house.start().ring(CALL)
        ringing.until("My number is")
        with locked(self.house.database):
            until = time.monotonic() + LOCKED_S
            while time.monotonic() < until:
                self._somebody_rings_and_hangs_up()
        return ringing.report()

    def _somebody_rings_and_hangs_up(self) -> None:
        call_sid = "CA" + secrets.token_hex(16)
        self.rang.append(call_sid)
        self._webhook("/voice/incoming", call_sid, "ringing")
        self._webhook("/voice/status", call_sid, "completed")

    def _webhook(self, path: str, call_sid: str, status: str) -> None:
        fields = {
            "AccountSid": ACCOUNT,
            "CallSid": call_sid,
            "CallStatus": status,
            "Direction": "inbound",
            "From": OWNER_PHONE,
            "To": TWILIO_NUMBER,
        }
        began = time.monotonic()
        Webhooks(TOKEN).post(self.house.url + path, fields)
        self.took_s.append(time.monotonic() - began)
