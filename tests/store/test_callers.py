"""What is kept about a number, whichever way it is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from assistant.errors import StoreError
from assistant.store import Store, callers, people
from assistant.store.callers import normalise, region_of
from assistant.store.query import read

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


def test_notes_stay_when_something_else_is_changed(store: Store) -> None:
    number = "+12025550123"
    store.write(callers.set_caller, number, notes=" Lives above\tthe bakery. \r\n\n Roof \x1b[2J\u2028! \n")
    notes = "Lives above the bakery.\n\n Roof [2J\n!"
    assert store.read(callers.kept, number) == {**NOTHING, "notes": notes}

    store.write(callers.set_caller, number, name="Ana", standing="known")
    store.write(callers.set_caller, number, standing="stranger", name="")
    assert store.read(callers.kept, number) == {**NOTHING, "notes": notes}
    assert store.write(callers.set_caller, number, notes="") == NOTHING
    assert not store.write(callers.remove, number)


def test_notes_that_are_too_long_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="2000"):
        store.write(callers.set_caller, "+12025550123", notes="x" * 2001)


# --- the list ----------------------------------------------------------------------


def everybody(store: Store, text: str = "", **page: int) -> list[tuple[str | None, int]]:
    found = store.read(people.page, read(text, region="US"), **{"limit": 50, **page})
    return [(row["number"], row["calls"]) for row in found.rows]


def test_everybody_is_listed_who_called_or_is_kept_the_last_to_call_first(
    store: Store, ring: Callable[..., bool], nine: datetime
) -> None:
    for n, number in enumerate(("+12025550123", None, "+442079460018", None, "+12025550123")):
        ring(f"CA{n}", from_number=number, started_at=nine + timedelta(hours=n))
    store.write(callers.set_caller, "+4930901820", name="Zoe")
    store.write(callers.set_caller, "+4930901821", name="Bea")
    store.write(callers.set_caller, "+442079460018", notes="Roof")

    assert everybody(store) == [
        ("+12025550123", 2),
        (None, 2),
        ("+442079460018", 1),
        ("+4930901821", 0),
        ("+4930901820", 0),
    ]
    assert everybody(store, limit=2, offset=2) == [("+442079460018", 1), ("+4930901821", 0)]
    assert store.read(people.page, read(""), limit=1).total == 5


def test_somebody_is_found_by_name_number_or_notes(store: Store, ring: Callable[..., bool]) -> None:
    ring("CA1", from_number="+12025550123", caller_name="A BAKER")
    ring("CA2", from_number=None)
    store.write(callers.set_caller, "+442079460018", name="Ana Müller", notes="Baker's wife")

    assert everybody(store, "baker") == [("+12025550123", 1), ("+442079460018", 0)]
    assert everybody(store, "ana mul") == everybody(store, "020 7946") == [("+442079460018", 0)]
    assert everybody(store, "(202) 555-0123") == everybody(store, "123") == [("+12025550123", 1)]
    assert everybody(store, "nobody") == []
    assert everybody(store, "withheld") == [(None, 1)]
    assert everybody(store, "-withheld -ana") == [("+12025550123", 1)]
    assert everybody(store, "is:stranger has:message") == everybody(store)
    assert everybody(store, "is:blocked") == []


def test_one_caller(store: Store, ring: Callable[..., bool], nine: datetime) -> None:
    ring("CA1", caller_name="OLD NAME", started_at=nine)
    ring("CA2", caller_name="A BAKER", started_at=nine + timedelta(hours=1))
    ring("CA3", started_at=nine + timedelta(hours=2))
    store.write(callers.set_caller, "+12025550123", name="Ana", notes="Roof", standing="known")

    assert store.read(people.one, "+12025550123") == {
        "number": "+12025550123",
        "calls": 3,
        "last_at": "2026-11-21T11:00:00.000Z",
        "kept_name": "Ana",
        "caller_name": "A BAKER",
        "standing": "known",
        "notes": "Roof",
    }
    assert store.read(people.one, "+1")["standing"] == "stranger"
    assert store.read(people.one, None)["calls"] == 0


def test_whoever_left_a_trace_is_there(
    store: Store, ring: Callable[..., bool], ask: Callable[..., Any]
) -> None:
    ring("CA1", from_number="odd one")
    store.write(callers.set_caller, "+442079460018", name="Ana")
    ask("CA2", number="+4930901820")

    there = ("odd one", "+442079460018", "+4930901820", "+12025550123", "")
    assert [store.read(people.is_there, number) for number in there] == [True, True, True, False, False]
