"""What came of a call, by rule."""

from __future__ import annotations

import pytest

from assistant.store.outcome import (
    IN_WORDS,
    Booking,
    Record,
    last_booking,
    one_line,
    outcome,
    read_booking,
    summary,
)

# Everything that can be true at once: taken away in the contract's order, the next one shows.
ALL = {
    "ended_because": "transferred",
    "blocked": True,
    "owner_accepted": True,
    "had_stream": True,
    "left_voicemail": True,
    "message": "Call me back.",
    "booking": Booking("Haircut", "2026-12-01 14:00"),
    "caller_words": "Hello?",
}


def test_the_first_outcome_that_is_true_is_the_call_s() -> None:
    facts = dict(ALL)
    found = [outcome(Record(**facts))]
    for change in (
        {"blocked": False},
        {"owner_accepted": False},
        {"ended_because": "caller_hung_up"},
        {"booking": None},
        {"message": None},
        {"left_voicemail": False},
        {"caller_words": " "},
    ):
        facts |= change
        found.append(outcome(Record(**facts)))

    assert found == [
        "blocked",
        "answered_by_owner",
        "transferred",
        "booked",
        "message",
        "voicemail",
        "talked",
        "no_message",
    ]


def test_missed_is_whoever_was_gone_before_anything_took_the_call() -> None:
    assert outcome(Record("caller_hung_up")) == "missed"
    assert outcome(Record("caller_hung_up", had_stream=True)) == "no_message"
    assert outcome(Record("caller_hung_up", voicemail_offered=True)) == "no_message"
    assert outcome(Record("caller_hung_up", owner_accepted=True)) == "answered_by_owner"
    assert outcome(Record("rejected", blocked=True)) == "blocked"


def test_a_recording_made_while_nobody_watched_is_a_voicemail() -> None:
    assert outcome(Record("caller_hung_up", left_voicemail=True)) == "voicemail"


def test_the_summary_is_the_message_else_the_booking_else_the_words_else_the_outcome() -> None:
    facts = ALL | {"blocked": False, "owner_accepted": False, "ended_because": "caller_hung_up"}

    assert summary(Record(**facts)) == "Call me back."
    assert summary(Record(**facts | {"message": None})) == "Booked: Haircut, 2026-12-01 14:00"
    assert summary(Record(**facts | {"message": None, "booking": None})) == "Hello?"
    assert summary(Record("caller_hung_up", left_voicemail=True)) == "Left a recording."
    assert summary(Record("silence", had_stream=True)) == "Left no message."


def test_every_outcome_has_words() -> None:
    assert len(IN_WORDS) == 9
    assert all(one_line(words) == words for words in IN_WORDS.values())


def test_a_summary_is_one_line_whatever_the_caller_said() -> None:
    assert summary(Record("silence", caller_words="one\n\ttwo\u2028three  ")) == "one two three"


def test_too_long_a_text_is_cut_at_a_word() -> None:
    assert one_line("please call, me back", 14) == "please call…"
    assert len(one_line("x" * 2000)) == 500


@pytest.mark.parametrize(
    ("result", "booking"),
    [
        ({"ok": True, "booked": {"say": "Tuesday, 2 PM"}}, Booking("Haircut", "Tuesday, 2 PM")),
        ({"ok": True, "requested": {"say": "Tuesday"}}, Booking("Haircut", "Tuesday", requested=True)),
        ({"ok": True, "status": "requested"}, Booking("Haircut", "2026-12-01 14:00", requested=True)),
        ({"ok": True}, Booking("Haircut", "2026-12-01 14:00")),
        ({"ok": False, "error": "taken"}, None),
        ({}, None),
    ],
)
def test_a_booking_is_read_from_the_tool_s_answer(result: dict, booking: Booking | None) -> None:
    asked = {"title": "Haircut", "date": "2026-12-01", "time": "14:00"}

    assert read_booking(asked, result) == booking


def booked(say: str) -> dict[str, object]:
    return {"ok": True, "status": "confirmed", "event_id": "e1", "booked": {"say": say}}


ADDED = ("add_event", {"title": "Lunch"}, booked("Friday at one"))
MOVED = ("move_event", {"event_id": "e1"}, {"ok": True, "moved": {"say": "Friday at two"}})
ASKED = ("cancel_event", {"event_id": "e1"}, {"ok": True, "cancelled": False, "waits_for_key": "1"})
CANCELLED = ("cancel_event", {"event_id": "e1"}, {"ok": True, "cancelled": {"say": "Friday at two"}})


def test_a_booking_that_was_moved_on_the_same_call_has_its_new_time():
    assert last_booking([ADDED, MOVED, ASKED]) == Booking("Lunch", "Friday at two")


def test_a_booking_that_was_cancelled_on_the_same_call_never_was():
    assert last_booking([ADDED, MOVED, ASKED, CANCELLED]) is None


def test_somebody_elses_appointment_that_was_moved_is_no_booking_of_this_call():
    assert last_booking([MOVED, CANCELLED]) is None


def test_the_newest_of_several_bookings_counts():
    later = {**booked("Monday at nine"), "event_id": "e2"}

    assert last_booking([ADDED, ("add_event", {"title": "Dentist"}, later)]) == Booking(
        "Dentist", "Monday at nine"
    )
