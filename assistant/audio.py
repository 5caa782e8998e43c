"""Sound as bytes: mu-law, level, silence, other rates, WAV. Pure.

Inside the program call audio is 8 kHz mu-law, one byte a sample, 8 bytes a millisecond.
Whoever needs another form converts at the edge: `realtime` when the model side speaks only
PCM, the recorder, the pages.
"""

from __future__ import annotations

import struct

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

BYTES_PER_MS = 8
SILENCE = b"\xff"


def _decoding_table() -> NDArray[np.int16]:
    """The linear value of each mu-law byte. Source: ITU-T G.711, tables 2a and 2b."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    segment, step = (code >> 4) & 7, code & 15
    magnitude = ((2 * step + 33) << segment) * 4 - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _encoding_table() -> NDArray[np.uint8]:
    """The mu-law byte of each 16-bit sample, indexed by the sample as uint16."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(sample), 32635) + 132
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    step = (magnitude >> (segment + 3)) & 15
    sign = np.where(sample < 0, 0x80, 0)
    return np.asarray(~(sign | (segment << 4) | step) & 0xFF, np.uint8)


_LINEAR = _decoding_table()
_ULAW = _encoding_table()


def decode_ulaw(payload: bytes) -> NDArray[np.int16]:
    """Expand mu-law to linear samples.

    payload: mono, 8 kHz, one byte per sample; may be empty.
    Returns shape (len(payload),), values in -32124..32124.
    Source: ITU-T G.711, tables 2a and 2b.
    """
    return _LINEAR[np.frombuffer(payload, np.uint8)]


def encode_ulaw(pcm: NDArray[np.int16]) -> bytes:
    """Compress linear samples to mu-law, one byte each. Source: ITU-T G.711."""
    return _ULAW[pcm.astype(np.int16, copy=False).view(np.uint16)].tobytes()


def silence(ms: int) -> bytes:
    """Mu-law silence of that length."""
    return SILENCE * (BYTES_PER_MS * ms)


def level(payload: bytes) -> float:
    """Root mean square of a mu-law payload on the linear scale (0 .. 32124); 0.0 when empty."""
    if not payload:
        return 0.0
    pcm = decode_ulaw(payload).astype(np.float32)
    return float(np.sqrt(np.mean(pcm * pcm)))


def duration_ms(payload: bytes) -> int:
    """Length of a mu-law payload in whole milliseconds."""
    return len(payload) // BYTES_PER_MS


# --- another rate --------------------------------------------------------------------------
#
# Where the model side speaks only PCM, calls are resampled live, 8 <-> 24 kHz. A soxr *stream*
# would hold back 40 to 73 ms of audio each way; the filter below holds back 1.5 ms. It is a
# linear-phase low-pass of 73 taps at 24 kHz: flat to 3.4 kHz (all a telephone carries), 59 dB
# down from 4.6 kHz, where the images and aliases of that band begin.

_RATIO = 3
_TAPS = 73
_SCALE = 1 << 15


def _low_pass() -> NDArray[np.float64]:
    """The filter's taps as whole numbers, times 2^15.

    Whole numbers times whole samples add up exactly in a float64, in whatever order the
    processor adds them: so a stream cut into other blocks gives the very same samples.
    """
    at = np.arange(_TAPS) - _TAPS // 2
    ideal = np.sinc(at / _RATIO) / _RATIO  # cut-off 4 kHz of 24 kHz
    taps = ideal * np.kaiser(_TAPS, 5.65)  # 5.65: for about 60 dB
    return np.asarray(np.round(taps / taps.sum() * _SCALE), np.float64)


_LOW_PASS = _low_pass()
_BEHIND = _TAPS // _RATIO  # samples at 8 kHz a new one is mixed with


def _phases() -> NDArray[np.float64]:
    """The low-pass as one short filter for each of the three samples made of one.

    Each phase sums to exactly 1: were they unlike, a steady level would come out as a tone.
    """
    padded = np.zeros((_BEHIND + 1) * _RATIO)
    padded[:_TAPS] = _LOW_PASS * _RATIO
    # Row k holds the taps for a sample k places back; windows run the other way round.
    bank = padded.reshape(_BEHIND + 1, _RATIO)[::-1].copy()
    bank[_BEHIND // 2] += _SCALE - bank.sum(axis=0)
    return bank


_PHASES = _phases()


def _to_int16(sums: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(np.rint(sums / _SCALE), -32768, 32767).astype(np.int16)


class LiveUpsampler:
    """A stream from 8 to 24 kHz, 1.5 ms late. One per direction of a connection."""

    def __init__(self) -> None:
        self._past = np.zeros(_BEHIND, np.int16)

    def feed(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        """The next samples at 24 kHz: three for each one given. Blocks may have any length."""
        if not len(pcm):
            return np.zeros(0, np.int16)
        stream = np.concatenate([self._past, pcm])
        self._past = stream[-_BEHIND:]
        windows = sliding_window_view(stream.astype(np.float64), _BEHIND + 1)
        return _to_int16(windows @ _PHASES).ravel()


class LiveDownsampler:
    """A stream from 24 to 8 kHz, 1.5 ms late. One per direction of a connection."""

    def __init__(self) -> None:
        # As many zeros as make the first output the one of the first input.
        self._past = np.zeros(_TAPS - 1, np.int16)

    def feed(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        """The next samples at 8 kHz: one for every three given, counted over the whole stream."""
        stream = np.concatenate([self._past, pcm])
        count = max(0, (len(stream) - _TAPS) // _RATIO + 1)
        self._past = stream[count * _RATIO :]
        if not count:
            return np.zeros(0, np.int16)
        windows = sliding_window_view(stream.astype(np.float64), _TAPS)[::_RATIO]
        return _to_int16(windows[:count] @ _LOW_PASS)


def resample(pcm: NDArray[np.int16], from_hz: int, to_hz: int) -> NDArray[np.int16]:
    """A whole recording at another rate, in soxr's best quality. Not for live audio: it waits."""
    return np.asarray(soxr.resample(pcm, from_hz, to_hz, quality="VHQ"), np.int16)


def wav_header(*, rate_hz: int, channels: int, pcm_bytes: int) -> bytes:
    """The 44 bytes before `pcm_bytes` bytes of 16-bit samples. Source: RIFF, WAVE_FORMAT_PCM."""
    frame_bytes = 2 * channels
    return struct.pack(
        "<4sI8sIHHIIHH4sI",
        b"RIFF", 36 + pcm_bytes, b"WAVEfmt ", 16, 1, channels,
        rate_hz, rate_hz * frame_bytes, frame_bytes, 16, b"data", pcm_bytes,
    )  # fmt: skip
