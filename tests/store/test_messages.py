"""What callers leave for the owner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from assistant.store import Store, messages
from assistant.store.export import export_call

Ring = Callable[..., bool]
WISH = "Would like an appointment: Tuesday."


def leave(store: Store, at: datetime, text: str, call_sid: str = "CA1", **more: Any) -> None:
    given = {"name": None, "callback_number": None, "urgency": "normal", "created_at": at}
    store.write(messages.add, call_sid, text=text, **{**given, **more})


def add_to(store: Store, at: datetime, text: str, call_sid: str = "CA1", **more: Any) -> None:
    given = {"name": None, "callback_number": "+12025550123", "created_at": at}
    store.write(messages.add_to, call_sid, text=text, **{**given, **more})


def kept(store: Store, call_sid: str = "CA1") -> Any:
    call = store.read(export_call, call_sid)
    assert call is not None
    return call["message"]


def test_what_is_added_to_nothing_is_a_message(store: Store, ring: Ring, nine: datetime):
    ring("CA1")

    add_to(store, nine, WISH, name="Ana")

    assert kept(store) == {
        "name": "Ana",
        "callback_number": "+12025550123",
        "text": WISH,
        "urgency": "normal",
    }


def test_what_is_added_comes_after_what_was_said(store: Store, ring: Ring, nine: datetime):
    ring("CA1")
    leave(store, nine, "It rains in.", name="Ana", callback_number="+12025550188", urgency="high")

    add_to(store, nine, WISH)

    assert kept(store) == {
        "name": "Ana",
        "callback_number": "+12025550188",
        "text": f"It rains in. {WISH}",
        "urgency": "high",
    }


def test_a_name_that_is_known_by_now_is_the_better_one(store: Store, ring: Ring, nine: datetime):
    ring("CA1")
    leave(store, nine, "It rains in.", name="Anna")

    add_to(store, nine, WISH, name="Ana Kessler")

    assert kept(store)["name"] == "Ana Kessler"


def test_the_same_added_twice_is_there_once(store: Store, ring: Ring, nine: datetime):
    ring("CA1")

    for text in (WISH, WISH, "And another.", WISH):
        add_to(store, nine, text)

    assert kept(store)["text"] == f"{WISH} And another."


def test_only_the_newest_message_of_a_call_is_added_to(store: Store, ring: Ring, nine: datetime):
    ring("CA1")
    ring("CA2")
    leave(store, nine, "Wrong.")
    leave(store, nine, "Right.")
    leave(store, nine, "Somebody else's.", "CA2")

    add_to(store, nine, WISH)

    assert (kept(store)["text"], kept(store, "CA2")["text"]) == (f"Right. {WISH}", "Somebody else's.")


def test_the_newest_of_each_call_are_found_newest_first(store: Store, ring: Ring, nine: datetime):
    for number in range(4):
        ring(f"CA{number}", from_number=f"+1202555012{number}" if number else None)
        leave(store, nine, "Wrong.", f"CA{number}")
    for number in range(4):
        at = nine + timedelta(hours=number)
        leave(store, at, f"Number {number}.", f"CA{number}", name="Ana", urgency="low")

    found = store.read(messages.newest, 3)

    assert [one["text"] for one in found] == ["Number 3.", "Number 2.", "Number 1."]
    assert found[0] == {
        "from_number": "+12025550123",
        "name": "Ana",
        "callback_number": None,
        "text": "Number 3.",
        "urgency": "low",
        "created_at": nine + timedelta(hours=3),
    }
    rest = store.read(messages.newest, 10, not_of="CA3")
    assert [one["text"] for one in rest] == ["Number 2.", "Number 1.", "Number 0."]
    assert rest[-1]["from_number"] is None


def test_no_messages_are_none(store: Store):
    assert store.read(messages.newest, 10) == []
