"""The caller is gone; their last words may still be on the way."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.plan import CallPlan
from tests.call.telling import Line, Said


@pytest.fixture
def line() -> Line:
    line = Line()
    line.opens()
    line.forget()
    return line


def kept(line: Line) -> dict[str, str]:
    return {command.turn.item_id: command.turn.text for command in line.done(do.KeepTurn)}


def test_with_nothing_outstanding_the_model_is_closed_at_once(line):
    line.hangs_up()

    assert line.call.ended
    assert line.done(do.CloseModel) == [do.CloseModel()]


def test_nothing_more_is_said_to_anybody(line):
    line.says("u1", None)
    line.tell(ev.ReplyStarted, "r1")
    line.hangs_up()
    line.forget()
    line.tell(ev.CallerAudio, b"x" * 160, timestamp_ms=0)
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 1_600)
    line.tell(ev.MarkReturned, "0:1")
    line.tell(ev.CallerPressed, "1")
    line.tell(ev.ReplyDone, "r1", "completed", (ev.ToolCall("tc_1", "end_call", "{}"),))
    line.tell(ev.ToolFinished, "tc_1", {"ok": True}, ev.ThenHangUp())

    assert line.did == []


def test_late_words_are_waited_for(line):
    line.says("u1", None)
    line.hangs_up()
    line.wait(1_000)
    assert not line.call.ended
    line.tell(ev.CallerTranscribed, "u1", "Please call back.")

    assert kept(line)["u1"] == "Please call back."
    assert line.call.ended
    assert line.did[-1] == do.CloseModel()


@pytest.mark.parametrize("how", ["failed", "never"])
def test_words_that_do_not_come_are_not_waited_for_longer_than_4_s(line, how):
    line.says("u1", None)
    line.hangs_up()
    if how == "failed":
        line.tell(ev.TranscriptionFailed, "u1")
    else:
        line.wait(3_990)
        assert not line.call.ended
        line.wait(20)

    assert line.call.ended
    assert kept(line)["u1"] == ""


def test_a_sentence_cut_off_by_the_hang_up_counts(line):
    line.starts_speaking("u1")
    line.wait(500)
    commands = line.hangs_up()
    assert do.CommitCaller() in commands
    line.wait(300)
    line.tell(ev.CallerCommitted, "u1", "greeting")
    line.wait(2_000)
    line.tell(ev.CallerTranscribed, "u1", "My number is")

    assert kept(line)["u1"] == "My number is"
    assert line.call.ended


def test_words_of_an_earlier_sentence_do_not_end_the_wait_for_the_last(line):
    line.says("u1", None)
    line.starts_speaking("u2")
    line.hangs_up()
    line.tell(ev.TranscriptionFailed, "u2")
    line.tell(ev.CallerTranscribed, "u1", "Hello.")

    assert not line.call.ended  # the commit we asked for is still on the way


def test_the_4_s_count_from_the_callers_end(line):
    line.starts_speaking("u1")
    line.hangs_up()
    line.wait(700)
    line.tell(ev.SpeechStopped, "u1")
    line.tell(ev.CallerCommitted, "u1", "greeting")
    line.wait(3_290)
    assert not line.call.ended
    line.wait(20)

    assert line.call.ended


def test_a_sentence_that_the_model_does_not_know_is_not_waited_for_longer_than_1_s(line):
    line.starts_speaking("u1")
    line.hangs_up()
    line.tell(ev.NothingCommitted)
    line.wait(1_000)

    assert line.call.ended


def test_a_reply_in_progress_is_cancelled_and_so_is_a_late_one(line):
    line.says("u1", None)
    line.tell(ev.ReplyStarted, "r1")
    line.hangs_up()
    assert len(line.done(do.CancelReply)) == 1
    line.tell(ev.ReplyStarted, "r2")

    assert len(line.done(do.CancelReply)) == 2


def test_what_was_heard_until_then_is_kept(line):
    line.says("u1", "Hello.")
    line.reply("r1", Said("a1", 4_000, "one two three four five six seven eight"))
    line.wait(1_000)
    line.hangs_up()

    turn = next(command.turn for command in line.done(do.KeepTurn) if command.turn.item_id == "a1")
    assert turn.interrupted
    assert turn.heard_ms == pytest.approx(1_000, abs=40)
    assert turn.heard_text == "one two"
    assert line.done(do.TruncateReply) == []


def test_words_generated_after_the_hang_up_do_not_count_as_heard(line):
    line.says("u1", None)
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyWords, "r1", "a1", "one two")
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 8_000)
    line.wait(500)
    line.hangs_up()
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 24_000)
    line.tell(ev.ReplyText, "r1", "a1", "one two three four five six seven eight")

    turn = line.done(do.KeepTurn)[-1].turn
    assert turn.item_id == "a1"
    assert turn.heard_text == "one"


def test_a_model_that_is_lost_then_is_not_asked_back(line):
    line.says("u1", None)
    line.hangs_up()
    line.tell(ev.ModelLost, "closed")

    assert line.call.ended
    assert line.done(do.ConnectModel) == []
    assert line.done(do.ClosePhone) == []


def test_leaving_then_ends_it_at_once(line):
    line.says("u1", None)
    line.hangs_up()
    line.tell(ev.ShutDown)

    assert line.call.ended
    assert line.call.ended_because == "caller_hung_up"


def test_without_a_transcriber_there_is_nothing_to_wait_for():
    line = Line(CallPlan(opening="Hello.", transcribes=False))
    line.opens()
    line.says("u1", None)
    line.hangs_up()

    assert line.call.ended


def test_before_the_model_was_there():
    line = Line()
    line.begins()
    line.wait(100)
    line.hangs_up()

    assert line.call.ended
    assert line.done(do.CloseModel) == [do.CloseModel()]


def test_an_ended_call_does_nothing(line):
    line.hangs_up()
    line.forget()
    for kind in (ev.ShutDown, ev.HangUpFailed, ev.ModelReady, ev.CallStarted):
        line.tell(kind)
    line.tell(ev.CallerGone, hung_up=False)

    assert line.did == []
    assert line.call.ended_because == "caller_hung_up"
