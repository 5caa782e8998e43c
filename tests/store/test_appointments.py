"""What callers have booked or asked for: nobody gets a time that somebody else holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from assistant.errors import NoSuchEvent, SlotTaken
from assistant.store import Store, appointments, calls, export
from assistant.store.appointments import Booking
from tests.at_once import all_at_once

Ask = Callable[..., Booking]
ANA = "+12025550123"
HOUR = timedelta(hours=1)


def during(at: datetime, minutes: int = 30) -> tuple[datetime, datetime]:
    return (at, at + timedelta(minutes=minutes))


# --- holding a time ----------------------------------------------------------


def test_a_wish_is_kept_as_it_was_said(store: Store, ask: Ask, nine: datetime) -> None:
    asked = ask("CA1")

    assert asked == Booking(
        id=asked.id,
        call_sid="CA1",
        tool_call_id="call_1",
        number=ANA,
        trust="stranger",
        caller_name="Ana",
        title="About the roof",
        start=nine,
        end=nine + HOUR / 2,
        timezone="Europe/Berlin",
        status="requested",
        calendar="",
        event_id="event-of-CA1",
        created_at=nine,
        settled_at=None,
    )
    assert store.read(appointments.booking, asked.id) == asked
    assert store.read(appointments.of_tool_call, "CA1", "call_1") == asked
    assert store.read(appointments.by_event, "event-of-CA1") == asked
    assert store.read(appointments.of_call, "CA1") == [asked]


def test_nothing_is_found_where_nothing_is(store: Store, nine: datetime) -> None:
    assert store.read(appointments.booking, 1) is None
    assert store.read(appointments.by_event, "event") is None
    assert store.read(appointments.of_tool_call, "CA1", "call_1") is None
    assert store.read(appointments.of_call, "CA1") == []


@pytest.mark.parametrize("status", ["requested", "proposed", "unsure"])
def test_what_is_held_is_taken(store: Store, ask: Ask, nine: datetime, status: str) -> None:
    ask("CA1", status=status)

    with pytest.raises(SlotTaken):
        ask("CA2", clear=during(nine + HOUR / 4))
    assert store.read(appointments.of_call, "CA2") == []


@pytest.mark.parametrize("status", ["booked", "declined", "cancelled"])
def test_what_is_settled_holds_nothing(ask: Ask, nine: datetime, status: str) -> None:
    ask("CA1", status=status)

    assert ask("CA2", clear=during(nine)).call_sid == "CA2"


def test_times_that_only_touch_are_two_times(ask: Ask, nine: datetime) -> None:
    ask("CA1", at=nine)

    before, after = nine - HOUR / 2, nine + HOUR / 2
    assert ask("CA2", at=before, clear=during(before)).start == before
    assert ask("CA3", at=after, clear=during(after)).start == after
    with pytest.raises(SlotTaken):  # the wish fits, its buffer does not
        ask("CA4", at=nine + HOUR, clear=(nine + HOUR - timedelta(milliseconds=1), nine + 2 * HOUR))


def test_the_owner_may_hold_what_is_taken(ask: Ask, nine: datetime) -> None:
    ask("CA1")

    assert ask("CA2", clear=None).start == nine


def test_the_same_tool_call_is_one_booking_whatever_became_of_it(
    store: Store, ask: Ask, nine: datetime
) -> None:
    first = ask("CA1", clear=during(nine))

    assert ask("CA1", clear=during(nine), title="Something else") == first
    settled = store.write(appointments.settle, first.id, status="declined", now=nine + HOUR)
    assert ask("CA1", clear=during(nine)) == settled
    assert ask("CA1", tool_call_id="call_2", clear=during(nine)).id != first.id


@pytest.mark.parametrize("started", [True, False])
def test_of_twenty_who_want_the_same_time_at_once_one_gets_it(
    store: Store, ask: Ask, nine: datetime, started: bool
) -> None:
    if started:
        store.start()
    outcomes = all_at_once(20, lambda n: ask(f"CA{n}", clear=during(nine)), SlotTaken)

    assert store.stop(timeout_s=10)
    held = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
    assert store.read(appointments.requests) == held
    assert len(held) == 1


# --- what becomes of it ------------------------------------------------------


def test_a_booking_is_settled_and_can_become_unsure_again(store: Store, ask: Ask, nine: datetime) -> None:
    asked = ask("CA1")

    booked = store.write(
        appointments.settle, asked.id, status="booked", calendar="google", event_id="g1", now=nine + HOUR
    )
    assert (booked.status, booked.calendar, booked.event_id) == ("booked", "google", "g1")
    assert (booked.created_at, booked.settled_at) == (nine, nine + HOUR)
    assert store.read(appointments.requests) == []

    unsure = store.write(appointments.settle, asked.id, status="unsure", now=nine + 2 * HOUR)
    assert (unsure.calendar, unsure.event_id, unsure.settled_at) == ("google", "g1", None)
    assert store.read(appointments.requests) == [unsure]


def test_what_is_gone_cannot_be_settled_or_moved(store: Store, ask: Ask, nine: datetime) -> None:
    asked = ask("CA1")
    store.write(appointments.discard, asked.id)

    with pytest.raises(NoSuchEvent):
        store.write(appointments.settle, asked.id, status="booked", now=nine)
    with pytest.raises(NoSuchEvent):
        store.write(appointments.reschedule, asked.id, *during(nine), now=nine)


def test_what_was_refused_never_was(store: Store, ask: Ask, nine: datetime) -> None:
    asked = ask("CA1", status="unsure")

    store.write(appointments.discard, asked.id)
    store.write(appointments.discard, asked.id)

    assert store.read(appointments.booking, asked.id) is None
    assert ask("CA2", clear=during(nine)).start == nine


def test_another_time_is_proposed(store: Store, ask: Ask, nine: datetime) -> None:
    asked = ask("CA1")
    later = during(nine + HOUR, 45)

    moved = store.write(
        appointments.reschedule, asked.id, *later, status="proposed", clear=later, now=nine + HOUR
    )

    assert ((moved.start, moved.end), moved.status, moved.settled_at) == (later, "proposed", None)
    assert ask("CA2", clear=during(nine)).start == nine


def test_moving_looks_at_what_others_hold_and_not_at_itself(store: Store, ask: Ask, nine: datetime) -> None:
    asked = ask("CA1")
    ask("CA2", at=nine + HOUR)
    a_bit_later, onto_the_other = during(nine + HOUR / 4), during(nine + 3 * HOUR / 4)

    store.write(appointments.reschedule, asked.id, *a_bit_later, clear=a_bit_later, now=nine)
    with pytest.raises(SlotTaken):
        store.write(appointments.reschedule, asked.id, *onto_the_other, clear=onto_the_other, now=nine)

    there = store.read(appointments.booking, asked.id)
    assert there is not None
    assert ((there.start, there.end), there.status) == (a_bit_later, "requested")


def test_moving_what_is_booked_leaves_it_booked(store: Store, ask: Ask, nine: datetime) -> None:
    booked = ask("CA1", status="booked", calendar="embedded")

    moved = store.write(appointments.reschedule, booked.id, *during(nine + HOUR), now=nine + HOUR)

    assert (moved.status, moved.settled_at, moved.start) == ("booked", nine, nine + HOUR)


# --- looking -----------------------------------------------------------------


def test_what_holds_a_time_is_found_by_start(store: Store, ask: Ask, nine: datetime) -> None:
    late = ask("CA1", at=nine + HOUR)
    early = ask("CA2", at=nine, status="unsure", calendar="google")
    ask("CA3", at=nine, status="booked", calendar="google")
    ask("CA4", at=nine + 5 * HOUR)

    assert store.read(appointments.held, nine + HOUR / 4, nine + 2 * HOUR) == [early, late]
    assert store.read(appointments.held, nine + HOUR / 2, nine + HOUR) == []
    assert store.read(appointments.held, *during(nine, 120), without=early.event_id) == [late]
    assert [booking.call_sid for booking in store.read(appointments.requests)] == ["CA2", "CA1", "CA4"]


def test_a_number_finds_its_own_and_only_what_is_on(store: Store, ask: Ask, nine: datetime) -> None:
    late = ask("CA1", at=nine + HOUR, status="booked", calendar="embedded")
    early = ask("CA2", at=nine)
    ask("CA3", number="+12025550124")
    ask("CA4", number=None)
    for n, status in enumerate(("unsure", "declined", "cancelled")):
        ask(f"CA5{n}", status=status)

    assert store.read(appointments.of_number, ANA, nine) == [early, late]
    assert store.read(appointments.of_number, ANA, nine + HOUR) == [late]


def test_what_was_booked_is_listed_newest_first(store: Store, ask: Ask, nine: datetime) -> None:
    requested = ask("CA1")
    old = ask("CA2", status="booked", calendar="embedded", now=nine - HOUR)
    undone = ask("CA3", status="booked", calendar="embedded")
    ask("CA4", status="declined")
    taken_back = ask("CA5")
    store.write(appointments.settle, taken_back.id, status="cancelled", now=nine + HOUR)
    store.write(appointments.settle, undone.id, status="cancelled", now=nine + HOUR)
    approved = store.write(
        appointments.settle, requested.id, status="booked", calendar="embedded", now=nine + 2 * HOUR
    )

    made = store.read(appointments.made, nine)

    assert [booking.call_sid for booking in made] == ["CA1", "CA3"]
    assert made[0] == approved
    assert [booking.id for booking in store.read(appointments.made, nine - HOUR)][-1] == old.id


def test_what_turns_out_to_be_booked_when_the_call_is_over_is_its_outcome(
    store: Store, ring: Callable[..., bool], ask: Ask, nine: datetime
) -> None:
    ring("CA1")
    one = ask("CA1", status="unsure")
    store.write(calls.finish, "CA1", ended_at=nine, ended_because="caller_hung_up", usage={}, cost_usd=0.0,
                first_sound_ms=1, response_ms=[])  # fmt: skip
    before = store.read(export.export_call, "CA1")
    store.write(appointments.settle, one.id, status="booked", now=nine)
    after = store.read(export.export_call, "CA1")

    assert before is not None
    assert after is not None
    assert (before["outcome"], after["outcome"]) == ("missed", "booked")
    assert after["summary"] == "Booked: About the roof, Saturday, November 21, 10:00"
