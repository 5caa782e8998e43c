"""Our own call to the owner, forwarded back to us, is recognised."""

from __future__ import annotations

import pytest

from assistant.telephony.dials import RunningDials
from assistant.trust import read_caller

OURS, OWNER, ANA, SAM = "+12025550100", "+12025550101", "+12025550143", "+12025550144"
FIRST, SECOND, THIRD = ("CA" + digit * 32 for digit in "123")


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def is_loop(
    dials: RunningDials, from_: str, forwarded_from: str | None = None, call_sid: str = THIRD
) -> bool:
    return dials.is_loop(call_sid, read_caller(from_), forwarded_from, twilio_number=OURS, owner=OWNER)


def ring(dials: RunningDials, from_: str, call_sid: str = FIRST) -> None:
    caller = read_caller(from_)
    dials.begin(call_sid, caller, shown=caller.number or OURS, ring_seconds=15)


@pytest.mark.parametrize(
    ("from_", "forwarded_from", "expected"),
    [
        (ANA, None, True),  # the caller ID we showed
        ("202-555-0143", None, True),
        (SAM, OWNER, True),  # the carrier says whose phone passed it on
        (SAM, "2025550101", True),
        (SAM, None, False),
        (SAM, ANA, False),
        ("anonymous", None, False),  # somebody else withholds their number
        (OURS, None, True),
    ],
)
def test_while_the_owner_is_rung_for_ana(from_: str, forwarded_from: str | None, expected: bool):
    dials = RunningDials(Clock())
    ring(dials, ANA)

    assert is_loop(dials, from_, forwarded_from) is expected


def test_without_a_running_dial_a_forwarded_call_is_a_missed_one():
    dials = RunningDials(Clock())

    assert not is_loop(dials, ANA, OWNER)
    assert is_loop(dials, OURS)


def test_a_call_is_no_loop_of_itself():
    dials = RunningDials(Clock())
    ring(dials, ANA)

    assert not is_loop(dials, ANA, call_sid=FIRST)


def test_nameless_calls_are_matched_only_when_there_is_one():
    dials = RunningDials(Clock())
    ring(dials, "anonymous")
    assert is_loop(dials, "anonymous")

    ring(dials, "anonymous", SECOND)
    assert not is_loop(dials, "anonymous")


def test_a_dial_is_forgotten_when_it_is_over_and_after_a_while():
    clock = Clock()
    dials = RunningDials(clock)
    ring(dials, ANA)
    ring(dials, SAM, SECOND)
    assert dials.running() == 2

    dials.forget(SECOND)
    assert not is_loop(dials, SAM)
    clock.now_s += 34.9
    assert is_loop(dials, ANA)
    clock.now_s += 0.2
    assert not is_loop(dials, ANA)
    assert dials.running() == 0
