"""What the caller's ear gets, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.audio import SILENCE
from assistant.sandbox.caller.playout import PlayOut


def voice(ms: int, byte: bytes = b"\x10") -> bytes:
    return byte * (8 * ms)


def test_a_second_of_voice_sent_at_once_takes_a_second():
    playout = PlayOut()
    playout.push(voice(1000), at_ms=100)

    playout.advance(600)
    assert playout.heard_ms == 500
    assert playout.queued_ms == 500
    playout.advance(5000)
    assert playout.heard_ms == 1000
    assert playout.ear == SILENCE * 800 + voice(1000) + SILENCE * (8 * 3900)


def test_a_mark_comes_back_when_what_was_queued_before_it_has_been_played():
    playout = PlayOut()
    playout.push(voice(200), at_ms=0)
    assert playout.place("a", at_ms=0) == []
    playout.push(voice(200), at_ms=0)
    assert playout.place("b", at_ms=0) == []

    assert playout.next_mark_ms() == 200
    assert playout.advance(199.9) == []
    assert playout.advance(200) == ["a"]
    assert playout.next_mark_ms() == 400
    assert playout.advance(1000) == ["b"]
    assert [mark.returned_ms for mark in playout.marks] == [200, 400]
    assert playout.next_mark_ms() is None


def test_a_mark_on_an_empty_buffer_comes_back_at_once():
    assert PlayOut().place("a", at_ms=50) == ["a"]


def test_clear_gives_back_every_mark_and_throws_the_rest_away():
    playout = PlayOut()
    playout.push(voice(400), at_ms=0)
    playout.place("a", at_ms=0)
    playout.push(voice(400), at_ms=0)
    playout.place("b", at_ms=0)
    playout.place("c", at_ms=0)

    assert playout.clear(at_ms=500) == ["a", "b", "c"]
    assert [(mark.name, mark.by_clear) for mark in playout.marks] == [("a", False), ("b", True), ("c", True)]
    assert playout.clears[0].thrown_away_bytes == 300 * 8
    assert playout.advance(2000) == []
    assert playout.heard_ms == 500


def test_how_much_was_heard_of_what_was_sent_after_a_mark():
    playout = PlayOut()
    playout.push(voice(400), at_ms=0)
    playout.place("first", at_ms=0)
    playout.push(voice(400), at_ms=0)
    playout.push(voice(400), at_ms=0)
    playout.clear(at_ms=900)

    assert playout.heard_ms_since_mark("first") == 500
    assert playout.heard_ms_between(0, 400 * 8) == 400
    assert playout.heard_ms_between(800 * 8, 1200 * 8) == 100


def test_a_reply_that_was_cut_is_one_stretch_with_what_nobody_heard_of_it():
    playout = PlayOut()
    playout.push(voice(300), at_ms=1000)
    playout.push(voice(300), at_ms=1000)
    playout.push(voice(300), at_ms=1000)
    playout.clear(at_ms=1450)
    playout.push(voice(200), at_ms=1500)
    playout.advance(3000)

    cut, answer = playout.stretches()
    assert (cut.started_ms, cut.played_ms, cut.sent_ms, cut.cut) == (1000, 450, 900, True)
    assert (answer.started_ms, answer.played_ms, answer.cut) == (1500, 200, False)


def test_short_gaps_belong_to_a_reply_and_long_ones_do_not():
    playout = PlayOut()
    playout.push(voice(100), at_ms=0)
    playout.push(voice(100), at_ms=150)
    playout.push(voice(100), at_ms=900)
    playout.advance(2000)

    assert [(heard.started_ms, heard.played_ms) for heard in playout.stretches()] == [(0, 200), (900, 100)]


def test_a_reply_thrown_away_before_a_word_of_it_was_heard_is_no_stretch():
    playout = PlayOut()
    playout.push(voice(100), at_ms=0)
    playout.advance(2000)
    playout.push(voice(100), at_ms=2000)
    playout.clear(at_ms=2000)

    assert [heard.cut for heard in playout.stretches()] == [False]


Actions = st.lists(
    st.tuples(
        st.sampled_from(["push", "place", "clear", "advance"]),
        st.integers(0, 400),  # ms of voice
        st.integers(0, 300),  # ms until it happens
    ),
    max_size=40,
)


@given(Actions)
def test_whatever_happens_every_byte_is_played_thrown_away_or_waiting(actions):
    playout, now, marks = PlayOut(), 0, 0
    returned: list[str] = []
    for kind, ms, pause in actions:
        now += pause
        if kind == "push":
            returned += playout.push(voice(ms), now)
        elif kind == "place":
            marks += 1
            returned += playout.place(f"m{marks}", now)
        elif kind == "clear":
            returned += playout.clear(now)
            assert playout.queued_ms == 0
        else:
            returned += playout.advance(now)
        thrown_away = sum(clear.thrown_away_bytes for clear in playout.clears) / 8
        assert playout.heard_ms + playout.queued_ms + thrown_away == pytest.approx(playout.sent_bytes / 8)
        assert playout.heard_ms <= now
        assert len(playout.ear) == now * 8
        assert sum(heard.played_ms for heard in playout.stretches()) == pytest.approx(playout.heard_ms)

    returned += playout.advance(now + 100_000)
    assert returned == [f"m{number}" for number in range(1, marks + 1)]


@given(Actions)
def test_a_mark_that_was_not_cleared_means_that_everything_before_it_was_heard_or_cleared(actions):
    playout, now = PlayOut(), 0
    for number, (kind, ms, pause) in enumerate(actions):
        now += pause
        if kind == "clear":
            playout.clear(now)
        else:
            playout.push(voice(ms), now)
            playout.place(f"m{number}", now)
    playout.advance(now + 100_000)

    for mark in playout.marks:
        if not mark.by_clear:
            unheard = mark.position / 8 - playout.heard_ms_between(0, mark.position)
            before = [
                clear.thrown_away_bytes for clear in playout.clears if clear.sent_bytes <= mark.position
            ]
            assert unheard == pytest.approx(sum(before) / 8)
