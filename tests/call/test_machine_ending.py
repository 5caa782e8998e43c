"""How a call ends: a goodbye that is heard, and the reason that is kept."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.plan import CallPlan
from tests.call.telling import NOTICE, OPENING, Line, Said

END = ev.ToolCall("tc_end", "end_call", "{}")
TRANSFER = ev.ToolCall("tc_transfer", "transfer_to_owner", "{}")


@pytest.fixture
def line() -> Line:
    line = Line(CallPlan(opening=OPENING, disclosure=NOTICE, max_call_ms=60_000))
    line.opens()
    line.says("u1", "That's all, thank you.", previous="greeting")
    line.forget()
    return line


def end_call(line: Line, *said: Said, then: ev.Then | None = None) -> None:
    line.reply("r_end", *said, tools=[END if then is None else TRANSFER])
    call_id = "tc_end" if then is None else "tc_transfer"
    line.tell(ev.ToolFinished, call_id, {"ok": True}, then or ev.ThenHangUp())


# --- end_call ------------------------------------------------------------------


def test_a_farewell_is_heard_before_the_hang_up(line):
    end_call(line, Said("bye", 2_000, "Goodbye."))
    line.wait(1_950)
    assert line.done(do.HangUp) == []
    line.wait(100)

    assert len(line.done(do.HangUp)) == 1
    assert line.phone.heard_ms("bye", line.now_ms) == 2_000
    assert line.done(do.CreateReply) == []
    line.hangs_up()
    assert line.call.ended_because == "assistant_ended"


def test_a_hang_up_without_a_word_is_preceded_by_a_farewell(line):
    end_call(line)
    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.farewell_ask]
    line.reply("r_bye", Said("bye", 1_000, "Goodbye."))
    assert line.done(do.HangUp) == []
    line.wait(1_100)

    assert len(line.done(do.HangUp)) == 1


def test_a_farewell_that_is_never_said_is_not_waited_for_for_ever(line):
    end_call(line)
    line.tell(ev.ReplyStarted, "r_bye")
    line.wait(7_000)
    line.tell(ev.ReplyAudio, "r_bye", "bye", 0, b"x" * 80)
    line.wait(2_990)
    assert line.done(do.HangUp) == []
    line.wait(20)

    assert len(line.done(do.HangUp)) == 1


def test_a_farewell_whose_marks_are_lost_is_followed_by_the_hang_up_2_s_later(line):
    line.phone.mark = lambda name, now_ms: None
    end_call(line, Said("bye", 2_000, "Goodbye."))
    line.wait(3_990)
    assert line.done(do.HangUp) == []
    line.wait(30)

    assert len(line.done(do.HangUp)) == 1


def test_a_caller_who_goes_on_calls_it_off(line):
    end_call(line, Said("bye", 2_000, "Goodbye."))
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
    end_call(line, Said("bye", 2_000, "Goodbye."))
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
    end_call(line, Said("bye", 2_000, "Goodbye."))
    line.wait(500)
    line.tell(ev.ModelLost, "closed", fatal=True)
    line.wait(1_600)

    assert line.done(do.ConnectModel) == []
    assert line.done(do.ClosePhone) == []
    assert len(line.done(do.HangUp)) == 1


def test_a_model_lost_while_hanging_up_does_not_bring_the_caller_to_the_tone(line):
    end_call(line, Said("bye", 500, "Goodbye."))
    line.wait(600)
    line.tell(ev.ModelLost, "closed")
    assert line.done(do.ConnectModel) == []
    assert line.done(do.ClosePhone) == []
    line.hangs_up()

    assert line.call.ended_because == "assistant_ended"


def test_a_model_lost_in_the_middle_of_the_goodbye_says_it_again(line):
    end_call(line)
    line.tell(ev.ReplyStarted, "r_bye")
    line.tell(ev.ModelLost, "closed")
    line.forget()
    line.tell(ev.ModelReady)

    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.farewell_ask]


def test_a_hang_up_that_fails_for_good_closes_the_stream(line):
    end_call(line, Said("bye", 500, "Goodbye."))
    line.wait(600)
    line.tell(ev.HangUpFailed)

    assert [command.code for command in line.done(do.ClosePhone)] == [1000]
    assert line.call.ended_because == "assistant_ended"


def test_a_hang_up_that_is_not_followed_by_the_end_closes_the_stream(line):
    end_call(line, Said("bye", 500, "Goodbye."))
    line.wait(600)
    line.wait(10_000)

    assert line.done(do.ClosePhone)
    assert line.call.ended_because == "assistant_ended"


def test_it_is_hung_up_once(line):
    end_call(line, Said("bye", 500, "Goodbye."))
    line.wait(5_000)
    line.tell(ev.TimerFired, "closing")
    line.tell(ev.TimerFired, "limit")
    line.tell(ev.TimerFired, "silence")

    assert len(line.done(do.HangUp)) == 1
    assert line.done(do.CreateReply) == []


# --- transfer ----------------------------------------------------------------------


def test_a_transfer_waits_until_what_is_said_about_it_was_heard(line):
    end_call(line, Said("hold", 1_500, "I'll put you through."), then=ev.ThenTransfer("urgent"))
    assert line.done(do.Transfer) == []
    line.wait(1_600)

    assert line.done(do.Transfer) == [do.Transfer("urgent")]
    line.hangs_up()
    assert line.call.ended_because == "transferred"


def test_a_transfer_whose_caller_never_falls_silent_happens_after_15_s(line):
    end_call(line, Said("hold", 1_500), then=ev.ThenTransfer("urgent"))
    line.starts_speaking("u2")
    line.wait(14_900)
    assert line.done(do.Transfer) == []
    line.wait(200)

    assert line.done(do.Transfer) == [do.Transfer("urgent")]


def test_a_transfer_is_asked_for_once(line):
    end_call(line, Said("hold", 500), then=ev.ThenTransfer("urgent"))
    line.wait(20_000)

    assert len(line.done(do.Transfer)) == 1


def test_a_transfer_that_fails_comes_back_to_the_conversation(line):
    end_call(line, Said("hold", 500), then=ev.ThenTransfer("urgent"))
    line.wait(600)
    line.tell(ev.TransferFailed)
    assert len(line.done(do.TellModel)) == 1
    assert len(line.done(do.CreateReply)) == 1
    line.reply("r2", Said("a2", 500))
    line.hangs_up()

    assert line.call.ended_because == "caller_hung_up"


def test_no_transfer_once_the_time_is_up(line):
    line.tell(ev.TimerFired, "limit")
    end_call(line, then=ev.ThenTransfer("urgent"))
    line.wait(30_000)

    assert line.done(do.Transfer) == []


# --- the time limit -----------------------------------------------------------------


def test_when_the_time_is_up_goodbye_is_said_and_heard(line):
    line.reply("r1", Said("a1", 3_000))
    line.wait(1_000)
    line.tell(ev.TimerFired, "limit")
    assert line.done(do.ClearPlayback)
    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.time_up_ask]
    line.reply("r_bye", Said("bye", 2_000, "Goodbye."))
    line.wait(1_900)
    assert line.done(do.HangUp) == []
    line.wait(200)
    assert len(line.done(do.HangUp)) == 1
    line.hangs_up()

    assert line.call.ended_because == "time_limit"


def test_the_limit_counts_from_the_streams_beginning():
    line = Line(CallPlan(max_call_ms=20_000))
    line.opens()
    line.starts_speaking("u1")
    line.wait(16_500)
    assert len(line.done(do.CreateReply)) == 1
    line.wait(500)

    assert [command.ask for command in line.done(do.CreateReply)][1:] == [line.plan.time_up_ask]


def test_a_reply_that_is_being_generated_gives_way_to_the_goodbye(line):
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 8_000)
    line.wait(300)
    line.tell(ev.TimerFired, "limit")
    assert len(line.done(do.CancelReply)) == 1
    assert line.done(do.CreateReply) == []
    line.forget()
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 8_000)
    assert line.done(do.Play) == []
    line.tell(ev.ReplyDone, "r1", "cancelled")

    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.time_up_ask]


def test_a_caller_who_talks_on_cannot_prolong_the_call(line):
    line.reply("r1", Said("a1", 500))
    line.wait(1_000)
    line.tell(ev.TimerFired, "limit")
    begun_ms = line.now_ms
    for number in range(2, 20):
        if line.done(do.HangUp):
            break
        line.starts_speaking(f"u{number}")
        line.wait(700)
        line.stops_speaking(f"u{number}")
        line.reply(f"r{number}", Said(f"a{number}", 8_000))  # the model answers by itself
        line.wait(300)

    assert line.done(do.HangUp)
    assert line.now_ms - begun_ms <= 13_000


def test_after_the_limit_nothing_but_the_goodbye_is_said(line):
    line.reply("r1", Said("a1", 500))
    line.wait(1_000)
    line.tell(ev.TimerFired, "limit")
    line.tell(ev.ReplyStarted, "r_bye")
    line.says("u2", "Wait!", ms=300)
    line.tell(ev.ReplyAudio, "r_bye", "bye", 0, b"x" * 8_000)
    line.tell(ev.ReplyDone, "r_bye", "completed")
    assert line.phone.sent_ms("bye") == 1_000
    line.forget()
    line.reply("r2", Said("a2", 2_000))

    assert line.done(do.Play) == []
    assert len(line.done(do.CancelReply)) == 1


def test_a_goodbye_that_collides_with_the_models_own_answer_is_said_after_it_was_cut(line):
    # The caller has just fallen silent, so the model is about to answer.
    line.tell(ev.TimerFired, "limit")
    goodbye = line.done(do.CreateReply)
    line.tell(ev.ReplyStarted, "the model's own")
    line.tell(ev.ReplyRefused, goodbye[0].event_id)
    assert len(line.done(do.CancelReply)) == 1
    line.tell(ev.ReplyDone, "the model's own", "cancelled")

    assert line.done(do.CreateReply) == goodbye * 2


def test_a_limit_that_comes_in_a_goodbye_leaves_it_alone_but_makes_it_final(line):
    end_call(line, Said("bye", 3_000, "Goodbye."))
    line.wait(500)
    line.tell(ev.TimerFired, "limit")
    line.says("u2", "One more thing.", ms=300)
    line.wait(5_000)

    assert line.done(do.ClearPlayback) == []
    assert len(line.done(do.HangUp)) == 1
    line.hangs_up()
    assert line.call.ended_because == "assistant_ended"


def test_a_limit_that_comes_while_the_model_is_away_is_told_when_it_is_back(line):
    line.reply("r1", Said("a1", 500))
    line.tell(ev.ModelLost, "gone")
    line.tell(ev.TimerFired, "limit")
    assert line.done(do.HangUp) == []
    line.tell(ev.ModelReady)
    assert [command.ask for command in line.done(do.CreateReply)] == [line.plan.time_up_ask]
    line.reply("r_bye", Said("bye", 500))
    line.wait(3_000)
    line.hangs_up()

    assert line.call.ended_because == "time_limit"


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
