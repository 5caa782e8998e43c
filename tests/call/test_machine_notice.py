"""The notice that the call is recorded is heard to its end, whoever speaks into it."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.plan import CallPlan
from tests.call.telling import NOTICE, OPENING, Line, Said, sound

LENGTH_MS = 5_000
ENDS_MS = 2_600


def kept() -> Line:
    """A call whose opening is kept, its notice 2.6 s long."""
    plan = CallPlan(opening=OPENING, greeting=sound(LENGTH_MS), disclosure=NOTICE, notice_ends_ms=ENDS_MS)
    line = Line(plan)
    line.begins()
    line.wait(100)
    line.tell(ev.ModelReady)
    return line


def asked_for() -> Line:
    """A call whose opening the model has spoken; its notice is about as long."""
    line = Line()
    line.begins()
    line.wait(100)
    line.tell(ev.ModelReady)
    line.reply("opening", Said("greeting", LENGTH_MS, OPENING, previous=None))
    return line


BOTH = pytest.mark.parametrize("opened", [kept, asked_for])


def cleared_at_ms(line: Line, within_ms: int) -> int | None:
    """How long from now until the first clear."""
    for waited_ms in range(0, within_ms, 20):
        if line.done(do.ClearPlayback):
            return waited_ms
        line.wait(20)
    return None


@BOTH
def test_clear_waits_for_its_end(opened):
    line = opened()
    line.wait(900)
    line.starts_speaking("u1")
    waited_ms = cleared_at_ms(line, 4_000)

    assert abs(line.now_ms - ENDS_MS) <= 200
    assert waited_ms > 1_000


@BOTH
def test_after_it_the_greeting_is_cut_at_once(opened):
    line = opened()
    line.wait(ENDS_MS + 400)
    line.starts_speaking("u1")

    assert line.done(do.ClearPlayback)


@BOTH
def test_the_caller_is_heard_meanwhile_and_recorded_after(opened):
    line = opened()
    line.wait(500)
    line.starts_speaking("u1")
    line.forget()
    line.wait(1_000)
    assert len(line.done(do.HearCaller)) == 50
    assert line.done(do.RecordCaller) == []
    line.wait(1_500)

    assert line.done(do.RecordCaller)
    assert not any(NOTICE in note.text for note in line.done(do.TellModel))  # it was heard


@BOTH
def test_an_answer_that_comes_meanwhile_is_heard_after_it_whole(opened):
    line = opened()
    line.wait(300)
    line.says("u1", "Hello?", ms=400)
    line.wait(300)
    line.reply("r1", Said("a1", 1_000, "Hello, who is calling?", previous="u1"))
    assert line.phone.sent_ms("late") == 0
    line.wait(4_000)

    assert line.phone.sent_ms("late") == 1_000
    turns = {kept.turn.item_id: kept.turn for kept in line.done(do.KeepTurn)}
    assert turns["a1"].heard_text == "Hello, who is calling?"
    assert turns["greeting"].interrupted
    assert [turn.item_id for turn in sorted(turns.values(), key=lambda turn: turn.position)] == [
        "greeting",
        "u1",
        "a1",
    ]
    assert 300 < turns["u1"].started_ms < 500  # when they spoke, not when it was taken note of


@BOTH
def test_what_was_heard_is_what_was_played(opened):
    line = opened()
    line.wait(700)
    line.starts_speaking("u1")
    line.wait(3_000)

    (turn,) = (kept.turn for kept in line.done(do.KeepTurn) if kept.turn.item_id == "greeting")
    assert abs(turn.heard_ms - line.phone.heard_ms("greeting", line.now_ms)) <= 40


@BOTH
def test_a_caller_who_hangs_up_in_it_leaves_their_words(opened):
    line = opened()
    line.wait(300)
    line.says("u1", None, ms=300)
    line.hangs_up()
    line.tell(ev.CallerTranscribed, "u1", "Wrong number.")

    assert line.call.ended
    assert line.call.ended_because == "caller_hung_up"
    assert "Wrong number." in [kept.turn.text for kept in line.done(do.KeepTurn)]


@BOTH
def test_a_model_lost_in_it_is_replaced_at_once_and_the_notice_goes_on(opened):
    line = opened()
    line.wait(300)
    line.starts_speaking("u1")
    line.wait(200)
    line.tell(ev.ModelLost, "closed")
    assert len(line.done(do.ConnectModel)) == 1
    line.wait(300)
    line.forget()
    line.tell(ev.ModelReady)
    line.wait(1_000)

    assert line.done(do.ClearPlayback) == []
    # Heard by the one that is gone, and not understood: the new one hears it from its beginning.
    assert len(line.done(do.HearCaller)) >= 75
    assert not any(NOTICE in note.text for note in line.done(do.TellModel))  # it is being heard
    assert line.call.ended_because is None


@BOTH
def test_an_answer_lost_with_its_model_is_asked_for_again(opened):
    line = opened()
    line.wait(300)
    line.says("u1", "Hello?", ms=300)
    line.wait(200)
    line.reply("r1", Said("a1", 1_000, "Hello, who is calling?"))
    line.tell(ev.ModelLost, "closed")
    line.wait(300)
    line.forget()
    line.tell(ev.ModelReady)

    assert [(reply.say, reply.ask) for reply in line.done(do.CreateReply)] == [("", "")]
    assert "Hello?" in [kept.turn.text for kept in line.done(do.KeepTurn)] or line.done(do.RemindModel)


@BOTH
def test_time_that_is_up_in_it_asks_for_the_goodbye_alone(opened):
    line = opened()
    line.wait(300)
    line.says("u1", "Hello?", ms=300)
    line.forget()
    line.tell(ev.TimerFired, "limit")

    assert line.done(do.TellModel) == []
    assert [reply.ask for reply in line.done(do.CreateReply)] == [line.plan.time_up_ask]


@BOTH
def test_nothing_is_played_to_a_caller_who_has_hung_up_in_it(opened):
    line = opened()
    line.wait(300)
    line.says("u1", "Hello?", ms=300)
    line.reply("r1", Said("a1", 1_000, "Hello, who is calling?"))
    line.forget()
    line.hangs_up()

    assert line.done(do.Play) == line.done(do.NoteResponseTime) == []
    assert line.call.ended


@BOTH
@pytest.mark.parametrize("end", [(ev.ModelLost, "no credit", True), (ev.ShutDown,), (ev.HangUpFailed,)])
def test_words_from_it_are_kept_however_the_call_ends(opened, end):
    line = opened()
    line.wait(300)
    line.says("u1", "Hello?", ms=300)
    line.tell(*end)

    assert line.call.ended
    assert "Hello?" in [kept.turn.text for kept in line.done(do.KeepTurn)]


def test_a_phone_that_stalls_does_not_hold_the_caller_up_for_long():
    line = kept()
    line.wait(300)
    line.phone.next_mark_ms = lambda: None  # no mark comes back any more
    line.starts_speaking("u1")
    line.wait(ENDS_MS + 1_000)

    assert line.done(do.ClearPlayback)


def test_without_recording_a_notice_is_cut_like_everything_else():
    line = Line(CallPlan(opening=OPENING, greeting=sound(LENGTH_MS), notice_ends_ms=ENDS_MS))
    line.begins()
    line.tell(ev.ModelReady)
    line.wait(500)

    assert line.starts_speaking("u1")[0] == do.ClearPlayback()


def test_a_long_notice_is_not_taken_for_a_silent_model():
    plan = CallPlan(opening=OPENING, disclosure=OPENING)
    line = Line(plan)
    line.begins()
    line.tell(ev.ModelReady)
    events = list(line.reply_events("opening", Said("greeting", 12_000, OPENING)))
    for event in events:
        event()
    line.wait(100)
    line.starts_speaking("u1")  # before the response is said to be over
    line.tell(ev.ReplyDone, "opening", "cancelled")
    line.wait(11_000)

    assert line.done(do.ConnectModel) == []
    line.wait(1_500)
    assert line.done(do.ClearPlayback) == []  # it was heard whole: there is nothing to clear
