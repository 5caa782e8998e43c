"""What the sandbox's model hears: when somebody speaks, and which of the shipped lines it was.

Time is the audio's own: milliseconds of sound appended since the session began, whatever the wall clock says.
Speech is energy above the session's threshold; words are known only by comparing the sound of an utterance
with the sound of the shipped caller lines. Nothing here knows who is calling or what the caller's script
says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from assistant import audio
from assistant.sandbox.lines import Line, spoken_by
from assistant.sandbox.model.sound import Format, Inlet

FRAME = 160  # samples: 20 ms
FRAME_MS = 20
SAMPLES_PER_MS = 8
LOUD_PER_THRESHOLD = 1000.0  # threshold 0.5 wants a level of 500, about -36 dBFS
ONSET_FRAMES = 3  # 60 ms of sound in a row; a click is shorter
FORGET_MS = 5_000  # silence kept in front of speech, at most; the prefix padding is taken from it


@dataclass(frozen=True, slots=True)
class Detection:
    """The voice detection of a session. `on` False: the client commits by itself."""

    on: bool = True
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """`at_ms` includes the padding in front."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """`at_ms` includes the silence that proved the end."""

    at_ms: int
    pcm: NDArray[np.int16]


Heard = SpeechBegan | SpeechEnded


class Ears:
    """The input audio buffer of one session."""

    def __init__(self) -> None:
        self.detection = Detection()
        self.speaking = False
        self._inlet = Inlet("audio/pcm")
        self._kept = np.zeros(0, np.int16)  # sound not committed yet
        self._kept_from = 0  # in samples since the session began
        self._seen = 0  # samples looked at, always whole frames
        self._loud_frames = 0
        self._quiet_frames = 0

    def configure(self, fmt: Format, detection: Detection) -> None:
        if fmt != self._inlet.fmt:
            self._inlet = Inlet(fmt)
        self.detection = detection

    def append(self, wire: bytes) -> Iterator[Heard]:
        self._kept = np.concatenate([self._kept, self._inlet.take(wire)])
        while self._kept_from + len(self._kept) - self._seen >= FRAME:
            at = self._seen - self._kept_from
            frame = self._kept[at : at + FRAME].astype(np.float32)
            self._seen += FRAME
            if self.detection.on:
                yield from self._look_at(float(np.sqrt(np.mean(frame * frame))))

    def commit(self) -> NDArray[np.int16] | None:
        """The sound of a manual commit; None when there is nothing: with detection on, silence is nothing."""
        if self.detection.on and not self.speaking:
            return None
        pcm = self._kept
        self.clear()
        return pcm if len(pcm) else None

    def is_speech(self, pcm: NDArray[np.int16]) -> bool:
        """Whether any frame of it is as loud as speech."""
        frames = pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float32)
        wanted = self.detection.threshold * LOUD_PER_THRESHOLD
        return bool(len(frames)) and float(np.sqrt((frames * frames).mean(axis=1)).max()) >= wanted

    def clear(self) -> None:
        self._drop(self._kept_from + len(self._kept))
        self._seen = self._kept_from
        self.speaking = False
        self._loud_frames = self._quiet_frames = 0

    def _look_at(self, level: float) -> Iterator[Heard]:
        loud = level >= self.detection.threshold * LOUD_PER_THRESHOLD
        if not self.speaking:
            self._loud_frames = self._loud_frames + 1 if loud else 0
            if self._loud_frames >= ONSET_FRAMES:
                yield self._begin()
            else:
                self._drop(self._seen - FORGET_MS * SAMPLES_PER_MS)
            return
        self._quiet_frames = 0 if loud else self._quiet_frames + 1
        if self._quiet_frames * FRAME_MS >= self.detection.silence_duration_ms:
            yield self._end()

    def _begin(self) -> SpeechBegan:
        self.speaking, self._quiet_frames = True, 0
        self._drop(self._seen - ONSET_FRAMES * FRAME - self.detection.prefix_padding_ms * SAMPLES_PER_MS)
        return SpeechBegan(self._kept_from // SAMPLES_PER_MS)

    def _end(self) -> SpeechEnded:
        pcm = self._kept[: self._seen - self._kept_from]
        self._drop(self._seen)
        self.speaking, self._loud_frames = False, 0
        return SpeechEnded(self._seen // SAMPLES_PER_MS, pcm)

    def _drop(self, until: int) -> None:
        if until > self._kept_from:
            self._kept = self._kept[until - self._kept_from :]
            self._kept_from = until


# --- words ---------------------------------------------------------------------

HOP = 160  # a spectrum every 20 ms
WINDOW = 256
BANDS = 12
SPAN = 15  # spectra: 300 ms, about a syllable and a half
FLOOR = 4.0  # log10 of the power that counts as silence
LIKENESS = 0.65  # a line on a bad line reaches 0.75; two different ones, or noise, at most 0.55
SLACK = 40  # spectra an utterance may begin before or after the line


def recognise(pcm: NDArray[np.int16]) -> Line | None:
    """The shipped caller line this is, if it is one."""
    heard = spectra(pcm)
    best = max(spoken_by("caller"), key=lambda line: likeness(heard, _known(line.line_id)))
    return best if likeness(heard, _known(best.line_id)) >= LIKENESS else None


@cache
def _known(line_id: str) -> NDArray[np.float64]:
    line = next(line for line in spoken_by("caller") if line.line_id == line_id)
    return spectra(audio.decode_ulaw(line.payload))


def spectra(pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """Shape (frames, BANDS): how strong each band is above silence, log scale."""
    padded = np.concatenate([pcm, np.zeros(WINDOW, np.int16)]).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) ** 2
    bands = np.array_split(power[:, 6:112], BANDS, axis=1)  # 190 .. 3500 Hz
    strength = np.log10(np.stack([band.mean(axis=1) for band in bands], axis=1) + 1.0)
    return _ups_and_downs(np.maximum(strength - FLOOR, 0.0))


def _ups_and_downs(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is left when each band's average over a third of a second is taken away.

    Any speech is a little like any other, and like steady noise, as long as its loudness counts; its
    movements are not.
    """
    framed = np.pad(strength, ((SPAN // 2, SPAN // 2), (0, 0)))
    average = np.lib.stride_tricks.sliding_window_view(framed, SPAN, axis=0).mean(axis=2)
    return np.asarray(strength - average, np.float64)


def likeness(heard: NDArray[np.float64], known: NDArray[np.float64]) -> float:
    """Correlation of two utterances at the best offset, -1..1; what only one has counts against it."""
    spare = SLACK + max(0, len(heard) - len(known))
    field = np.pad(known, ((spare, spare), (0, 0)))
    if len(heard) > len(field):
        return 0.0
    views = np.lib.stride_tricks.sliding_window_view(field, len(heard), axis=0)
    known_energy, heard_energy = float((known**2).sum()), float((heard**2).sum())
    if not heard_energy:
        return 0.0
    together = np.einsum("obf,fb->o", views, heard)
    return float(together.max() / np.sqrt(known_energy * heard_energy))
