"""The sound of a session: untouched in mu-law, converted in PCM, and never held back."""

from __future__ import annotations

import numpy as np
import pytest

from assistant import audio
from assistant.audio import LiveDownsampler, decode_ulaw, encode_ulaw
from assistant.realtime.sound import PcmSound
from tests.bench import sound

SPEECH = decode_ulaw(sound.VOICE.read_bytes())
SPOKEN = sound.speech(sound.DOWN).astype("<i2").tobytes()


def converted(pcm: bytes, sizes: list[int], item_id: str = "a") -> bytes:
    """What the caller hears of PCM that comes in deltas of these sizes, over and over."""
    session, payload, at, turn = PcmSound(hears=True, speaks=True), b"", 0, 0
    while at < len(pcm):
        size = sizes[turn % len(sizes)]
        payload += session.spoken(item_id, pcm[at : at + size])
        at, turn = at + size, turn + 1
    return payload


@pytest.mark.parametrize(
    ("hears", "speaks"), [(False, False), (True, False), (False, True)], ids=["neither", "hears", "speaks"]
)
def test_a_direction_in_mu_law_is_not_touched(hears: bool, speaks: bool):
    every = bytes(range(256))
    session = PcmSound(hears=hears, speaks=speaks)

    if not hears:
        assert session.heard(every) is every
    if not speaks:
        assert session.spoken("a", every) is every


def test_each_frame_is_converted_when_it_comes():
    session = PcmSound(hears=True, speaks=True)

    for _ in range(3):
        pcm = session.heard(audio.silence(20))
        assert len(pcm) == 20 * 48
        assert len(session.spoken("a", pcm)) == 20 * 8


@pytest.mark.parametrize("sizes", [[4801], [1], [9600, 3, 960, 7]], ids=str)
def test_deltas_of_any_size_give_the_sound_of_one(sizes: list[int]):
    """Also those that end in the middle of a sample."""
    pcm = SPOKEN[:48_000]

    assert converted(pcm, sizes) == converted(pcm, [len(pcm)])


def test_an_item_begins_without_the_end_of_the_one_before():
    """Neither half a sample of it nor what its filter remembers."""
    session = PcmSound(hears=False, speaks=True)
    session.spoken("a", np.full(4800, 20_000, "<i2").tobytes() + b"\x7f")

    payload = session.spoken("b", bytes(960))

    assert payload == encode_ulaw(LiveDownsampler().feed(np.zeros(480, np.int16)))
    assert audio.level(payload) == 0


def test_mu_law_passes_through_the_client_byte_for_byte_and_is_not_held_back():
    """Both ways over a real socket, each frame there before the next one is sent."""
    passed = sound.through_the_client("pcmu")

    assert passed.at_model == passed.sent == passed.back
    assert passed.held_back_ms == 0


def test_pcm_passes_through_the_client_three_milliseconds_late_and_is_not_held_back():
    passed = sound.through_the_client("pcm")

    assert [len(frame) for frame in passed.at_model] == [6 * len(frame) for frame in passed.sent]
    assert [len(frame) for frame in passed.back] == [len(frame) for frame in passed.sent]
    back = decode_ulaw(b"".join(passed.back))
    assert sound.late_ms(back, SPEECH, 8000) == pytest.approx(3, abs=0.005)
    assert passed.held_back_ms is None  # for the bytes are others
