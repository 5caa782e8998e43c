"""Scenarios are read strictly, and what came of a call is judged against them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from assistant.sandbox.caller import CallRecord
from assistant.sandbox.caller.documents import Complaint
from assistant.sandbox.caller.expect import heard_reasons, reasons_against
from assistant.sandbox.caller.playout import PlayOut
from assistant.sandbox.caller.script import (
    STRANGERS,
    Caller,
    Expected,
    ScenarioError,
    known_scenarios,
    load_scenario,
    number_of,
    read_scenario,
)
from assistant.sandbox.caller.twilio_rest import Recording

PROMISED = [
    "barge-in",
    "booking",
    "injection",
    "message",
    "model-dies",
    "owner",
    "quota",
    "silence",
    "two-callers",
    "withheld",
]


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_scenario_is_shipped_and_ends_by_itself(name):
    scenario = load_scenario(name)

    assert scenario.title
    for caller in scenario.callers:
        assert (caller.steps[-1].verb, caller.steps[-1].value) in [("hear", "end"), ("hang_up", True)]
        assert caller.expect.outcome
        assert caller.expect.ended_because


def test_an_unknown_scenario_names_the_known_ones():
    with pytest.raises(ScenarioError, match=r"unknown scenario '\.\./lines'; known: barge-in, booking,"):
        load_scenario("../lines")
    assert set(known_scenarios()) >= set(PROMISED)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"callers": []}, "the scenario knows no callers"),
        ({"caller": [{"steps": [{"whisper": "hello"}]}]}, "a step needs one of"),
        ({"caller": [{"steps": [{"say": "hello", "loud": 1}]}]}, "the step say knows no loud"),
        ({"caller": [{"steps": [{"say": "greeting"}]}]}, "no caller's line 'greeting'"),
        (
            {"caller": [{"steps": [{"say": "yes", "while_asked": "hello"}]}]},
            "no assistant's line 'hello'",
        ),
        ({"caller": [{"steps": [{"hear": "reply", "saying": "nonsense"}]}]}, "no assistant's line"),
        ({"caller": [{"from": "stranger", "mood": "bad"}]}, "Caller knows no mood"),
        ({"expect": {"result": "message"}, "caller": [{}]}, "Expected knows no result"),
    ],
)
def test_a_wrong_scenario_says_what_is_wrong(table, says):
    with pytest.raises(ScenarioError, match=says):
        read_scenario("wrong", table)


def test_what_is_expected_of_one_caller_goes_before_what_is_expected_of_all():
    expect = {"outcome": "message", "message": ["a"]}
    scenario = read_scenario("two", {"caller": [{}, {"expect": {"message": ["b"]}}], "expect": expect})

    assert [caller.expect.message for caller in scenario.callers] == [("a",), ("b",)]
    assert scenario.callers[1].expect.outcome == "message"


def test_strangers_have_made_up_numbers_and_others_their_own():
    assert (STRANGERS[0], STRANGERS[-1]) == ("+12025550110", "+12025550199")
    assert len({number_of(Caller(()), "+12025550101") for _ in range(50)}) > 5
    assert number_of(Caller((), from_="owner"), "+12025550101") == "+12025550101"
    assert number_of(Caller((), from_="anonymous"), "+12025550101") == "anonymous"


# --- judging ---------------------------------------------------------------------


class Played:
    """As much of a media stream as judging looks at."""

    def __init__(self) -> None:
        self.playout = PlayOut()


def record(expected: Expected | None = None, **seen: Any) -> CallRecord:
    usual: dict[str, Any] = dict.fromkeys(
        ["verbs", "documents", "spoken", "streams", "recordings", "complaints", "problems"], ()
    )
    usual |= {"label": "Ana", "call_sid": "CA1", "from_number": "+12025550143", "status": "completed"}
    usual |= {"duration_s": 9, "ended_by": "app", "expected": expected or Expected()}
    return CallRecord(**(usual | seen))


def turn(text: str, **more: Any) -> dict[str, Any]:
    usual = {"speaker": "assistant", "text": text, "interrupted": False, "started_ms": 0, "heard_ms": 0}
    return usual | more


def kept(**more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"outcome": "message", "ended_because": "assistant_ended", "from": "+12025550143"}
    return usual | {"trust": "stranger", "turns": [], "tool_runs": [], "message": None} | more


def ran(name: str, *, refused: bool = False, error: str = "") -> dict[str, Any]:
    result = {"ok": False, "error": error} if error else {"ok": True}
    return {"name": name, "refused": refused, "result": result}


def test_a_call_that_went_as_expected():
    expected = Expected(
        outcome="message",
        ended_because="assistant_ended",
        ended_by="app",
        tools=("take_message", "end_call"),
        refused=("list_messages",),
        said=("goodbye",),
        message=("boiler",),
    )
    runs = [ran("list_messages", refused=True), ran("take_message"), ran("end_call")]
    export = kept(tool_runs=runs, turns=[turn("Goodbye.")], message={"text": "The boiler leaks."})

    assert reasons_against(record(expected), export) == []


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_tool_may_be_expected_once_or_several_times(times):
    expected = Expected(tools=("find+", "end_call"), errors=("taken",) * times)
    runs = [ran("find", error="taken")] * times + [ran("end_call")]

    assert reasons_against(record(expected), kept(tool_runs=runs)) == []


@pytest.mark.parametrize(
    ("expected", "export", "reason"),
    [
        (Expected(), None, "the app knows nothing of this call"),
        (Expected(outcome="talked"), kept(), "outcome: message, expected talked"),
        (Expected(), kept(tool_runs=[ran("end_call")]), "tools that ran: end_call, expected none"),
        (Expected(tools=("end_call",)), kept(), "tools that ran: none, expected end_call"),
        (Expected(), kept(tool_runs=[ran("x", refused=True)]), "tools refused: x, expected none"),
        (
            Expected(tools=("a", "b+")),
            kept(tool_runs=[ran("a"), ran("a"), ran("b")]),
            "tools that ran: a, a, b, expected a, b+",
        ),
        (
            Expected(errors=("taken",), tools=("a",)),
            kept(tool_runs=[ran("a", error="too_far")]),
            "errors of the tools: too_far, expected taken",
        ),
        (Expected(trust="owner"), kept(), "trust: stranger, expected owner"),
        (Expected(from_withheld=True), kept(), "a withheld number is kept as +12025550143"),
        (Expected(message=("boiler",)), kept(), "the message does not say 'boiler'"),
        (Expected(not_said=("secret",)), kept(turns=[turn("A Secret.")]), "the assistant said 'secret'"),
        (Expected(said=("hello",)), kept(), "the assistant never said 'hello'"),
        (Expected(turns=2), kept(turns=[turn("Hello.")]), "the assistant spoke 1 times, expected 2 at least"),
        (Expected(interrupted=1), kept(), "turns interrupted: 0, expected 1"),
        (Expected(ended_by="caller"), kept(), "ended at the telephone company by: app, expected caller"),
        (Expected(recordings=1), kept(), "voicemails: 0, expected 1"),
    ],
)
def test_each_difference_is_a_reason(expected, export, reason):
    assert reasons_against(record(expected), export) == [reason]


def test_what_the_telephone_company_saw_counts_too():
    recording = Recording("CA1", b"", 1, sid="RE1")
    seen = record(complaints=(Complaint(12200, "odd"),), problems=("say x: no",), recordings=(recording,))

    assert reasons_against(replace(seen, expected=Expected(recordings=1)), kept()) == [
        "say x: no",
        "the telephone company complains: 12200: odd",
        "voicemail RE1 was never fetched",
    ]
    assert (
        reasons_against(record(Expected(complaints=(31920,)), complaints=(Complaint(31920, ""),)), kept())
        == []
    )


def test_what_the_app_says_was_heard_is_compared_with_what_the_phone_played():
    stream = Played()
    stream.playout.push(b"\x10" * 8 * 1000, at_ms=2000)  # "Good question."
    stream.playout.push(b"\x10" * 8 * 5000, at_ms=2000)  # a long answer, cut after 1400 ms
    stream.playout.clear(at_ms=4400)
    seen = record(streams=(stream,))
    question = turn("Good question.", started_ms=1990, heard_ms=1000)
    earlier = turn("Hello.", started_ms=100, heard_ms=900)

    near = kept(turns=[earlier, question, turn("I", started_ms=2990, heard_ms=1365, interrupted=True)])
    assert list(heard_reasons(seen, near)) == []
    far = kept(turns=[earlier, question, turn("I", started_ms=2990, heard_ms=1359, interrupted=True)])
    assert list(heard_reasons(seen, far)) == ["heard_ms is 2359 where the phone played 2400 ms"]


def test_strangers_who_ring_at_once_have_different_numbers():
    caller = load_scenario("message").callers[0]
    numbers = {number_of(caller, "+12025550101") for _ in range(len(STRANGERS))}

    assert numbers == set(STRANGERS)
