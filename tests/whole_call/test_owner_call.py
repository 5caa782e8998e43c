"""The owner rings the assistant: the PIN opens the calendar, and the PIN is nowhere afterwards."""

from __future__ import annotations

import pytest

from assistant.sandbox.caller import CallRecord
from assistant.sandbox.caller.expect import reasons_against
from assistant.sandbox.lines import shipped
from tests.whole_call.contract import breaches
from tests.whole_call.house import Kept
from tests.whole_call.owner_calls import PIN, WithoutPin
from tests.whole_call.sound import read_recording
from tests.whole_call.stage import Stage


@pytest.fixture
def owner(stage: Stage) -> tuple[CallRecord, Kept]:
    """The owner's call: what the phone knows of it, and what is kept."""
    [call] = stage.calls("owner")
    return call


def test_the_owner_adds_hears_moves_and_cancels(owner: tuple[CallRecord, Kept]) -> None:
    record, kept = owner

    assert reasons_against(record, kept) == []
    assert breaches(kept) == []
    results = {run["name"]: run["result"] for run in kept["tool_runs"]}
    added, moved = results["add_event"], results["move_event"]
    assert (added["booked"]["weekday"], added["booked"]["start"][11:]) == ("Friday", "13:00")
    assert moved["moved"]["start"] == added["booked"]["start"].replace("T13", "T14")
    assert [event["title"] for event in results["list_events"]["events"]] == ["Lunch with Sam"]
    assert results["cancel_event"]["cancelled"]["start"] == moved["moved"]["start"]


def test_what_was_heard_is_what_the_calendar_said(owner: tuple[CallRecord, Kept]) -> None:
    _, kept = owner

    said = [turn["text"] for turn in kept["turns"] if turn["speaker"] == "assistant"]
    assert said[1:7] == [
        "Welcome. What can I do for you?",
        "It is down for Friday at one.",
        "You have Lunch with Sam, Friday at one.",
        "It is down for Friday at two.",
        "Press one, and it is cancelled.",
        "It is cancelled.",
    ]


def test_the_level_is_known_to_the_model_by_its_tools_alone(owner: tuple[CallRecord, Kept]) -> None:
    _, kept = owner

    assert kept["trust"] == "owner"
    assert [turn["text"] for turn in kept["turns"] if turn["speaker"] == "caller"] == [
        shipped()[line_id].text
        for line_id in ("owner-add", "owner-what", "owner-move", "owner-cancel", "thanks-bye")
    ]


def test_the_pin_is_nowhere(stage: Stage, owner: tuple[CallRecord, Kept]) -> None:
    record, _ = owner
    files = [path for path in stage.house.instance_path.rglob("*") if path.is_file()]

    assert record.streams[0].keys == f"{PIN}#1"
    assert stage.house.database in files
    assert not [path.name for path in files if PIN.encode() in path.read_bytes()]
    assert PIN not in stage.house.flask("export").stdout
    assert PIN not in stage.house.output
    assert " ".join(PIN) not in stage.house.flask("export").stdout  # as keys are told to the model


def test_the_recording_has_the_callers_words_and_not_the_tones_of_the_pin(
    stage: Stage, owner: tuple[CallRecord, Kept]
) -> None:
    record, kept = owner
    recording = read_recording(stage.house.instance_path / kept["recordings"][0]["file"])

    assert len(recording.caller) == len(record.spoken)
    for voice, spoken in zip(recording.caller, record.spoken, strict=True):
        assert abs(voice.lasted_ms - (spoken.ended_ms - spoken.started_ms)) < 100


def test_without_that_pin_the_command_says_what_to_do(without_pin: WithoutPin) -> None:
    status, printed = without_pin.ended()

    assert status == 1, printed
    assert "trust: stranger, expected owner" in printed
    assert f"types the PIN {PIN}. Set it with `flask pin`" in printed
    assert "list_events" not in printed.split("not as the script says")[0]
