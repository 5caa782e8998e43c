"""The limits: what today has cost, who was sent to voicemail by them, how many calls are going on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time

from assistant.doctor.patient import Check, Patient
from assistant.doctor.program import pulse
from assistant.store import preferences, program
from assistant.store.preferences import Preferences

NEARLY = 0.8
SETTINGS, RAISE = "/settings", "Raise the limit, if you want more: {page}"


def look_at_the_limits(patient: Patient) -> Iterator[Check]:
    """Today, in the owner's zone."""
    held = patient.store.read(preferences.load)
    midnight = datetime.combine(patient.now().astimezone(held.zone).date(), time.min, held.zone)
    today = patient.store.read(program.today, midnight)
    alive = pulse(patient)
    running_usd = float(alive.facts.get("running_usd") or 0.0) if alive else 0.0
    yield _money(patient, held, today.spent_usd + running_usd)
    yield _turned_away(patient, today)
    if alive is not None:
        yield _at_once(patient, held, int(alive.facts.get("open_calls") or 0))


def _money(patient: Patient, held: Preferences, spent: float) -> Check:
    budget = held.daily_budget_usd
    if not budget:
        return Check("Money", "green", f"Today's calls have cost {spent:.2f} dollars; there is no limit.")
    found = f"Today's calls have cost {spent:.2f} of {budget:.2f} dollars."
    if spent < NEARLY * budget:
        return Check("Money", "green", found)
    over = spent >= budget
    cause = "Callers get plain voicemail until midnight." if over else "Above it callers get plain voicemail."
    return Check("Money", "red" if over else "amber", found, cause, patient.at(SETTINGS, RAISE))


def _turned_away(patient: Patient, today: program.Today) -> Check:
    name = "Turned away"
    blocked = f"{today.blocked} blocked today" if today.blocked else "nobody blocked today"
    if not today.to_voicemail:
        return Check(name, "green", f"Nobody was sent to plain voicemail today, {blocked}.")
    callers = "1 call was" if today.to_voicemail == 1 else f"{today.to_voicemail} calls were"
    cause = "A limit was reached, or the program was about to stop."
    found = f"{callers} sent to plain voicemail today, {blocked}."
    return Check(name, "amber", found, cause, patient.at(SETTINGS, RAISE))


def _at_once(patient: Patient, held: Preferences, open_calls: int) -> Check:
    most = held.max_concurrent_calls
    found = f"{open_calls} of at most {most} at once."
    if open_calls < most:
        return Check("Calls now", "green", found)
    cause = "Whoever rings now gets plain voicemail."
    return Check("Calls now", "amber", found, cause, patient.at(SETTINGS, RAISE))
