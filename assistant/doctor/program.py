"""The running program, by what it last wrote down: is it there, is it on time?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from assistant.doctor.patient import Check, Patient
from assistant.store import program
from assistant.store.program import Note

FRESH = timedelta(minutes=2)
LATE_MS, MUCH_TOO_LATE_MS = 20.0, 500.0  # a piece of a call's sound is 20 ms long

OFF = "It is not running."
START = "Start it with `make run`."


def pulse(patient: Patient) -> Note | None:
    """What the running program wrote in the last two minutes; None: it is not running."""
    last = patient.store.read(program.noted, program.PULSE)
    is_fresh = last is not None and patient.now() - last.at <= FRESH and not last.facts.get("stopped")
    return last if is_fresh else None


def is_running(patient: Patient) -> bool:
    """Whether the program was alive in the last two minutes."""
    return pulse(patient) is not None


def look_at_the_program(patient: Patient) -> Iterator[Check]:
    """Whether it runs, and whether the loop that serves every call is on time."""
    alive = pulse(patient)
    if alive is None:
        last = patient.store.read(program.noted, program.PULSE)
        cause = f"It was last seen on {patient.clock(last.at)}." if last else "It was never seen."
        yield Check("Program", "amber", OFF, cause, START)
        return
    ago = max(0, round((patient.now() - alive.at).total_seconds()))
    yield Check("Program", "green", f"It is running; it said so {ago} s ago.")
    yield _on_time(alive.facts)


def _on_time(facts: dict[str, Any]) -> Check:
    late_ms = facts.get("late_p99_ms")
    if not isinstance(late_ms, int | float):
        return Check("On time", "green", "It has only just begun.")
    found = f"99 of 100 times in the last hour it was at most {late_ms:g} ms late."
    if late_ms <= LATE_MS:
        return Check("On time", "green", found)
    cause = "This machine is busy with other things; callers hear that as gaps."
    action = "Give Afterbeep more of this machine: see what else runs on it (`top`)."
    return Check("On time", "amber" if late_ms <= MUCH_TOO_LATE_MS else "red", found, cause, action)
