"""What a kill -9 in the middle of calls takes away, and what it does not."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from requests import Response

from assistant.audio import silence
from assistant.sandbox.caller.twilio_rest import Recording
from tests.telephony.far_end import Call, sid
from tests.whole_call.contract import breaches
from tests.whole_call.crashes import CALLERS, KILLS, Crash, Crashes
from tests.whole_call.house import House, eventually, free_port, telephone
from tests.whole_call.sound import RATE_HZ, read_recording

# The last second waits for its other side, and a stretch for being long enough to be written.
NOT_YET_WRITTEN_MS = 2000

EVERY_KILL = pytest.mark.parametrize("number", range(KILLS))


@pytest.fixture
def crash(crashes: Crashes, number: int) -> Crash:
    return crashes.all()[number]


@pytest.fixture(scope="module")
def get(crashes: Crashes) -> Iterator[Callable[..., Response]]:
    """The owner's browser, at the program that runs after the last kill."""
    crashes.all()
    with crashes.house.owner() as get:
        yield get


@EVERY_KILL
def test_a_finished_turn_survives(crashes: Crashes, crash: Crash) -> None:
    assert len(crash.before) == CALLERS
    for call_sid, before in crash.before.items():
        after = crashes.house.kept(call_sid)

        assert before["turns"]
        assert [turn for turn in before["turns"] if turn not in after["turns"]] == []


@EVERY_KILL
def test_the_next_start_closes_the_calls_as_interrupted(crash: Crash) -> None:
    for call_sid, before in crash.before.items():
        found = crash.interrupted[call_sid]

        assert (before["ended_at"], before["ended_because"]) == (None, None)
        assert found["ended_because"] == "interrupted"
        assert breaches(found) == []


@EVERY_KILL
def test_the_caller_follows_the_rest_of_the_document(crash: Crash) -> None:
    for record in crash.records:
        assert record.problems == ()
        assert record.verbs == ("Connect", "Say", "Record")
        assert record.ended_by == "caller"
        assert len(record.recordings) == 1


@EVERY_KILL
def test_the_voicemail_comes_home_at_the_next_start_and_is_deleted_there(
    crashes: Crashes, crash: Crash
) -> None:
    for record in crash.records:
        kept, [left] = crashes.house.kept(record.call_sid), record.recordings
        [voicemail] = [made for made in kept["recordings"] if made["kind"] == "voicemail"]

        assert (kept["outcome"], kept["ended_because"]) == ("voicemail", "interrupted")
        assert (crashes.house.instance_path / voicemail["file"]).read_bytes() == left.wav()
        assert left.deleted


@EVERY_KILL
def test_what_was_recorded_until_then_is_listed_and_can_be_played(
    crashes: Crashes, crash: Crash, get: Callable[..., Response]
) -> None:
    for record in crash.records:
        kept = crashes.house.kept(record.call_sid)
        [made] = [made for made in kept["recordings"] if made["kind"] == "call"]
        recording = read_recording(crashes.house.instance_path / made["file"])

        assert made["seconds"] == pytest.approx(recording.seconds, abs=0.01)
        assert recording.seconds * 1000 >= kept["turns"][-1]["ended_ms"] - NOT_YET_WRITTEN_MS
        assert recording.assistant
        page, sound = get(f"/calls/{record.call_sid}"), get(f"/calls/{record.call_sid}/audio.wav")
        assert (page.status_code, sound.status_code) == (200, 200)
        assert "audio.wav" in page.text
        with wave.open(io.BytesIO(sound.content)) as file:
            assert file.getnframes() / RATE_HZ == pytest.approx(made["seconds"], abs=0.01)


def test_calls_that_came_while_nobody_was_there_are_found_at_the_next_start(house: House) -> None:
    house.start().kill()
    ringing = house.ring("message")
    [missed] = ringing.report().calls  # nobody answers the webhook: the telephone company gives up
    rest = ringing.caller.rest
    apologised_to = a_call(1)
    left = Recording(apologised_to.call_sid, silence(2400), 3, ready=True)
    somebody_elses = Recording(sid("CA", 2), silence(1000), 1, ready=True)
    elsewhere = a_call(2, to_number="+12025550177")
    for call in (apologised_to, elsewhere):
        rest.add_call(call)
    for recording in (left, somebody_elses):
        rest.add_recording(recording)

    with rest.serving():
        house.start(TWILIO_API_URL=rest.url)
        eventually(lambda: left.deleted, "the recording is fetched and deleted")
        calls = eventually(lambda: len(house.all_kept()) == 2 and house.all_kept(), "both calls have a row")

    assert calls[missed.call_sid]["outcome"] == "missed"
    assert calls[apologised_to.call_sid]["outcome"] == "voicemail"
    [voicemail] = calls[apologised_to.call_sid]["recordings"]
    assert (house.instance_path / voicemail["file"]).read_bytes() == left.wav()
    assert not somebody_elses.fetched
    assert not somebody_elses.deleted


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with_telephone = House(tmp_path / "instance", **telephone(free_port(), "http://127.0.0.1:9"))
    yield with_telephone
    with_telephone.kill()


def a_call(number: int, **facts: str) -> Call:
    """A call that was answered a moment ago by the document for when we are down."""
    now = datetime.now(UTC)
    return Call(sid("CA", number), started_at=now, ended_at=now, **facts)
