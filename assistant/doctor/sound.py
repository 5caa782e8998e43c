"""The sound: a tone goes the way a caller's voice goes, and has to come out as it went in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from assistant.audio import LiveDownsampler, LiveUpsampler, decode_ulaw, encode_ulaw
from assistant.doctor.patient import Check, Patient

RATE_HZ, TONE_HZ, LEVEL = 8000, 1000, 8000
BLOCK = 160  # 20 ms, as calls bring them
SETTLED = 800  # samples left out at the begin: the filters start from silence
MOST_DB, MOST_HZ = 0.2, 2.0
MISTAKE = "A fault of this program, or of the libraries it was installed with."
REINSTALL = "Install it anew: `rm -rf .venv`, then `make run`."


def look_at_the_sound(patient: Patient) -> Iterator[Check]:
    """Mu-law there and back, and through the filters where the model's side wants PCM."""
    tone = _tone()
    yield _compared("Telephone sound", tone, decode_ulaw(encode_ulaw(tone)))
    if patient.settings.realtime_audio == "pcm":
        yield _compared("Sound for the model", tone, _there_and_back(tone))


def _tone() -> NDArray[np.int16]:
    at = np.arange(RATE_HZ) / RATE_HZ
    return np.round(LEVEL * np.sin(2 * np.pi * TONE_HZ * at)).astype(np.int16)


def _there_and_back(tone: NDArray[np.int16]) -> NDArray[np.int16]:
    up, down = LiveUpsampler(), LiveDownsampler()
    heard = decode_ulaw(encode_ulaw(tone))
    blocks = [down.feed(up.feed(heard[at : at + BLOCK])) for at in range(0, len(heard), BLOCK)]
    return decode_ulaw(encode_ulaw(np.concatenate(blocks)))


def _compared(name: str, tone: NDArray[np.int16], heard: NDArray[np.int16]) -> Check:
    heard, tone = heard[SETTLED:], tone[SETTLED:]
    off_db = 20 * np.log10(max(_level(heard), 1e-9) / _level(tone))
    off_hz = _pitch(heard) - TONE_HZ
    if abs(off_db) <= MOST_DB and abs(off_hz) <= MOST_HZ:
        return Check(name, "green", f"A tone of {TONE_HZ} Hz comes out as it went in ({off_db:+.2f} dB).")
    return Check(
        name, "red", f"A tone comes out {off_db:+.1f} dB and {off_hz:+.0f} Hz off.", MISTAKE, REINSTALL
    )


def _level(pcm: NDArray[np.int16]) -> float:
    return float(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)))


def _pitch(pcm: NDArray[np.int16]) -> float:
    """The loudest frequency."""
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(np.argmax(spectrum)) * RATE_HZ / len(pcm)
