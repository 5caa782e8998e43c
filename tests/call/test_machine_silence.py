"""Nobody says anything."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from tests.call.telling import Line, Said


def asked(line: Line) -> list[str]:
    return [command.ask for command in line.done(do.CreateReply)]


def wait_until_asked(line: Line) -> float:
    """How long it takes until the call asks for another reply, to 20 ms."""
    begun_ms, count = line.now_ms, len(line.done(do.CreateReply))
    while len(line.done(do.CreateReply)) == count:
        line.wait(20)
    return line.now_ms - begun_ms


def test_two_prompts_10_s_apart_and_then_goodbye():
    line = Line()
    line.opens()
    line.forget()
    for number, ask in enumerate([line.plan.still_there_ask] * 2 + [line.plan.silence_ask]):
        assert wait_until_asked(line) == pytest.approx(10_000, abs=60)
        assert asked(line)[-1] == ask
        line.reply(f"p{number}", Said(f"prompt_{number}", 1_500))
        line.wait(1_500)
    line.wait(20)

    assert len(line.done(do.HangUp)) == 1
    line.hangs_up()
    assert line.call.ended_because == "silence"


def test_a_caller_who_speaks_starts_the_count_again():
    line = Line()
    line.opens()
    wait_until_asked(line)
    line.reply("p0", Said("prompt", 1_500))
    line.wait(5_000)
    line.says("u1", "Yes, sorry.")
    line.reply("r1", Said("a1", 1_000))
    line.wait(1_000)
    line.forget()

    assert wait_until_asked(line) == pytest.approx(10_000, abs=60)
    line.reply("p1", Said("prompt_1", 1_000))
    line.wait(1_000)
    wait_until_asked(line)
    assert asked(line) == [line.plan.still_there_ask] * 2


def test_while_the_assistant_is_heard_it_is_not_silent():
    line = Line()
    line.opens()
    line.says("u1", "Tell me a story.")
    line.reply("r1", Said("a1", 25_000))
    line.forget()
    line.wait(34_900)
    assert asked(line) == []
    line.wait(200)

    assert asked(line) == [line.plan.still_there_ask]


def test_while_the_caller_speaks_it_is_not_silent():
    line = Line()
    line.opens()
    line.forget()
    line.starts_speaking("u1")
    line.wait(60_000)

    assert asked(line) == []


def test_lost_marks_do_not_keep_the_call_waiting_for_ever():
    line = Line()
    line.opens()
    line.phone.mark = lambda name, now_ms: None
    line.says("u1", "Hello.")
    line.reply("r1", Said("a1", 2_000))
    line.forget()

    assert wait_until_asked(line) == pytest.approx(12_000, abs=100)


def test_a_reply_without_sound_is_followed_by_a_prompt():
    line = Line()
    line.opens()
    line.says("u1", "Hello.")
    line.reply("r1", status="incomplete")
    line.forget()

    assert wait_until_asked(line) == pytest.approx(10_000, abs=60)


def test_a_caller_who_answers_the_goodbye_calls_it_off():
    line = Line()
    line.opens()
    for number in range(3):
        wait_until_asked(line)
        line.reply(f"p{number}", Said(f"prompt_{number}", 1_500))
        line.wait(1_000)
    line.says("u1", "Don't hang up!")
    line.reply("r1", Said("a1", 1_000))
    line.wait(8_000)

    assert line.done(do.HangUp) == []


def test_prompts_go_on_after_a_reconnect():
    line = Line()
    line.opens()
    line.wait(5_000)
    line.tell(ev.ModelLost, "gone")
    line.wait(1_000)
    line.forget()
    line.tell(ev.ModelReady)

    assert wait_until_asked(line) == pytest.approx(10_000, abs=60)
