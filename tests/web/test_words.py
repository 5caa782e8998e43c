"""How times are written: in English, by the owner's clock, in the owner's zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from assistant.web.words import Words

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
TWO_MINUTES_AGO = "2026-11-21T08:58:00.000Z"


@pytest.mark.parametrize(
    ("language", "exact"),
    [
        ("en", "Nov 21, 2026, 5:58:00 PM"),
        ("en-GB", "21 Nov 2026, 17:58:00"),
        ("de", "21 Nov 2026, 17:58:00"),
        ("pt-BR", "21 Nov 2026, 17:58:00"),
        ("zh-TW", "Nov 21, 2026, 5:58:00 PM"),
    ],
)
def test_a_page_is_in_english_with_the_clock_of_the_language_on_the_phone(language: str, exact: str):
    words = Words("Asia/Tokyo", language, NOW)

    assert " ".join(words.exact(TWO_MINUTES_AGO).split()) == exact
    assert words.ago(TWO_MINUTES_AGO) == "2 minutes ago"


@pytest.mark.parametrize("language", ["xx-Nothing", "", "a" * 40])
def test_what_is_no_language_and_no_zone_is_written_as_in_america_and_in_utc(language: str):
    words = Words("Nowhere/At-All", language, NOW)

    assert " ".join(words.exact(TWO_MINUTES_AGO).split()) == "Nov 21, 2026, 8:58:00 AM"
    assert words.ago(TWO_MINUTES_AGO) == "2 minutes ago"


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_decimals_have_a_point_as_in_the_sentence_around_them(language: str):
    words = Words("UTC", language, NOW)

    assert words.wait(1_240).replace("\u00a0", " ") == "1.2 s"
    assert words.dollars(0.0471).endswith("$0.047")


def test_a_caller_without_a_number_is_named_for_what_they_have():
    words = Words("UTC", "en", NOW)

    assert words.number("+442079460018") == "+44 20 7946 0018"
    assert words.number(None) == "Withheld number"
    assert words.number("client:browser") == "a browser"
