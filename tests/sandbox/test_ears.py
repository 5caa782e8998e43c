"""What the sandbox's model hears, without its socket."""

import numpy as np
import pytest

from assistant import audio
from assistant.sandbox.lines import Line, shipped, spoken_by
from assistant.sandbox.model import sound
from assistant.sandbox.model.ears import Detection, Ears, Heard, SpeechBegan, SpeechEnded, recognise
from assistant.sandbox.model.sound import Format

CALLER_LINES = spoken_by("caller")


def hear(payload: bytes, fmt: Format = "audio/pcmu", detection: Detection | None = None) -> list[Heard]:
    """What ears make of it, appended in frames of 20 ms."""
    ears = Ears()
    ears.configure(fmt, detection or Detection(True, 0.6, 300, 700))
    wire, step = sound.outlet(payload, fmt), 20 * sound.BYTES_PER_MS[fmt]
    return [heard for at in range(0, len(wire), step) for heard in ears.append(wire[at : at + step])]


@pytest.mark.parametrize("fmt", ["audio/pcmu", "audio/pcm"])
@pytest.mark.parametrize("line", CALLER_LINES, ids=lambda line: line.line_id)
def test_every_callers_line_is_one_utterance_and_known(line: Line, fmt: Format) -> None:
    began, ended = hear(audio.silence(613) + line.payload + audio.silence(1_000), fmt)

    assert isinstance(began, SpeechBegan)
    assert isinstance(ended, SpeechEnded)
    assert 300 <= began.at_ms <= 420
    assert recognise(ended.pcm) is line


@pytest.mark.parametrize("line", CALLER_LINES, ids=lambda line: line.line_id)
def test_no_callers_line_has_a_pause_that_ends_a_turn_after_half_a_second(line: Line) -> None:
    heard = hear(line.payload + audio.silence(1_000), detection=Detection(True, 0.6, 300, 500))

    assert [type(event) for event in heard] == [SpeechBegan, SpeechEnded]


@pytest.mark.parametrize("line", CALLER_LINES, ids=lambda line: line.line_id)
@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_a_line_cut_off_is_known_or_unknown_but_never_another(line: Line, share: float) -> None:
    cut = line.payload[: int(len(line.payload) * share)]

    for heard in hear(cut + audio.silence(1_000)):
        if isinstance(heard, SpeechEnded):
            assert recognise(heard.pcm) in (line, None)


@pytest.mark.parametrize("line", CALLER_LINES, ids=lambda line: line.line_id)
def test_a_line_is_known_on_a_bad_line(line: Line) -> None:
    noise = np.random.default_rng(7).normal(0, 150, len(line.payload))
    faint = audio.decode_ulaw(line.payload) * 0.6 + noise

    assert recognise(faint.astype(np.int16)) is line


def test_what_is_not_a_callers_line_is_not_known() -> None:
    noise = np.random.default_rng(7).normal(0, 3_000, 24_000).astype(np.int16)
    tone = (6_000 * np.sin(np.arange(24_000) / 3)).astype(np.int16)

    assert recognise(noise) is None
    assert recognise(tone) is None
    assert recognise(np.zeros(0, np.int16)) is None
    for line in spoken_by("assistant"):
        if not line.text.endswith((".", "?")):
            continue  # a piece may be a word of a caller's line
        assert recognise(audio.decode_ulaw(line.payload)) is None


def test_a_click_and_silence_are_not_speech() -> None:
    click = audio.encode_ulaw(np.full(160, 20_000, np.int16))

    assert hear(audio.silence(500) + click + audio.silence(2_000)) == []


def test_time_is_counted_in_appended_audio() -> None:
    line = shipped()["yes"].payload
    began, ended, again, _ = hear(
        audio.silence(2_000) + line + audio.silence(3_000) + line + audio.silence(1_000)
    )

    assert isinstance(ended, SpeechEnded)
    assert 1_680 <= began.at_ms <= 1_800
    assert ended.at_ms - 2_000 - audio.duration_ms(line) in range(500, 800)
    assert again.at_ms in range(5_500, 5_660)


def test_a_pause_shorter_than_asked_for_does_not_end_the_turn() -> None:
    line = shipped()["yes"].payload

    assert len(hear(line + audio.silence(600) + line + audio.silence(1_000))) == 2


def test_without_detection_everything_is_kept_until_it_is_committed() -> None:
    ears = Ears()
    ears.configure("audio/pcmu", Detection(on=False))

    assert list(ears.append(shipped()["yes"].payload)) == []
    kept = ears.commit()
    assert kept is not None
    assert recognise(kept) is shipped()["yes"]
    assert ears.commit() is None


@pytest.mark.parametrize("piece", [1, 7, 960, 4_801])
def test_24_khz_comes_out_as_it_went_in_however_it_is_cut(piece: int) -> None:
    payload = shipped()["hello"].payload
    wire, inlet = sound.outlet(payload, "audio/pcm"), sound.Inlet("audio/pcm")
    heard = np.concatenate([inlet.take(wire[at : at + piece]) for at in range(0, len(wire), piece)]).astype(
        float
    )

    sent = audio.decode_ulaw(payload).astype(float)[: len(heard)]
    best = max(np.corrcoef(sent[: len(sent) - lag], heard[lag:])[0, 1] for lag in range(40))
    assert len(wire) == 6 * len(payload)
    assert best > 0.97
