"""Sound as it travels on the model's socket: mu-law at 8 kHz or 16-bit samples at 24 kHz.

Inside the sandbox everything is 8 kHz. The way there and back is a plain windowed-sinc low-pass with every
third sample kept, or with two zeros put between samples; it has nothing in common with the program's own
filter, so that a mistake in one of the two can be heard.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assistant import audio

Format = Literal["audio/pcmu", "audio/pcm"]
BYTES_PER_MS = {"audio/pcmu": 8, "audio/pcm": 48}
TAPS = 61
CUTOFF = 3600 / 24000  # of the 24 kHz rate; a telephone carries nothing above it


def _low_pass() -> NDArray[np.float64]:
    at = np.arange(TAPS) - (TAPS - 1) / 2
    taps = 2 * CUTOFF * np.sinc(2 * CUTOFF * at) * np.hamming(TAPS)
    return np.asarray(taps / taps.sum(), np.float64)


LOW_PASS = _low_pass()


class Inlet:
    """Turns the bytes a client appends into 8 kHz samples; what a piece leaves over waits for the next."""

    def __init__(self, fmt: Format) -> None:
        self.fmt = fmt
        self._odd = b""
        self._past = np.zeros(TAPS - 1)

    def take(self, wire: bytes) -> NDArray[np.int16]:
        if self.fmt == "audio/pcmu":
            return audio.decode_ulaw(wire)
        wire = self._odd + wire
        whole = len(wire) // 2 * 2
        self._odd = wire[whole:]
        return self._every_third(np.frombuffer(wire[:whole], "<i2").astype(np.float64))

    def _every_third(self, fast: NDArray[np.float64]) -> NDArray[np.int16]:
        pending = np.concatenate([self._past, fast])
        count = max(0, (len(pending) - TAPS + 1) // 3)
        smooth = np.convolve(pending, LOW_PASS, "valid")[: count * 3 : 3] if count else np.zeros(0)
        self._past = pending[count * 3 :]
        return np.clip(np.rint(smooth), -32768, 32767).astype(np.int16)


def outlet(payload: bytes, fmt: Format) -> bytes:
    """A whole line of 8 kHz mu-law in the client's format; the same length in time."""
    if fmt == "audio/pcmu":
        return payload
    slow = audio.decode_ulaw(payload).astype(np.float64)
    if not len(slow):
        return b""
    fast = np.zeros(len(slow) * 3)
    fast[::3] = slow * 3  # the two zeros between samples take two thirds of the energy away
    smooth = np.convolve(fast, LOW_PASS)[(TAPS - 1) // 2 :][: len(fast)]
    return np.clip(np.rint(smooth), -32768, 32767).astype("<i2").tobytes()
