"""What a call used, and what it cost."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from assistant.realtime import usage as usage_module
from assistant.realtime.models import MODELS
from assistant.realtime.usage import Usage, prices_for

RESPONSE = {
    "total_tokens": 842,
    "input_tokens": 700,
    "output_tokens": 142,
    "input_token_details": {
        "text_tokens": 560,
        "audio_tokens": 140,
        "image_tokens": 0,
        "cached_tokens": 512,
        "cached_tokens_details": {"text_tokens": 448, "audio_tokens": 64, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 34, "audio_tokens": 108},
}
PRICES = prices_for("gpt-realtime-2.1", "gpt-transcribe")


def used(*responses: object, transcribed: tuple[object, ...] = ()) -> Usage:
    usage = Usage()
    for response in responses:
        usage.add_response(response)  # type: ignore[arg-type]
    for one in transcribed:
        usage.add_transcription(one)  # type: ignore[arg-type]
    return usage


def test_the_worked_example_costs_a_cent():
    assert used(RESPONSE).cost_usd(PRICES) == pytest.approx(0.0108128)


def test_responses_add_up_with_cached_tokens_as_a_part_of_those_in():
    assert used(RESPONSE, RESPONSE).as_dict() == {
        "text_in": 1120,
        "text_cached": 896,
        "text_out": 68,
        "audio_in": 280,
        "audio_cached": 128,
        "audio_out": 216,
        "transcription_s": 0,
    }


def test_a_cached_sum_is_text_first():
    details = {"text_tokens": 100, "audio_tokens": 50, "cached_tokens": 120}
    usage = used({"input_tokens": 150, "input_token_details": details})

    assert (usage.text_cached, usage.audio_cached) == (100, 20)


def test_totals_without_details_count_as_audio():
    usage = used({"input_tokens": 100, "output_tokens": 10})

    assert (usage.audio_in, usage.audio_out, usage.estimated) == (100, 10, True)


@pytest.mark.parametrize("nothing", [None, {}, {"input_tokens": None, "input_token_details": None}, "x", 5])
def test_missing_usage_counts_nothing(nothing: object):
    assert used(nothing, transcribed=(nothing,)).cost_usd(PRICES) == 0


def test_transcription_by_the_minute():
    usage = used(transcribed=({"type": "duration", "seconds": 90.0},))

    assert usage.as_dict()["transcription_s"] == 90
    assert usage.cost_usd(PRICES) == pytest.approx(1.5 * 0.0045)


def test_transcription_by_tokens_is_shown_in_seconds_and_paid_in_tokens():
    tokens = {
        "type": "tokens",
        "input_tokens": 26,
        "output_tokens": 9,
        "total_tokens": 35,
        "input_token_details": {"audio_tokens": 26, "text_tokens": 0},
    }
    usage = used(transcribed=(tokens,))

    assert usage.as_dict()["transcription_s"] == pytest.approx(2.6)
    by_tokens = prices_for("gpt-realtime-2.1", "gpt-4o-mini-transcribe")
    assert usage.cost_usd(by_tokens) == pytest.approx((26 * 1.25 + 9 * 5.0) / 1_000_000)
    assert usage.cost_usd(PRICES) == pytest.approx(2.6 / 60 * 0.0045)


def test_seconds_of_a_model_billed_by_tokens_are_still_paid_for():
    usage = used(transcribed=({"type": "duration", "seconds": 60},))

    assert usage.cost_usd(prices_for("gpt-realtime-2.1", "gpt-4o-transcribe")) > 0


def test_an_unknown_model_is_counted_like_the_usual_one_and_says_so():
    guessed = prices_for("somebody-elses", "gpt-transcribe")

    assert guessed.guessed
    assert guessed.model == PRICES.model
    assert not PRICES.guessed
    assert prices_for("gpt-realtime-2.1", "unknown").guessed


def test_every_model_we_know_has_a_price_and_the_list_its_date():
    table = tomllib.loads(Path(usage_module.__file__).with_name("prices.toml").read_text("utf-8"))

    assert set(MODELS) <= set(table["models"])
    assert table["date"].year >= 2026
    assert all(set(price) == set(PRICES.model) for price in table["models"].values())
