"""What is said into the microphone: a file, whose clock starts when a page is given the microphone."""

from __future__ import annotations

from pathlib import Path

from assistant.audio import decode_ulaw, silence, wav_header
from assistant.sandbox.lines import shipped

RATE_HZ = 8000
WAITS_MS = 5000  # while the assistant says who it is
SAYS = "withheld-1"
THEN_QUIET_MS = 60_000


def write(path: Path) -> None:
    """Somebody who listens first, says one thing, and then nothing more."""
    payload = silence(WAITS_MS) + shipped()[SAYS].payload + silence(THEN_QUIET_MS)
    pcm = decode_ulaw(payload).astype("<i2").tobytes()
    path.write_bytes(wav_header(rate_hz=RATE_HZ, channels=1, pcm_bytes=len(pcm)) + pcm)
