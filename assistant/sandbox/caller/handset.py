"""The caller's telephone: a mouth, an ear, a keypad and a hook, and one tick every 20 ms.

With each tick the phone hands 20 ms of the caller's sound to whatever the network has connected it to
(a media stream, a recorder, a voice that speaks to it, nothing) and gets what is to be heard. A person
(`person`) speaks and listens on one side, the network (`leg`) connects far ends on the other.

All waiting is counted in milliseconds of sound heard, not of the clock on the wall, so a far end that is not
real-time bound may run faster (`hurry`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.audio import BYTES_PER_MS, encode_ulaw, level, silence

FRAME_MS = 20
FRAME_BYTES = FRAME_MS * BYTES_PER_MS
# The shipped voices lie around 3000; the hiss of a line below 20.
VOICE_LEVEL = 200.0
# How alike the loudness of two sounds is over their length: a sentence and itself in a call at least 0.9, two
# different ones at most 0.65.
SAME_WORDS = 0.8
# A machine that slept does not get the missed hour in one burst.
MOST_BEHIND_S = 1.0


class CallIsOver(Exception):
    """The person can do nothing more on this call."""


class FarEnd(Protocol):
    """What the network has connected the phone to."""

    real_time: bool
    done: bool

    def exchange(self, frame: bytes) -> bytes:
        """Take 20 ms of the caller's sound; return what is heard meanwhile."""

    def press(self, key: str) -> None:
        """The caller presses a key."""


class Nothing:
    """Nobody is there: the caller hears silence while the app makes up its mind, in its own time."""

    real_time = True
    done = False

    def exchange(self, frame: bytes) -> bytes:
        return silence(len(frame) // BYTES_PER_MS)

    def press(self, key: str) -> None:
        """Keys go nowhere."""


def comfort_noise(ms: int = 1000) -> bytes:
    """The faint hiss of a quiet line: a real one is never digitally silent."""
    steps = np.random.default_rng(1).integers(-8, 9, ms * BYTES_PER_MS)
    return encode_ulaw(steps.astype(np.int16))


def loudness(payload: bytes) -> NDArray[np.float64]:
    """The level of every whole 20 ms."""
    whole = range(0, len(payload) // FRAME_BYTES * FRAME_BYTES, FRAME_BYTES)
    return np.array([level(payload[start : start + FRAME_BYTES]) for start in whole])


class Ear:
    """What has been heard, as loudness per 20 ms."""

    def __init__(self) -> None:
        self.levels: list[float] = []
        self.last_loud_ms = 0
        self.tones = 0  # beeps after which a voicemail listens
        self._rest = b""

    @property
    def now_ms(self) -> int:
        """How much has been heard in all."""
        return len(self.levels) * FRAME_MS

    def hear(self, payload: bytes) -> None:
        """Take the next sound."""
        heard = self._rest + payload
        whole = len(heard) - len(heard) % FRAME_BYTES
        for start in range(0, whole, FRAME_BYTES):
            self.levels.append(level(heard[start : start + FRAME_BYTES]))
            if self.levels[-1] >= VOICE_LEVEL:
                self.last_loud_ms = self.now_ms
        self._rest = heard[whole:]

    def first_voice_after(self, ms: float) -> int | None:
        """When a voice was first heard after that moment; None when there was none."""
        for index in range(int(ms) // FRAME_MS, len(self.levels)):
            if self.levels[index] >= VOICE_LEVEL:
                return index * FRAME_MS
        return None

    def heard(self, payload: bytes, since_ms: int) -> bool:
        """Whether these words were spoken since then; known by their ups and downs."""
        wanted = loudness(payload)
        heard = np.array(self.levels[since_ms // FRAME_MS :])
        if len(heard) < len(wanted):
            return False
        stretches = np.lib.stride_tricks.sliding_window_view(heard, len(wanted))
        stretches = stretches - stretches.mean(axis=1, keepdims=True)
        wanted -= wanted.mean()
        energy = np.linalg.norm(stretches, axis=1) * np.linalg.norm(wanted) + 1.0
        return float((stretches @ wanted / energy).max()) >= SAME_WORDS

    def quiet_for_ms(self) -> int:
        """How long there has been no voice."""
        return self.now_ms - self.last_loud_ms


class Mouth:
    """What the caller is going to say; hiss where there is nothing."""

    def __init__(self) -> None:
        self.words = b""
        self._noise = comfort_noise()
        self._turn = 0

    def take(self) -> bytes:
        """The next 20 ms."""
        spoken, self.words = self.words[:FRAME_BYTES], self.words[FRAME_BYTES:]
        start = self._turn * FRAME_BYTES % len(self._noise)
        self._turn += 1
        return spoken + self._noise[start + len(spoken) : start + FRAME_BYTES]


class Handset:
    """One telephone. `hurry`: how much faster than life it ticks while no media stream is connected."""

    def __init__(self, *, hurry: float = 1.0) -> None:
        self.ear = Ear()
        self.hung_up = False
        self.over = threading.Event()
        self._mouth = Mouth()
        self._hurry = hurry
        self._far_end: FarEnd = Nothing()
        self._due = time.monotonic()
        self._changed = threading.Condition()
        self._ticker = threading.Thread(target=self._tick_until_over, name="handset", daemon=True)

    def start(self) -> None:
        """Take the receiver off the hook."""
        self._due = time.monotonic()
        self._ticker.start()

    # --- the person ----------------------------------------------------------

    def speak(self, payload: bytes) -> None:
        """Say it, and return when it has been said. Raises CallIsOver."""
        with self._changed:
            self._mouth.words += payload
        self.wait(lambda: not self._mouth.words)

    def press(self, key: str) -> None:
        """Press one key. Raises CallIsOver."""
        if self.over.is_set():
            raise CallIsOver
        self._far_end.press(key)

    def hang_up(self) -> None:
        """Put the receiver down."""
        with self._changed:
            self.hung_up = True
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool], within_ms: float | None = None) -> bool:
        """Wait until it is true; False after so much time was heard. Raises CallIsOver."""
        with self._changed:
            until = None if within_ms is None else self.ear.now_ms + within_ms
            while not condition():
                if self.over.is_set():
                    raise CallIsOver
                if until is not None and self.ear.now_ms >= until:
                    return False
                self._changed.wait(1.0)
            return True

    # --- the network ---------------------------------------------------------

    def connect(self, far_end: FarEnd) -> None:
        """Connect the phone to something; its first tick is now."""
        with self._changed:
            self._far_end = far_end
            self._due = time.monotonic()
            self._changed.notify_all()

    def disconnect(self) -> None:
        """Connect the phone to nothing."""
        self.connect(Nothing())

    def beep(self) -> None:
        """The tone after which to speak."""
        with self._changed:
            self.ear.tones += 1
            self._changed.notify_all()

    def changed(self) -> None:
        """Let everybody who waits look again."""
        with self._changed:
            self._changed.notify_all()

    def end(self) -> None:
        """The call is over."""
        self.over.set()
        self.changed()

    def _tick_until_over(self) -> None:
        while not self.over.is_set():
            with self._changed:
                far_end = self._far_end
                frame_s = FRAME_MS / 1000 / (1.0 if far_end.real_time else self._hurry)
                self._due = max(self._due + frame_s, time.monotonic() - MOST_BEHIND_S)
                due = self._due
            self.over.wait(max(0.0, due - time.monotonic()))
            self._tick()

    def _tick(self) -> None:
        with self._changed:
            frame, far_end = self._mouth.take(), self._far_end
        heard = far_end.exchange(frame)
        with self._changed:
            self.ear.hear(heard)
            self._changed.notify_all()
