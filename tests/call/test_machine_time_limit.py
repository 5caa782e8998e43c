"""The call has lasted as long as it may."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.plan import CallPlan
from tests.call.telling import Line, Said


@pytest.fixture
def line() -> Line:
    return Line().about_to_end()


def test_when_the_time_is_up_goodbye_is_said_and_heard(line):
    line.reply("r1", Said("a1", 3_000))
    line.wait(1_000)
    line.tell(ev.TimerFired, "limit")
    assert line.done(do.ClearPlayback)
    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.time_up_ask]
    line.reply("r_bye", Said("bye", 2_000, "Goodbye."))
    line.wait(1_900)
    assert line.done(do.HangUp) == []
    line.wait(200)
    assert len(line.done(do.HangUp)) == 1
    line.hangs_up()

    assert line.call.ended_because == "time_limit"


def test_the_limit_counts_from_the_streams_beginning():
    line = Line(CallPlan(max_call_ms=20_000))
    line.opens()
    line.starts_speaking("u1")
    line.wait(16_500)
    assert len(line.done(do.CreateReply)) == 1
    line.wait(500)

    assert [command.ask for command in line.done(do.CreateReply)][1:] == [line.plan.time_up_ask]


def test_a_reply_that_is_being_generated_gives_way_to_the_goodbye(line):
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 8_000)
    line.wait(300)
    line.tell(ev.TimerFired, "limit")
    assert len(line.done(do.CancelReply)) == 1
    assert line.done(do.CreateReply) == []
    line.forget()
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 8_000)
    assert line.done(do.Play) == []
    line.tell(ev.ReplyDone, "r1", "cancelled")

    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.time_up_ask]


def test_a_caller_who_talks_on_cannot_prolong_the_call(line):
    line.reply("r1", Said("a1", 500))
    line.wait(1_000)
    line.tell(ev.TimerFired, "limit")
    line.reply("r_bye", Said("bye", 500, "Goodbye."))
    begun_ms = line.now_ms
    line.starts_speaking("u2")
    for number in range(2, 20):
        if line.done(do.HangUp):
            break
        line.wait(1_000)
        line.stops_speaking(f"u{number}")
        line.reply(f"r{number}", Said(f"a{number}", 8_000))  # the model answers by itself
        line.starts_speaking(f"u{number + 1}")

    assert line.done(do.HangUp)
    assert line.now_ms - begun_ms <= 3_000


def test_after_the_limit_nothing_but_the_goodbye_is_said(line):
    line.reply("r1", Said("a1", 500))
    line.wait(1_000)
    line.tell(ev.TimerFired, "limit")
    line.tell(ev.ReplyStarted, "r_bye")
    line.says("u2", "Wait!", ms=300)
    line.tell(ev.ReplyAudio, "r_bye", "bye", 0, b"x" * 8_000)
    line.tell(ev.ReplyDone, "r_bye", "completed")
    assert line.phone.sent_ms("bye") == 1_000
    line.forget()
    line.reply("r2", Said("a2", 2_000))

    assert line.done(do.Play) == []
    assert len(line.done(do.CancelReply)) == 1


def test_a_goodbye_that_collides_with_the_models_own_answer_is_said_after_it_was_cut(line):
    # The caller has just fallen silent, so the model is about to answer.
    line.tell(ev.TimerFired, "limit")
    goodbye = line.done(do.CreateReply)
    line.tell(ev.ReplyStarted, "the model's own")
    line.tell(ev.ReplyRefused, goodbye[0].event_id)
    assert len(line.done(do.CancelReply)) == 1
    line.tell(ev.ReplyDone, "the model's own", "cancelled")

    assert line.done(do.CreateReply) == goodbye * 2


def test_a_limit_that_comes_in_a_goodbye_leaves_it_alone_but_makes_it_final(line):
    line.wants_to_end(Said("bye", 3_000, "Goodbye."))
    line.wait(500)
    line.tell(ev.TimerFired, "limit")
    line.says("u2", "One more thing.", ms=300)
    line.wait(5_000)

    assert line.done(do.ClearPlayback) == []
    assert len(line.done(do.HangUp)) == 1
    line.hangs_up()
    assert line.call.ended_because == "assistant_ended"


def test_a_limit_that_comes_while_the_model_is_away_is_told_when_it_is_back(line):
    line.reply("r1", Said("a1", 500))
    line.tell(ev.ModelLost, "gone")
    line.tell(ev.TimerFired, "limit")
    assert line.done(do.HangUp) == []
    line.tell(ev.ModelReady)
    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.time_up_ask]
    line.reply("r_bye", Said("bye", 500))
    line.wait(3_000)
    line.hangs_up()

    assert line.call.ended_because == "time_limit"


def test_sessions_that_cannot_say_goodbye_do_not_make_the_call_longer(line):
    line.tell(ev.TimerFired, "limit")
    line.wait(8_500)
    line.tell(ev.ModelReady)
    line.wait(1_400)
    assert line.done(do.HangUp) == []
    line.wait(200)

    assert len(line.done(do.HangUp)) == 1
