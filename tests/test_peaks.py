"""The outline of a recording."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.audio import wav_header
from assistant.peaks import MOST_STRETCHES, NOTHING, PIECE_FRAMES, outline

RATE_HZ = 8000
STRETCH = 400  # samples in 50 ms


def wav(samples: NDArray[np.int16], *, more_bytes: int = 0) -> io.BytesIO:
    """A file of samples of shape (frames, channels). more_bytes: what its header says there is besides."""
    header = wav_header(rate_hz=RATE_HZ, channels=samples.shape[1], pcm_bytes=samples.nbytes + more_bytes)
    return io.BytesIO(header + samples.astype("<i2").tobytes())


def silence(frames: int, channels: int = 2) -> NDArray[np.int16]:
    return np.zeros((frames, channels), np.int16)


def test_each_lane_has_the_loudest_sample_of_each_50_ms():
    samples = silence(3 * STRETCH)
    samples[10, 0] = 16384
    samples[STRETCH - 1, 0] = -3277
    samples[STRETCH, 1] = -32768
    samples[3 * STRETCH - 1, 1] = 3277

    drawn = outline(wav(samples))

    assert drawn.seconds == 0.15
    assert drawn.lanes == [[0.5, 0.0, 0.0], [0.0, 1.0, 0.1]]


def test_a_voicemail_has_one_lane_and_its_last_stretch_may_be_short():
    samples = silence(STRETCH + 7, 1)
    samples[-1] = 16384

    assert outline(wav(samples)).lanes == [[0.0, 0.5]]


def test_a_long_recording_has_no_more_points_than_a_screen():
    frames = 30 * 60 * RATE_HZ + 11
    samples = silence(frames, 1)
    samples[frames // 2] = 32767

    drawn = outline(wav(samples))

    (lane,) = drawn.lanes
    assert 0.9 * MOST_STRETCHES < len(lane) <= MOST_STRETCHES
    assert lane.index(1.0) == pytest.approx(len(lane) / 2, abs=1)


def test_pieces_are_put_together_without_a_seam():
    rng = np.random.default_rng(5)
    samples = rng.integers(-32768, 32767, (3 * PIECE_FRAMES + 123, 2)).astype(np.int16)

    drawn = outline(wav(samples))

    loudest = np.abs(samples.astype(np.int32))
    for lane in (0, 1):
        expected = [loudest[at : at + STRETCH, lane].max() / 32768 for at in range(0, len(samples), STRETCH)]
        assert drawn.lanes[lane] == pytest.approx(expected, abs=0.0006)


def test_a_file_that_ends_too_early_is_drawn_as_far_as_it_goes():
    whole = wav(silence(STRETCH), more_bytes=4000).getvalue()

    drawn = outline(io.BytesIO(whole + b"\x01"))  # and a frame that was torn

    assert drawn.seconds == 0.05
    assert drawn.lanes == [[0.0], [0.0]]


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"RIFF", b"nonsense" * 100, b"<script>" * 20),
        wav(silence(0)).getvalue(),
        wav(silence(400)).getvalue().replace(b"\x10\x00data", b"\x08\x00data"),  # of 8 bits
    ],
)
def test_what_cannot_be_read_looks_like_nothing(payload: bytes):
    assert outline(io.BytesIO(payload)) == NOTHING
