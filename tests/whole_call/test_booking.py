"""Two callers want the same hour, each rung by a command of its own; a third tries to read the calendar."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from tests.whole_call.bookings import Bookings, next_tuesday, runs
from tests.whole_call.contract import breaches
from tests.whole_call.house import Kept


def moments(kept: Kept, name: str, *, end: bool = False) -> list[datetime]:
    """When that tool was called in this call, or had answered."""
    began = datetime.fromisoformat(kept["answered_at"])
    return [
        began + timedelta(milliseconds=run["started_ms"] + (run["took_ms"] if end else 0))
        for run in runs(kept, name)
    ]


def test_all_calls_go_as_their_scripts_say(bookings: Bookings) -> None:
    for status, printed in bookings.ended():
        assert status == 0, printed
        assert printed.endswith("The call went as its script says.\n")


def test_both_are_booked_and_nobody_at_the_same_time(bookings: Bookings) -> None:
    quicker, slower, _ = bookings.exported()

    assert (quicker["outcome"], slower["outcome"]) == ("booked", "booked")
    [booked] = [run["result"] for run in runs(quicker, "add_event")]
    taken, instead = [run["result"] for run in runs(slower, "add_event")]
    assert (taken["ok"], taken["error"]) == (False, "taken")
    wanted = f"{next_tuesday()}T09:30"  # at nine there is something else
    assert booked["requested"]["start"] == wanted
    assert instead["requested"]["start"] == f"{taken['free'][0]['date']}T{taken['free'][0]['time']}"
    assert instead["requested"]["start"] >= booked["requested"]["end"]
    assert [breaches(kept) for kept in (quicker, slower)] == [[], []]


def test_both_had_been_offered_the_same_time(bookings: Bookings) -> None:
    both = bookings.exported()[:2]
    asked = [moments(kept, "find_free_times", end=True)[0] for kept in both]
    called = [moments(kept, "add_event")[0] for kept in both]

    assert max(asked) < min(called)
    offers = [runs(kept, "find_free_times")[0]["result"]["suggestions"][0]["time"] for kept in both]
    assert offers == ["09:30", "09:30"]


def test_the_second_hears_another_offer(bookings: Bookings) -> None:
    quicker, slower, _ = bookings.exported()
    said = [" ".join(turn["text"] for turn in kept["turns"]) for kept in (quicker, slower)]

    assert "I have Tuesday at nine thirty. Shall I put that down for you?" in said[0]
    assert "that time has just been taken. I have Tuesday at ten." in said[1]
    assert "I have asked for Tuesday at ten." in said[1]


def test_both_appointments_are_on_the_calendar_page(bookings: Bookings) -> None:
    both = bookings.exported()[:2]

    assert bookings.week().count("Appointment: Sam") >= len(both)
    for kept in both:
        assert f"/calls/{kept['call_sid']}" in bookings.week()


def test_nobody_learns_what_is_not_theirs(bookings: Bookings) -> None:
    printed = [text for _, text in bookings.ended()]

    assert all(kept["trust"] == "stranger" for kept in bookings.exported())
    for text in (*printed, json.dumps(bookings.exported())):
        assert "Quillfeather" not in text
    assert "Quillfeather" in bookings.week()  # it is there all the same
