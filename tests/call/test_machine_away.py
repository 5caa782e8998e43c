"""The owner's phone is rung at an awkward moment: what was going on then is over when the caller is back."""

from __future__ import annotations

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.keypad import NOT_CONFIRMED
from assistant.call.parking import LEAST_LEFT_MS, NOT_REACHED, SCREENING_MS
from assistant.call.plan import CallPlan
from assistant.telephony.twiml import LONGEST_WHO, LONGEST_WHY, SCREENING_S
from tests.call.telling import NOTICE, OPENING, Line, Said

LETTERS_PER_S = 13  # of a machine that reads out slowly


def ringing(line: Line) -> Line:
    """The owner wants the call; the stream is about to end."""
    line.tell(ev.OwnerRings)
    line.wait(100)
    return line


def short() -> Line:
    """A call that may not take long, and has little to say."""
    return Line(CallPlan(opening=OPENING, disclosure=NOTICE, max_call_ms=8_000)).about_to_end()


def time_is_up(line: Line) -> None:
    line.wait(line.timers["limit"] - line.now_ms)


def notes(line: Line) -> list[str]:
    return [note.text for note in line.done(do.TellModel)]


def test_a_caller_whose_time_is_up_just_then_is_still_told_that_nobody_answers():
    line = ringing(short())
    time_is_up(line)
    line.wait(100)
    line.hangs_up()
    line.wait(12_000)
    line.forget()
    line.comes_back()

    assert notes(line) == [NOT_REACHED]
    line.wait(1_000)
    assert line.done(do.HangUp) == []
    assert line.timers["limit"] - line.now_ms > LEAST_LEFT_MS - 2_000


def test_a_caller_who_is_rung_for_after_their_time_is_heard_when_they_are_back():
    line = short()
    time_is_up(line)
    ringing(line)
    line.hangs_up()
    line.wait(5_000)
    line.comes_back()
    line.reply("r2", Said("sorry", 500, "Nobody answers."))
    line.wait(700)
    line.forget()
    line.says("u3", "Then take a message.")
    line.tell(ev.ReplyStarted, "r3")

    assert line.done(do.CancelReply) == []


def test_a_call_whose_time_is_up_says_goodbye_when_the_owner_cannot_be_rung():
    line = short()
    time_is_up(line)
    ringing(line)
    line.forget()
    line.tell(ev.TransferFailed)
    line.wait(100)

    assert [reply.ask for reply in line.done(do.CreateReply)] == [line.plan.time_up_ask]


def test_a_notice_that_was_cut_off_is_said_when_the_caller_is_back():
    line = Line()
    line.begins()
    line.tell(ev.ModelReady)
    line.reply("opening", Said("greeting", 3_000, OPENING, previous=None))
    line.wait(300)
    ringing(line)
    line.hangs_up()
    line.wait(5_000)
    line.forget()
    line.comes_back()

    assert NOT_REACHED in notes(line)
    assert any(NOTICE in note for note in notes(line))


def test_a_pin_that_is_being_typed_does_not_hush_the_caller_who_is_back():
    line = Line(CallPlan(opening=OPENING, disclosure=NOTICE, keypad_pin=True))
    line.opens()
    line.tell(ev.OwnerRings)
    line.presses("12", every_ms=50)
    line.hangs_up()
    line.wait(10_000)
    line.comes_back()
    line.wait(1_000)
    line.forget()
    line.wait(200)

    assert {heard.payload for heard in line.done(do.HearCaller)} == {b"\x2a" * 160}
    assert line.done(do.CheckPin) == []


def test_keys_that_were_pressed_just_before_are_told_when_the_caller_is_back():
    line = ringing(Line().about_to_end())
    line.presses("42", every_ms=50)
    line.hangs_up()
    line.wait(10_000)
    line.forget()
    line.comes_back()
    line.wait(3_000)

    assert any("4 2" in note for note in notes(line))


def test_a_key_that_was_asked_for_is_not_waited_for_any_more():
    line = Line().about_to_end()
    line.reply("r2", Said("ask", 300, "Press 1."), tools=[ev.ToolCall("tc_1", "cancel_event", "{}")])
    line.tell(ev.ToolFinished, "tc_1", {"ok": True}, ev.ThenConfirm("1"))
    ringing(line)
    line.forget()
    line.hangs_up()
    assert line.done(do.DropTool) == [do.DropTool("tc_1")]
    line.wait(5_000)
    line.comes_back()
    line.presses("1", every_ms=3_000)

    assert line.done(do.ConfirmTool) == []
    assert NOT_CONFIRMED in notes(line)


def test_what_the_owner_typed_before_they_had_their_phone_rung_is_said_when_the_caller_is_back():
    line = Line().about_to_end()
    line.starts_speaking("u2")
    line.tell(ev.OwnerSays, "I am on my way.")
    ringing(line)
    line.stops_speaking("u2")
    line.reply("r2", Said("a2", 300, "Yes?"))
    line.wait(400)
    assert "I am on my way." not in [reply.say for reply in line.done(do.CreateReply)]
    line.hangs_up()
    line.wait(5_000)
    line.forget()
    line.comes_back()
    line.reply("r3", Said("sorry", 500, "Nobody answers."))

    assert [reply.say for reply in line.done(do.CreateReply)] == ["", "I am on my way."]


def test_whoever_has_picked_up_can_hear_the_longest_reason_to_its_end_and_press():
    said_s = (LONGEST_WHO + LONGEST_WHY + 60) / LETTERS_PER_S
    there_and_back_s = 5

    assert said_s + SCREENING_S + there_and_back_s < SCREENING_MS / 1_000


def test_a_call_that_is_over_while_last_words_are_awaited_takes_nobody_back():
    line = Line().about_to_end()
    line.starts_speaking("u2")
    ringing(line)
    line.hangs_up()
    line.tell(ev.CallerCommitted, "u2", "u1")
    line.tell(ev.OwnerAccepted)

    assert not line.call.ended
    assert not line.call.parked


def test_a_caller_who_is_back_before_the_first_session_was_used_is_told_after_the_opening():
    line = Line()
    line.begins()
    ringing(line)
    line.hangs_up()
    line.tell(ev.ModelReady)
    line.wait(5_000)
    line.forget()
    line.comes_back()
    line.reply("opening", Said("greeting", 3_000, OPENING, previous=None))

    assert NOT_REACHED in notes(line)
    assert [reply.say for reply in line.done(do.CreateReply)] == [OPENING, ""]


def test_a_caller_who_is_back_from_a_kept_opening_hears_the_notice_and_the_news():
    line = Line(CallPlan(opening=OPENING, disclosure=NOTICE, greeting=b"\x2a" * 24_000))
    line.begins()
    line.wait(300)
    ringing(line)
    line.hangs_up()
    line.tell(ev.ModelReady)
    line.wait(5_000)
    line.forget()
    line.comes_back()

    assert NOT_REACHED in notes(line)
    assert any(NOTICE in note for note in notes(line))
    assert len(line.done(do.CreateReply)) == 1


def test_a_model_that_was_told_of_the_whole_greeting_learns_how_far_it_was_heard():
    line = Line(CallPlan(opening=OPENING, disclosure=NOTICE, greeting=b"\x2a" * 24_000))
    line.begins()
    line.tell(ev.ModelReady)
    line.wait(300)
    ringing(line)
    line.forget()
    line.hangs_up()

    assert line.done(do.DeleteItem)
    assert line.done(do.TellGreeting)[0].heard != OPENING


def test_what_a_key_has_confirmed_is_told_to_the_model():
    line = Line().about_to_end()
    line.reply("r2", Said("ask", 300, "Press 1."), tools=[ev.ToolCall("tc_1", "cancel_event", "{}")])
    line.tell(ev.ToolFinished, "tc_1", {"ok": True}, ev.ThenConfirm("1"))
    line.wait(2_000)
    line.presses("1", every_ms=100)
    ringing(line)
    line.hangs_up()
    assert line.done(do.ConfirmTool) == [do.ConfirmTool("tc_1")]
    line.forget()
    line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", {"ok": True})
    line.wait(5_000)
    line.comes_back()

    assert len(line.done(do.ReportTool)) == 1


def test_nobody_is_said_goodbye_to_who_is_about_to_be_put_through():
    line = ringing(short())
    line.forget()
    time_is_up(line)
    assert line.done(do.CreateReply) == []
    line.tell(ev.TransferFailed)

    assert line.plan.time_up_ask in [reply.ask for reply in line.done(do.CreateReply)]


def test_a_program_that_must_leave_waits_for_no_last_words():
    line = Line().about_to_end()
    line.starts_speaking("u2")
    ringing(line)
    line.hangs_up()
    line.tell(ev.CallerCommitted, "u2", "u1")
    line.tell(ev.ShutDown)

    assert line.call.ended
    assert line.call.ended_because == "shut_down"


def test_a_tool_that_asks_for_a_key_while_nobody_is_there_does_not_get_it():
    line = Line().about_to_end()
    line.reply("r2", Said("ask", 300, "One moment."), tools=[ev.ToolCall("tc_1", "cancel_event", "{}")])
    ringing(line)
    line.hangs_up()
    line.forget()
    line.tell(ev.ToolFinished, "tc_1", {"ok": True}, ev.ThenConfirm("1"))

    assert line.done(do.DropTool) == [do.DropTool("tc_1")]
    assert NOT_CONFIRMED in notes(line)
