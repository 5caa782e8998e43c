"""Has the caller heard that the call is recorded?"""

from __future__ import annotations

import pytest

from assistant.call.disclosure import Disclosure
from tests.call.telling import NOTICE, OPENING


def test_no_disclosure_needs_no_hearing():
    assert Disclosure("").heard


def test_it_is_heard_when_its_share_of_the_sound_is():
    disclosure = Disclosure(NOTICE)
    share = disclosure.said_by(OPENING)
    disclosure.listen(share * 5_000 - 10, disclosure.ends_ms(OPENING, 5_000))
    assert not disclosure.heard
    disclosure.listen(share * 5_000, disclosure.ends_ms(OPENING, 5_000))

    assert disclosure.heard
    assert share == pytest.approx(len(NOTICE) / len(OPENING), abs=0.05)


def test_punctuation_and_case_are_nobodys_business():
    words = "this call, is answered by an Assistant -- and recorded! Hello"

    assert Disclosure(NOTICE).said_by(words) == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("words", ["", "Hello, how can I help?", "This call is answered"])
def test_other_words_are_not_it(words):
    disclosure = Disclosure(NOTICE)
    disclosure.listen(5_000, disclosure.ends_ms(words, 5_000))

    assert disclosure.said_by(words) is None
    assert not disclosure.heard


def test_it_is_heard_only_where_there_was_sound():
    disclosure = Disclosure(NOTICE)
    disclosure.listen(0, disclosure.ends_ms(NOTICE, 0))

    assert not disclosure.heard


def test_it_is_asked_for_again_once_and_after_every_cut():
    disclosure = Disclosure(NOTICE)

    assert NOTICE in disclosure.ask_again(cut_off=False)
    assert disclosure.ask_again(cut_off=False) == ""
    assert NOTICE in disclosure.ask_again(cut_off=True)
    disclosure.heard = True
    assert disclosure.ask_again(cut_off=True) == ""
