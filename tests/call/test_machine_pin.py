"""The owner calls from their own number and types the PIN."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.audio import silence
from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.plan import CallPlan
from tests.call.telling import END, NOTICE, OPENING, Line, Said, sound

PLAN = CallPlan(opening=OPENING, disclosure=NOTICE, keypad_pin=True)
KEPT = replace(PLAN, greeting=sound(5_000), notice_ends_ms=2_600)

TONE = b"\x2b"  # what the caller's line carries while the test wants it to be nobody's


@pytest.fixture
def line() -> Line:
    line = Line(PLAN)
    line.opens()
    line.wait(200)
    line.forget()
    return line


def checked(line: Line) -> list[str]:
    return [command.digits for command in line.done(do.CheckPin)]


def asked(line: Line) -> list[str]:
    return [command.ask for command in line.done(do.CreateReply)]


def carried(line: Line) -> set[bytes]:
    """The kinds of sound that went to the model or to the recording."""
    parts = [*line.done(do.HearCaller), *line.done(do.RecordCaller)]
    return {bytes([level]) for part in parts for level in part.payload}


# --- the entry ---------------------------------------------------------------


def test_a_hash_closes_the_entry_and_the_digits_are_compared(line):
    line.presses("123456#")

    assert checked(line) == ["123456"]
    assert line.done(do.TellModel) == []
    assert asked(line) == []


def test_the_eighth_digit_closes_it(line):
    line.presses("12345678")

    assert checked(line) == ["12345678"]


def test_five_seconds_without_a_key_close_it(line):
    line.presses("123456", every_ms=4_900)
    assert checked(line) == []
    line.wait(200)

    assert checked(line) == ["123456"]


def test_a_star_begins_anew(line):
    line.presses("12*3456#")

    assert checked(line) == ["3456"]


def test_a_star_or_a_hash_may_come_first(line):
    line.presses("*123456#")
    line.tell(ev.PinChecked, False)
    line.presses("#123456#")

    assert checked(line) == ["123456", "123456"]


def test_letters_are_passed_over(line):
    line.presses("A", every_ms=2_500)
    assert line.done(do.TellModel) == []
    line.presses("12AB3456#")

    assert checked(line) == ["123456"]


@pytest.mark.parametrize("keys", ["#", "*", "12*"])
def test_an_entry_without_a_digit_does_nothing(line, keys):
    line.presses(keys)
    line.wait(6_000)

    assert checked(line) == []
    assert line.done(do.TellModel) == []
    assert asked(line) == []


def test_nothing_shows_the_digits_in_a_repr():
    assert "7" not in repr(ev.CallerPressed("7", at_ms=0))
    assert "7" not in repr(do.CheckPin("777777"))


def test_a_caller_with_another_number_only_presses_keys():
    line = Line()
    line.opens()
    line.forget()
    line.presses("123456#")
    line.wait(2_000)

    assert checked(line) == []
    assert len(line.done(do.TellModel)) == 1
    assert silence(20) not in [part.payload for part in line.done(do.HearCaller)]


# --- the sound ---------------------------------------------------------------


def test_while_the_entry_is_open_and_a_moment_after_nobody_hears_the_caller(line):
    line.caller_sounds = TONE
    line.presses("123456", every_ms=500)
    line.tell(ev.CallerPressed, "#")
    line.wait(300)

    assert carried(line) == {b"\xff"}
    assert sum(len(part.payload) for part in line.done(do.HearCaller)) == 3_300 * 8
    assert sum(len(part.payload) for part in line.done(do.RecordCaller)) == 3_300 * 8


def test_then_they_are_heard_again_though_the_digits_are_still_being_compared(line):
    line.presses("123456#", every_ms=300)
    line.forget()
    line.wait(200)

    assert carried(line) == {b"\x2a"}
    assert len(line.done(do.HearCaller)) == 10


def test_an_entry_that_times_out_is_silent_to_its_end(line):
    line.caller_sounds = TONE
    line.presses("1", every_ms=5_300)
    assert carried(line) == {b"\xff"}
    line.caller_sounds = b"\x2a"
    line.wait(100)

    assert carried(line) == {b"\xff", b"\x2a"}


def test_a_session_that_is_still_to_come_hears_no_tone_either():
    line = Line(KEPT)
    line.begins()
    line.wait(1_000)
    line.caller_sounds = TONE  # the tone of the first key begins before it is told
    line.wait(200)
    line.presses("123456", every_ms=250)
    line.tell(ev.CallerPressed, "#")
    line.wait(300)
    line.caller_sounds = b"\x2a"
    line.wait(200)
    line.tell(ev.ModelReady)

    assert carried(line) == {b"\x2a", b"\xff"}
    assert sum(len(part.payload) for part in line.done(do.HearCaller)) / 8 == line.now_ms


def test_a_session_in_place_of_a_lost_one_does_not_hear_it_again(line):
    line.starts_speaking("u1")
    line.caller_sounds = TONE
    line.presses("123456", every_ms=250)
    line.tell(ev.CallerPressed, "#")
    line.wait(300)
    line.caller_sounds = b"\x2a"
    line.tell(ev.ModelLost, "gone")
    line.wait(500)
    line.forget()
    line.tell(ev.ModelReady)

    assert carried(line) == {b"\x2a", b"\xff"}


def test_the_tone_of_the_first_key_is_taken_out_of_the_recording(line):
    line.presses("1")
    assert [command.length_ms for command in line.done(do.SilenceRecording)] == [1_000]
    line.presses("23456#")

    assert len(line.done(do.SilenceRecording)) == 1


# --- the answer --------------------------------------------------------------


def test_the_right_pin_gives_the_model_its_new_tools_and_the_level_and_nothing_else(line):
    line.presses("123456#")
    line.forget()
    commands = line.tell(ev.PinChecked, True)

    kinds = (do.DeclareTools, do.TellModel, do.CreateReply)
    told = [command for command in commands if isinstance(command, kinds)]
    assert [type(command) for command in told] == list(kinds)
    assert told[1].text == "The caller's level is now: owner."
    assert told[2].ask == PLAN.pin_right_ask


def test_a_wrong_pin_is_said_and_the_model_keeps_its_tools(line):
    line.presses("123456#")
    line.forget()
    line.tell(ev.PinChecked, False)

    assert asked(line) == [PLAN.pin_wrong_ask]
    assert line.done(do.DeclareTools) == []
    assert line.done(do.TellModel) == []


def test_one_that_could_not_be_compared_is_not_said_to_be_wrong(line):
    line.presses("123456#")
    line.tell(ev.PinChecked, None)
    line.reply("r1", Said("a1", 800, "I could not check that."))
    line.presses("123456#")

    assert asked(line) == [PLAN.pin_unchecked_ask]
    assert checked(line) == ["123456"] * 2


def test_after_a_wrong_one_the_next_may_be_right(line):
    line.presses("111111#")
    line.tell(ev.PinChecked, False)
    line.reply("r1", Said("a1", 800, "That was not right."))
    line.presses("123456#")
    line.tell(ev.PinChecked, True)

    assert checked(line) == ["111111", "123456"]
    assert len(line.done(do.DeclareTools)) == 1


@pytest.mark.parametrize("keys", ["123456#", "12345678", "42", "#", "123456#123456#"])
def test_once_the_level_is_reached_keys_are_still_nobodys(line, keys):
    """The PIN is typed once more by whoever has heard nothing for a second."""
    line.presses("123456#")
    line.tell(ev.PinChecked, True)
    line.reply("r1", Said("a1", 800, "Hello."))
    line.wait(1_000)
    line.forget()
    line.caller_sounds = TONE
    line.presses(keys, every_ms=250)
    tones = carried(line)
    line.caller_sounds = b"\x2a"
    line.wait(6_000)

    assert tones == {b"\xff"}
    assert line.done(do.SilenceRecording) != []
    assert checked(line) == []
    assert line.done(do.TellModel) == []
    assert asked(line) == []


def test_then_the_caller_is_heard_again_after_a_shorter_pause(line):
    line.presses("123456#")
    line.tell(ev.PinChecked, True)
    line.presses("4", every_ms=2_400)
    line.forget()
    line.wait(100)

    assert carried(line) == {b"\x2a"}


def test_an_answer_that_nobody_waits_for_changes_nothing(line):
    assert line.tell(ev.PinChecked, True) == []
    line.presses("1")

    assert silence(20) in [part.payload for part in line.done(do.HearCaller)]


def test_a_hash_out_of_habit_after_the_last_digit_is_not_told(line):
    line.presses("12345678", every_ms=250)
    line.tell(ev.PinChecked, True)
    line.reply("r1", Said("a1", 800, "Hello."))
    line.forget()
    line.presses("#")
    line.wait(3_000)

    assert line.done(do.TellModel) == []
    assert asked(line) == []


# --- typing on while it is compared ------------------------------------------


def test_one_at_a_time_what_is_typed_meanwhile_is_compared_next(line):
    line.presses("111111#222222#")
    assert checked(line) == ["111111"]
    line.tell(ev.PinChecked, False)
    assert checked(line) == ["111111", "222222"]
    assert asked(line) == []  # it is not over
    line.tell(ev.PinChecked, False)

    assert asked(line) == [PLAN.pin_wrong_ask]


def test_of_what_is_typed_meanwhile_the_newest_counts(line):
    line.presses("111111#222222#333333#")
    line.tell(ev.PinChecked, False)

    assert checked(line) == ["111111", "333333"]


def test_nothing_more_is_compared_once_the_right_one_was_typed(line):
    line.presses("123456#222222#")
    line.tell(ev.PinChecked, True)

    assert checked(line) == ["123456"]
    assert asked(line) == [PLAN.pin_right_ask]


def test_the_right_one_typed_twice_reaches_the_model_neither_time(line):
    line.caller_sounds = TONE
    line.presses("123456#123", every_ms=250)
    line.tell(ev.PinChecked, True)
    line.presses("456#", every_ms=250)
    line.wait(5_000)

    assert checked(line) == ["123456"]
    assert [note.text for note in line.done(do.TellModel)] == ["The caller's level is now: owner."]


# --- while other things happen -------------------------------------------------


def test_nobody_asks_a_typing_caller_whether_they_are_there(line):
    line.wait(9_000)
    line.presses("123", every_ms=4_900)
    line.presses("*" * 3, every_ms=4_900)
    assert asked(line) == []
    line.wait(10_200)

    assert asked(line) == [PLAN.still_there_ask]


def test_what_the_assistant_says_meanwhile_does_not_start_the_silence(line):
    line.reply("r1", Said("a1", 2_000))
    line.presses("12*", every_ms=4_900)
    line.presses("*", every_ms=4_900)

    assert asked(line) == []


def test_the_time_is_up_while_they_type(line):
    line.presses("123")
    line.caller_sounds = TONE
    line.tell(ev.TimerFired, "limit")
    line.forget()
    line.presses("456#", every_ms=250)

    assert carried(line) == {b"\xff"}
    assert checked(line) == []
    assert line.done(do.TellModel) == []
    line.reply("r1", Said("a1", 500, "Our time is up."))
    line.wait(3_000)
    assert len(line.done(do.HangUp)) == 1


def test_an_answer_after_the_time_is_up_is_not_spoken_about(line):
    line.presses("123456#")
    line.tell(ev.TimerFired, "limit")
    line.forget()

    assert line.tell(ev.PinChecked, True) == []


def test_a_barge_in_just_before_is_a_barge_in(line):
    line.reply("r1", Said("a1", 3_000))
    line.wait(400)
    line.presses("1", every_ms=100)
    line.starts_speaking("u1")
    assert len(line.done(do.ClearPlayback)) == 1
    line.stops_speaking("u1")
    line.reply("r2", Said("a2", 500))
    line.presses("23456#")

    assert checked(line) == ["123456"]


def test_a_caller_who_speaks_when_the_answer_comes_hears_it_after_theirs(line):
    line.presses("123456#")
    line.starts_speaking("u1")
    line.tell(ev.PinChecked, False)
    assert asked(line) == []
    line.wait(1_000)
    line.stops_speaking("u1")
    line.reply("r1", Said("a1", 800))

    assert asked(line) == [PLAN.pin_wrong_ask]


def test_keys_pressed_into_the_notice_do_not_cut_it_off():
    line = Line(KEPT)
    line.begins()
    line.tell(ev.ModelReady)
    line.presses("123456#", every_ms=200)
    line.tell(ev.PinChecked, True)
    assert line.done(do.ClearPlayback) == []
    line.wait(4_000)

    assert asked(line) == [PLAN.pin_right_ask]
    assert line.done(do.RecordCaller) != []


def test_the_pin_is_quicker_than_the_model():
    line = Line(KEPT)
    line.begins()
    line.presses("123456#", every_ms=250)
    line.tell(ev.PinChecked, True)
    assert line.done(do.DeclareTools) == []
    line.tell(ev.ModelReady)

    # The session may be older than the PIN, so it is told its tools all the same.
    kinds = (do.TellGreeting, do.DeclareTools, do.TellModel, do.HearCaller, do.CreateReply)
    order = [type(command) for command in line.did if isinstance(command, kinds)]
    assert list(dict.fromkeys(order)) == list(kinds)
    assert asked(line) == [PLAN.pin_right_ask]


def test_the_pin_is_quicker_than_a_model_that_has_to_say_the_opening():
    line = Line(PLAN)
    line.begins()
    line.presses("123456#", every_ms=250)
    line.tell(ev.PinChecked, False)
    line.tell(ev.ModelReady)
    line.reply("r1", Said("greeting", 3_000, OPENING, previous=None))

    assert [command.say or command.ask for command in line.done(do.CreateReply)] == [
        OPENING,
        PLAN.pin_wrong_ask,
    ]


def test_the_session_is_replaced_at_that_moment(line):
    line.says("u1", "It's me.", previous="greeting")
    line.reply("r1", Said("a1", 500))
    line.wait(600)
    line.presses("123456#")
    line.tell(ev.ModelLost, "gone")
    line.tell(ev.PinChecked, True)
    assert line.done(do.DeclareTools) == []
    line.forget()
    line.tell(ev.ModelReady)

    assert isinstance(line.did[2], do.RemindModel)
    assert [type(command) for command in line.did[3:5]] == [do.DeclareTools, do.TellModel]
    assert asked(line) == [PLAN.pin_right_ask]


def test_a_session_that_comes_later_knows_the_level_too(line):
    line.presses("123456#")
    line.tell(ev.PinChecked, True)
    line.reply("r1", Said("a1", 500, "Hello."))
    line.wait(600)
    line.tell(ev.ModelLost, "gone")
    line.forget()
    line.tell(ev.ModelReady)

    assert [note.text for note in line.done(do.TellModel)] == ["The caller's level is now: owner."]
    assert asked(line) == []


def test_a_session_that_hears_the_caller_again_answers_them_first(line):
    line.starts_speaking("u1")
    line.wait(500)
    line.tell(ev.ModelLost, "gone")
    line.presses("123456#", every_ms=100)
    line.tell(ev.PinChecked, False)
    line.tell(ev.ModelReady)
    line.starts_speaking("2/u1")
    line.stops_speaking("2/u1")
    assert asked(line) == []
    line.reply("2/r1", Said("2/a1", 500))

    assert asked(line) == [PLAN.pin_wrong_ask]


def test_typing_calls_a_goodbye_off():
    line = Line(PLAN).about_to_end()
    line.wants_to_end(Said("a1", 1_500, "Goodbye."))
    line.presses("123456#")
    line.wait(2_000)

    assert line.done(do.HangUp) == []
    line.tell(ev.PinChecked, True)
    assert asked(line) == [PLAN.pin_right_ask]


def test_a_goodbye_that_is_heard_while_they_type_does_not_hang_up_on_them():
    line = Line(PLAN).about_to_end()
    line.reply("r1", Said("a1", 500, "Goodbye."), tools=[END])
    line.presses("1234")
    line.tell(ev.ToolFinished, END.tool_call_id, {"ok": True}, ev.ThenHangUp())
    line.wait(3_000)
    assert line.done(do.HangUp) == []
    line.presses("56#")
    line.tell(ev.PinChecked, True)
    line.reply("r2", Said("a2", 500))
    line.wait(5_000)

    assert line.done(do.HangUp) == []


def test_a_goodbye_before_the_answer_is_called_off_by_it():
    line = Line(PLAN).about_to_end()
    line.presses("123456#")
    line.wants_to_end(Said("a1", 2_000, "Goodbye."))
    line.tell(ev.PinChecked, True)
    line.reply("r2", Said("a2", 500))
    line.wait(5_000)

    assert line.done(do.HangUp) == []


def test_what_had_to_wait_is_not_said_after_the_goodbye(line):
    line.presses("123456#")
    line.starts_speaking("u1")
    line.tell(ev.PinChecked, False)
    line.tell(ev.TimerFired, "limit")
    line.forget()
    line.stops_speaking("u1")
    line.reply("r1", Said("a1", 500, "Our time is up."))
    line.wait(3_000)

    assert asked(line) == []
    assert len(line.done(do.HangUp)) == 1


def test_the_caller_hangs_up_in_the_middle(line):
    line.presses("123")
    line.hangs_up()
    line.wait(6_000)

    assert line.call.ended
    assert checked(line) == []


def test_the_model_is_gone_for_good_while_they_type(line):
    line.presses("123")
    line.tell(ev.ModelLost, "no money", fatal=True)

    assert line.call.ended_because == "model_failed"
    assert line.tell(ev.CallerPressed, "4") == []
