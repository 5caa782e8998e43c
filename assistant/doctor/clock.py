"""The clock of this machine, against that of a service it works with anyway: the Date of any answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from assistant.doctor.asking import NoAnswer, ask
from assistant.doctor.patient import NOT_IN_THE_SANDBOX, TRY_AGAIN, Check, Patient

MOST, TOO_MUCH = timedelta(seconds=5), timedelta(minutes=2)
HALF_A_SECOND = timedelta(seconds=0.5)  # a Date has whole seconds


def look_at_the_clock(patient: Patient) -> Iterator[Check]:
    """How far it is off."""
    if patient.sandbox_only:
        yield Check("Clock", "green", NOT_IN_THE_SANDBOX)
        return
    settings = patient.settings
    try:
        answer = ask(settings.twilio_api_url if settings.sandbox else settings.openai_base_url, method="HEAD")
        date = parsedate_to_datetime(answer.headers.get("date", ""))
    except (NoAnswer, ValueError) as error:
        cause = f"{error}." if isinstance(error, NoAnswer) else "the answer has no date."
        yield Check(
            "Clock",
            "amber",
            "There is nothing to compare it with.",
            f"Asked for the time: {cause}",
            TRY_AGAIN,
        )
        return
    yield _off_by(answer.at - (date if date.tzinfo else date.replace(tzinfo=UTC)) - HALF_A_SECOND)


def _off_by(behind: timedelta) -> Check:
    off, side = abs(behind), "fast" if behind > timedelta(0) else "slow"
    if off < MOST:
        return Check("Clock", "green", "It is right, to the second or so.")
    found = f"It is {off.total_seconds():.0f} s {side}."
    cause = "Appointments and logins at other services go by the time."
    action = "Switch on setting it from the network: `timedatectl set-ntp true` on Linux."
    return Check("Clock", "amber" if off < TOO_MUCH else "red", found, cause, action)
