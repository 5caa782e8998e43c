"""The call begins: the opening first, and nothing recorded before the notice is heard."""

from __future__ import annotations

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.plan import CallPlan
from tests.call.telling import NOTICE, OPENING, Line, Said


def test_the_assistant_speaks_first_and_word_for_word():
    line = Line()
    line.begins()
    line.wait(800)
    commands = line.tell(ev.ModelReady)

    assert line.done(do.CreateReply) == [do.CreateReply("reply_1", say=OPENING)]
    # What the caller said meanwhile is handed on after that, or it would be answered first.
    kinds = [type(command) for command in commands]
    assert kinds.index(do.CreateReply) < kinds.index(do.HearCaller)


def test_without_an_opening_the_model_is_asked_to_greet():
    line = Line(CallPlan(greet_ask="Greet the caller."))
    line.begins()
    line.tell(ev.ModelReady)

    assert line.done(do.CreateReply) == [do.CreateReply("reply_1", ask="Greet the caller.")]


def test_early_sound_is_kept_and_then_handed_on_in_order():
    line = Line()
    line.begins()
    for number in range(40):
        line.tell(ev.CallerAudio, bytes([number]) * 160, timestamp_ms=number * 20)
    assert line.done(do.HearCaller) == []
    line.tell(ev.ModelReady)
    line.tell(ev.CallerAudio, bytes([40]) * 160, timestamp_ms=800)

    assert [command.payload[0] for command in line.done(do.HearCaller)] == list(range(41))


def test_a_model_that_is_not_ready_after_5_s_is_given_up():
    line = Line()
    line.begins()
    line.wait(4_990)
    assert not line.call.ended
    line.wait(20)

    assert line.done(do.ClosePhone) == [do.ClosePhone(1011, "the assistant was not ready in time")]
    assert len(line.done(do.CloseModel)) == 1
    assert line.call.ended_because == "model_failed"


def test_a_model_that_refuses_for_good_is_given_up_at_once():
    line = Line()
    line.begins()
    line.wait(300)
    line.tell(ev.ModelLost, "no money", fatal=True)

    assert line.done(do.ConnectModel) == []
    assert line.call.ended_because == "model_failed"


def test_a_model_that_cannot_be_reached_is_tried_once_more_within_the_limits():
    line = Line()
    line.begins()
    line.wait(300)
    line.tell(ev.ModelLost, "refused")
    assert len(line.done(do.ConnectModel)) == 1
    line.wait(1_000)
    line.tell(ev.ModelReady)

    assert line.done(do.CreateReply)[0].say == OPENING
    assert len(line.done(do.HearCaller)) == 65  # all of the caller's 1.3 s
    assert line.done(do.RemindModel) == []


def test_the_first_sound_is_noted_once():
    line = Line()
    line.opens()
    line.says("u1", "Hello.")
    line.reply("r1", Said("a1", 500))

    assert len(line.done(do.NoteFirstSound)) == 1
    first = line.did.index(line.done(do.NoteFirstSound)[0])
    assert isinstance(line.did[first - 1], do.Play)


def test_the_time_of_each_answer_is_noted_where_its_sound_begins():
    line = Line()
    line.opens()
    line.says("u1", "What time is it?")
    stopped_ms = int(line.now_ms)
    line.wait(600)
    line.reply("r1", tools=[ev.ToolCall("tc_1", "clock", "{}")])
    line.wait(300)
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})
    line.reply("r2", Said("a1", 2_000))

    assert line.done(do.NoteResponseTime) == [do.NoteResponseTime(stopped_ms)]


# --- the notice ----------------------------------------------------------------


def recorded_from_ms(line: Line) -> int | None:
    recorded = line.done(do.RecordCaller)
    return recorded[0].at_ms if recorded else None


def test_nothing_of_the_caller_is_recorded_before_the_notice_is_heard():
    line = Line()
    line.opens()
    line.wait(500)
    share = len(NOTICE) / len(OPENING)
    begun_ms = line.phone.sounds[0].begins_ms

    assert abs(recorded_from_ms(line) - (begun_ms + 3_000 * share)) < 250


def test_without_a_notice_everything_is_recorded():
    line = Line(CallPlan(opening="Hello."))
    line.begins()
    line.wait(100)

    assert recorded_from_ms(line) == 0


def test_what_is_recorded_of_the_assistant_is_what_was_heard():
    line = Line()
    line.opens()
    line.says("u1", "Hello.")
    line.reply("r1", Said("a1", 4_000))
    line.wait(1_000)
    line.starts_speaking("u2")

    heard_ms = sum(len(part.payload) / 8 for part in line.done(do.RecordHeard))
    assert abs(heard_ms - 4_000) <= 40  # 3 s of opening, 1 s of the answer


def test_a_notice_that_was_cut_off_in_the_making_is_asked_for_again():
    line = Line()
    line.begins()
    line.tell(ev.ModelReady)
    line.begins_to_reply("opening", Said("greeting", 3_000, OPENING), pieces=4)
    line.wait(500)
    line.starts_speaking("u1")
    line.tell(ev.ReplyDone, "opening", "cancelled")

    assert any(NOTICE in note.text for note in line.done(do.TellModel))
    line.wait(2_000)
    assert recorded_from_ms(line) is None
    line.stops_speaking("u1")
    line.reply("r1", Said("a1", 3_000, f"{NOTICE} What can I do?"))
    line.wait(3_200)
    assert recorded_from_ms(line) is not None


def test_a_caller_who_speaks_before_the_opening_sounds_gets_the_notice_all_the_same():
    line = Line()
    line.begins()
    line.tell(ev.ModelReady)
    line.starts_speaking("u1")
    line.tell(ev.ReplyStarted, "opening")
    line.wait(400)
    line.stops_speaking("u1")
    line.tell(ev.ReplyDone, "opening", "cancelled")

    assert [NOTICE in note.text for note in line.done(do.TellModel)] == [True]
    # An answer without the notice does not count, though it is the first thing that was heard.
    line.reply("r1", Said("a1", 1_000, "Hello!"))
    line.wait(1_500)
    assert recorded_from_ms(line) is None


def test_the_notice_is_not_asked_for_again_and_again():
    line = Line()
    line.begins()
    line.tell(ev.ModelReady)
    for number in range(3):
        line.says(f"u{number}", "Hello?", ms=300)

    assert len(line.done(do.TellModel)) == 1


def test_an_opening_heard_to_its_end_counts_however_its_words_are_written_down():
    line = Line()
    line.begins()
    line.tell(ev.ModelReady)
    line.reply("opening", Said("one", 1_000, "Words."), Said("two", 1_000, "More words."))
    line.wait(1_500)
    assert recorded_from_ms(line) is None
    line.wait(700)

    assert recorded_from_ms(line) is not None


def test_an_opening_that_was_cut_off_does_not_count_by_being_over():
    line = Line()
    line.begins()
    line.tell(ev.ModelReady)
    for event in line.reply_events("opening", Said("one", 3_000, "Words.")):
        event()
    line.wait(500)
    line.starts_speaking("u1")
    line.tell(ev.ReplyDone, "opening", "cancelled")
    line.wait(4_000)

    assert recorded_from_ms(line) is None


def test_an_opening_that_fails_before_it_sounds_was_not_heard():
    line = Line()
    line.begins()
    line.tell(ev.ModelReady)
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyDone, "r1", "failed")
    line.wait(1_000)

    assert line.done(do.RecordCaller) == []
