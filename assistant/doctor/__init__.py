"""What works and what does not: the doctor's checks, as data, for a page or a command to show.

A look is a function that is given the patient and yields what it has found; each organ has a module, and
one more look is one more line in LOOKS. Looks ask where there is no other way to know, with a deadline, and
change nothing. They are made side by side: together they take as long as the slowest.

What was found is kept in the database, for the pages that show it without looking again.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime

from assistant.doctor.address import look_at_the_address
from assistant.doctor.calendar import look_at_the_calendar
from assistant.doctor.clock import look_at_the_clock
from assistant.doctor.limits import look_at_the_limits
from assistant.doctor.model import look_at_the_model
from assistant.doctor.patient import TRY_AGAIN, Check, Patient, State
from assistant.doctor.pin import look_at_the_pin
from assistant.doctor.program import look_at_the_program
from assistant.doctor.security import look_at_security
from assistant.doctor.sound import look_at_the_sound
from assistant.doctor.storage import look_at_storage
from assistant.doctor.twilio import look_at_twilio
from assistant.errors import AssistantError
from assistant.store import Store, program

__all__ = [
    "LOOKS",
    "Check",
    "Look",
    "Patient",
    "State",
    "examine",
    "keep",
    "kept",
    "open_problems",
    "outside",
]

log = logging.getLogger(__name__)

Look = Callable[[Patient], Iterator[Check]]

WHOLE_S = 9.0

LOOKS: Mapping[str, Look] = {
    "Program": look_at_the_program,
    "Public address": look_at_the_address,
    "Twilio": look_at_twilio,
    "Model": look_at_the_model,
    "Calendar": look_at_the_calendar,
    "Clock": look_at_the_clock,
    "Sound": look_at_the_sound,
    "Storage": look_at_storage,
    "Limits": look_at_the_limits,
    "PIN": look_at_the_pin,
    "Security": look_at_security,
}
ASKING = ("Public address", "Twilio", "Model", "Clock")


def outside(patient: Patient) -> tuple[str, ...]:
    """The organs that are looked at by asking others, which may take seconds; the rest takes no time."""
    asking = () if patient.sandbox_only else ASKING
    return (*asking, "Calendar") if patient.google.account() else asking


def examine(patient: Patient, organs: Iterable[str] = tuple(LOOKS)) -> Iterator[Check]:
    """The checks of these organs (of all), organ by organ, each as soon as it is made."""
    until = time.monotonic() + WHOLE_S
    looking = {organ: _begin(organ, patient) for organ in organs}
    for organ, found in looking.items():
        for check in _found(organ, found, until):
            yield replace(check, organ=organ)


def _begin(organ: str, patient: Patient) -> queue.SimpleQueue[Check | None]:
    """Look at an organ beside the others. What is found comes out of the queue; None is its end."""
    found: queue.SimpleQueue[Check | None] = queue.SimpleQueue()

    def look() -> None:
        try:
            for check in LOOKS[organ](patient):
                found.put(check)
        except AssistantError as error:
            found.put(Check(organ, "red", "It could not be looked at.", str(error), TRY_AGAIN))
        except Exception:
            log.exception("the doctor cannot look at: %s", organ)
            found.put(_fault(organ))
        finally:
            found.put(None)

    threading.Thread(target=look, name=f"doctor: {organ}", daemon=True).start()
    return found


def _fault(organ: str) -> Check:
    cause, action = "A fault of this program.", "See the program's log."
    return Check(organ, "red", "It could not be looked at.", cause, action)


def _found(organ: str, found: queue.SimpleQueue[Check | None], until: float) -> Iterator[Check]:
    while True:
        try:
            check = found.get(timeout=max(0.001, until - time.monotonic()))
        except queue.Empty:
            late = f"Not everything was seen within {WHOLE_S:.0f} s."
            yield Check(f"{organ}, the rest", "amber", late, "Something answers very slowly.", TRY_AGAIN)
            return
        if check is None:
            return
        yield check


# --- what was found last ---------------------------------------------------------


def keep(store: Store, checks: Iterable[Check], at: datetime) -> None:
    """Keep what was found, for the pages."""
    found: dict[str, list[dict[str, str]]] = {}
    for check in checks:
        found.setdefault(check.organ, []).append(asdict(check))
    store.write(program.keep_findings, found, at)


def kept(store: Store) -> dict[str, tuple[datetime, list[Check]]]:
    """What was last found of each organ that is still looked at, and when."""
    found = store.read(program.findings)
    return {
        organ: (found[organ][0], [_read(check) for check in found[organ][1]])
        for organ in LOOKS
        if organ in found
    }


def _read(check: dict[str, str]) -> Check:
    state: State = "green" if check["state"] == "green" else "amber" if check["state"] == "amber" else "red"
    return Check(check["name"], state, check["found"], check["cause"], check["action"], check["organ"])


def open_problems(store: Store) -> int:
    """How many checks were red when they were last made."""
    return sum(check.state == "red" for _, checks in kept(store).values() for check in checks)
