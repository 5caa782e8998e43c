"""Replies that fail, collide or never come."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from tests.call.telling import OPENING, Line, Said


@pytest.fixture
def line() -> Line:
    line = Line()
    line.opens()
    line.forget()
    return line


def test_a_rate_limit_is_met_with_one_more_try(line):
    line.says("u1", "Hello?")
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyDone, "r1", "failed", error_code="rate_limit_exceeded")
    assert line.done(do.CreateReply) == []
    line.wait(2_000)
    assert len(line.done(do.CreateReply)) == 1
    line.tell(ev.ReplyStarted, "r2")
    line.tell(ev.ReplyDone, "r2", "failed", error_code="rate_limit_exceeded")

    assert line.call.ended_because == "model_failed"
    assert line.done(do.ClosePhone)


def test_an_opening_that_failed_is_said_after_all():
    line = Line()
    line.begins()
    line.tell(ev.ModelReady)
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyDone, "r1", "failed")
    line.wait(2_000)

    assert [command.say for command in line.done(do.CreateReply)] == [OPENING, OPENING]


def test_a_caller_who_speaks_meanwhile_is_answered_instead(line):
    line.says("u1", "Hello?")
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyDone, "r1", "failed")
    line.says("u2", "Are you there?", ms=600)
    line.reply("r2", Said("a2", 1_000))
    line.wait(3_000)

    assert line.done(do.CreateReply) == []


def test_an_account_without_money_is_never_tried_again(line):
    line.says("u1", "Hello?")
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyDone, "r1", "failed", error_code="insufficient_quota", fatal=True)

    assert line.done(do.ConnectModel) == []
    assert line.call.ended_because == "model_failed"


def test_a_reply_cut_by_its_length_limit_is_no_failure(line):
    line.says("u1", "Tell me everything.")
    line.reply("r1", Said("a1", 1_000), status="incomplete")
    line.wait(5_000)

    assert not line.call.ended
    assert line.done(do.CreateReply) == []


def test_a_reply_that_is_due_and_never_comes_is_a_lost_model(line):
    line.says("u1", "Hello?")
    line.wait(7_900)
    assert line.done(do.ConnectModel) == []
    line.wait(200)

    assert len(line.done(do.ConnectModel)) == 1


def test_a_reply_that_falls_silent_half_way_is_a_lost_model(line):
    line.says("u1", "Hello?")
    line.tell(ev.ReplyStarted, "r1")
    line.wait(5_000)
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 800)
    line.wait(7_900)
    assert line.done(do.ConnectModel) == []
    line.wait(200)

    assert len(line.done(do.ConnectModel)) == 1


def test_a_long_reply_that_is_being_heard_is_not_lost(line):
    line.says("u1", "Tell me a story.")
    line.reply("r1", Said("a1", 30_000))
    line.wait(31_000)

    assert line.done(do.ConnectModel) == []
    assert line.phone.heard_ms("a1", line.now_ms) == 30_000


def test_a_request_that_crosses_with_the_models_own_answer_is_made_again(line):
    line.reply("r1", tools=[ev.ToolCall("tc_1", "take_message", "{}")])
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})
    asked = line.done(do.CreateReply)
    line.tell(ev.ReplyStarted, "the model's own")
    line.tell(ev.ReplyRefused, asked[0].event_id)
    assert line.done(do.CreateReply) == asked
    line.tell(ev.ReplyDone, "the model's own", "completed")

    assert line.done(do.CreateReply) == asked * 2


def test_a_caller_whose_answer_was_refused_is_answered_all_the_same(line):
    line.reply("r1", tools=[ev.ToolCall("tc_1", "take_message", "{}")])
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})
    line.starts_speaking("u1")
    line.tell(ev.ReplyStarted, "ours")
    line.wait(100)
    line.stops_speaking("u1")
    line.tell(ev.ReplyRefused, "")
    line.forget()
    line.tell(ev.ReplyDone, "ours", "cancelled")

    assert len(line.done(do.CreateReply)) == 1
    line.reply("r2", Said("a2", 1_000))
    line.wait(10_000)
    assert line.done(do.ConnectModel) == []


def test_a_complaint_of_the_model_changes_nothing(line):
    assert line.tell(ev.ModelError, "invalid_value", "Audio content is shorter") == []


def test_what_nobody_has_heard_of_changes_nothing(line):
    assert line.tell(ev.MarkReturned, "bye") == []
    assert line.tell(ev.TimerFired, "tea") == []
    assert line.tell(ev.NothingCommitted) == []
    assert line.tell(ev.ToolFinished, "tc_9", {"ok": True}, ev.ThenTransfer("please")) == []
    assert not line.call.ended


def test_a_request_that_had_to_wait_and_is_never_answered_is_a_lost_model(line):
    line.reply("r1", tools=[ev.ToolCall("tc_1", "take_message", "{}")])
    line.tell(ev.ReplyStarted, "r2")
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})
    line.tell(ev.ReplyDone, "r2", "completed")
    line.wait(8_100)

    assert len(line.done(do.ConnectModel)) == 1


def test_a_server_that_never_says_that_the_sound_is_complete(line):
    line.says("u1", "Hello?")
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 8 * 330)
    line.tell(ev.ReplyText, "r1", "a1", "Hello.")
    line.tell(ev.ReplyDone, "r1", "completed")
    line.wait(500)

    assert [command.turn.text for command in line.done(do.KeepTurn)][-1] == "Hello."
    line.forget()
    line.starts_speaking("u2")
    assert line.done(do.ClearPlayback) == []
