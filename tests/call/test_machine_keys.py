"""The caller presses keys."""

from __future__ import annotations

from assistant.call import commands as do
from assistant.call import events as ev
from tests.call.telling import Line, Said


def press(line: Line, keys: str, every_ms: int = 500) -> None:
    for key in keys:
        line.tell(ev.CallerPressed, key)
        line.wait(every_ms)


def test_keys_pressed_close_together_are_one_number_and_are_answered_once():
    line = Line()
    line.opens()
    line.forget()
    press(line, "42#")
    line.wait(2_000)

    notes = line.done(do.TellModel)
    assert len(notes) == 1
    assert "4 2 #" in notes[0].text
    assert len(line.done(do.CreateReply)) == 1


def test_a_caller_who_speaks_while_pressing_is_answered_by_the_model_itself():
    line = Line()
    line.opens()
    line.forget()
    line.starts_speaking("u1")
    press(line, "7")
    line.wait(3_000)

    assert len(line.done(do.TellModel)) == 1
    assert line.done(do.CreateReply) == []


def test_keys_pressed_before_the_model_is_there_are_kept_for_it():
    line = Line()
    line.begins()
    press(line, "1")
    line.wait(2_500)
    assert line.done(do.TellModel) == []
    line.tell(ev.ModelReady)
    line.reply("opening", Said("greeting", 500))
    line.wait(3_000)

    assert len(line.done(do.TellModel)) == 1


def test_a_key_is_a_sign_of_life():
    line = Line()
    line.opens()
    line.wait(9_000)
    line.forget()
    press(line, "1")
    line.wait(1_800)
    line.reply("r1", Said("a1", 500))
    line.wait(9_000)

    assert [command.ask for command in line.done(do.CreateReply)] == [""]


def test_a_key_calls_a_goodbye_off():
    line = Line()
    line.opens()
    line.reply("r1", Said("a1", 3_000, "Goodbye."), tools=[ev.ToolCall("tc_1", "end_call", "{}")])
    line.tell(ev.ToolFinished, "tc_1", {"ok": True}, ev.ThenHangUp())
    line.wait(500)
    press(line, "1")
    line.wait(4_000)

    assert line.done(do.HangUp) == []
    assert len(line.done(do.CreateReply)) == 2  # the opening, and an answer to the key


def test_keys_change_nothing_once_the_time_is_up():
    line = Line()
    line.opens()
    press(line, "1")
    line.tell(ev.TimerFired, "limit")
    line.forget()
    press(line, "2")
    line.wait(4_000)

    assert line.done(do.TellModel) == []
    assert line.done(do.CreateReply) == []


def goodbye_is_said(line: Line) -> None:
    """The assistant has said goodbye, and it still sounds."""
    line.about_to_end()
    line.wants_to_end(Said("a1", 3_000, "Goodbye."))
    line.wait(500)


def test_a_key_does_not_bring_back_a_model_that_left_after_its_goodbye():
    line = Line()
    goodbye_is_said(line)
    line.tell(ev.ModelLost, "gone")
    press(line, "1")
    line.wait(4_000)

    assert line.done(do.TellModel) == []
    assert len(line.done(do.HangUp)) == 1


def test_a_key_calls_a_goodbye_off_that_a_new_session_was_to_say():
    line = Line().about_to_end()
    line.reply("r1", tools=[ev.ToolCall("tc_1", "end_call", "{}")])
    line.tell(ev.ToolFinished, "tc_1", {"ok": True}, ev.ThenHangUp())
    line.tell(ev.ModelLost, "gone")
    line.forget()
    press(line, "1")
    assert line.done(do.TellModel) == []  # there is nobody to tell
    line.tell(ev.ModelReady)
    line.wait(2_000)

    assert len(line.done(do.TellModel)) == 1
    assert line.done(do.HangUp) == []
