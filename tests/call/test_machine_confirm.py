"""A tool does what it was asked only when the caller presses a key."""

from __future__ import annotations

import pytest

from assistant.audio import silence
from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.keypad import NOT_CONFIRMED
from assistant.call.plan import CallPlan
from tests.call.telling import NOTICE, OPENING, Line, Said

DONE = {"ok": True, "cancelled": "Lunch"}


def cancel(number: int) -> ev.ToolCall:
    return ev.ToolCall(f"tc_{number}", "cancel_event", "{}")


def wants_a_key(line: Line, number: int = 1, then: ev.ThenConfirm | None = None) -> None:
    """The model calls the tool, which asks for a key, and the assistant passes that on."""
    line.reply(f"r{number}", tools=[cancel(number)])
    line.tell(ev.ToolFinished, f"tc_{number}", {"ok": True, "waits_for_key": "1"}, then or ev.ThenConfirm())
    line.reply(f"r{number}b", Said(f"a{number}", 1_500, "Press 1 to cancel lunch."))


def presses_alone(line: Line, key: str = "1") -> None:
    """The caller presses a key, and no other for as long as it takes to be sure."""
    line.presses(key, every_ms=1_000)


PIN_PLAN = CallPlan(opening=OPENING, disclosure=NOTICE, keypad_pin=True)


@pytest.fixture(params=["any caller", "the owner"])
def line(request: pytest.FixtureRequest, owner: Line) -> Line:
    """Whose call it is makes no difference to the key that was asked for."""
    return owner if request.param == "the owner" else asks(Line())


@pytest.fixture
def owner() -> Line:
    """The owner, who has typed the PIN."""
    line = Line(PIN_PLAN)
    line.begins()
    line.presses("135790#", every_ms=200)
    line.tell(ev.PinChecked, True)
    return asks(line)


def asks(line: Line) -> Line:
    """The caller asks for what has to be confirmed."""
    line.opens()
    line.reply("welcome", Said("a0", 500, "Welcome."))
    line.says("u1", "Cancel lunch.", previous="greeting")
    line.forget()
    return line


def confirmed(line: Line) -> list[str]:
    return [command.tool_call_id for command in line.done(do.ConfirmTool)]


def dropped(line: Line) -> list[str]:
    return [command.tool_call_id for command in line.done(do.DropTool)]


def notes(line: Line) -> list[str]:
    return [note.text for note in line.done(do.TellModel)]


def test_the_key_has_it_done_and_the_model_is_told_what_came_of_it(line):
    wants_a_key(line)
    line.forget()
    line.tell(ev.CallerPressed, "1")
    line.wait(980)
    assert confirmed(line) == []
    line.wait(20)
    assert confirmed(line) == ["tc_1"]
    commands = line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE)
    line.wait(3_000)

    assert commands[0] == do.ReportTool("cancel_event", DONE, confirmed=True)
    assert len(line.done(do.CreateReply)) == 1
    assert line.done(do.TellModel) == []  # nobody is told of the key


def test_the_tool_itself_is_answered_like_any_other(line):
    wants_a_key(line)

    assert [command.tool_call_id for command in line.done(do.AnswerTool)] == ["tc_1"]


def test_the_tone_of_the_key_is_not_taken_for_speech(line):
    """The model would answer it, and not what the tool has done."""
    wants_a_key(line)
    line.forget()
    line.presses("1", every_ms=200)
    assert line.done(do.HearCaller) != []
    heard = {command.payload for command in line.done(do.HearCaller)}
    line.wait(1_200)
    line.forget()
    line.wait(500)

    assert heard == {silence(20)}
    assert silence(20) not in [command.payload for command in line.done(do.HearCaller)]


def test_it_is_confirmed_once(line):
    wants_a_key(line)
    presses_alone(line)
    line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE)
    assert line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE) == []
    presses_alone(line)
    line.wait(3_000)

    assert confirmed(line) == ["tc_1"]
    assert dropped(line) == []
    assert len(line.done(do.ReportTool)) == 1


def test_another_key_is_a_no(line):
    wants_a_key(line)
    line.presses("21")
    line.wait(3_000)

    assert confirmed(line) == []
    assert dropped(line) == ["tc_1"]
    assert len(line.done(do.TellModel)) == 1
    assert len(line.done(do.CreateReply)) == 2  # to the tool, and to that


@pytest.mark.parametrize("every_ms", [100, 900])
def test_a_key_that_another_follows_is_not_the_one_that_was_asked_for(line, every_ms):
    wants_a_key(line)
    line.presses("11", every_ms=every_ms)
    line.wait(3_000)
    presses_alone(line)

    assert confirmed(line) == []
    assert dropped(line) == ["tc_1"]


def test_a_key_that_comes_right_after_others_is_not_either(line):
    line.presses("22#", every_ms=100)
    wants_a_key(line)
    presses_alone(line)

    assert confirmed(line) == []


def test_the_owner_who_types_the_pin_once_more_confirms_nothing(owner):
    wants_a_key(owner)
    owner.forget()
    owner.caller_sounds = b"\x2b"
    owner.presses("135790", every_ms=800)
    owner.presses("#", every_ms=300)

    assert confirmed(owner) == []
    assert owner.done(do.CheckPin) == []
    assert {command.payload for command in owner.done(do.HearCaller)} == {silence(20)}
    # Only once they have typed it: the assistant does not speak into that.
    assert [type(command) for command in owner.did if isinstance(command, do.TellModel | do.CreateReply)] == [
        do.TellModel,
        do.CreateReply,
    ]
    assert notes(owner) == [NOT_CONFIRMED]


def test_what_was_typed_in_place_of_it_is_over_after_a_pause_too(owner):
    wants_a_key(owner)
    owner.presses("13")
    assert notes(owner) == []
    owner.wait(2_000)

    assert notes(owner) == [NOT_CONFIRMED]


def test_other_callers_have_their_keys_told():
    line = asks(Line())
    wants_a_key(line)
    line.presses("13")
    line.wait(2_000)

    assert notes(line) == ["The caller pressed these keys of the keypad: 1 3"]


def test_a_key_that_is_a_yes_is_told_to_nobody(line):
    wants_a_key(line)
    presses_alone(line)
    line.wait(4_000)

    assert notes(line) == []


def test_the_tone_of_a_yes_is_cut_from_the_recording(owner):
    wants_a_key(owner)
    owner.forget()
    presses_alone(owner)

    assert [command.length_ms for command in owner.done(do.SilenceRecording)] == [1_000]


def test_the_key_may_be_another_one(line):
    wants_a_key(line, then=ev.ThenConfirm("9"))
    presses_alone(line, "9")

    assert confirmed(line) == ["tc_1"]


def test_one_waits_at_a_time_and_a_second_takes_no_key_away_from_it(line):
    line.reply("r1", tools=[cancel(1), cancel(2)])
    for number in (2, 1):
        line.tell(ev.ToolFinished, f"tc_{number}", {"ok": True}, ev.ThenConfirm())
    assert dropped(line) == ["tc_1"]
    presses_alone(line)

    assert confirmed(line) == ["tc_2"]


def test_nor_while_its_key_has_to_stay_alone(line):
    wants_a_key(line, 1)
    line.reply("r2", tools=[cancel(2)])
    line.tell(ev.CallerPressed, "1")
    line.tell(ev.ToolFinished, "tc_2", {"ok": True}, ev.ThenConfirm())
    line.wait(1_000)

    assert (confirmed(line), dropped(line)) == (["tc_1"], ["tc_2"])


def test_once_it_was_dropped_the_next_may_ask(line):
    wants_a_key(line, 1)
    line.presses("2")
    line.wait(3_000)
    wants_a_key(line, 2)
    presses_alone(line)

    assert confirmed(line) == ["tc_2"]


def think_aloud(line: Line, until_ms: float) -> None:
    """The caller goes on talking, and the assistant listens."""
    for number in range(100, 200):
        if line.now_ms > until_ms - 3_000:
            break
        line.says(f"u{number}", "Let me think.")
        line.reply(f"r{number}", Said(f"a{number}", 500, "Take your time."))
        line.wait(2_000)
    line.wait(until_ms - line.now_ms)


def test_within_a_minute_it_is_not_too_late(line):
    wants_a_key(line)
    asked_ms = line.timers["asked"] - 60_000
    think_aloud(line, asked_ms + 59_980)
    presses_alone(line)

    assert confirmed(line) == ["tc_1"]
    assert dropped(line) == []


def test_after_a_minute_it_is_off_and_the_model_knows(line):
    wants_a_key(line)
    asked_ms = line.timers["asked"] - 60_000
    think_aloud(line, asked_ms + 60_000)
    assert dropped(line) == ["tc_1"]
    assert notes(line) == [NOT_CONFIRMED]
    presses_alone(line)

    assert confirmed(line) == []


def test_a_tool_that_was_never_called_cannot_ask_for_a_key(line):
    line.tell(ev.ToolFinished, "tc_9", {"ok": True}, ev.ThenConfirm())
    presses_alone(line)

    assert confirmed(line) == []


def test_silence_is_not_counted_while_it_is_being_done(line):
    wants_a_key(line)
    line.wait(500)
    line.forget()
    presses_alone(line)
    line.wait(14_000)

    assert line.done(do.CreateReply) == []


def test_a_caller_who_speaks_meanwhile_is_answered_by_the_model_itself(line):
    wants_a_key(line)
    presses_alone(line)
    line.starts_speaking("u2")
    line.forget()
    line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE)

    assert len(line.done(do.ReportTool)) == 1
    assert line.done(do.CreateReply) == []


def test_what_came_of_it_is_told_to_a_session_that_was_not_there(line):
    wants_a_key(line)
    line.wait(1_600)
    line.tell(ev.ModelLost, "gone")
    line.presses("1", every_ms=1_000)
    line.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE)
    assert line.done(do.ReportTool) == []
    line.forget()
    line.tell(ev.ModelReady)

    assert line.done(do.ReportTool) == [do.ReportTool("cancel_event", DONE, confirmed=True)]
    assert len(line.done(do.CreateReply)) == 1


def test_a_key_that_is_a_yes_calls_a_goodbye_off(line):
    wants_a_key(line)
    line.wants_to_end(Said("a2", 1_000, "Goodbye."))
    presses_alone(line)
    line.wait(2_000)

    assert confirmed(line) == ["tc_1"]
    assert line.done(do.HangUp) == []


def test_nothing_is_confirmed_once_the_time_is_up(line):
    wants_a_key(line)
    line.tell(ev.TimerFired, "limit")
    line.presses("1")

    assert confirmed(line) == []


def test_a_key_of_a_pin_confirms_nothing():
    line = Line(PIN_PLAN)
    line.opens()
    line.presses("2")
    wants_a_key(line)
    line.presses("1#")

    assert confirmed(line) == []
    assert [command.digits for command in line.done(do.CheckPin)] == ["21"]


# --- what comes between the key and the moment it is alone -------------------


@pytest.fixture
def pressed(line: Line) -> Line:
    """The key that was asked for is pressed, and half of the wait is over."""
    wants_a_key(line)
    line.wait(1_500)
    line.presses("1", every_ms=500)
    assert confirmed(line) == []
    return line


@pytest.mark.parametrize("hung_up", [True, False])
def test_a_caller_who_is_gone_presses_no_other(pressed, hung_up):
    pressed.tell(ev.CallerGone, hung_up=hung_up)

    assert confirmed(pressed) == ["tc_1"]


@pytest.mark.parametrize("event", [ev.ShutDown, ev.HangUpFailed])
def test_nor_does_one_whom_we_leave(pressed, event):
    commands = pressed.tell(event)

    assert confirmed(pressed) == ["tc_1"]
    assert isinstance(commands[-1], do.CloseModel)


def test_a_model_that_is_gone_for_good_changes_nothing(pressed):
    pressed.tell(ev.ModelLost, "no money", fatal=True)

    assert confirmed(pressed) == ["tc_1"]


def test_a_model_that_is_replaced_does_not_either(pressed):
    pressed.tell(ev.ModelLost, "gone")
    pressed.wait(500)

    assert confirmed(pressed) == ["tc_1"]


def test_the_time_is_up_and_it_is_done_before_the_hang_up(pressed):
    pressed.tell(ev.TimerFired, "limit")
    pressed.reply("r2", Said("a2", 100, "Our time is up."))
    pressed.wait(500)
    assert confirmed(pressed) == ["tc_1"]
    assert pressed.done(do.HangUp) == []
    pressed.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE)

    assert len(pressed.done(do.HangUp)) == 1


def test_a_key_that_follows_when_the_time_is_up_follows_all_the_same(pressed):
    pressed.tell(ev.TimerFired, "limit")
    pressed.presses("3")
    pressed.wait(1_000)

    assert confirmed(pressed) == []


def test_a_goodbye_in_between_is_called_off(pressed):
    pressed.wants_to_end(Said("a2", 1_500, "Goodbye."))
    pressed.wait(500)
    pressed.tell(ev.ToolConfirmed, "tc_1", "cancel_event", DONE)
    pressed.wait(2_000)

    assert confirmed(pressed) == ["tc_1"]
    assert pressed.done(do.HangUp) == []


def test_a_minute_that_ends_in_between_is_not_over(line):
    wants_a_key(line)
    asked_ms = line.timers["asked"] - 60_000
    think_aloud(line, asked_ms + 59_700)
    presses_alone(line)

    assert (confirmed(line), dropped(line)) == (["tc_1"], [])
