"""Recordings, as somebody hears them who only wants to know when there was a voice."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.audio import decode_ulaw

RATE_HZ = 8000
FRAME_MS = 20
FRAME = RATE_HZ * FRAME_MS // 1000
LOUD = 100  # the voices are about 3000, a line's hiss below 20
PAUSE_MS = 500  # between words a voice is quiet for less


@dataclass(frozen=True)
class Voice:
    """A stretch of voice. Times from the beginning of the sound."""

    started_ms: int
    ended_ms: int

    @property
    def lasted_ms(self) -> int:
        return self.ended_ms - self.started_ms


def voices_in(samples: NDArray[np.int16]) -> list[Voice]:
    """The stretches of voice in a sound, in order."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.int32)
    loud_ms = np.flatnonzero(np.abs(whole).mean(axis=1) >= LOUD) * FRAME_MS
    if not len(loud_ms):
        return []
    after_a_pause = np.flatnonzero(np.diff(loud_ms) > PAUSE_MS)
    starts = loud_ms[np.r_[0, after_a_pause + 1]]
    ends = loud_ms[np.r_[after_a_pause, -1]] + FRAME_MS
    return [Voice(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def voices_heard(payload: bytes) -> list[Voice]:
    """The stretches of voice in mu-law."""
    return voices_in(decode_ulaw(payload))


@dataclass(frozen=True)
class Recording:
    """A call's recording: caller left, assistant right."""

    seconds: float
    caller: list[Voice]
    assistant: list[Voice]


def read_recording(path: Path) -> Recording:
    """Read a call's recording; fails when it is not the kind of WAV we promise."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE_HZ)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return Recording(len(samples) / RATE_HZ, voices_in(samples[:, 0]), voices_in(samples[:, 1]))


def assert_alike(voices: list[Voice], others: list[Voice], *, apart_ms: float, length_ms: float) -> None:
    """The same stretches at the same times, give or take."""
    assert len(voices) == len(others), (voices, others)
    for voice, other in zip(voices, others, strict=True):
        assert abs(voice.started_ms - other.started_ms) <= apart_ms, (voice, other)
        assert abs(voice.lasted_ms - other.lasted_ms) <= length_ms, (voice, other)
