"""What is kept about a number, whichever way it is written."""

from __future__ import annotations

import pytest

from assistant.errors import StoreError
from assistant.store import Store, callers
from assistant.store.callers import normalise, region_of

NOTHING = {"name": None, "standing": "stranger"}


@pytest.mark.parametrize(
    ("written", "region", "kept"),
    [
        ("+12025550123", None, "+12025550123"),
        ("+1 (202) 555-0123", None, "+12025550123"),
        ("202.555.0123", "US", "+12025550123"),
        ("030 901820", "DE", "+4930901820"),
        ("+49 30 901820", "US", "+4930901820"),
        ("sip:ana@Example.com", None, "sip:ana@example.com"),
        ("SIPS:ana@example.com:5061;transport=tls", None, "sip:ana@example.com"),
    ],
)
def test_a_number_is_kept_in_one_form(written: str, region: str | None, kept: str) -> None:
    assert normalise(written, region=region) == kept


@pytest.mark.parametrize(
    ("nonsense", "region"),
    [
        ("", None),
        ("anonymous", None),
        ("2025550123", None),
        ("+1", None),
        ("+999123456789", None),
        ("12", "US"),
        ("+1202555012345678", None),
        ("1-800-FLOWERS", "US"),
        ("+12025550123\n<Reject/>", None),
        ("sip:", None),
        ("sip:ana", None),
        ("sip:ana@exa mple.com", None),
        ("(((", "US"),
    ],
)
def test_nonsense_is_refused_in_one_line(nonsense: str, region: str | None) -> None:
    with pytest.raises(StoreError, match=r"^[^\n]+$"):
        normalise(nonsense, region=region)


def test_a_number_says_its_country() -> None:
    assert [region_of("+12025550100"), region_of("+4930901820")] == ["US", "DE"]
    assert [region_of(None), region_of(""), region_of("sip:a@b.c")] == [None, None, None]


def test_what_is_kept_is_changed_one_thing_at_a_time(store: Store) -> None:
    number = "+12025550123"
    assert store.read(callers.standing, number) == NOTHING
    assert store.read(callers.standing, None) == NOTHING

    store.write(callers.set_caller, number, name="  Ana \t B.")
    assert store.read(callers.standing, number) == {"name": "Ana B.", "standing": "stranger"}
    store.write(callers.set_caller, number, standing="known")
    assert store.read(callers.standing, number) == {"name": "Ana B.", "standing": "known"}
    store.write(callers.set_caller, number, standing="blocked", name="")
    assert store.read(callers.standing, number) == {"name": None, "standing": "blocked"}


def test_a_nameless_stranger_is_not_kept(store: Store) -> None:
    store.write(callers.set_caller, "+12025550123", standing="known")
    assert store.write(callers.set_caller, "+12025550123", standing="stranger") == NOTHING

    assert not store.write(callers.remove, "+12025550123")


@pytest.mark.parametrize("name", ["x" * 81, "Ana\x1b[2J"])
def test_a_name_that_cannot_be_shown_is_refused(store: Store, name: str) -> None:
    with pytest.raises(StoreError):
        store.write(callers.set_caller, "+12025550123", name=name)
