"""What a person on the phone does about what is heard, with a telephone that takes no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from assistant.audio import BYTES_PER_MS, silence
from assistant.sandbox.caller.handset import FRAME_MS, Ear, Handset
from assistant.sandbox.caller.person import Person
from assistant.sandbox.caller.script import read_scenario
from assistant.sandbox.lines import shipped, spoken_by


class Telephone:
    """A handset whose far end says these lines, one after each thing it is told."""

    def __init__(self, *line_ids: str) -> None:
        self.ear = Ear()
        self.hung_up = False
        self._line_ids = list(line_ids)
        self._answers: list[str] = []

    def speak(self, payload: bytes) -> None:
        self.ear.hear(silence(len(payload) // BYTES_PER_MS))
        self._answers, self._line_ids = self._line_ids[:1], self._line_ids[1:]

    def wait(self, condition: Callable[[], bool], within_ms: float = 60_000) -> bool:
        until_ms = self.ear.now_ms + within_ms
        while self._answers:
            self.ear.hear(silence(700) + shipped()[self._answers.pop()].payload)
        while not condition() and self.ear.now_ms < until_ms:
            self.ear.hear(silence(FRAME_MS))
        return condition()

    def hang_up(self) -> None:
        self.hung_up = True


def person(telephone: Telephone, *steps: dict[str, Any]) -> Person:
    """Somebody who has done these steps."""
    [caller] = read_scenario("trial", {"caller": [{"steps": list(steps)}]}).callers
    somebody = Person(cast("Handset", telephone), caller.steps, lambda kind, text: None)
    somebody.run()
    return somebody


AGREE = {"say": "yes", "while_asked": "put-down"}


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_caller_agrees_as_often_as_is_asked(times: int) -> None:
    telephone = Telephone("greeting", *["put-down"] * times, "anything-else")

    caller = person(telephone, {"say": "hello"}, {"hear": "reply"}, {"say": "booking-1"},
                    {"hear": "reply"}, AGREE, {"say": "thanks-bye"})  # fmt: skip
    assert [one.line_id for one in caller.spoken] == ["hello", "booking-1", *["yes"] * times, "thanks-bye"]
    assert caller.problems == []


def test_a_question_that_is_not_answered_is_not_agreed_to_for_ever() -> None:
    caller = person(Telephone("put-down"), {"say": "hello"}, {"hear": "reply"}, AGREE | {"within_s": 2})

    assert [one.line_id for one in caller.spoken] == ["hello", "yes"]
    assert caller.problems == ["say yes: nobody spoke, or nobody stopped speaking within 2 s"]


def test_a_reply_without_the_line_it_must_have_is_a_problem_and_the_caller_hangs_up() -> None:
    telephone = Telephone("anything-else")

    hears_it = {"hear": "reply", "saying": "welcome", "within_s": 2}
    caller = person(telephone, {"say": "hello"}, hears_it, {"say": "yes"})
    assert caller.problems == ["hear reply: nobody said 'Welcome. What can I do for you?' within 2 s"]
    assert telephone.hung_up
    assert [one.line_id for one in caller.spoken] == ["hello"]


@pytest.mark.parametrize("wanted", ["put-down", "welcome", "cancelled"])
def test_words_are_told_from_all_other_words_by_their_sound(wanted: str) -> None:
    for other in spoken_by("assistant"):
        ear = Ear()
        ear.hear(silence(733) + other.payload + silence(500))

        same = shipped()[wanted].text.lower() in other.text.lower()
        assert ear.heard(shipped()[wanted].payload, 0) == same, other.text


def test_what_was_heard_before_is_not_heard_again() -> None:
    ear = Ear()
    ear.hear(shipped()["welcome"].payload + silence(3_000))

    assert ear.heard(shipped()["welcome"].payload, 0)
    assert not ear.heard(shipped()["welcome"].payload, 1_000)
