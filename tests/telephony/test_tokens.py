"""One-time tokens of media streams."""

from __future__ import annotations

from assistant.telephony.tokens import StreamTokens

CALL, OTHER = "CA" + "1" * 32, "CA" + "2" * 32


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_token_works_once_for_its_own_call():
    tokens = StreamTokens(Clock())
    token = tokens.issue(CALL)

    assert not tokens.take(token, OTHER)
    assert not tokens.take(token[:-1], CALL)
    assert not tokens.take("", CALL)
    assert not tokens.take("ü", CALL)
    assert tokens.take(token, CALL)
    assert not tokens.take(token, CALL)


def test_a_fresh_token_kills_the_old_one():
    tokens = StreamTokens(Clock())
    old, fresh = tokens.issue(CALL), tokens.issue(CALL)

    assert not tokens.take(old, CALL)
    assert tokens.take(fresh, CALL)


def test_a_token_is_dead_after_a_minute():
    clock = Clock()
    tokens = StreamTokens(clock)
    token, other = tokens.issue(CALL), tokens.issue(OTHER)

    clock.now_s += 59.9
    assert tokens.take(other, OTHER)
    clock.now_s += 0.1
    assert not tokens.take(token, CALL)


def test_calls_on_their_way_are_counted():
    clock = Clock()
    tokens = StreamTokens(clock)
    tokens.issue(CALL)
    tokens.issue(CALL)
    tokens.issue(OTHER)
    assert tokens.waiting() == 2

    tokens.drop(OTHER)
    tokens.drop(OTHER)
    assert tokens.waiting() == 1

    clock.now_s += 60
    assert tokens.waiting() == 0
