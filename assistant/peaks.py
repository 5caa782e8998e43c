"""The outline of a recording: how loud each moment of it is, for the eye.

A page draws a call's sound before it has loaded any of it, so the outline is made here: for each stretch of
50 ms the loudest sample, and longer stretches where that would be more points than a screen has. The sound
is read piece by piece; of an hour there is never more than a piece in memory.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

STRETCH_MS = 50
MOST_STRETCHES = 2000
PIECE_FRAMES = 1 << 17  # read at a time: half a megabyte of two lanes
SAMPLE_BYTES = 2
FULL_SCALE = 32768


@dataclass(frozen=True, slots=True)
class Outline:
    """`lanes`: for each channel the loudest sample of each stretch, 0.0 .. 1.0, all equally long."""

    seconds: float
    lanes: list[list[float]]


NOTHING = Outline(0.0, [])


def outline(file: BinaryIO) -> Outline:
    """The outline of an open WAV file of 16-bit samples; NOTHING where it is no such file.

    A file that ends before its header says so is drawn as far as it goes.
    """
    try:
        with wave.open(file, "rb") as sound:
            return _outline(sound)
    except (wave.Error, EOFError):
        return NOTHING


def _outline(sound: wave.Wave_read) -> Outline:
    rate_hz = sound.getframerate()
    if sound.getsampwidth() != SAMPLE_BYTES or not rate_hz:
        return NOTHING
    stretch = max(rate_hz * STRETCH_MS // 1000, -(-sound.getnframes() // MOST_STRETCHES), 1)
    pieces, frames = [], 0
    while len(samples := _read(sound, stretch)):
        pieces.append(_loudest(samples, stretch))
        frames += len(samples)
    if not pieces:
        return NOTHING
    levels = np.round(np.concatenate(pieces) / FULL_SCALE, 3)
    return Outline(round(frames / rate_hz, 3), levels.T.tolist())


def _read(sound: wave.Wave_read, stretch: int) -> NDArray[np.int16]:
    """The next whole stretches, shape (frames, channels); what is left at the end, empty after it."""
    channels = sound.getnchannels()
    payload = sound.readframes(max(1, PIECE_FRAMES // stretch) * stretch)
    whole = len(payload) - len(payload) % (SAMPLE_BYTES * channels)  # a frame torn by a full disk
    return np.frombuffer(payload[:whole], "<i2").reshape(-1, channels)


def _loudest(samples: NDArray[np.int16], stretch: int) -> NDArray[np.int32]:
    """The loudest sample of each stretch and channel; the last stretch may be short."""
    starts = np.arange(0, len(samples), stretch)
    high = np.maximum.reduceat(samples, starts, axis=0).astype(np.int32)
    low = np.minimum.reduceat(samples, starts, axis=0).astype(np.int32)
    return np.maximum(high, -low)
