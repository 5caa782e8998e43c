"""The same call with a Google account linked: the appointment is there, or becomes a message."""

from __future__ import annotations

from tests.whole_call.contract import breaches
from tests.whole_call.googles import Linked


def test_the_appointment_is_in_googles_calendar(linked: Linked) -> None:
    kept = linked.call()

    assert kept["outcome"] == "booked"
    [booked] = [run["result"] for run in kept["tool_runs"] if run["name"] == "add_event"]
    [event] = linked.google.shelf.alive()
    assert event["summary"] == "Appointment: Sam"
    assert event["start"]["dateTime"].startswith(booked["booked"]["start"])
    assert kept["call_sid"] in event["extendedProperties"]["private"].values()
    assert event["description"] == f"Booked by the assistant on a call from Sam, {kept['from']}."
    assert linked.google.problems == []
    assert breaches(kept) == []


def test_it_is_on_the_page_and_in_no_other_calendar(linked: Linked) -> None:
    kept = linked.call()
    [booked] = [run["result"]["booked"] for run in kept["tool_runs"] if run["name"] == "add_event"]

    week = linked.page(f"/calendar?week={booked['start'][:10]}")

    assert "Appointment: Sam" in week
    assert f"/calls/{kept['call_sid']}" in week
    assert "undo" in week.lower()
    said = linked.house.flask("doctor")
    assert said.returncode == 0, said.stdout


def test_with_a_dead_link_the_wish_becomes_a_message(unlinked_by_google: Linked) -> None:
    kept = unlinked_by_google.call()

    refused = [run for run in kept["tool_runs"] if not run["result"]["ok"]]
    assert {run["result"]["error"] for run in refused} == {"calendar_unavailable"}
    assert all(run["took_ms"] < 4_000 for run in refused)
    assert kept["outcome"] == "message"
    assert "Tuesday" in kept["message"]["text"]
    said = " ".join(turn["heard_text"] for turn in kept["turns"] if turn["speaker"] == "assistant")
    assert "can't see the calendar" in said
    assert breaches(kept) == []


def test_a_dead_link_is_told_on_the_page_and_by_the_doctor(unlinked_by_google: Linked) -> None:
    kept = unlinked_by_google.call()

    assert "/calendar/link" in unlinked_by_google.page("/calendar")
    assert "link again" in unlinked_by_google.page("/calendar").lower()
    said = unlinked_by_google.house.flask("doctor")
    assert said.returncode == 1
    assert "red    Google link: It is dead since" in said.stdout
    assert unlinked_by_google.google.shelf.items == {}
    assert kept["call_sid"]
