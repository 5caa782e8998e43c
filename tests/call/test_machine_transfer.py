"""The owner's phone is rung in the middle of a call: the call is parked, and goes on, or is over."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.parking import NOT_REACHED
from tests.call.telling import FRAME_MS, Line, Said

TRANSFER = ev.ThenTransfer("Ana says that the boiler is leaking.")
AWAY_MS = 15_000 + 15_000  # the ring time, and what Twilio adds to it


@pytest.fixture
def line() -> Line:
    """A call whose tool wants the owner rung, and whose stream has been taken away for that."""
    line = Line().about_to_end()
    line.wants_to_end(Said("hold", 500, "I'll try."), then=TRANSFER)
    line.wait(600)
    line.hangs_up()
    line.wait(1_000)
    return line


def test_the_stream_that_ends_for_the_owner_parks_the_call(line):
    assert line.done(do.Transfer) == [do.Transfer(TRANSFER.reason)]
    assert line.call.parked
    assert line.call.ringing_owner
    assert not line.call.ended
    assert line.done(do.CloseModel) == []


def test_a_lost_line_while_the_owner_is_to_be_rung_parks_too():
    line = Line().about_to_end()
    line.wants_to_end(Said("hold", 500, "I'll try."), then=TRANSFER)
    line.wait(600)
    line.tell(ev.CallerGone, hung_up=False)

    assert line.call.parked


def test_a_caller_who_comes_back_is_told_first_of_all(line):
    line.wait(8_000)
    line.forget()
    line.comes_back()

    assert not line.call.parked
    assert [note.text for note in line.done(do.TellModel)] == [NOT_REACHED]
    assert len(line.done(do.CreateReply)) == 1


def test_turns_and_times_go_on_after_the_caller_is_back(line):
    line.wait(8_000)
    line.comes_back()
    line.forget()
    line.reply("r2", Said("sorry", 1_000, "Nobody answers."))
    began_ms = line.now_ms
    line.wait(1_200)
    line.says("u3", "Then take a message.")

    turns = {turn.item_id: turn for turn in (kept.turn for kept in line.done(do.KeepTurn))}
    assert turns["sorry"].heard_text == "Nobody answers."
    assert turns["sorry"].started_ms == pytest.approx(began_ms, abs=FRAME_MS)
    assert turns["u3"].started_ms > turns["sorry"].started_ms
    assert turns["u3"].position > turns["sorry"].position


def test_marks_after_the_return_are_of_a_new_generation(line):
    before = {mark.name.split(":")[0] for mark in line.done(do.PlaceMark) if "way" not in mark.name}
    line.comes_back()
    line.forget()
    line.reply("r2", Said("sorry", 1_000, "Nobody answers."))

    after = {mark.name.split(":")[0] for mark in line.done(do.PlaceMark) if "way" not in mark.name}
    assert after
    assert not before & after


def test_what_the_caller_cuts_off_after_the_return_is_truncated_where_it_was_heard(line):
    line.wait(5_000)
    line.comes_back()
    line.reply("r2", Said("sorry", 3_000, "Nobody answers there, may I take a message?"))
    line.wait(1_000)
    line.forget()
    line.starts_speaking("u3")

    cut, heard_ms = line.truncations[-1]
    assert cut.item_id == "sorry"
    assert cut.audio_end_ms == pytest.approx(heard_ms, abs=40)


def test_nothing_is_said_while_the_caller_is_away(line):
    line.forget()
    line.tell(ev.ReplyStarted, "r9")
    line.tell(ev.ReplyAudio, "r9", "stray", 0, b"\x2a" * 800)
    line.tell(ev.ReplyDone, "r9", "cancelled")
    line.wait(12_000)

    assert line.done(do.CancelReply)
    assert line.done(do.Play) == []
    assert line.done(do.CreateReply) == []


def test_late_words_are_kept_while_the_caller_is_away():
    line = Line().about_to_end()
    line.wants_to_end(Said("hold", 500, "I'll try."), then=TRANSFER)
    line.wait(600)
    line.starts_speaking("u2")
    line.wait(300)
    line.hangs_up()
    assert line.done(do.CommitCaller) == [do.CommitCaller()]
    line.forget()
    line.tell(ev.CallerCommitted, "u2", "hold")
    line.tell(ev.CallerTranscribed, "u2", "Thank you.")

    assert [kept.turn.text for kept in line.done(do.KeepTurn)] == ["Thank you."]


def test_the_owner_takes_the_call(line):
    line.tell(ev.OwnerPickedUp)
    line.tell(ev.OwnerAccepted)

    assert line.call.ended
    assert line.call.ended_because == "transferred"
    assert line.done(do.CloseModel)


def test_a_call_the_owner_asked_for_was_taken_over():
    line = Line()
    line.opens()
    line.tell(ev.OwnerRings)
    assert line.done(do.Transfer) == [do.Transfer("")]
    line.hangs_up()
    line.tell(ev.OwnerAccepted)

    assert line.call.ended_because == "owner_took_over"


def test_a_caller_who_does_not_wait_has_hung_up(line):
    line.tell(ev.CallOver)

    assert line.call.ended
    assert line.call.ended_because == "caller_hung_up"


def test_a_caller_who_hangs_up_before_the_stream_is_taken_away_is_not_waited_for():
    line = Line().about_to_end()
    line.wants_to_end(Said("hold", 500, "I'll try."), then=TRANSFER)
    line.wait(600)
    line.tell(ev.CallOver)
    line.wait(5_000)

    assert line.call.ended
    assert line.call.ended_because == "caller_hung_up"


def test_nobody_is_waited_for_longer_than_the_phone_rings_and_15_s(line):
    line.wait(AWAY_MS - 1_100)
    assert line.call.parked
    line.wait(200)

    assert line.call.ended
    assert line.call.ended_because == "line_lost"


def test_somebody_who_has_picked_up_has_time_to_press_a_key(line):
    line.wait(AWAY_MS - 1_100)
    line.tell(ev.OwnerPickedUp)
    line.wait(25_000)

    assert line.call.parked


def test_a_model_lost_meanwhile_is_replaced_when_the_caller_is_back(line):
    line.tell(ev.ModelLost, "the socket is gone")
    assert line.done(do.ConnectModel) == []
    line.forget()
    line.comes_back()
    assert len(line.done(do.ConnectModel)) == 1
    line.wait(300)
    line.tell(ev.ModelReady)

    assert line.done(do.RemindModel)
    assert NOT_REACHED in [note.text for note in line.done(do.TellModel)]
    assert len(line.done(do.CreateReply)) == 1


def test_a_model_that_cannot_come_back_sends_the_caller_to_the_tone(line):
    line.tell(ev.ModelLost, "no credit", fatal=True)
    line.comes_back()

    assert line.done(do.ClosePhone)
    assert line.call.ended_because == "model_failed"


def test_the_time_a_call_may_take_does_not_run_while_the_caller_is_away():
    line = Line().about_to_end()
    line.wants_to_end(Said("hold", 500, "I'll try."), then=TRANSFER)
    line.wait(600)
    left_ms = line.timers["limit"] - line.now_ms
    line.hangs_up()
    line.wait(10_000)
    assert "limit" not in line.timers
    line.comes_back()

    assert line.timers["limit"] - line.now_ms == pytest.approx(left_ms, abs=2)


def test_a_program_that_must_leave_gives_a_parked_call_up(line):
    line.tell(ev.ShutDown)

    assert line.call.ended
    assert line.call.ended_because == "shut_down"


def test_a_stream_that_never_ends_is_a_transfer_that_failed():
    line = Line().about_to_end()
    line.wants_to_end(Said("hold", 500, "I'll try."), then=TRANSFER)
    line.wait(600)
    line.forget()
    line.wait(15_100)

    assert not line.call.ringing_owner
    assert "could not be rung" in line.done(do.TellModel)[0].text


def test_a_caller_can_be_away_twice(line):
    line.comes_back()
    line.reply("r2", Said("sorry", 500, "Nobody answers."))
    line.wait(700)
    line.tell(ev.OwnerRings)
    line.hangs_up()
    assert line.call.parked
    line.forget()
    line.comes_back()

    assert [note.text for note in line.done(do.TellModel)] == [NOT_REACHED]


def test_the_owner_hangs_up_on_a_caller_who_is_away(line):
    line.tell(ev.OwnerEnds)
    assert line.done(do.HangUp) == [do.HangUp()]
    line.tell(ev.CallOver)

    assert line.call.ended_because == "owner_ended"


def test_a_ring_that_fails_while_the_model_is_replaced_is_told_to_the_next():
    line = Line().about_to_end()
    line.wants_to_end(Said("hold", 500, "I'll try."), then=TRANSFER)
    line.wait(600)
    line.tell(ev.ModelLost, "the socket is gone")
    line.tell(ev.TransferFailed)
    line.forget()
    line.tell(ev.ModelReady)

    assert any("could not be rung" in note.text for note in line.done(do.TellModel))
    assert line.done(do.CreateReply)


def test_what_the_owner_types_while_the_caller_is_away_is_said_when_they_are_back(line):
    line.tell(ev.OwnerSays, "I am on my way.")
    assert [reply.say for reply in line.done(do.CreateReply) if reply.say == "I am on my way."] == []
    line.forget()
    line.comes_back()
    line.reply("r2", Said("sorry", 300, "Nobody answers."))

    assert [reply.say for reply in line.done(do.CreateReply)][-1] == "I am on my way."
