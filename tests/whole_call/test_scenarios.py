"""Every shipped scenario, whole: what the caller heard, what the program kept, and that the two agree."""

from __future__ import annotations

import json

import pytest

from assistant.sandbox.caller.expect import (
    CLOCKS_APART_MS,
    TOLERANCE_MS,
    heard_reasons,
    reasons_against,
    turns_within,
)
from assistant.sandbox.caller.script import known_scenarios
from tests.whole_call.contract import breaches
from tests.whole_call.house import Kept
from tests.whole_call.sound import RATE_HZ, Voice, assert_alike, read_recording, voices_heard
from tests.whole_call.stage import Stage

ALL = known_scenarios()
TALKED = sorted(set(ALL) - {"quota", "silence"})

RECORDED = sorted(set(ALL) - {"quota"})
ONE_STREAM = sorted(set(RECORDED) - {"transfer"})  # what was heard is told by the stream's own clock

# Sound is compared in frames of 20 ms, a stretch has two ends, and a machine may be late by as much again.
FRAMES_MS = 80


@pytest.mark.parametrize("name", ALL)
def test_a_scenario_goes_as_its_script_says(stage: Stage, name: str) -> None:
    report = stage.report(name)

    assert report.problems == ()
    assert [reasons_against(record, kept) for record, kept in stage.calls(name)] == [[]] * len(report.calls)


@pytest.mark.parametrize("name", ALL)
def test_what_is_kept_has_the_contracts_shape(stage: Stage, name: str) -> None:
    for record, kept in stage.calls(name):
        assert kept["call_sid"] == record.call_sid
        assert breaches(kept) == []


@pytest.mark.parametrize("name", ALL)
def test_turns_are_in_the_order_they_were_spoken(stage: Stage, name: str) -> None:
    for _, kept in stage.calls(name):
        turns = kept["turns"]
        assert [turn["n"] for turn in turns] == list(range(1, len(turns) + 1))
        assert [turn["started_ms"] for turn in turns] == sorted(turn["started_ms"] for turn in turns)
        for turn in turns:
            assert turn["started_ms"] + turn["heard_ms"] <= turn["ended_ms"] + TOLERANCE_MS
            assert turn["text"].startswith(turn["heard_text"])
            assert (turn["text"] != turn["heard_text"]) <= turn["interrupted"]


@pytest.mark.parametrize("name", TALKED)
def test_every_word_of_the_caller_is_kept_once(stage: Stage, name: str) -> None:
    for record, kept in stage.calls(name):
        said = [turn["text"] for turn in kept["turns"] if turn["speaker"] == "caller"]

        assert said == [spoken.text for spoken in record.spoken]


@pytest.mark.parametrize("name", TALKED)
def test_what_the_model_cost_and_how_long_it_took_is_kept(stage: Stage, name: str) -> None:
    for record, kept in stage.calls(name):
        answers = sum(turn["speaker"] == "caller" for turn in kept["turns"])
        first_sound_ms = record.streams[0].first_sound_ms

        assert 0 < kept["cost_usd"] < 1
        assert kept["usage"]["transcription_s"] > 0
        assert first_sound_ms is not None
        assert kept["first_sound_ms"] == pytest.approx(first_sound_ms, abs=CLOCKS_APART_MS)
        assert len(kept["response_ms"]) == answers
        assert all(0 < took < 5000 for took in kept["response_ms"])


def test_a_caller_is_greeted_at_once_by_a_model_that_never_speaks(stage: Stage) -> None:
    [(record, kept)] = stage.calls("quota")

    assert (kept["cost_usd"], kept["response_ms"]) == (0, [])
    assert kept["first_sound_ms"] == pytest.approx(record.streams[0].first_sound_ms, abs=CLOCKS_APART_MS)
    [greeting] = [turn for turn in kept["turns"] if turn["speaker"] == "assistant"]
    assert greeting["interrupted"]  # the apology comes first


def test_an_interrupted_reply_is_kept_as_far_as_the_phone_played_it(stage: Stage) -> None:
    [(record, kept)] = stage.calls("barge-in")
    [cut] = [stretch for stretch in record.heard if stretch.cut]

    assert cut.sent_ms > cut.played_ms + 1000  # there was something left to throw away
    assert list(heard_reasons(record, kept)) == []
    heard = turns_within(cut, kept)
    assert [turn["interrupted"] for turn in heard] == [False, True]
    assert 0 < len(heard[-1]["heard_text"]) < len(heard[-1]["text"])


# --- the recording -----------------------------------------------------------


@pytest.mark.parametrize("name", ONE_STREAM)
def test_the_recording_holds_what_was_heard_when_it_was_heard(stage: Stage, name: str) -> None:
    for record, kept in stage.calls(name):
        [made], [stream] = kept["recordings"], record.streams
        recording = read_recording(stage.house.instance_path / made["file"])

        assert made["kind"] == "call"
        assert made["seconds"] == pytest.approx(recording.seconds, abs=0.05)
        assert recording.seconds == pytest.approx(len(stream.playout.ear) / RATE_HZ, abs=1)
        heard = voices_heard(bytes(stream.playout.ear))
        assert_alike(recording.assistant, heard, apart_ms=CLOCKS_APART_MS, length_ms=FRAMES_MS)


@pytest.mark.parametrize("name", RECORDED)
def test_both_lanes_of_the_recording_agree_with_the_turns(stage: Stage, name: str) -> None:
    for record, kept in stage.calls(name):
        recording = read_recording(stage.house.instance_path / kept["recordings"][0]["file"])
        turns = {"caller": [], "assistant": []}
        for turn in kept["turns"]:
            turns[turn["speaker"]].append(turn)

        assert len(recording.caller) == len(turns["caller"]) == len(record.spoken)
        for voice, turn in zip(recording.caller, turns["caller"], strict=True):
            assert abs(voice.started_ms - turn["started_ms"]) <= CLOCKS_APART_MS
            assert voice.ended_ms <= turn["ended_ms"] + CLOCKS_APART_MS
        for turn in turns["assistant"]:
            [voice] = [one for one in recording.assistant if _covers(one, turn)]
            assert voice.ended_ms <= turns["assistant"][-1]["ended_ms"] + CLOCKS_APART_MS


def _covers(voice: Voice, turn: Kept) -> bool:
    """Whether that stretch of voice holds this turn, maybe with others spoken in one breath."""
    begins = voice.started_ms - CLOCKS_APART_MS <= turn["started_ms"]
    return begins and turn["ended_ms"] <= voice.ended_ms + CLOCKS_APART_MS


def test_the_voicemail_is_what_the_caller_said_after_the_tone(stage: Stage) -> None:
    [(record, kept)] = stage.calls("quota")
    [made] = [recording for recording in kept["recordings"] if recording["kind"] == "voicemail"]
    [left] = record.recordings

    assert (stage.house.instance_path / made["file"]).read_bytes() == left.wav()
    assert made["seconds"] == pytest.approx(len(left.payload) / 8000, abs=0.05)


def test_the_export_is_what_was_kept(stage: Stage) -> None:
    calls = {kept["call_sid"]: kept for name in ALL for _, kept in stage.calls(name)}

    printed = stage.house.flask("export")

    assert printed.returncode == 0
    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    assert {line["call_sid"]: line for line in lines if line["call_sid"] in calls} == calls
    assert [line["started_at"] for line in lines] == sorted(line["started_at"] for line in lines)
