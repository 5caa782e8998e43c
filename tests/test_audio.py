"""Mu-law, level, length, other rates and the WAV header."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant import audio
from assistant.audio import LiveDownsampler, LiveUpsampler
from tests.bench import sound

LATE = 1.5  # milliseconds each filter holds back
NOISE = np.random.default_rng(7).integers(-12_000, 12_000, 4_000).astype(np.int16)


def tone(hz: float, rate_hz: int, seconds: float = 1.0, peak: int = 10_000) -> NDArray[np.int16]:
    at = np.arange(int(rate_hz * seconds)) / rate_hz
    return np.round(peak * np.sin(2 * np.pi * hz * at)).astype(np.int16)


def strength_db(pcm: NDArray[np.int16], hz: float, rate_hz: int, peak: int = 10_000) -> float:
    """How strong a tone is in a signal, against one of that peak; the filter's start left out."""
    settled = pcm[rate_hz // 20 :][: rate_hz // 10 * 9].astype(float) * np.hanning(rate_hz // 10 * 9)
    at = np.arange(len(settled)) / rate_hz
    found = 2 * abs(np.mean(settled * np.exp(-2j * np.pi * hz * at))) / 0.5
    return float(20 * np.log10(found / peak + 1e-9))


# --- mu-law ------------------------------------------------------------------


def test_mu_law_knows_its_corners():
    """Values of G.711's table: the loudest, the softest, and both zeros."""
    pcm = audio.decode_ulaw(bytes([0x00, 0x80, 0x7F, 0xFF, 0x0F, 0xF0]))

    assert pcm.tolist() == [-32124, 32124, 0, 0, -16764, 120]


def test_decoding_and_encoding_gives_the_same_bytes_back():
    every = bytes(range(256))
    back = audio.encode_ulaw(audio.decode_ulaw(every))

    # Only the second zero comes back as the first.
    assert [a for a, b in zip(every, back, strict=True) if a != b] == [0x7F]


@given(st.integers(-32768, 32767))
def test_encoding_is_wrong_by_a_thirty_second_at_most(sample: int):
    """Sixteen steps to each doubling, so half a step is a thirty-second of where it begins."""
    back = int(audio.decode_ulaw(audio.encode_ulaw(np.array([sample], np.int16)))[0])

    assert abs(back - sample) <= (abs(sample) + 132) / 32


def test_length_level_and_silence():
    assert audio.duration_ms(audio.silence(20)) == 20
    assert audio.level(audio.silence(20)) == 0
    assert audio.level(b"") == 0
    assert audio.level(audio.encode_ulaw(tone(400, 8000))) == pytest.approx(10_000 / 2**0.5, rel=0.02)


# --- the live filter ---------------------------------------------------------


def in_blocks(stream: NDArray[np.int16], sizes: Iterable[int]) -> list[NDArray[np.int16]]:
    blocks, at = [], 0
    for size in sizes:
        blocks.append(stream[at : at + size])
        at += size
    return [*blocks, stream[at:]]


@given(st.lists(st.integers(0, 700), max_size=12))
def test_blocks_of_any_size_give_the_stream_of_one_block_up(sizes: list[int]):
    live = LiveUpsampler()

    together = np.concatenate([live.feed(block) for block in in_blocks(NOISE, sizes)])

    assert np.array_equal(together, LiveUpsampler().feed(NOISE))


@given(st.lists(st.integers(0, 700), max_size=12))
def test_blocks_of_any_size_give_the_stream_of_one_block_down(sizes: list[int]):
    live = LiveDownsampler()

    together = np.concatenate([live.feed(block) for block in in_blocks(NOISE, sizes)])

    assert np.array_equal(together, LiveDownsampler().feed(NOISE))


@given(st.integers(0, 2_000))
def test_three_samples_are_made_of_one_and_one_of_three(count: int):
    assert len(LiveUpsampler().feed(NOISE[:count])) == 3 * count
    assert len(LiveDownsampler().feed(NOISE[:count])) == -(-count // 3)


def test_each_filter_is_one_and_a_half_milliseconds_late():
    click = np.zeros(480, np.int16)
    click[240] = 20_000

    up, down = LiveUpsampler().feed(click), LiveDownsampler().feed(click)

    assert int(np.argmax(up)) - 3 * 240 == LATE * 24
    assert int(np.argmax(down)) - 240 // 3 == LATE * 8


@pytest.mark.parametrize("way", [sound.UP, sound.DOWN, sound.BOTH], ids=lambda way: way.name)
def test_what_a_telephone_carries_is_as_loud_as_through_soxr(way: sound.Way):
    for hz in sound.CARRIED_HZ:
        assert abs(sound.gain_db(way, hz)) < 0.03, hz


def test_images_of_speech_are_not_heard():
    for hz in sound.CARRIED_HZ:
        assert sound.images_db(hz) < -57, hz


def test_what_a_telephone_cannot_carry_does_not_fold_into_speech():
    for hz in sound.FOLDING_HZ:
        assert sound.aliases_db(hz) < -57, hz


@pytest.mark.parametrize(
    ("way", "late", "like_db"),
    [(sound.UP, LATE, 42), (sound.DOWN, LATE, 47), (sound.BOTH, 2 * LATE, 42)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_speech_is_soxr_s_and_hardly_late(way: sound.Way, late: float, like_db: float):
    """On time to the microsecond, and nearer to soxr's than mu-law is to what it was made of (38 dB)."""
    assert sound.filter_late_ms(way) == late
    assert sound.likeness_db(way) > like_db


@pytest.mark.parametrize("samples", [-17, 0, 36])
def test_lateness_is_found(samples: int):
    """The measure itself, on a sound that was moved by hand."""
    moved = np.roll(sound.speech(sound.BOTH), samples)

    assert sound.late_ms(moved, sound.speech(sound.BOTH), 8000) == pytest.approx(samples / 8, abs=0.001)


def test_speech_there_and_back_is_as_it_was():
    speech = np.convolve(NOISE, np.hanning(9) / np.hanning(9).sum(), "same").astype(np.int16)

    back = LiveDownsampler().feed(LiveUpsampler().feed(speech)).astype(int)

    late = int(2 * LATE * 8)
    error = back[late:] - speech[:-late]
    assert np.sqrt(np.mean(error[100:] ** 2.0)) < 0.01 * np.sqrt(np.mean(speech.astype(float) ** 2))


def test_a_steady_level_has_no_ripple_and_the_loudest_does_not_wrap():
    steady = np.full(400, 5_000, np.int16)
    assert set(LiveUpsampler().feed(steady)[200:].tolist()) == {5_000}

    square = np.tile(np.repeat(np.array([32767, -32768], np.int16), 40), 20)
    up = LiveUpsampler().feed(square).astype(int)
    assert np.abs(np.diff(up)).max() < 40_000


# --- whole files -------------------------------------------------------------


def test_a_whole_file_keeps_its_length_and_its_tone():
    pcm = audio.resample(tone(1000, 44_100), 44_100, 8000)

    assert pcm.dtype == np.int16
    assert len(pcm) == 8000
    assert strength_db(pcm, 1000, 8000) == pytest.approx(0, abs=0.05)


def test_a_wav_header_is_read_by_others():
    pcm = tone(400, 8000, 0.5).tobytes()
    file = io.BytesIO(audio.wav_header(rate_hz=8000, channels=2, pcm_bytes=len(pcm)) + pcm)

    with wave.open(file) as read:
        assert (read.getframerate(), read.getnchannels(), read.getsampwidth()) == (8000, 2, 2)
        assert read.getnframes() == 2000
