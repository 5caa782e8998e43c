"""How a call ends: a goodbye that is heard, and the reason that is kept."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from tests.call.telling import END, OPENING, Line, Said

TRANSFER = ev.ThenTransfer("urgent")


@pytest.fixture
def line() -> Line:
    return Line().about_to_end()


# --- end_call ------------------------------------------------------------------


def test_a_farewell_is_heard_before_the_hang_up(line):
    line.wants_to_end(Said("bye", 2_000, "Goodbye."))
    line.wait(1_950)
    assert line.done(do.HangUp) == []
    line.wait(100)

    assert len(line.done(do.HangUp)) == 1
    assert line.phone.heard_ms("bye", line.now_ms) == 2_000
    assert line.done(do.CreateReply) == []
    line.hangs_up()
    assert line.call.ended_because == "assistant_ended"


def test_a_hang_up_without_a_word_is_preceded_by_a_farewell(line):
    line.wants_to_end()
    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.farewell_ask]
    line.reply("r_bye", Said("bye", 1_000, "Goodbye."))
    assert line.done(do.HangUp) == []
    line.wait(1_100)

    assert len(line.done(do.HangUp)) == 1


def test_a_farewell_that_is_never_said_is_not_waited_for_for_ever(line):
    line.wants_to_end()
    line.tell(ev.ReplyStarted, "r_bye")
    line.wait(7_000)
    line.tell(ev.ReplyAudio, "r_bye", "bye", 0, b"x" * 80)
    line.wait(2_990)
    assert line.done(do.HangUp) == []
    line.wait(20)

    assert len(line.done(do.HangUp)) == 1


def test_a_farewell_whose_marks_are_lost_is_followed_by_the_hang_up_2_s_later(line):
    line.phone.mark = lambda name, now_ms: None
    line.wants_to_end(Said("bye", 2_000, "Goodbye."))
    line.wait(3_990)
    assert line.done(do.HangUp) == []
    line.wait(30)

    assert len(line.done(do.HangUp)) == 1


def test_a_caller_who_goes_on_calls_it_off(line):
    line.wants_to_end(Said("bye", 2_000, "Goodbye."))
    line.wait(500)
    line.says("u2", "Oh, one more thing.")
    line.reply("r2", Said("a2", 1_000))
    line.wait(5_000)

    assert line.done(do.HangUp) == []
    assert any("goes on" in note.text for note in line.done(do.TellModel))


def test_a_hang_up_that_a_newer_turn_has_overtaken_is_dropped(line):
    line.reply("r1", tools=[END])
    line.says("u2", "Wait, one more thing.", ms=300)
    line.tell(ev.ToolFinished, "tc_end", {"ok": True}, ev.ThenHangUp())
    line.reply("r2", Said("a2", 1_000))
    line.wait(5_000)

    assert line.done(do.HangUp) == []
    # The tool has told the model that the call ends; it must know that it does not.
    assert any("goes on" in note.text for note in line.done(do.TellModel))


def test_a_hang_up_asked_for_while_the_caller_already_speaks_is_dropped(line):
    line.tell(ev.ReplyStarted, "r1")
    line.starts_speaking("u2")
    line.tell(ev.ReplyDone, "r1", "completed", (END,))
    line.tell(ev.ToolFinished, "tc_end", {"ok": True}, ev.ThenHangUp())
    line.wait(500)
    line.stops_speaking("u2")
    line.reply("r2", Said("a2", 500))
    line.wait(5_000)

    assert line.done(do.HangUp) == []


def test_a_hang_up_does_not_happen_because_the_caller_never_falls_silent(line):
    line.wants_to_end(Said("bye", 2_000, "Goodbye."))
    line.starts_speaking("u2")
    line.wait(20_000)

    assert line.done(do.HangUp) == []


def test_a_hang_up_waits_for_the_other_tools_of_its_batch(line):
    other = ev.ToolCall("tc_1", "take_message", "{}")
    line.reply("r1", Said("bye", 500, "Goodbye."), tools=[other, END])
    line.tell(ev.ToolFinished, "tc_end", {"ok": True}, ev.ThenHangUp())
    line.wait(2_000)
    assert line.done(do.HangUp) == []
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})

    assert len(line.done(do.HangUp)) == 1
    assert line.done(do.CreateReply) == []


def test_a_model_lost_after_the_goodbye_is_not_needed_any_more(line):
    line.wants_to_end(Said("bye", 2_000, "Goodbye."))
    line.wait(500)
    line.tell(ev.ModelLost, "closed", fatal=True)
    line.wait(1_600)

    assert line.done(do.ConnectModel) == []
    assert line.done(do.ClosePhone) == []
    assert len(line.done(do.HangUp)) == 1


def test_a_model_lost_while_hanging_up_does_not_bring_the_caller_to_the_tone(line):
    line.wants_to_end(Said("bye", 500, "Goodbye."))
    line.wait(600)
    line.tell(ev.ModelLost, "closed")
    assert line.done(do.ConnectModel) == []
    assert line.done(do.ClosePhone) == []
    line.hangs_up()

    assert line.call.ended_because == "assistant_ended"


def test_a_model_lost_in_the_middle_of_the_goodbye_says_it_again(line):
    line.wants_to_end()
    line.tell(ev.ReplyStarted, "r_bye")
    line.tell(ev.ModelLost, "closed")
    line.forget()
    line.tell(ev.ModelReady)

    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.farewell_ask]


def test_a_hang_up_that_fails_for_good_closes_the_stream(line):
    line.wants_to_end(Said("bye", 500, "Goodbye."))
    line.wait(600)
    line.tell(ev.HangUpFailed)

    assert [command.code for command in line.done(do.ClosePhone)] == [1000]
    assert line.call.ended_because == "assistant_ended"


def test_a_hang_up_that_is_not_followed_by_the_end_closes_the_stream(line):
    line.wants_to_end(Said("bye", 500, "Goodbye."))
    line.wait(600)
    line.wait(10_000)

    assert line.done(do.ClosePhone)
    assert line.call.ended_because == "assistant_ended"


def test_it_is_hung_up_once(line):
    line.wants_to_end(Said("bye", 500, "Goodbye."))
    line.wait(5_000)
    line.tell(ev.TimerFired, "closing")
    line.tell(ev.TimerFired, "limit")
    line.tell(ev.TimerFired, "silence")

    assert len(line.done(do.HangUp)) == 1
    assert line.done(do.CreateReply) == []


# --- transfer ----------------------------------------------------------------------


def test_a_transfer_waits_until_what_is_said_about_it_was_heard(line):
    line.wants_to_end(Said("hold", 1_500, "I'll put you through."), then=TRANSFER)
    assert line.done(do.Transfer) == []
    line.wait(1_600)

    assert line.done(do.Transfer) == [do.Transfer("urgent")]
    line.hangs_up()
    assert line.call.parked


def test_a_transfer_whose_caller_never_falls_silent_happens_after_15_s(line):
    line.wants_to_end(Said("hold", 1_500), then=TRANSFER)
    line.starts_speaking("u2")
    line.wait(14_900)
    assert line.done(do.Transfer) == []
    line.wait(200)

    assert line.done(do.Transfer) == [do.Transfer("urgent")]


def test_a_transfer_is_asked_for_once(line):
    line.wants_to_end(Said("hold", 500), then=TRANSFER)
    line.wait(20_000)

    assert len(line.done(do.Transfer)) == 1


def test_a_transfer_that_fails_comes_back_to_the_conversation(line):
    line.wants_to_end(Said("hold", 500), then=TRANSFER)
    line.wait(600)
    line.tell(ev.TransferFailed)
    assert len(line.done(do.TellModel)) == 1
    assert len(line.done(do.CreateReply)) == 1
    line.reply("r2", Said("a2", 500))
    line.hangs_up()

    assert line.call.ended_because == "caller_hung_up"


def test_no_transfer_once_the_time_is_up(line):
    line.tell(ev.TimerFired, "limit")
    line.wants_to_end(then=TRANSFER)
    line.wait(30_000)

    assert line.done(do.Transfer) == []


# --- the reason ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "because"),
    [
        (lambda at: ev.CallerGone(hung_up=True, at_ms=at), "caller_hung_up"),
        (lambda at: ev.CallerGone(hung_up=False, at_ms=at), "line_lost"),
        (lambda at: ev.ShutDown(at_ms=at), "shut_down"),
        (lambda at: ev.ModelLost("no", fatal=True, at_ms=at), "model_failed"),
    ],
)
@pytest.mark.parametrize("when", ["before the model", "in the opening", "in a goodbye"])
def test_why_a_call_ended(event, because, when):
    line = Line()
    line.begins()
    if when != "before the model":
        line.tell(ev.ModelReady)
        line.reply("opening", Said("greeting", 3_000, OPENING))
    if when == "in a goodbye":
        line.reply("r_end", tools=[END])
        line.tell(ev.ToolFinished, "tc_end", {"ok": True}, ev.ThenHangUp())
    line._handle(event(int(line.now_ms)))
    line.wait(1_000)

    assert line.call.ended
    assert line.call.ended_because == because
    assert len(line.done(do.CloseModel)) == 1


@pytest.mark.parametrize("kind", [ev.ShutDown, ev.HangUpFailed])
def test_the_first_reason_stays(line, kind):
    line.tell(ev.TimerFired, "limit")
    line.reply("r_bye", Said("bye", 200))
    line.wait(500)
    line.tell(kind)

    assert line.call.ended_because == "time_limit"


def test_shut_down_closes_the_stream_as_going_away(line):
    line.tell(ev.ShutDown)

    assert [command.code for command in line.done(do.ClosePhone)] == [1001]
    assert line.tell(ev.CallerGone, hung_up=True) == []


def test_a_farewell_that_fails_twice_is_a_hang_up_and_no_tone():
    line = Line()
    line.opens()
    line.says("u1", "That's all, thank you.", previous="greeting")
    line.wants_to_end()
    for response_id in ("r_bye", "r_bye_again"):
        line.tell(ev.ReplyStarted, response_id)
        line.tell(ev.ReplyDone, response_id, "failed", error_code="rate_limit_exceeded")
        line.wait(1_600)

    assert len(line.done(do.HangUp)) == 1
    assert line.done(do.ClosePhone) == []
