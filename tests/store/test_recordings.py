"""The call's recording: two lanes, aligned, on disk while the call runs."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.audio import decode_ulaw, silence
from assistant.call.keypad import FIRST_TONE_MS
from assistant.store.recordings import HOLD_BACK_MS, CallRecorder, Lanes, append, seconds_of

LOUD = b"\x80"
SOFT = b"\xc0"


def frame(ms: int, byte: bytes = LOUD) -> bytes:
    return byte * (8 * ms)


def lanes_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return samples[:, 0], samples[:, 1]


def loud_from_ms(lane: np.ndarray) -> int:
    return int(np.argmax(np.abs(lane) > 100)) // 8


def test_both_sides_are_where_they_were_heard(tmp_path):
    recorder = CallRecorder(tmp_path, "CA1")
    for at_ms in range(0, 3000, 20):
        recorder.caller(frame(20) if at_ms >= 1000 else silence(20), at_ms)
    recorder.assistant(frame(500, SOFT), 2000)
    seconds = recorder.close()

    caller, assistant = lanes_of(tmp_path / "CA1.wav")
    assert seconds == pytest.approx(3.0, abs=0.01)
    assert loud_from_ms(caller) == 1000
    assert loud_from_ms(assistant) == pytest.approx(2000, abs=500)
    assert np.count_nonzero(assistant) == 500 * 8


def test_a_caller_who_is_silent_for_the_recording_leaves_an_aligned_assistant(tmp_path):
    recorder = CallRecorder(tmp_path, "CA1")
    recorder.assistant(frame(1000), 700)
    recorder.assistant(frame(1000), 1700)
    recorder.close()

    caller, assistant = lanes_of(tmp_path / "CA1.wav")
    assert loud_from_ms(assistant) == 700
    assert len(caller) == len(assistant) == 2700 * 8
    assert not np.any(caller)


def test_the_file_is_whole_while_the_call_still_runs(tmp_path):
    recorder = CallRecorder(tmp_path, "CA1")
    path = tmp_path / "CA1.wav"
    for at_ms in range(0, 5000, 20):
        recorder.caller(frame(20), at_ms)
    recorder.close()
    append(str(path), frame(100), frame(100))

    assert seconds_of(path) == pytest.approx(5.1)
    assert len(lanes_of(path)[0]) == 5100 * 8


def test_a_frame_torn_by_a_full_disk_is_dropped_and_the_rest_goes_on(tmp_path):
    path = tmp_path / "CA1.wav"
    append(str(path), frame(100), frame(100))
    with path.open("ab") as file:
        file.write(b"\x01\x02\x03")
    append(str(path), frame(100), frame(100))

    caller, _ = lanes_of(path)
    assert len(caller) == 200 * 8
    assert set(caller.tolist()) == set(decode_ulaw(LOUD).tolist())
    assert struct.unpack("<I", path.read_bytes()[40:44])[0] == path.stat().st_size - 44


def test_nothing_heard_leaves_no_file(tmp_path):
    recorder = CallRecorder(tmp_path, "CA1")

    assert recorder.close() == 0.0
    assert not (tmp_path / "CA1.wav").exists()


def test_a_disk_that_fails_ends_the_recording_and_not_the_call(tmp_path, caplog):
    recorder = CallRecorder(tmp_path, "CA1")
    (tmp_path / "CA1.wav").mkdir()
    for at_ms in range(0, 2000, 20):
        recorder.caller(frame(20), at_ms)

    recorder.close()
    assert "cannot be written" in caplog.text


def test_jitter_is_not_heard_as_gaps():
    lanes = Lanes()
    for number in range(100):
        lanes.assistant(frame(20), number * 20 + (number % 3) * 15)

    _, assistant = lanes.take(everything=True)
    assert assistant == frame(2000)


def test_a_time_no_call_can_have_is_not_filled_with_silence():
    lanes = Lanes()
    lanes.caller(frame(20), 0)
    lanes.caller(frame(20), 10**14)
    lanes.caller(frame(20), 20)

    assert lanes.take(everything=True)[0] == frame(40)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400), st.integers(0, 4000)), max_size=40))
def test_no_sound_is_lost_and_lanes_are_equally_long(pieces):
    lanes = Lanes()
    taken = [b"", b""]
    sent = [0, 0]
    for is_caller, length_ms, at_ms in pieces:
        (lanes.caller if is_caller else lanes.assistant)(frame(length_ms), at_ms)
        sent[0 if is_caller else 1] += 8 * length_ms
        for lane, part in enumerate(lanes.take()):
            taken[lane] += part
    for lane, part in enumerate(lanes.take(everything=True)):
        taken[lane] += part

    assert len(taken[0]) == len(taken[1])
    assert [lane.count(LOUD) for lane in taken] == sent


def test_a_key_that_was_held_down_until_it_is_known_is_still_held_back():
    assert HOLD_BACK_MS >= FIRST_TONE_MS


def test_what_nobody_is_to_hear_is_taken_out_of_what_is_not_written_yet(tmp_path):
    recorder = CallRecorder(tmp_path, "CA1")
    for at_ms in range(0, 3000, 20):
        recorder.caller(frame(20), at_ms)
        recorder.assistant(frame(20, SOFT), at_ms)
    recorder.silence_caller(1_000)
    recorder.caller(frame(20), 3000)
    recorder.close()

    caller, assistant = lanes_of(tmp_path / "CA1.wav")
    assert np.all(np.abs(caller[: 2_000 * 8]) > 100)
    assert not np.any(caller[2_000 * 8 : 3_000 * 8])
    assert np.all(np.abs(caller[3_000 * 8 :]) > 100)
    assert np.all(np.abs(assistant[: 3_000 * 8]) > 100)
