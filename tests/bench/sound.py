"""What happens to the sound on its way to the model and back: how late it gets, and how much it changes.

`audio/pcmu` has to pass through byte for byte. Where the model takes PCM alone, the short filters of
`assistant/audio.py` stand in the way; they are compared with soxr's one-shot conversion of the same
sound, which is not late at all and nearly perfect. The lateness is found in speech sent through
`RealtimeClient` to a model that sends back what it hears, frame by frame; what the filters do to the
sound is found with tones. `tests/test_audio.py` holds the filters to the same measures.
"""

from __future__ import annotations

import asyncio
import queue
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assistant import audio
from assistant.audio import LiveDownsampler, LiveUpsampler
from assistant.call.commands import HearCaller
from assistant.call.events import ReplyAudio
from assistant.realtime.session import Audio
from tests.bench.figures import median
from tests.bench.rows import Row
from tests.realtime.model_server import WAIT_S, WISH, Running, Session, model_server

if TYPE_CHECKING:  # the tests of the filters need none of what a bench does
    from tests.bench.bench import Bench

Pcm = NDArray[np.int16]

VOICE = Path(audio.__file__).parent / "sandbox" / "voices" / "explain.ulaw"  # the longest we ship: 11 s
FRAME_MS = 20
CARRIED_HZ = range(100, 3401, 50)  # what a telephone carries
FOLDING_HZ = range(4600, 11_951, 50)  # what would come out below 3.4 kHz, or near it, at 8 kHz
LOUD = 10_000


# --- a sound through the filters, and through soxr ---------------------------


@dataclass(frozen=True, slots=True)
class Way:
    """A conversion: ours as on a call, in frames of 20 ms, and soxr's of the whole."""

    name: str
    from_hz: int
    to_hz: int
    new: Callable[[], Callable[[Pcm], Pcm]]
    one_shot: Callable[[Pcm], Pcm]

    def live(self, pcm: Pcm) -> Pcm:
        """The sound as it comes out of a filter that has heard nothing before."""
        feed = self.new()
        return np.concatenate([feed(frame) for frame in self.frames(pcm)])

    def frames(self, pcm: Pcm) -> Iterator[Pcm]:
        """The sound in frames."""
        size = self.from_hz * FRAME_MS // 1000
        return (pcm[at : at + size] for at in range(0, len(pcm), size))


def _there_and_back() -> Callable[[Pcm], Pcm]:
    up, down = LiveUpsampler(), LiveDownsampler()
    return lambda pcm: down.feed(up.feed(pcm))


def _soxr_up(pcm: Pcm) -> Pcm:
    return audio.resample(pcm, 8000, 24_000)


def _soxr_down(pcm: Pcm) -> Pcm:
    return audio.resample(pcm, 24_000, 8000)


UP = Way("to the model", 8000, 24_000, lambda: LiveUpsampler().feed, _soxr_up)
DOWN = Way("to the caller", 24_000, 8000, lambda: LiveDownsampler().feed, _soxr_down)
BOTH = Way("there and back", 8000, 8000, _there_and_back, lambda pcm: _soxr_down(_soxr_up(pcm)))


def speech(way: Way) -> Pcm:
    """A shipped voice at the rate at which it goes in."""
    pcm = audio.decode_ulaw(VOICE.read_bytes())
    return pcm if way.from_hz == 8000 else _soxr_up(pcm)


def tone(hz: float, rate_hz: int) -> Pcm:
    """One second of it."""
    return np.round(LOUD * np.sin(2 * np.pi * hz * np.arange(rate_hz) / rate_hz)).astype(np.int16)


# --- how late, how much changed ----------------------------------------------


def late_ms(sound: Pcm, on_time: Pcm, rate_hz: int) -> float:
    """How far `sound` lags behind `on_time`: where the two are most alike, to the microsecond."""
    size = 1 << (len(sound) + len(on_time)).bit_length()
    spectrum = np.fft.rfft(sound.astype(float), size) * np.conj(np.fft.rfft(on_time.astype(float), size))
    alike = np.fft.irfft(spectrum, size)
    best = int(np.argmax(alike))
    before, peak, after = alike[best - 1], alike[best], alike[(best + 1) % size]
    between = (before - after) / (2 * (before - 2 * peak + after))  # the top of a parabola through the three
    samples = best + between if best < size // 2 else best + between - size
    return round(float(samples) / rate_hz * 1000, 3)


def filter_late_ms(way: Way) -> float:
    """How far our filter's speech lags behind soxr's."""
    said = speech(way)
    return late_ms(way.live(said), way.one_shot(said), way.to_hz)


def likeness_db(way: Way) -> float:
    """Speech against what differs from soxr's, once the two are laid over each other."""
    said = speech(way)
    theirs = way.one_shot(said).astype(float)
    ours = way.live(said)[round(filter_late_ms(way) * way.to_hz / 1000) :].astype(float)
    theirs = theirs[: len(ours)]
    return _db(_power(theirs) / _power(ours - theirs))


def gain_db(way: Way, hz: int) -> float:
    """How much louder than soxr's a tone comes out; below 0: softer."""
    said = tone(hz, way.from_hz)
    ours, theirs = (_strength(pcm, hz, way.to_hz) for pcm in (way.live(said), way.one_shot(said)))
    return 2 * _db(ours / theirs)


def unevenness_db(way: Way) -> float:
    """The most by which a tone that a telephone carries comes out louder or softer than soxr's."""
    return max(abs(gain_db(way, hz)) for hz in CARRIED_HZ)


def images_db(hz: int) -> float:
    """All that lies above 4.6 kHz when a tone goes up, against the tone. Nothing of it was there before."""
    settled = _settled(UP.live(tone(hz, UP.from_hz)), UP.to_hz).astype(float)
    power = np.abs(np.fft.rfft(settled * np.blackman(len(settled)))) ** 2
    beyond = np.fft.rfftfreq(len(settled), 1 / UP.to_hz) >= 4600 - 10  # the window's own width
    return _db(power[beyond].sum() / power.sum())


def aliases_db(hz: int) -> float:
    """All that is left of a tone that 8 kHz cannot hold, against the tone."""
    said = tone(hz, DOWN.from_hz)
    return _db(_power(_settled(DOWN.live(said), DOWN.to_hz)) / _power(said))


def _settled(pcm: Pcm, rate_hz: int) -> Pcm:
    """The middle of a second: without the filter's beginning."""
    return pcm[rate_hz // 10 : rate_hz // 10 * 9]


def _strength(pcm: Pcm, hz: int, rate_hz: int) -> float:
    settled = _settled(pcm, rate_hz)
    turning = np.exp(-2j * np.pi * hz * np.arange(len(settled)) / rate_hz)
    return float(abs(np.mean(settled * np.hanning(len(settled)) * turning)))


def _power(pcm: NDArray[np.generic]) -> float:
    return float(np.mean(pcm.astype(float) ** 2))


def _db(ratio: float) -> float:
    return float(10 * np.log10(ratio + 1e-12))  # nothing at all: -120 dB


# --- the way through the program ---------------------------------------------


@dataclass(slots=True)
class Passed:
    """What a voice became, frame by frame: as it was sent, at the model's, and when it came back."""

    sent: list[bytes]
    at_model: list[bytes]
    back: list[bytes]

    @property
    def held_back_ms(self) -> float | None:
        """How much of the sound waited for a later frame; None when its bytes were changed."""
        if (b"".join(self.at_model), b"".join(self.back)) != (b"".join(self.sent),) * 2:
            return None
        waiting = [len(sent) - len(came) for sent, came in zip(self.sent, self.back, strict=True)]
        return float(np.max(np.cumsum(waiting))) / audio.BYTES_PER_MS


def through_the_client(wanted: Audio) -> Passed:
    """A voice to a model and back. Each frame has arrived before the next is sent, or it is TimeoutError."""
    payload = VOICE.read_bytes()
    size = FRAME_MS * audio.BYTES_PER_MS
    passed = Passed([payload[at : at + size] for at in range(0, len(payload), size)], [], [])

    def script(session: Session) -> None:
        asked = session.agree()
        kind = asked["session"]["audio"]["input"]["format"]["type"]
        assert kind == f"audio/{wanted}", kind
        while True:
            sound = session.hear()["audio"]
            passed.at_model.append(b64decode(sound))
            session.tell("response.output_audio.delta", response_id="r", item_id="a", delta=sound)

    with model_server(script) as server:
        model = Running(server.base_url, replace(WISH, audio=wanted))
        try:
            model.ready()
            for frame in passed.sent:
                model.client.send(HearCaller(frame))
                passed.back.append(_next_sound(model))
        finally:
            model.client.close()
            model.thread.join(WAIT_S)
    return passed


def _next_sound(model: Running) -> bytes:
    try:
        event = model.next()
    except queue.Empty:
        raise TimeoutError("a frame waits for the next one") from None
    assert isinstance(event, ReplyAudio), event
    return event.payload


# --- the table ---------------------------------------------------------------


async def rows(bench: Bench) -> list[Row]:
    """The sound's delay and quality. They are the same on any machine: nothing of the bench is used."""
    return await asyncio.to_thread(measured)


def measured() -> list[Row]:
    """All rows."""
    return [*_delays(), *_quality()]


def _delays() -> list[Row]:
    untouched = through_the_client("pcmu").held_back_ms
    passed = through_the_client("pcm")
    said = speech(UP)
    at_model = np.frombuffer(b"".join(passed.at_model), "<i2").astype(np.int16)
    back = audio.decode_ulaw(b"".join(passed.back))
    way = "speech through the client, beside soxr's"
    computing = f"filters alone; converting {FRAME_MS} ms takes {_computing_ms():.2f} ms more"
    return [
        Row("sound held back, pcmu", untouched, "ms", 0, None, "through the client and back, byte for byte"),
        Row("delay of PCM to the model", late_ms(at_model, _soxr_up(said), 24_000), "ms", 3, None, way),
        Row("delay of PCM to the caller", filter_late_ms(DOWN), "ms", 3, None, "speech, beside soxr's"),
        Row("delay of PCM, there and back", late_ms(back, said, 8000), "ms", 3, None, computing),
    ]


def _computing_ms() -> float:
    """What both conversions of a frame take, p50."""
    feed, took_ms = BOTH.new(), []
    for frame in BOTH.frames(speech(BOTH)):
        began = time.perf_counter()
        feed(frame)
        took_ms.append((time.perf_counter() - began) * 1000)
    return median(took_ms)


def _quality() -> list[Row]:
    uneven = max(unevenness_db(UP), unevenness_db(DOWN))
    images = max(images_db(hz) for hz in CARRIED_HZ)
    aliases = max(aliases_db(hz) for hz in FOLDING_HZ)
    alike = likeness_db(BOTH)
    tones = f"tones of {CARRIED_HZ[0]} to {CARRIED_HZ[-1]} Hz"
    return [
        Row("PCM: louder or softer than soxr's", uneven, "dB", 0.5, 0.05, f"{tones}, either way"),
        Row("PCM: images above 4.6 kHz", images, "dB", -50, -57, f"{tones}, to the model"),
        Row("PCM: aliases of 4.6 to 12 kHz", aliases, "dB", -50, -57, "tones, to the caller"),
        Row(
            "PCM: speech over its difference",
            alike,
            "dB",
            38,
            None,
            "there and back; 38 is mu-law's own",
            True,
        ),
    ]
