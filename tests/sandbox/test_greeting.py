"""The sandbox's own greeting is what its model would speak, or nothing."""

from __future__ import annotations

import pytest

from assistant import audio
from assistant.sandbox.greeting import own
from assistant.sandbox.model import mouth
from assistant.store.preferences import Preferences


def test_the_default_opening_of_a_nameless_owner_is_there():
    opening = Preferences().opening

    payload = own(opening)

    assert payload == mouth.speak(opening)
    assert payload is not None
    assert 4_000 < audio.duration_ms(payload) < 8_000
    assert audio.level(payload) > 1_000


def test_without_the_disclosure_the_greeting_is_there_alone():
    opening = Preferences(disclosure="").opening

    assert own(opening) == mouth.speak(opening)


@pytest.mark.parametrize(
    "opening",
    [
        Preferences(owner_name="Kim").opening,
        Preferences(greeting="Hello, hello.").opening,
        Preferences(disclosure="Recorded.").opening,
        "This call is answered by an assistant",
        "Hello? Is anybody there?",  # a caller's line
        " … ",
        "",
    ],
)
def test_words_it_would_have_to_murmur_are_not_there(opening: str):
    assert own(opening) is None
