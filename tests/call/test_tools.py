"""Every call of a tool is answered exactly once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.call.commands import AnswerTool, ReportTool, RunTool
from assistant.call.events import ToolCall, ToolFinished
from assistant.call.tools import ToolRuns


def call(number: int) -> ToolCall:
    return ToolCall(f"tc_{number}", "take_message", "{}")


def finished(number: int) -> ToolFinished:
    return ToolFinished(f"tc_{number}", {"ok": True}, at_ms=0)


def run(tools: ToolRuns, *numbers: int) -> list[object]:
    return list(tools.run(map(call, numbers), spoke=False, overtaken=False))


def test_a_call_is_run_once_though_it_is_told_twice():
    tools = ToolRuns()

    assert run(tools, 1, 1) == [RunTool("tc_1", "take_message", "{}")]
    assert run(tools, 1) == []


def test_an_answer_is_given_once():
    tools = ToolRuns()
    run(tools, 1)

    assert tools.finished(finished(1)) == [AnswerTool("tc_1", {"ok": True})]
    assert tools.finished(finished(1)) == []
    assert not tools.running


def test_nobody_asked_for_this():
    assert ToolRuns().finished(finished(7)) == []


def test_an_answer_for_a_lost_session_is_reported_to_the_next():
    tools = ToolRuns()
    run(tools, 1)
    tools.epoch += 1

    assert tools.finished(finished(1)) == [ReportTool("take_message", {"ok": True})]


def test_what_finishes_without_a_session_is_kept_for_the_next():
    tools = ToolRuns()
    run(tools, 1, 2)
    tools.epoch += 1
    tools.put_off(finished(1))
    tools.put_off(finished(1))

    assert len(tools.put_off_answers()) == 1
    assert tools.put_off_answers() == []
    assert tools.running


def test_a_tool_at_work_knows_that_the_caller_has_spoken_since():
    tools = ToolRuns()
    run(tools, 1)
    tools.caller_began()
    run(tools, 2)

    assert tools.at_work("tc_1").overtaken
    assert not tools.at_work("tc_2").overtaken
    assert tools.at_work("tc_3") is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["call", "finish", "put off", "new session", "speech"]), st.integers(0, 5)),
    max_size=50,
)


@given(STEPS)
def test_each_call_is_answered_exactly_once_in_whatever_order(steps):
    tools = ToolRuns()
    asked, answers = set(), []
    for what, number in steps:
        match what:
            case "call":
                run(tools, number)
                asked.add(number)
            case "finish":
                answers += tools.finished(finished(number))
            case "put off":
                tools.put_off(finished(number))
            case "new session":
                tools.epoch += 1
                answers += tools.put_off_answers()
            case "speech":
                tools.caller_began()
    for number in range(6):
        answers += tools.finished(finished(number))
    answers += tools.put_off_answers()

    assert len(answers) == len(asked)
    told = [answer.tool_call_id for answer in answers if isinstance(answer, AnswerTool)]
    assert len(told) == len(set(told))
