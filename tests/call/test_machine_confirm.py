"""A tool does what it was asked only when the caller presses a key."""

from __future__ import annotations

import pytest

from assistant.audio import silence
from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.plan import CallPlan
from tests.call.telling import NOTICE, OPENING, Line, Said

DONE = {"ok": True, "cancelled": "Lunch"}


def cancel(number: int) -> ev.ToolCall:
    return ev.ToolCall(f"tc_{number}", "cancel_event", "{}")


def wants_a_key(line: Line, number: int = 1, then: ev.ThenConfirm | None = None) -> None:
    """The model calls the tool, which asks for a key, and the assistant passes that on."""
    line.reply(f"r{number}", tools=[cancel(number)])
    line.tell(ev.ToolFinished, f"tc_{number}", {"ok": True, "waits_for_key": "1"}, then or ev.ThenConfirm())
    line.reply(f"r{number}b", Said(f"a{number}", 1_500, "Press 1 to cancel lunch."))


@pytest.fixture
def line() -> Line:
    line = Line()
    line.opens()
    line.says("u1", "Cancel lunch.", previous="greeting")
    line.forget()
    return line


def confirmed(line: Line) -> list[str]:
    return [command.tool_call_id for command in line.done(do.ConfirmTool)]


def test_the_key_has_it_done_and_the_model_is_told_what_came_of_it(line):
    wants_a_key(line)
    line.forget()
    line.presses("1")
    assert confirmed(line) == ["tc_1"]
    commands = line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE)
    line.wait(3_000)

    assert commands[0] == do.ReportTool("cancel_event", DONE, confirmed=True)
    assert len(line.done(do.CreateReply)) == 1
    assert line.done(do.TellModel) == []  # nobody is told of the key


def test_the_tool_itself_is_answered_like_any_other(line):
    wants_a_key(line)

    assert [command.tool_call_id for command in line.done(do.AnswerTool)] == ["tc_1"]


def test_the_tone_of_the_key_is_not_taken_for_speech(line):
    """The model would answer it, and not what the tool has done."""
    wants_a_key(line)
    line.forget()
    line.presses("1", every_ms=200)
    heard = {command.payload for command in line.done(do.HearCaller)}
    line.forget()
    line.wait(1_000)

    assert heard == {silence(20)}
    assert silence(20) not in [command.payload for command in line.done(do.HearCaller)[10:]]


def test_it_is_confirmed_once(line):
    wants_a_key(line)
    line.presses("1")
    line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE)
    assert line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE) == []
    line.presses("1")
    line.wait(2_000)

    assert confirmed(line) == ["tc_1"]
    assert len(line.done(do.ReportTool)) == 1
    assert len(line.done(do.TellModel)) == 1  # the second is a key like any other


def test_another_key_is_a_no_and_is_told(line):
    wants_a_key(line)
    line.presses("21")
    line.wait(2_000)

    assert confirmed(line) == []
    assert "2 1" in line.done(do.TellModel)[0].text


def test_the_key_may_be_another_one(line):
    wants_a_key(line, then=ev.ThenConfirm("9"))
    line.presses("9")

    assert confirmed(line) == ["tc_1"]


def test_the_newest_alone_waits_for_the_key(line):
    wants_a_key(line, 1)
    line.says("u2", "No, the other one.")
    wants_a_key(line, 2)
    line.presses("11")

    assert confirmed(line) == ["tc_2"]


def think_aloud(line: Line, until_ms: float) -> None:
    """The caller goes on talking, and the assistant listens."""
    for number in range(100, 200):
        if line.now_ms > until_ms - 3_000:
            break
        line.says(f"u{number}", "Let me think.")
        line.reply(f"r{number}", Said(f"a{number}", 500, "Take your time."))
        line.wait(2_000)
    line.wait(until_ms - line.now_ms)


def test_within_a_minute_it_is_not_too_late(line):
    wants_a_key(line)
    think_aloud(line, line.now_ms + 60_000)
    line.presses("1")

    assert confirmed(line) == ["tc_1"]


def test_after_a_minute_it_is_a_key_like_any_other(line):
    wants_a_key(line)
    think_aloud(line, line.now_ms + 60_020)
    line.presses("1", every_ms=2_500)

    assert confirmed(line) == []
    assert len(line.done(do.TellModel)) == 1


def test_a_tool_that_was_never_called_cannot_ask_for_a_key(line):
    line.tell(ev.ToolFinished, "tc_9", {"ok": True}, ev.ThenConfirm())
    line.presses("1")

    assert confirmed(line) == []


def test_silence_is_not_counted_while_it_is_being_done(line):
    wants_a_key(line)
    line.wait(500)
    line.forget()
    line.presses("1")
    line.wait(14_000)

    assert line.done(do.CreateReply) == []


def test_a_caller_who_speaks_meanwhile_is_answered_by_the_model_itself(line):
    wants_a_key(line)
    line.presses("1")
    line.starts_speaking("u2")
    line.forget()
    line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE)

    assert len(line.done(do.ReportTool)) == 1
    assert line.done(do.CreateReply) == []


def test_what_came_of_it_is_told_to_a_session_that_was_not_there(line):
    wants_a_key(line)
    line.wait(1_600)
    line.tell(ev.ModelLost, "gone")
    line.presses("1", every_ms=100)
    line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE)
    assert line.done(do.ReportTool) == []
    line.forget()
    line.tell(ev.ModelReady)

    assert line.done(do.ReportTool) == [do.ReportTool("cancel_event", DONE, confirmed=True)]
    assert len(line.done(do.CreateReply)) == 1


def test_a_key_that_is_a_yes_calls_a_goodbye_off(line):
    wants_a_key(line)
    line.wants_to_end(Said("a2", 1_000, "Goodbye."))
    line.presses("1")
    line.wait(2_000)

    assert confirmed(line) == ["tc_1"]
    assert line.done(do.HangUp) == []


def test_nothing_is_confirmed_once_the_time_is_up(line):
    wants_a_key(line)
    line.tell(ev.TimerFired, "limit")
    line.presses("1")

    assert confirmed(line) == []


def test_a_key_of_a_pin_confirms_nothing():
    line = Line(CallPlan(opening=OPENING, disclosure=NOTICE, keypad_pin=True))
    line.opens()
    line.presses("2")
    wants_a_key(line)
    line.presses("1#")

    assert confirmed(line) == []
    assert [command.digits for command in line.done(do.CheckPin)] == ["21"]
