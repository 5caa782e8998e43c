"""What the owner did while a call was running."""

from __future__ import annotations

from collections.abc import Callable

from assistant.store import Store, step_ins


def test_a_press_is_kept_once(store: Store, ring: Callable[..., bool]) -> None:
    ring()
    press = {"step_key": "key-00001", "kind": "hang_up", "text": "", "at_ms": 9000}

    assert store.write(step_ins.keep, "CA1", **press)
    assert not store.write(step_ins.keep, "CA1", **press)
    assert [(step["kind"], step["at_ms"]) for step in store.read(step_ins.of_call, "CA1")] == [
        ("hang_up", 9000)
    ]


def test_the_same_key_is_another_press_on_another_call(store: Store, ring: Callable[..., bool]) -> None:
    ring("CA1")
    ring("CA2")
    press = {"step_key": "key-00001", "kind": "tell", "text": "Wait.", "at_ms": 9000}

    assert store.write(step_ins.keep, "CA1", **press)
    assert store.write(step_ins.keep, "CA2", **press)


def test_they_are_told_in_their_order(store: Store, ring: Callable[..., bool]) -> None:
    ring()
    for n, (kind, at_ms) in enumerate([("ring", 8000), ("tell", 2000), ("ask", 2000)]):
        store.write(step_ins.keep, "CA1", step_key=f"key-{n}", kind=kind, text="", at_ms=at_ms)

    assert [step["kind"] for step in store.read(step_ins.of_call, "CA1")] == ["tell", "ask", "ring"]


def test_of_a_call_without_any_there_are_none(store: Store) -> None:
    assert store.read(step_ins.of_call, "CA1") == []
