"""Makes the spoken lines: lines.toml in, voices/*.ulaw out.

Run once by us, `python -m assistant.sandbox.make_voices`, and shipped: nobody else needs espeak-ng and sox.
What a telephone does to a voice is done here (band limits, 8 kHz, mu-law), and pauses inside a line are
shortened, so that voice detection with the usual settings hears each line as one utterance.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant import audio

HERE = Path(__file__).parent
RATE_HZ = 8000
WINDOW = 80  # samples: 10 ms
QUIET = 250.0  # level of a window that counts as pause, after the loudness is set
LOUDNESS = 3200.0  # root mean square of the voiced windows, about -20 dBFS
LONGEST_PAUSE_MS = 240


def main() -> None:
    table = tomllib.loads((HERE / "lines.toml").read_text("utf-8"))
    pieces = {piece_id: {"speaker": "assistant", "text": text} for piece_id, text in table["pieces"].items()}
    total = 0
    for line_id, line in (table["lines"] | pieces).items():
        voice = table["voices"][line.get("voice", line["speaker"])]
        payload = audio.encode_ulaw(shorten_pauses(set_loudness(speak(line["text"], voice))))
        (HERE / "voices" / f"{line_id}.ulaw").write_bytes(payload)
        total += len(payload)
        sys.stdout.write(f"{line_id:20} {audio.duration_ms(payload):6} ms\n")
    sys.stdout.write(f"{'together':20} {total / 1024:6.0f} KiB\n")


def speak(text: str, voice: dict[str, Any]) -> NDArray[np.float64]:
    """The text as 8 kHz samples in telephone band width."""
    say = ["espeak-ng", "-v", voice["name"], "-p", str(voice["pitch"]), "-s", str(voice["speed"]), "--stdout"]
    wav = subprocess.run([*say, text], check=True, capture_output=True).stdout  # noqa: S603 (our own list)
    as_phone = [
        "sox",
        "-D",
        "-t",
        "wav",
        "-",
        "-t",
        "raw",
        "-e",
        "signed",
        "-b",
        "16",
        "-r",
        str(RATE_HZ),
        "-",
    ]
    band = ["highpass", "200", "lowpass", "3500"]
    raw = subprocess.run([*as_phone, *band], input=wav, check=True, capture_output=True).stdout  # noqa: S603
    return np.frombuffer(raw, np.int16).astype(np.float64)


def set_loudness(pcm: NDArray[np.float64]) -> NDArray[np.float64]:
    levels = window_levels(pcm)
    voiced = levels[levels > levels.max() / 20]
    return np.asarray(pcm * (LOUDNESS / np.sqrt(np.mean(voiced**2))), np.float64)


def shorten_pauses(pcm: NDArray[np.float64]) -> NDArray[np.int16]:
    """Cut silence off both ends and limit every pause to LONGEST_PAUSE_MS."""
    loud = np.flatnonzero(window_levels(pcm) > QUIET)
    keep = np.zeros(len(pcm) // WINDOW, bool)
    half = LONGEST_PAUSE_MS * RATE_HZ // 1000 // WINDOW // 2
    for window in loud:
        keep[max(0, window - half) : window + half] = True
    keep[: loud[0]] = keep[loud[-1] + 1 :] = False
    kept = pcm[: len(keep) * WINDOW].reshape(-1, WINDOW)[keep].ravel()
    return np.clip(np.rint(kept), -32000, 32000).astype(np.int16)


def window_levels(pcm: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = pcm[: len(pcm) // WINDOW * WINDOW].reshape(-1, WINDOW)
    return np.asarray(np.sqrt(np.mean(whole**2, axis=1)), np.float64)


if __name__ == "__main__":
    main()
