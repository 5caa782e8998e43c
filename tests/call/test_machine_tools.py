"""Tools run beside the conversation; what they answer is spoken about once."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from tests.call.telling import Line, Said


def tool(number: int) -> ev.ToolCall:
    return ev.ToolCall(f"tc_{number}", "take_message", f'{{"text": "{number}"}}')


@pytest.fixture
def line() -> Line:
    line = Line()
    line.opens()
    line.says("u1", "Please tell Sam.", previous="greeting")
    line.forget()
    return line


def test_a_batch_is_answered_by_one_response(line):
    line.reply("r1", Said("a1", 500, "One moment."), tools=[tool(1), tool(2)])
    assert [command.tool_call_id for command in line.done(do.RunTool)] == ["tc_1", "tc_2"]
    line.tell(ev.ToolFinished, "tc_2", {"ok": True})
    assert line.done(do.CreateReply) == []
    commands = line.tell(ev.ToolFinished, "tc_1", {"ok": True})

    assert [command.tool_call_id for command in line.done(do.AnswerTool)] == ["tc_2", "tc_1"]
    assert [type(command) for command in commands][:2] == [do.AnswerTool, do.CreateReply]
    assert len(line.done(do.CreateReply)) == 1


def test_a_tool_told_twice_is_run_and_answered_once(line):
    line.reply("r1", tools=[tool(1)])
    line.reply("r1", tools=[tool(1)])
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})

    assert len(line.done(do.RunTool)) == 1
    assert len(line.done(do.AnswerTool)) == 1


def test_an_answer_while_a_reply_is_active_waits_for_its_end(line):
    line.reply("r1", tools=[tool(1)])
    line.tell(ev.ReplyStarted, "r2")
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})
    assert len(line.done(do.AnswerTool)) == 1
    assert line.done(do.CreateReply) == []
    line.tell(ev.ReplyDone, "r2", "completed")

    assert len(line.done(do.CreateReply)) == 1


def test_an_answer_while_the_caller_speaks_is_left_to_the_models_own_answer(line):
    line.reply("r1", tools=[tool(1)])
    line.starts_speaking("u2")
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})
    line.stops_speaking("u2")
    line.reply("r2", Said("a2", 500))

    assert len(line.done(do.AnswerTool)) == 1
    assert line.done(do.CreateReply) == []


def test_an_answer_that_comes_when_the_model_has_begun_its_own_is_spoken_about_afterwards(line):
    line.reply("r1", tools=[tool(1)])
    line.says("u2", "And one more thing.")
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})
    line.reply("r2", Said("a2", 500))

    assert len(line.done(do.CreateReply)) == 1


def test_silence_is_not_counted_while_a_tool_is_at_work(line):
    line.reply("r1", Said("a1", 500, "One moment."), tools=[tool(1)])
    line.wait(12_000)

    assert line.done(do.CreateReply) == []
    assert line.done(do.ConnectModel) == []


def test_tools_of_a_reply_that_did_not_complete_are_not_told_and_not_run(line):
    line.tell(ev.ReplyStarted, "r1")
    line.starts_speaking("u2")
    line.tell(ev.ReplyDone, "r1", "cancelled")

    assert line.done(do.RunTool) == []


def test_tools_finish_their_work_though_the_session_that_asked_is_lost(line):
    line.reply("r1", tools=[tool(1), tool(2)])
    line.tell(ev.ModelLost, "gone")
    line.tell(ev.ToolFinished, "tc_1", {"ok": True, "saved": "yes"})
    line.tell(ev.ModelReady)
    assert [command.output["saved"] for command in line.done(do.ReportTool)] == ["yes"]
    assert line.done(do.CreateReply) == []  # the other is still at work
    line.tell(ev.ToolFinished, "tc_2", {"ok": True})

    # The new session never asked for them: an answer to its nobody's call would be refused.
    assert line.done(do.AnswerTool) == []
    assert len(line.done(do.ReportTool)) == 2
    assert len(line.done(do.CreateReply)) == 1


def test_all_that_finished_meanwhile_is_spoken_about_by_the_new_session(line):
    line.reply("r1", tools=[tool(1)])
    line.tell(ev.ModelLost, "gone")
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})
    line.tell(ev.ModelReady)

    assert len(line.done(do.CreateReply)) == 1
