"""Who is calling, and what that allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.trust import is_diverted, level, may_type_pin, read_caller, same_number


@pytest.mark.parametrize(
    ("from_", "identity"),
    [
        ("+12025550143", "+12025550143"),
        ("+1 202-555-0143", "+12025550143"),
        ("+442079460018", "+442079460018"),
        ("sip:ana@198.51.100.7:5060", "sip:ana@198.51.100.7"),
        ("sips:ana@PBX.example;transport=tls", "sip:ana@pbx.example"),
        ("sip:+12025550143@pbx.example", "+12025550143"),
        ("sip:%2B12025550143@pbx.example", "+12025550143"),
        ("sip:100@pbx.example", "sip:100@pbx.example"),
        ("client:ana", "client:ana"),
        ("12025550143", "12025550143"),
        ("+123", "+123"),
        ("+99999999999999999", "+99999999999999999"),
        ("O'Brien & Sons", "O'Brien & Sons"),
    ],
)
def test_a_caller_is_kept_under_their_number_or_address(from_: str, identity: str):
    caller = read_caller(from_)

    assert caller.identity == identity
    assert not caller.withheld


@pytest.mark.parametrize(
    "from_",
    [
        None, "", " ", "anonymous", "Anonymous", "RESTRICTED", "unavailable", "unknown", "private", "blocked",
        "+266696687", "+7378742833", "+17378742833", "+2562533", "+8656696", "+86282452253", "266696687",
        "sip:anonymous@anonymous.invalid", "sip:+266696687@pbx.example", "sip:%61nonymous@x.example",
    ],
)  # fmt: skip
def test_withheld_numbers_are_nobodys(from_: str | None):
    caller = read_caller(from_)

    assert caller.withheld
    assert (caller.identity, caller.number, caller.names) == (None, None, ())


def test_a_sip_caller_with_a_number_may_be_kept_as_either():
    assert read_caller("sip:+12025550143@pbx.example").names == (
        "+12025550143",
        "sip:+12025550143@pbx.example",
    )


@given(st.text())
def test_whatever_is_shown_can_be_read(from_: str):
    caller = read_caller(from_)

    assert caller.number is None or (caller.number.startswith("+") and caller.number[1:].isdigit())
    assert caller.withheld == (caller.identity is None)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+12025550101", "+12025550101", True),
        ("+12025550101", "+1 (202) 555-0101", True),
        ("12025550101", "+12025550101", True),
        ("2025550101", "+12025550101", True),
        ("0012025550101", "+12025550101", True),
        ("02079460018", "+442079460018", True),
        ("+12025550101", "+12025550102", False),
        ("+12025550101", "+442025550101", False),
        ("0101", "+12025550101", False),
        ("", "+12025550101", False),
        (None, None, False),
        ("", "", False),
        ("+", "+", False),
        ("anonymous", "anonymous", False),
    ],
)
def test_numbers_are_compared_by_their_digits(one: str | None, other: str | None, same: bool):
    assert same_number(one, other) is same
    assert same_number(other, one) is same


@pytest.mark.parametrize(
    ("standing", "stir_verstat", "expected"),
    [
        ("known", None, "known"),
        ("known", "", "known"),
        ("known", "TN-Validation-Passed-A", "known"),
        ("known", "TN-Validation-Passed-B-Diverted", "known"),
        ("known", "NULL", "known"),
        ("known", "No-TN-Validation", "known"),
        ("known", "TN-Validation-Passed-C", "stranger"),
        ("known", "TN-Validation-Passed-C-Diverted", "stranger"),
        ("known", "TN-Validation-Failed", "stranger"),
        ("known", "TN-Validation-Failed-A", "stranger"),
        ("known", "TN-Validation-Failed-A-Diverted", "stranger"),
        ("stranger", "TN-Validation-Passed-A", "stranger"),
        ("blocked", "TN-Validation-Passed-A", "stranger"),
        (None, None, "stranger"),
    ],
)
def test_the_network_can_take_trust_away_but_never_gives_it(
    standing: str | None, stir_verstat: str | None, expected: str
):
    assert level(standing, stir_verstat) == expected


@pytest.mark.parametrize(
    ("stir_verstat", "diverted"),
    [("TN-Validation-Passed-A-Diverted", True), ("TN-Validation-Passed-A", False), (None, False)],
)
def test_a_diverted_call_says_so(stir_verstat: str | None, diverted: bool):
    assert is_diverted(stir_verstat) is diverted


@pytest.mark.parametrize(
    ("from_", "owner_phone", "may"),
    [
        ("+12025550101", "+12025550101", True),
        ("+1 (202) 555-0101", "+12025550101", True),
        ("sip:+12025550101@pbx.example", "+12025550101", True),
        ("+12025550102", "+12025550101", False),
        ("+442025550101", "+12025550101", False),
        ("2025550101", "+12025550101", False),
        ("0012025550101", "+12025550101", False),
        ("sip:2025550101@pbx.example", "+12025550101", False),
        ("sip:owner@12025550101", "+12025550101", False),
        ("anonymous", "+12025550101", False),
        ("+266696687", "+266696687", False),
        (None, "+12025550101", False),
        ("+12025550101", "", False),
        (None, "", False),
        ("+", "+", False),
    ],
)
def test_keys_may_be_a_pin_only_on_a_call_that_shows_the_owners_number(
    from_: str | None, owner_phone: str, may: bool
):
    assert may_type_pin(read_caller(from_).identity, owner_phone) is may
