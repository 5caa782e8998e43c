"""The model's session is lost in the middle of a call."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from tests.call.telling import NOTICE, OPENING, Line, Said


@pytest.fixture
def line() -> Line:
    line = Line()
    line.opens()
    line.says("u1", "It's Ana.", previous="greeting")
    line.reply("r1", Said("a1", 3_000, "Hello Ana, what can I do for you?", previous="u1"))
    line.wait(1_000)
    line.forget()
    return line


def lose(line: Line, away_ms: int = 500) -> None:
    line.tell(ev.ModelLost, "closed with 1006")
    line.wait(away_ms)
    line.forget()
    line.tell(ev.ModelReady)


def test_a_new_session_is_begun_at_once(line):
    commands = line.tell(ev.ModelLost, "closed with 1006")

    assert commands[0] == do.ConnectModel()
    assert line.done(do.ClosePhone) == []


def test_one_that_is_not_ready_after_2_s_is_given_up(line):
    line.tell(ev.ModelLost, "closed with 1006")
    line.wait(1_990)
    assert not line.call.ended
    line.wait(20)

    assert [command.code for command in line.done(do.ClosePhone)] == [1011]
    assert line.call.ended_because == "model_failed"
    assert len(line.done(do.CloseModel)) == 1


def test_a_second_loss_is_the_end(line):
    lose(line)
    line.tell(ev.ModelLost, "closed again")

    assert line.done(do.ConnectModel) == []
    assert line.call.ended_because == "model_failed"


def test_a_fatal_loss_is_the_end(line):
    line.tell(ev.ModelLost, "no money", fatal=True)

    assert line.call.ended_because == "model_failed"


def test_what_is_queued_at_the_phone_plays_on(line):
    lose(line)
    line.wait(3_000)

    assert line.done(do.ClearPlayback) == []
    assert line.phone.heard_ms("a1", line.now_ms) == 3_000
    turns = [command.turn for command in line.done(do.KeepTurn) if command.turn.item_id == "a1"]
    assert [(turn.interrupted, turn.heard_ms) for turn in turns] == [(False, 3_000)]


def test_the_new_session_is_told_what_was_said_in_order(line):
    lose(line)

    turns = line.done(do.RemindModel)[0].turns
    assert [turn.text for turn in turns] == [OPENING, "It's Ana.", "Hello Ana, what can I do for you?"]
    assert line.done(do.CreateReply) == []  # nothing was owed


def test_sound_of_the_meantime_is_handed_on(line):
    line.tell(ev.ModelLost, "closed with 1006")
    assert line.tell(ev.CallerAudio, b"meantime", timestamp_ms=int(line.now_ms)) == [
        do.RecordCaller(b"meantime", int(line.now_ms))
    ]
    line.tell(ev.ModelReady)

    assert line.done(do.HearCaller)[-1] == do.HearCaller(b"meantime")


def test_a_reply_that_was_due_is_asked_for_again(line):
    line.says("u2", "What are your hours?")
    line.forget()
    lose(line)

    assert len(line.done(do.CreateReply)) == 1


def test_a_reply_that_was_cut_off_is_asked_for_again():
    line = Line()
    line.begins()
    line.tell(ev.ModelReady)
    line.tell(ev.ReplyStarted, "opening")
    line.tell(ev.ReplyWords, "opening", "greeting", NOTICE)
    line.tell(ev.ReplyAudio, "opening", "greeting", 0, b"x" * 8_000)
    line.wait(300)
    lose(line)

    assert [command.say for command in line.done(do.CreateReply)] == [OPENING]


def test_a_sentence_without_words_is_heard_again_and_answered_by_itself(line):
    line.starts_speaking("u2")
    line.wait(1_000)
    line.tell(ev.ModelLost, "closed with 1006")
    line.wait(500)
    line.forget()
    line.tell(ev.ModelReady)

    assert 1_900 <= sum(len(command.payload) // 8 for command in line.done(do.HearCaller)) <= 2_000
    assert line.done(do.CreateReply) == []
    line.says("u2_again", "What are your hours?", ms=100)
    line.reply("r2", Said("a2", 1_000, "From nine to five."))
    line.wait(3_000)
    assert line.done(do.CreateReply) == []
    # The sentence is one turn, not two.
    line.hangs_up()
    texts = {command.turn.item_id: command.turn.text for command in line.done(do.KeepTurn)}
    assert "u2" not in texts
    assert texts["u2_again"] == "What are your hours?"


def test_a_sentence_that_the_new_session_does_not_answer_by_itself_is_answered_all_the_same(line):
    line.says("u2", None)
    line.tell(ev.ModelLost, "closed with 1006")
    line.tell(ev.ModelReady)
    line.forget()
    line.wait(1_600)

    assert len(line.done(do.CreateReply)) == 1


def test_items_of_the_new_session_follow_the_old_ones(line):
    line.wait(3_000)
    line.starts_speaking("u2")
    line.wait(300)
    lose(line)
    line.tell(ev.ItemAdded, "memory", None, "other")
    line.says("u3", "What are your hours?", previous="memory")
    line.reply("r2", Said("a2", 1_000, "From nine to five.", previous="u3"))
    line.wait(1_200)

    turns = {command.turn.item_id: command.turn for command in line.done(do.KeepTurn)}
    assert turns["a2"].position > turns["u3"].position > 2


def test_an_interruption_of_what_the_lost_session_said_is_not_told_to_the_new_one(line):
    lose(line)
    line.forget()
    line.starts_speaking("u2")

    assert line.done(do.ClearPlayback) == [do.ClearPlayback()]
    assert line.done(do.TruncateReply) == []  # it does not know the item
    turn = next(command.turn for command in line.done(do.KeepTurn))
    assert (turn.item_id, turn.interrupted) == ("a1", True)


def test_a_notice_that_was_not_heard_is_asked_of_the_new_session():
    line = Line()
    line.begins()
    line.tell(ev.ModelReady)
    line.begins_to_reply("opening", Said("greeting", 3_000, OPENING), pieces=4)
    line.wait(300)
    line.says("u1", "Hello?", ms=300)
    lose(line)

    assert any(NOTICE in note.text for note in line.done(do.TellModel))


def test_a_reply_that_was_waiting_to_be_tried_again_is_owed(line):
    line.says("u2", "What are your hours?")
    line.tell(ev.ReplyStarted, "r2")
    line.tell(ev.ReplyDone, "r2", "failed")
    lose(line)

    assert len(line.done(do.CreateReply)) == 1
    line.reply("r3", Said("a3", 500))
    line.wait(2_000)
    assert len(line.done(do.CreateReply)) == 1


def test_a_caller_who_hangs_up_meanwhile_ends_the_call(line):
    line.tell(ev.ModelLost, "closed with 1006")
    line.hangs_up()

    assert line.call.ended
    assert line.call.ended_because == "caller_hung_up"
    assert line.done(do.CloseModel) == [do.CloseModel()]


def test_a_hang_up_that_a_tool_wished_for_meanwhile_happens_afterwards(line):
    line.reply("r2", tools=[ev.ToolCall("tc_1", "end_call", "{}")])
    line.tell(ev.ModelLost, "closed with 1006")
    line.tell(ev.ToolFinished, "tc_1", {"ok": True}, ev.ThenHangUp())
    line.forget()
    line.tell(ev.ModelReady)
    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.farewell_ask]
    line.reply("r3", Said("bye", 500))
    line.wait(4_000)

    assert len(line.done(do.HangUp)) == 1


def test_a_reply_lost_half_way_is_heard_as_far_as_it_came_and_kept(line):
    line.says("u2", "What are your hours?")
    line.tell(ev.ReplyStarted, "r2")
    line.tell(ev.ReplyWords, "r2", "a2", "We are open")
    line.tell(ev.ReplyAudio, "r2", "a2", 0, b"x" * 8_000)
    lose(line)
    line.wait(2_000)

    turn = next(command.turn for command in line.done(do.KeepTurn) if command.turn.item_id == "a2")
    assert (turn.text, turn.heard_ms, turn.interrupted) == ("We are open", 1_000, False)


def test_a_reply_owed_while_a_tool_is_at_work_is_asked_for_with_its_answer(line):
    line.reply("r2", tools=[ev.ToolCall("tc_1", "take_message", "{}")])
    line.says("u2", "Have you got that?")
    lose(line)
    assert line.done(do.CreateReply) == []
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})

    assert len(line.done(do.CreateReply)) == 1
