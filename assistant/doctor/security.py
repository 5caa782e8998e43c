"""The door: who gets in, with what rights the program runs, and what callers are told."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import date
from urllib.parse import urlsplit

from assistant.doctor.patient import NOT_IN_THE_SANDBOX, Check, Patient
from assistant.doctor.program import pulse
from assistant.store import logins, preferences

SETUP, SETTINGS = "/setup?step=password", "/settings"
# The last day with mends, by PEP 664, 693 and 719, and the usual five years for what comes after.
PYTHON_ENDS = {(3, 11): date(2027, 10, 31), (3, 12): date(2028, 10, 31), (3, 13): date(2029, 10, 31)}


def look_at_security(patient: Patient) -> Iterator[Check]:
    """What can be seen from here."""
    yield _password(patient)
    yield _cookies(patient)
    yield _rights(patient)
    yield _debug()
    yield _notice(patient)
    yield _python(patient.now().date())


def _password(patient: Patient) -> Check:
    if patient.store.read(logins.password_hash):
        return Check("Password", "green", "It is set; five tries a minute.")
    if patient.sandbox_only:
        return Check("Password", "green", "None is set; the printed link is enough here.")
    cause = "Only the link that is printed at the start lets you in."
    return Check("Password", "amber", "None is set.", cause, patient.at(SETUP, "Set one: {page}"))


def _cookies(patient: Patient) -> Check:
    url = patient.settings.url("")
    if urlsplit(url).scheme == "https":
        return Check("Login cookie", "green", "It travels over https alone, and no script can read it.")
    return Check("Login cookie", "green", "The pages are on this machine alone; no script can read it.")


def _rights(patient: Patient) -> Check:
    name, alive = "Rights", pulse(patient)
    as_root = bool(alive.facts.get("root")) if alive else os.geteuid() == 0
    if patient.settings.sandbox and as_root:
        return Check(name, "green", f"It runs as root. {NOT_IN_THE_SANDBOX[:-1]}: a user of its own.")
    if not as_root:
        return Check(name, "green", "It does not run as root.")
    cause = "Whoever finds a hole in it has the whole machine."
    return Check(
        name, "amber", "It runs as root.", cause, "Give it a user of its own: “As a service” in the README."
    )


def _debug() -> Check:
    if os.environ.get("FLASK_DEBUG", "").lower() in ("", "0", "false", "no"):
        return Check("Debugging", "green", "It is off.")
    cause = "FLASK_DEBUG is set: error pages would show what nobody should see."
    return Check(
        "Debugging", "red", "It is on.", cause, "Take FLASK_DEBUG out of the environment, and restart."
    )


def _notice(patient: Patient) -> Check:
    held = patient.store.read(preferences.load)
    if held.warning:
        action = patient.at(SETTINGS, "Write a disclosure, or switch `record_audio` off: {page}")
        return Check(
            "Notice", "amber", "Callers are recorded and not told.", "In many places that is the law.", action
        )
    return Check("Notice", "green", "Callers are told." if held.disclosure else "Nobody is recorded.")


def _python(today: date) -> Check:
    found = f"Python {sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}."
    ends = PYTHON_ENDS.get(sys.version_info[:2])
    if ends is None or today <= ends:
        return Check("Python", "green", found)
    cause = f"Its holes are not mended any more since {ends:%B %Y}."
    return Check("Python", "amber", found, cause, "Install a newer one, `rm -rf .venv`, then `make run`.")
