"""The caller interrupts."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from tests.call.telling import Line, Said


def speaking(line: Line, *items: Said, done: bool = True) -> None:
    """The opening is over and the model answers something."""
    line.opens()
    line.says("u1", "Tell me.", previous="greeting")
    for event in line.reply_events("r1", *items):
        event()
    if done:
        line.tell(ev.ReplyDone, "r1", "completed")


def test_the_voice_stops_first_and_then_the_model_is_told():
    line = Line()
    speaking(line, Said("a1", 3_000))
    line.wait(400)
    commands = line.starts_speaking("u2")

    assert commands[0] == do.ClearPlayback()
    truncated = line.done(do.TruncateReply)
    assert [command.item_id for command in truncated] == ["a1"]
    assert truncated[0].audio_end_ms == pytest.approx(400, abs=40)


def test_also_while_the_model_is_still_generating():
    line = Line()
    speaking(line, Said("a1", 1_000), done=False)
    line.wait(400)
    line.starts_speaking("u2")

    assert line.truncations[0][0].audio_end_ms == pytest.approx(400, abs=40)


def test_late_sound_of_a_cut_reply_is_not_played():
    line = Line()
    speaking(line, Said("a1", 1_000), done=False)
    line.wait(400)
    line.starts_speaking("u2")
    line.forget()
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 1_600)
    line.tell(ev.ReplyAudio, "r1", "a2", 0, b"x" * 1_600)

    assert line.done(do.Play) == []
    line.tell(ev.ReplyDone, "r1", "cancelled")
    # The second item was never heard; of the first the model knows already.
    assert line.done(do.TruncateReply) == [do.TruncateReply("a2", 0, 0)]


def test_the_next_reply_is_played():
    line = Line()
    speaking(line, Said("a1", 3_000))
    line.wait(400)
    line.says("u2", "Wait.")
    line.forget()
    line.reply("r2", Said("a2", 1_000))
    line.wait(1_200)

    assert line.phone.heard_ms("a2", line.now_ms) == 1_000
    turns = {command.turn.item_id: command.turn for command in line.done(do.KeepTurn)}
    assert not turns["a2"].interrupted
    assert turns["a2"].heard_ms == 1_000


def test_in_the_second_of_three_items():
    line = Line()
    speaking(line, Said("a1", 1_000), Said("a2", 1_000), Said("a3", 1_000))
    line.wait(1_300)
    line.starts_speaking("u2")

    told = [(command.item_id, command.audio_end_ms) for command in line.done(do.TruncateReply)]
    assert [item_id for item_id, _ in told] == ["a2", "a3"]
    assert told[0][1] == pytest.approx(300, abs=40)
    assert told[1][1] == 0


def test_when_everything_has_been_heard_there_is_nothing_to_cut():
    line = Line()
    speaking(line, Said("a1", 1_000))
    line.wait(1_500)
    line.forget()
    line.starts_speaking("u2")

    assert line.done(do.ClearPlayback) == []
    assert line.done(do.TruncateReply) == []


def test_when_all_sound_was_heard_but_the_model_has_not_finished_the_item():
    line = Line()
    line.opens()
    line.says("u1", "Hello.")
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 8 * 300)
    line.wait(1_000)
    line.starts_speaking("u2")

    assert line.done(do.TruncateReply) == [do.TruncateReply("a1", 0, 300)]


def test_marks_that_a_clear_gives_back_do_not_count_as_heard():
    line = Line()
    speaking(line, Said("a1", 3_000, "one two three four five six seven eight nine ten"))
    line.wait(400)
    line.starts_speaking("u2")
    line.wait(100)

    turn = next(command.turn for command in line.done(do.KeepTurn) if command.turn.item_id == "a1")
    assert turn.interrupted
    assert turn.heard_ms == pytest.approx(400, abs=40)
    assert turn.heard_text == "one"


def test_a_second_barge_in_tells_of_the_second_reply_alone():
    line = Line()
    speaking(line, Said("a1", 3_000))
    line.wait(400)
    line.says("u2", "Wait.")
    line.reply("r2", Said("a2", 3_000))
    line.wait(700)
    line.forget()
    line.starts_speaking("u3")

    assert [command.item_id for command in line.done(do.TruncateReply)] == ["a2"]
    assert line.truncations[-1][0].audio_end_ms == pytest.approx(700, abs=40)


def test_a_reply_asked_for_just_before_the_caller_spoke_is_cancelled():
    line = Line()
    line.opens()
    line.reply("r1", tools=[ev.ToolCall("tc_1", "take_message", "{}")])
    line.tell(ev.ToolFinished, "tc_1", {"ok": True})
    line.starts_speaking("u1")
    line.forget()
    line.tell(ev.ReplyStarted, "r2")
    line.tell(ev.ReplyAudio, "r2", "a2", 0, b"x" * 800)

    assert line.done(do.CancelReply) == [do.CancelReply()]
    assert line.done(do.Play) == []


def test_the_words_of_a_cut_reply_are_kept_though_the_model_never_calls_them_final():
    line = Line()
    line.opens()
    line.says("u1", "Hello.")
    line.tell(ev.ReplyStarted, "r1")
    line.tell(ev.ReplyWords, "r1", "a1", "We are open from nine")
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 8_000)
    line.wait(300)
    line.starts_speaking("u2")
    line.forget()
    line.tell(ev.ReplyDone, "r1", "cancelled")

    assert [command.turn.text for command in line.done(do.KeepTurn)] == ["We are open from nine"]


def test_words_that_never_sounded_are_kept_as_not_heard():
    line = Line()
    line.opens()
    line.says("u1", "Hello.")
    line.tell(ev.ReplyStarted, "r1")
    line.starts_speaking("u2")
    line.tell(ev.ReplyWords, "r1", "a1", "We are open.")
    line.tell(ev.ReplyAudio, "r1", "a1", 0, b"x" * 8_000)
    line.tell(ev.ReplyText, "r1", "a1", "We are open.")
    line.tell(ev.ReplyDone, "r1", "cancelled")

    turn = next(command.turn for command in line.done(do.KeepTurn) if command.turn.item_id == "a1")
    assert (turn.text, turn.heard_text, turn.heard_ms, turn.interrupted) == ("We are open.", "", 0, True)


def test_a_reply_that_failed_after_it_was_cut_is_not_asked_for_again():
    line = Line()
    speaking(line, Said("a1", 3_000), done=False)
    line.wait(300)
    line.says("u2", "Wait.")
    line.forget()
    line.tell(ev.ReplyDone, "r1", "failed", error_code="server_error")
    line.reply("r2", Said("a2", 500))
    line.wait(3_000)

    assert line.done(do.CreateReply) == []
    assert not line.call.ended
