"""The five steps of the set-up: what each is for, and how far it has come, derived from what is.

Nothing of this is stored. A step is done when what it is about is there; whether it also works, the doctor
says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from assistant.doctor import Check, Patient
from assistant.store import logins
from assistant.telephony.account import INCOMING, STATUS, TRY_AGAIN

State = Literal["open", "problem", "done"]

PHONE_LINES = ("OWNER_PHONE", "TWILIO_NUMBER", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
SECRET = ("TWILIO_AUTH_TOKEN", "OPENAI_API_KEY")

GOODBYE = """<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Say>Thank you. Goodbye.</Say>
  <Hangup/>
</Response>"""
IS_DOWN = """<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Say>I'm sorry, nobody can take your call right now. Please leave a message after the tone. \
It will be recorded.</Say>
  <Record maxLength="180" timeout="8" playBeep="true" action="GOODBYE_URL"/>
  <Hangup/>
</Response>"""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. problem: what it needs is there, and does not work. organs: what the doctor looks at for it.
    lines: what belongs into `.env`.
    """

    name: str
    title: str
    state: State
    organs: tuple[str, ...]
    lines: tuple[str, ...] = ()


Found = Mapping[str, tuple[datetime, list[Check]]]


def steps(patient: Patient, found: Found) -> list[Step]:
    """All five, in the order in which they are best made. found: what the doctor found last."""
    return [_judged(step, found) for step in _wired(patient)]


def _judged(step: Step, found: Found) -> Step:
    checks = [check for organ in step.organs if organ in found for check in found[organ][1]]
    fails = step.state == "done" and any(check.state == "red" for check in checks)
    return replace(step, state="problem") if fails else step


def _wired(patient: Patient) -> list[Step]:
    settings, has_password = patient.settings, bool(patient.store.read(logins.password_hash))
    has_address = bool(settings.public_url) and (patient.has_phone or not settings.sandbox)
    return [
        Step("password", "Password", _done(has_password), ()),
        Step(
            "address", "Public address", _done(has_address), ("Public address",), lines(patient, "PUBLIC_URL")
        ),
        Step("number", "Phone number", _done(patient.has_phone), ("Twilio",), lines(patient, *PHONE_LINES)),
        Step(
            "model", "OpenAI key", _done(not settings.sandbox), ("Model",), lines(patient, "OPENAI_API_KEY")
        ),
        Step("calendar", "Calendar", _done(patient.google.account() is not None), ("Calendar",)),
    ]


def _done(is_there: bool) -> State:
    return "done" if is_there else "open"


def lines(patient: Patient, *names: str) -> tuple[str, ...]:
    """Lines for `.env`: filled in where the value is there and no secret."""
    return tuple(f"{name}={_shown(patient, name)}" for name in names)


def _shown(patient: Patient, name: str) -> str:
    """A value as it may be shown. What the sandbox made up for itself belongs into no file."""
    if name in SECRET or patient.sandbox_only:
        return ""
    return str(getattr(patient.settings, name.lower()))


def is_set(patient: Patient, line: str) -> bool:
    """Whether a line's setting has a value, secret or not."""
    name = line.partition("=")[0]
    made_up = patient.sandbox_only and name != "OPENAI_API_KEY"
    return not made_up and bool(getattr(patient.settings, name.lower()))


def at_twilio(public_url: str) -> list[tuple[str, str]]:
    """What to enter in Twilio's console, field by field."""
    base = public_url or "https://phone.example.org"
    return [
        ("A call comes in", f"{base}{INCOMING}"),
        ("Call status changes", f"{base}{STATUS}{TRY_AGAIN}"),
    ]


@dataclass(frozen=True, slots=True)
class Code:
    """What to dial on one's own phone: for whom, to forward, to undo; and what to know."""

    who: str
    forward: str
    undo: str
    note: str = ""


def forwarding(number: str) -> list[Code]:
    """The carriers' codes for calls that are missed, with the number in them."""
    to = number or "N"
    ten = number.removeprefix("+1") if number.startswith("+1") else to
    return [
        Code(
            "Most carriers: you do not answer",
            f"**61*{to}#",
            "##61#",
            "After 20 seconds: add **20 before the #.",
        ),
        Code("Most carriers: your phone is off", f"**62*{to}#", "##62#"),
        Code("Most carriers: you are on the phone", f"**67*{to}#", "##67#"),
        Code("Most carriers: all three", f"**004*{to}#", "##004#"),
        Code("T-Mobile US", f"**61*{to}**20#", "##61#", "Or all three at once, as above."),
        Code("AT&T", f"*004*{to}#", "##004#", "Business plans may not allow it."),
        Code("Verizon", f"*71{ten}", "*73", "Then press call. *73 ends every forwarding."),
        Code("US landlines, often", f"*92{ten}", "*93", "When you are busy: *90 and *91."),
    ]
