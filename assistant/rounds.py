"""What is done beside the calls: at start, every minute, every few minutes, once a day.

At start, before anything is served, calls that a crash left open are closed as interrupted and their
recordings are found. Every minute the program notes that it is alive, and how it is: so the next start knows
since when it was not, and the doctor whether it is well. Every quarter of an hour Twilio is asked what
happened meanwhile, and every two minutes the calendar whether those appointments are there of which its
answer never came. Once a day what is too old goes, and the database is looked through.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from assistant.errors import AssistantError
from assistant.lateness import Lateness
from assistant.store import calls, housekeeping, program
from assistant.store.recordings import DIRECTORY, seconds_of
from assistant.store.writer import Store

log = logging.getLogger(__name__)

HEARTBEAT_S = 60.0
CATCH_UP_S = 15 * 60.0
LOOK_AGAIN_S = 2 * 60.0
DAY_S = 24 * 60 * 60.0
ALMOST_A_DAY = timedelta(hours=23)


class Rounds:
    """catch_up: asks the telephone company for what happened since a time; None when there is none.

    look_again: asks the calendar for what may or may not have reached it. facts: what else is to be noted
    every minute for the doctor (open_calls, running_usd).
    """

    def __init__(
        self,
        store: Store,
        instance_path: Path,
        catch_up: Callable[[datetime], object] | None,
        look_again: Callable[[], None],
        facts: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._store = store
        self._instance_path = instance_path
        self._catch_up = catch_up
        self._look_again = look_again
        self._facts = facts
        self._lateness = Lateness()
        self._since: datetime | None = None
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def recover(self) -> None:
        """Close what a crash left open. Only before anything is served."""
        now = datetime.now(UTC)
        self._since = self._store.read(calls.last_alive)
        for call_sid in self._store.write(calls.close_left_open, now):
            log.warning("%s: was interrupted by a crash", call_sid)
            file = f"{DIRECTORY}/{call_sid}.wav"
            if seconds := seconds_of(self._instance_path / file):
                self._store.write(calls.add_recording, call_sid, kind="call", file=file, seconds=seconds)
        self._store.write(calls.set_alive, now)

    def begin(self) -> None:
        """Make the rounds from now on, in threads of their own: none waits for another."""
        # Nobody waits for this one's end: it sleeps for longer than a stop should take.
        threading.Thread(target=self._measure_lateness, name="lateness", daemon=True).start()
        self._go("alive", HEARTBEAT_S, self._note_alive)
        self._go("prune", DAY_S, self._prune)
        self._go("integrity", DAY_S, self._look_through)
        self._go("look-again", LOOK_AGAIN_S, self._look_again)
        if self._catch_up is not None:
            self._go("catch-up", CATCH_UP_S, self._ask_what_happened)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(1.0)
        self._store.put(program.note, program.PULSE, {"stopped": True}, datetime.now(UTC))

    def _go(self, name: str, every_s: float, do: Callable[[], None]) -> None:
        def rounds() -> None:
            due = time.monotonic()
            while not self._stopped.wait(max(0.0, due - time.monotonic())):
                due += every_s
                try:
                    do()
                except AssistantError as error:
                    log.warning("the round %r will be made again: %s", name, error)
                except Exception:
                    log.exception("the round %r failed; it will be made again", name)

        thread = threading.Thread(target=rounds, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _measure_lateness(self) -> None:
        while not self._stopped.is_set():
            self._lateness.tick()

    def _note_alive(self) -> None:
        now = datetime.now(UTC)
        facts = {"late_p99_ms": self._lateness.p99_ms(), "root": os.geteuid() == 0, **self._facts()}
        self._lateness.next_minute()
        self._store.put(calls.set_alive, now)
        self._store.put(program.note, program.PULSE, facts, now)

    def _look_through(self) -> None:
        """A restart is no reason to read all of a big database again."""
        now, last = datetime.now(UTC), self._store.read(program.noted, program.INTEGRITY)
        if last is not None and now - last.at < ALMOST_A_DAY:
            return
        said = self._store.read(program.quick_check)
        if said != "ok":
            log.error("the database is damaged: %s", said)
        self._store.put(program.note, program.INTEGRITY, {"said": said}, now)

    def _prune(self) -> None:
        housekeeping.prune(self._store, self._instance_path)

    def _ask_what_happened(self) -> None:
        if self._catch_up is None:
            return
        now = datetime.now(UTC)
        self._catch_up(self._since or now)
        self._since = now  # only once it has worked: a round that failed is made up for
