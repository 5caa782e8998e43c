"""The owner steps in: typed words are spoken, a question is asked, the call is ended."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.plan import CallPlan
from tests.call.telling import NOTICE, OPENING, Line, Said, sound


@pytest.fixture
def line() -> Line:
    line = Line()
    line.opens()
    line.wait(100)
    line.forget()
    return line


def asked(line: Line) -> list[tuple[str, str]]:
    return [(reply.say, reply.ask) for reply in line.done(do.CreateReply)]


def test_typed_words_are_spoken_at_once_when_nobody_speaks(line):
    line.tell(ev.OwnerSays, "I am on my way.")

    assert asked(line) == [("I am on my way.", "")]


def test_a_question_is_quoted_and_asked(line):
    line.tell(ev.OwnerSays, "Which key?", ask=True)

    assert asked(line) == [("", line.plan.ask_for_owner("Which key?"))]


def test_typed_words_wait_until_the_caller_was_answered(line):
    line.starts_speaking("u1")
    line.tell(ev.OwnerSays, "I am on my way.")
    line.wait(500)
    line.stops_speaking("u1", "greeting")
    line.tell(ev.CallerTranscribed, "u1", "Where is he?")
    assert asked(line) == []
    line.reply("r1", Said("a1", 500, "I will ask."))

    assert asked(line) == [("I am on my way.", "")]


def test_typed_words_are_not_lost_to_a_caller_who_begins_to_speak_before_them(line):
    line.tell(ev.OwnerSays, "I am on my way.")
    line.says("u1", "Hello?", previous="greeting")
    line.reply("r1", Said("a1", 300, "Yes?"))

    assert asked(line)[-1] == ("I am on my way.", "")
    assert len(asked(line)) == 2


def test_typed_words_that_have_begun_are_said_once(line):
    line.tell(ev.OwnerSays, "I am on my way.")
    line.reply("r1", Said("a1", 300, "I am on my way."))
    line.wait(500)
    line.says("u1", "Good.", previous="a1")
    line.reply("r2", Said("a2", 300, "Anything else?"))

    assert asked(line) == [("I am on my way.", "")]


def test_two_things_are_said_in_the_order_they_were_typed(line):
    line.tell(ev.OwnerSays, "First.")
    line.tell(ev.OwnerSays, "Second.")
    line.reply("r1", Said("a1", 300, "First."))
    line.reply("r2", Said("a2", 300, "Second."))

    assert asked(line) == [("First.", ""), ("Second.", "")]


def test_typed_words_outlive_a_lost_session(line):
    line.tell(ev.OwnerSays, "I am on my way.")
    line.tell(ev.ModelLost, "the socket is gone")
    line.forget()
    line.tell(ev.ModelReady)
    line.reply("r1", Said("a1", 300, "I am on my way."))

    assert asked(line) == [("I am on my way.", "")]


def test_typed_words_that_come_before_the_model_is_ready_are_said_after_the_greeting():
    line = Line()
    line.begins()
    line.tell(ev.OwnerSays, "I am on my way.")
    line.tell(ev.ModelReady)
    line.reply("opening", Said("greeting", 3_000, line.plan.opening, previous=None))

    assert asked(line)[-1] == ("I am on my way.", "")


def test_the_owner_hangs_up_at_once(line):
    line.tell(ev.OwnerEnds)
    assert line.done(do.HangUp) == [do.HangUp()]
    line.hangs_up()

    assert line.call.ended_because == "owner_ended"


def test_the_owner_hangs_up_once(line):
    line.tell(ev.OwnerEnds)
    line.tell(ev.OwnerEnds)

    assert len(line.done(do.HangUp)) == 1


def test_the_owner_sends_the_caller_to_the_tone(line):
    line.tell(ev.OwnerEnds, voicemail=True)

    assert line.done(do.ClosePhone)
    assert line.done(do.HangUp) == []
    assert line.call.ended_because == "owner_ended"


def test_ringing_the_owner_calls_a_goodbye_off():
    line = Line().about_to_end()
    line.wants_to_end(Said("bye", 1_000, "Goodbye."))
    line.tell(ev.OwnerRings)
    line.wait(3_000)

    assert line.done(do.Transfer) == [do.Transfer("")]
    assert line.done(do.HangUp) == []


def test_a_call_that_is_being_hung_up_rings_nobody(line):
    line.tell(ev.OwnerEnds)
    line.tell(ev.OwnerRings)

    assert line.done(do.Transfer) == []


def test_the_owner_is_rung_once(line):
    line.tell(ev.OwnerRings)
    line.tell(ev.OwnerRings)

    assert len(line.done(do.Transfer)) == 1


def test_a_caller_is_not_told_of_a_transfer_they_had_not_heard_of(line):
    line.tell(ev.OwnerRings)
    line.forget()
    line.tell(ev.TransferFailed)

    assert line.done(do.TellModel) == []
    assert not line.call.ringing_owner


def test_typed_words_that_were_begun_and_not_heard_are_said_after_the_answer(line):
    line.tell(ev.OwnerSays, "I am on my way.")
    line.tell(ev.ReplyStarted, "r1")
    line.says("u1", "Hello?", previous="greeting")
    line.tell(ev.ReplyDone, "r1", "cancelled")
    line.reply("r2", Said("a2", 300, "Yes?"))

    assert asked(line) == [("I am on my way.", ""), ("I am on my way.", "")]


def test_typed_words_of_which_a_reply_makes_no_sound_are_asked_for_once(line):
    line.tell(ev.OwnerSays, "I am on my way.")
    line.reply("r1")
    line.wait(1_000)

    assert asked(line) == [("I am on my way.", "")]


def test_the_opening_typed_once_more_does_not_count_as_heard_before_it_is():
    line = Line(CallPlan(opening=OPENING, disclosure=NOTICE, greeting=sound(4_000)))
    line.begins()
    line.tell(ev.ModelReady)
    line.wait(300)
    line.tell(ev.OwnerSays, OPENING)
    line.reply("r1")
    line.wait(200)

    assert line.done(do.RecordCaller) == []
