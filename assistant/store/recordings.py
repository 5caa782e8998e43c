"""The call's recording: both sides, as they were heard, written while the call runs.

Two lanes, caller and assistant, aligned on the stream's clock. Sound arrives in order within a lane,
but the assistant's only once it is known to have been played, so the last second is held back
before a stretch of both lanes is written. What comes later than that goes on where its lane ends; and what
turns out to be for nobody within that second, the tone of a key, is never written.

The file is a plain WAV (16 bit, 8 kHz, left caller, right assistant) whose header is right after every
write, so that a crash leaves a recording and not a riddle. Writing happens in a thread beside the call
(`in_pool`), never where calls are served.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from assistant.audio import BYTES_PER_MS, SILENCE, decode_ulaw, wav_header
from assistant.store.writer import directly

log = logging.getLogger(__name__)

DIRECTORY = "recordings"  # below INSTANCE_PATH
RATE_HZ = 8000
FRAME_BYTES = 4  # two channels of 16 bits
HEADER_BYTES = 44
HOLD_BACK_MS = 1000
CHUNK_MS = 1000
SLACK_BYTES = 60 * BYTES_PER_MS  # jitter; a real gap is longer and becomes silence
LONGEST_MS = 4 * 3600 * 1000  # no call is longer: a later time is a mistake, and not filled with silence


class Lanes:
    """Two rows of mu-law side by side. Times in ms on the stream's clock; positions in samples."""

    def __init__(self) -> None:
        self._lanes = (bytearray(), bytearray())
        self._taken = 0  # samples of both lanes that were handed out
        self._latest = 0

    def caller(self, payload: bytes, at_ms: int) -> None:
        self._put(0, payload, at_ms)

    def assistant(self, payload: bytes, at_ms: int) -> None:
        self._put(1, payload, at_ms)

    def silence_caller(self, ms: int) -> None:
        """The caller's last sound, as far as it was not handed out, becomes silence of the same length."""
        sound = self._lanes[0]
        length = min(ms * BYTES_PER_MS, len(sound))
        sound[len(sound) - length :] = SILENCE * length

    def _put(self, lane: int, payload: bytes, at_ms: int) -> None:
        if at_ms > LONGEST_MS:
            return
        sound = self._lanes[lane]
        gap = at_ms * BYTES_PER_MS - (self._taken + len(sound))
        if gap > SLACK_BYTES:
            sound += SILENCE * gap
        sound += payload
        self._latest = max(self._latest, self._taken + len(sound))

    def take(self, *, everything: bool = False) -> tuple[bytes, bytes]:
        """The next stretch of (caller, assistant), equally long; all but the last second."""
        end = self._latest - (0 if everything else HOLD_BACK_MS * BYTES_PER_MS)
        length = end - self._taken
        if length < (1 if everything else CHUNK_MS * BYTES_PER_MS):
            return b"", b""
        self._taken = end
        caller, assistant = (self._cut(lane, length) for lane in self._lanes)
        return caller, assistant

    @staticmethod
    def _cut(lane: bytearray, length: int) -> bytes:
        stretch = bytes(lane[:length])
        del lane[:length]
        return stretch.ljust(length, SILENCE)


def append(path: str, caller: bytes, assistant: bytes) -> float:
    """Add a stretch of both lanes to the file, made when it is missing. Returns its length in seconds."""
    samples = np.empty((len(caller), 2), "<i2")
    samples[:, 0] = decode_ulaw(caller)
    samples[:, 1] = decode_ulaw(assistant)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as file:
        end = max(HEADER_BYTES, file.seek(0, os.SEEK_END))
        end -= (end - HEADER_BYTES) % FRAME_BYTES  # a frame torn by a full disk
        file.seek(end)
        file.write(samples.tobytes())
        data_bytes = file.tell() - HEADER_BYTES
        file.seek(0)
        file.write(wav_header(rate_hz=RATE_HZ, channels=2, pcm_bytes=data_bytes))
    return data_bytes / FRAME_BYTES / RATE_HZ


def sync(path: str) -> None:
    """Have the disk keep what was written to a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seconds_of(path: Path) -> float:
    """The length of a recording of ours, by its size; 0.0 when there is none."""
    try:
        size = path.stat().st_size
    except OSError:
        return 0.0
    return max(0, size - HEADER_BYTES) // FRAME_BYTES / RATE_HZ


class CallRecorder:
    """Writes one call's recording beside the call. `directory` is made when missing.

    `caller` and `assistant` never wait. A disk that fails ends the recording, not the call.
    """

    def __init__(self, directory: Path, call_sid: str, in_pool: Callable[..., Any] = directly) -> None:
        self.path = directory / f"{call_sid}.wav"
        self._in_pool = in_pool
        self._lanes = Lanes()
        self._chunks: queue.SimpleQueue[tuple[bytes, bytes] | None] = queue.SimpleQueue()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    def caller(self, payload: bytes, at_ms: int) -> None:
        self._lanes.caller(payload, at_ms)
        self._hand_over()

    def assistant(self, payload: bytes, at_ms: int) -> None:
        self._lanes.assistant(payload, at_ms)
        self._hand_over()

    def silence_caller(self, ms: int) -> None:
        """Nobody is to hear the caller's last sound: of what is held back it is taken out."""
        self._lanes.silence_caller(ms)

    def close(self, timeout_s: float = 5.0) -> float:
        """Write what is left and wait for it. Returns the recording's length in seconds."""
        self._hand_over(everything=True)
        self._chunks.put(None)
        self._thread.join(timeout_s)
        return seconds_of(self.path)

    def _hand_over(self, *, everything: bool = False) -> None:
        chunk = self._lanes.take(everything=everything)
        if chunk[0]:
            self._chunks.put(chunk)

    def _write(self) -> None:
        try:
            wrote = False
            while (chunk := self._chunks.get()) is not None:
                self._in_pool(append, str(self.path), *chunk)
                wrote = True
            if wrote:
                self._in_pool(sync, str(self.path))
        except OSError as error:
            log.error("the recording cannot be written on: %s", error.strerror)
