"""The opening goes out at once where its sound is kept, and is kept where a model spoke it whole."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.plan import CallPlan
from tests.call.telling import NOTICE, OPENING, Line, Said, sound

GREETING_MS = 3_000


@pytest.fixture
def line() -> Line:
    return Line(CallPlan(opening=OPENING, greeting=sound(GREETING_MS)))


def first_turn(line: Line) -> do.Turn:
    return line.done(do.KeepTurn)[-1].turn


# --- it is heard -------------------------------------------------------------------


def test_it_goes_out_at_once_whatever_the_model_is_doing(line):
    commands = line.tell(ev.CallStarted)

    played = [command for command in commands if isinstance(command, do.Play)]
    assert sum(len(command.payload) for command in played) == GREETING_MS * 8
    assert commands.index(do.NoteFirstSound()) == commands.index(played[0]) + 1
    assert not any(isinstance(command, do.CreateReply) for command in commands)


def test_its_turn_is_the_one_a_model_would_have_left(line):
    line.begins()
    line.wait(1_700)
    line.tell(ev.ModelReady)
    line.wait(GREETING_MS)
    spoken = Line()
    spoken.opens()
    spoken.wait(500)

    turn, other = first_turn(line), first_turn(spoken)
    assert (turn.speaker, turn.text, turn.heard_text) == (other.speaker, other.text, other.heard_text)
    assert (turn.heard_ms, turn.interrupted, turn.position) == (other.heard_ms, False, other.position)
    assert turn.started_ms == 0


def test_the_session_is_told_and_not_asked_to_say_it_again(line):
    line.begins()
    line.wait(800)
    line.forget()
    commands = line.tell(ev.ModelReady)

    told = commands.index(do.TellGreeting("greeting", OPENING, None))
    heard = [at for at, command in enumerate(commands) if isinstance(command, do.HearCaller)]
    assert told < min(heard)  # what the caller says comes after what they were told
    assert line.done(do.CreateReply) == []


def test_a_model_that_is_ready_before_the_call_is_told_too(line):
    line.begins()
    line.tell(ev.ModelReady)

    assert line.done(do.TellGreeting) == [do.TellGreeting("greeting", OPENING, None)]


@pytest.mark.parametrize("ready_ms", [100, 4_000])
def test_silence_after_it_is_met_with_a_prompt(line, ready_ms):
    line.begins()
    line.wait(ready_ms)
    line.tell(ev.ModelReady)
    heard_ms = max(ready_ms, GREETING_MS)
    line.wait(heard_ms - ready_ms + 9_900)
    assert line.done(do.CreateReply) == []
    line.wait(300)

    assert [reply.ask for reply in line.done(do.CreateReply)] == [line.plan.still_there_ask]


# --- the caller interrupts ---------------------------------------------------------


def test_the_model_learns_how_far_an_interrupted_greeting_was_heard(line):
    line.begins()
    line.tell(ev.ModelReady)
    line.wait(1_500)
    commands = line.starts_speaking("u1")

    assert commands[0] == do.ClearPlayback()
    deleted = commands.index(do.DeleteItem("greeting"))
    (told,) = (command for command in commands if isinstance(command, do.TellGreeting))
    assert commands.index(told) == deleted + 1
    assert told.item_id != "greeting"
    assert 0 < len(told.heard) < len(OPENING)
    assert OPENING.startswith(told.heard)
    assert line.done(do.TruncateReply) == []  # it has no sound at the model
    turn = first_turn(line)
    assert (turn.interrupted, turn.heard_text) == (True, told.heard)
    assert abs(turn.heard_ms - 1_500) <= 40


def test_one_that_was_heard_whole_is_left_as_it_was_told(line):
    line.begins()
    line.tell(ev.ModelReady)
    line.wait(GREETING_MS + 500)
    line.says("u1", "Hello.")

    assert line.done(do.DeleteItem) == []
    assert len(line.done(do.TellGreeting)) == 1


def test_speech_found_in_the_kept_sound_cuts_it_when_it_is_read(line):
    line.begins()
    line.wait(1_000)
    line.tell(ev.ModelReady)
    assert len(line.done(do.HearCaller)) == 50  # every frame since the stream began
    line.wait(50)
    line.starts_speaking("u1")

    assert line.done(do.ClearPlayback)
    assert abs(first_turn(line).heard_ms - 1_050) <= 40


def test_the_caller_is_answered_after_the_greeting_in_the_transcript(line):
    line.begins()
    line.tell(ev.ModelReady)
    line.tell(ev.ItemAdded, "greeting", None, "other")
    line.wait(1_000)
    line.starts_speaking("u1")
    line.tell(ev.ItemAdded, "greeting_cut", None, "other")
    line.wait(500)
    line.stops_speaking("u1", previous="greeting_cut")
    line.tell(ev.CallerTranscribed, "u1", "Hello?")
    line.reply("r1", Said("a1", 1_000, "Hello.", previous="u1"))
    line.wait(1_500)

    turns = {kept.turn.item_id: kept.turn for kept in line.done(do.KeepTurn)}
    ordered = sorted(turns.values(), key=lambda turn: turn.position)
    assert [turn.item_id for turn in ordered] == ["greeting", "u1", "a1"]


# --- the model is lost -------------------------------------------------------------


def test_a_session_lost_before_it_was_ready_leaves_the_greeting_alone(line):
    line.begins()
    line.wait(500)
    line.tell(ev.ModelLost, "refused")
    line.wait(500)
    line.forget()
    line.tell(ev.ModelReady)

    assert line.done(do.TellGreeting) == [do.TellGreeting("greeting", OPENING, None)]
    assert line.done(do.RemindModel) == line.done(do.CreateReply) == line.done(do.TellModel) == []
    line.wait(2_200)
    assert first_turn(line).heard_ms == GREETING_MS


def test_a_later_session_learns_how_far_it_was_heard_like_the_first(line):
    line.begins()
    line.tell(ev.ModelReady)
    line.wait(500)
    line.tell(ev.ModelLost, "closed")
    line.wait(200)
    line.forget()
    line.tell(ev.ModelReady)
    line.wait(300)
    line.starts_speaking("2/u1")

    assert [told.heard is None for told in line.done(do.TellGreeting)] == [True, False]
    assert line.done(do.DeleteItem) == [do.DeleteItem("greeting")]


def test_a_session_that_comes_after_the_cut_is_told_of_it_at_once(line):
    line.begins()
    line.tell(ev.ModelReady)
    line.wait(1_000)
    line.starts_speaking("u1")
    line.wait(300)
    line.tell(ev.ModelLost, "closed")
    line.forget()
    line.tell(ev.ModelReady)

    (told,) = line.done(do.TellGreeting)
    assert OPENING.startswith(told.heard)
    assert line.done(do.DeleteItem) == line.done(do.RemindModel) == []


def test_once_more_was_said_a_later_session_is_reminded_of_everything(line):
    line.begins()
    line.tell(ev.ModelReady)
    line.wait(GREETING_MS + 300)
    line.says("u1", "Hello.")
    line.tell(ev.ModelLost, "closed")
    line.forget()
    line.tell(ev.ModelReady)
    line.starts_speaking("2/u1")

    (reminder,) = line.done(do.RemindModel)
    assert [turn.text for turn in reminder.turns] == [OPENING, "Hello."]
    assert line.done(do.TellGreeting) == line.done(do.DeleteItem) == []


def test_a_model_that_is_never_ready_brings_the_caller_to_the_tone(line):
    line.begins()
    line.wait(5_100)

    assert line.call.ended_because == "model_failed"


def test_what_a_model_speaks_is_written_down_as_the_owner_wrote_it():
    line = spoken(OPENING.upper().replace("'", ""))
    line.wait(GREETING_MS + 100)

    assert first_turn(line).text == first_turn(line).heard_text == OPENING


# --- it is kept --------------------------------------------------------------------


def spoken(words: str = OPENING, *items: Said, keep: bool = True, status: str = "completed") -> Line:
    """A call whose model was asked for the opening and said this."""
    line = Line(CallPlan(opening=OPENING, keep_opening=keep))
    line.begins()
    line.tell(ev.ModelReady)
    line.reply("opening", *(items or [Said("a1", GREETING_MS, words)]), status=status)
    return line


def test_an_opening_spoken_whole_is_kept():
    line = spoken(OPENING.upper().replace("'", "").replace(".", " -"))

    assert line.done(do.KeepGreeting) == [do.KeepGreeting(sound(GREETING_MS))]


def test_one_in_two_items_is_kept_as_one():
    line = spoken("", Said("a1", 1_000, NOTICE), Said("a2", 2_000, OPENING.removeprefix(NOTICE)))

    assert line.done(do.KeepGreeting) == [do.KeepGreeting(sound(3_000))]


@pytest.mark.parametrize("words", ["", NOTICE, OPENING + " Please go ahead.", "Hello!"])
def test_other_words_are_not_kept(words):
    assert spoken(words).done(do.KeepGreeting) == []


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
def test_one_that_was_not_finished_is_not_kept(status):
    assert spoken(status=status).done(do.KeepGreeting) == []


def test_one_that_is_kept_already_is_not_kept_again():
    assert spoken(keep=False).done(do.KeepGreeting) == []


def test_an_answer_in_the_same_words_is_not_the_opening():
    line = spoken("Hello!")
    line.says("u1", "Say it again.")
    line.reply("r2", Said("a2", GREETING_MS, OPENING))

    assert line.done(do.KeepGreeting) == []


# --- the phone's clock ---------------------------------------------------------------


@pytest.mark.parametrize("phone_ahead_ms", [0, 40, 150, 400])
@pytest.mark.parametrize("after_ms", [200, 1_500])
def test_what_was_heard_does_not_depend_on_when_the_phones_clock_began(phone_ahead_ms, after_ms):
    """The greeting goes out before the first frame tells how the phone's clock stands to ours."""
    line = Line(CallPlan(opening=OPENING, greeting=sound(GREETING_MS)), phone_ahead_ms=phone_ahead_ms)
    line.begins()
    line.tell(ev.ModelReady)
    line.wait(after_ms)
    line.starts_speaking("u1")
    assert abs(first_turn(line).heard_ms - after_ms) <= 40

    line.wait(300)
    line.stops_speaking("u1")
    line.reply("r1", Said("a1", 2_000))
    line.wait(150)
    line.starts_speaking("u2")

    (truncated, played_ms) = line.truncations[-1]
    assert abs(truncated.audio_end_ms - played_ms) <= 40
