"""The keypad PIN: whether the owner can prove to be the owner on the phone."""

from __future__ import annotations

from collections.abc import Iterator

from assistant.doctor.patient import Check, Patient
from assistant.store import pins


def look_at_the_pin(patient: Patient) -> Iterator[Check]:
    """Whether the owner can prove to be the owner on the phone."""
    if patient.store.read(pins.has_pin):
        yield Check("PIN", "green", "There is a PIN.")
    elif patient.sandbox_only:
        yield Check("PIN", "green", "There is none. The scenario “owner” needs one: 246810.")
    elif not patient.settings.owner_phone:
        yield Check("PIN", "green", "There is none, and none is needed: OWNER_PHONE is not set.")
    else:
        cause = "Without it your own assistant takes you for any other caller."
        yield Check("PIN", "amber", "There is none.", cause, "Set one with `flask pin`.")
