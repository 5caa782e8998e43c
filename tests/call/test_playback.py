"""How much was heard: compared with a phone that knows it exactly."""

from __future__ import annotations

import random
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.call import events as ev
from assistant.call.plan import CallPlan
from assistant.call.playback import Moment, Playback, StreamClock
from tests.call.telling import Line, Said, sound


def at(ms: float) -> Moment:
    return Moment(ms, ms)


def send(playback: Playback, item_id: str, ms: int, now_ms: float = 0) -> list[str]:
    """Send some sound of an item; returns the names of the marks that go with it."""
    parts = playback.send("r", item_id, 0, sound(ms), now_ms)
    return [part for part in parts if isinstance(part, str)]


# --- the row of bytes --------------------------------------------------------


def test_marks_stand_every_100_to_200_ms():
    playback = Playback()
    lengths, since_mark = [], 0
    for length in [20] * 23 + [200] * 3 + [1_000]:
        for part in playback.send("r", "a", 0, sound(length), 0):
            if isinstance(part, str):
                lengths.append(since_mark)
                since_mark = 0
            else:
                since_mark += len(part) // 8

    assert lengths
    assert all(100 <= length <= 200 for length in lengths)


def test_the_end_of_an_item_has_a_mark_of_its_own():
    playback = Playback()

    assert send(playback, "a", 30) == []
    assert len(list(playback.finish("a"))) == 1
    assert list(playback.finish("a")) == []


def test_between_two_marks_the_clock_fills_in():
    playback = Playback()
    first = send(playback, "a", 1_000)[0]
    playback.returned(first, at(200))

    assert playback.position(at(260)) == 260 * 8


def test_the_clock_does_not_run_far_past_a_mark_that_has_not_come_back():
    playback = Playback()
    send(playback, "a", 1_000)

    assert playback.position(at(900)) <= (200 + 40) * 8


def test_a_mark_of_an_older_generation_says_nothing():
    playback = Playback()
    old = send(playback, "a", 1_000)
    playback.clear(at(100))
    send(playback, "b", 1_000, 200)

    assert playback.returned(old[-1], at(210)) == ([], [])
    assert playback.position(at(210)) == 10 * 8


@pytest.mark.parametrize("name", ["", "bye", "0:", "0:x", "0:99", "7:1", "::"])
def test_a_mark_that_is_not_ours_says_nothing(name):
    playback = Playback()
    send(playback, "a", 1_000)

    assert playback.returned(name, at(500)) == ([], [])


def test_a_mark_that_comes_back_twice_counts_once():
    playback = Playback()
    mark = send(playback, "a", 160)[0]
    heard, _ = playback.returned(mark, at(160))

    assert heard
    assert playback.returned(mark, at(170)) == ([], [])


def test_a_lost_mark_is_made_good_by_the_next():
    playback = Playback()
    marks = send(playback, "a", 600)
    heard, _ = playback.returned(marks[1], at(400))

    assert sum(len(part.payload) for part in heard) == 400 * 8


def test_an_item_heard_to_its_end_is_whole_and_a_later_one_is_at_zero():
    playback = Playback()
    send(playback, "a", 100)
    playback.finish("a")
    list(playback.finish("a"))
    send(playback, "b", 500)
    send(playback, "c", 500)
    _, cuts = playback.clear(at(130))

    assert [(cut.item.item_id, cut.heard_ms, cut.whole) for cut in cuts] == [
        ("a", 100, True),
        ("b", 30, False),
        ("c", 0, False),
    ]


def test_what_is_recorded_as_heard_is_what_was_played_and_when():
    playback = Playback()
    marks = send(playback, "a", 400, now_ms=1_000)
    heard, _ = playback.returned(marks[0], at(1_200))
    more, _ = playback.clear(at(1_240))

    assert [(len(part.payload) // 8, part.at_ms) for part in heard + more] == [(200, 1_000), (40, 1_200)]


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["send", "finish", "mark", "old mark", "clear", "wait"]),
        st.integers(0, 4),
        st.integers(1, 700),
    ),
    max_size=60,
)


@given(OPERATIONS)
def test_heard_is_never_more_than_sent_whatever_the_order(operations):
    playback = Playback()
    now_ms, sent, recorded = 0, {}, 0
    marks: list[str] = []
    for what, number, length in operations:
        position = playback.position(at(now_ms))
        heard, cuts = [], []
        match what:
            case "send":
                item_id = f"item_{playback.generation}_{number}"
                sent[item_id] = sent.get(item_id, 0) + length
                marks += send(playback, item_id, length, now_ms)
            case "finish":
                marks += playback.finish(f"item_{playback.generation}_{number}")
            case "mark" if marks:
                heard, _ = playback.returned(marks[number % len(marks)], at(now_ms))
            case "old mark":
                heard, _ = playback.returned(f"{playback.generation - 1}:{number}", at(now_ms))
                assert not heard
            case "clear":
                heard, cuts = playback.clear(at(now_ms))
                assert playback.idle
            case "wait":
                now_ms += length
        recorded += sum(len(part.payload) for part in heard)
        assert recorded <= sum(sent.values()) * 8
        for cut in cuts:
            assert 0 <= cut.heard_ms <= cut.item.sent_ms <= sent[cut.item.item_id]
        if what in ("mark", "old mark", "wait"):
            assert playback.position(at(now_ms)) >= position


def test_the_way_is_measured_on_the_empty_queue_and_the_quickest_counts():
    playback = Playback()
    names = [*playback.probe(0)]
    for took_ms in (180, 120, 140):
        assert len(names) == 1
        names = [*playback.probed(names[0], playback._probed_at_ms[-1] + took_ms)]

    assert names == []
    assert playback._travel_ms == 120


def test_a_probe_behind_sound_would_measure_the_sound():
    playback = Playback()
    first = [*playback.probe(0)]
    send(playback, "a", 500)

    assert [*playback.probed(first[0], 60)] == []
    assert playback._travel_ms == 60


def test_the_way_is_measured_on_when_the_queue_has_run_empty():
    playback = Playback()
    [first] = playback.probe(0)
    marks = send(playback, "a", 500)
    assert [*playback.probed(first, 90)] == []
    for name in marks:
        playback.returned(name, at(600))
    [second] = playback.probe(600)
    assert len([*playback.probed(second, 650)]) == 1

    assert playback._travel_ms == 50


# --- the phone's clock -------------------------------------------------------


def test_frames_that_come_in_a_burst_do_not_move_the_clock():
    clock = StreamClock()
    for number in range(10):
        clock.frame(number * 20, 20, number * 20 + 25)
    for number in range(10, 20):
        clock.frame(number * 20, 20, 425)

    assert clock.at(425).now_ms == pytest.approx(420, abs=1)


def test_while_the_wire_is_silent_the_phone_can_have_told_nothing():
    clock = StreamClock()
    clock.frame(0, 20, 20)
    moment = clock.at(220)

    assert moment.now_ms == 220
    assert moment.told_ms == pytest.approx(20, abs=20)


def test_without_any_frame_the_loops_clock_is_the_only_one():
    assert StreamClock().at(5_000) == Moment(5_000, 5_000)


def test_a_phone_whose_timestamps_stand_still_does_not_stop_the_clock():
    clock = StreamClock()
    for number in range(100):
        clock.frame(0, 20, number * 20 + 20)

    assert clock.at(2_000).now_ms == pytest.approx(2_000, abs=5)


# --- against what the phone really played -------------------------------------


def jitter(rng: random.Random) -> float:
    return rng.choice([0, 0, 0, 5, 15, 30, 0, 40])


def bursts(rng: random.Random) -> float:
    return 200.0 if rng.random() < 0.03 else 0.0


def uneven(rng: random.Random) -> float:
    return rng.uniform(0, 60)


def slow(rng: random.Random) -> float:
    return 60.0


def far(rng: random.Random) -> float:
    return 150.0


def far_and_uneven(rng: random.Random) -> float:
    return rng.uniform(100, 140)


def still(rng: random.Random) -> float:
    return 0.0


# How long a mark takes to come back; how long the wire from the phone holds back what it carries.
LINES = {
    "still": (still, still),
    "slow marks": (slow, still),
    "uneven marks": (uneven, still),
    "far away": (far, still),
    "far away and uneven": (far_and_uneven, jitter),
    "jittery": (still, jitter),
    "bursts": (still, bursts),
    "all of it": (uneven, jitter),
}


def interrupted_three_times(line: Line, rng: random.Random, delta_ms: int, pace: float) -> None:
    """Three replies, each interrupted somewhere. pace: 0 all at once; 1 as fast as it is heard."""
    line.begins()
    line.wait(rng.randrange(300, 900))
    line.tell(ev.ModelReady)
    for number in range(3):
        said = [
            Said(f"item_{number}_{item}", rng.randrange(300, 4_000), delta_ms=delta_ms)
            for item in range(rng.choice([1, 2, 3]))
        ]
        due_ms = 0.0
        for event in line.reply_events(f"r{number}", *said):
            line.later(due_ms, event)
            due_ms += pace * delta_ms * rng.uniform(0.7, 1.5)
        line.later(due_ms, lambda number=number: line.tell(ev.ReplyDone, f"r{number}", "completed"))
        longest = max(due_ms, sum(item.ms for item in said))
        line.wait(rng.uniform(50, longest + 100))
        line.starts_speaking(f"u{number}")
        line.wait(500)
        line.stops_speaking(f"u{number}")
        line.wait(rng.randrange(100, 3_000))


@pytest.mark.parametrize("pace", [0, 0.95, 1.1], ids=["fast", "nearly dry", "runs dry"])
@pytest.mark.parametrize("delta_ms", [20, 160, 200])
@pytest.mark.parametrize("line", LINES)
def test_the_model_is_told_what_the_phone_has_played(line, delta_ms, pace):
    told = []
    for seed in range(3):
        rng = random.Random(f"{seed} {line} {delta_ms} {pace}")
        way_back, lateness = LINES[line]
        there = Line(CallPlan(), way_back=partial(way_back, rng), lateness=partial(lateness, rng))
        interrupted_three_times(there, rng, delta_ms, pace)
        told += there.truncations

        assert there.cut_short <= {command.item_id for command, _ in there.truncations}
    for command, played_ms in told:
        assert abs(command.audio_end_ms - played_ms) <= 40, command
    assert told
