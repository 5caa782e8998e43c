"""What the assistant did, in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.tools.toolbox import NOT_RUN, all_tools
from assistant.web.deeds import DEEDS, WHY_NOT, Deed, deed, value


def run(name: str, result: dict[str, Any], *, refused: bool = False) -> dict[str, Any]:
    return {"name": name, "arguments": {}, "result": result, "refused": refused}


def refusal(code: str, message: str = "For the model.") -> dict[str, Any]:
    return {"ok": False, "error": code, "message": message}


def test_every_tool_and_every_reason_not_to_run_one_has_words():
    assert {tool.name for tool in all_tools()} <= DEEDS.keys()
    assert NOT_RUN - {"not_allowed"} <= WHY_NOT.keys()


@pytest.mark.parametrize(
    ("name", "trust", "why"),
    [
        ("list_messages", "stranger", "the caller is a stranger"),
        ("list_messages", "known", "only you may do that, and this was a caller you know"),
        ("list_events", "stranger", "the caller is a stranger"),
    ],
)
def test_a_refusal_says_who_was_refused(name: str, trust: str, why: str):
    told = deed(run(name, refusal("not_allowed"), refused=True), trust)

    assert (told.mark, told.why) == ("refused", why)
    assert told.title.startswith("Wanted to read out")


def test_who_may_use_a_tool_was_refused_for_another_reason():
    told = deed(run("cancel_event", refusal("not_allowed", "No such appointment."), refused=True), "known")

    assert told.why == "No such appointment."


def test_what_did_not_work_is_no_refusal():
    told = deed(run("add_event", refusal("taken")), "stranger")

    assert told == Deed("Could not make an appointment", "failed", "that time was not free")


def test_an_appointment_that_was_asked_for_is_not_made():
    assert (
        deed(run("add_event", {"ok": True, "requested": {}}), "stranger").title
        == "Asked you for an appointment"
    )
    assert deed(run("add_event", {"ok": True, "booked": {}}), "known").title == "Made an appointment"


@pytest.mark.parametrize(
    "result", [{}, {"ok": True}, {"ok": False}, {"ok": False, "error": [], "message": {}}]
)
def test_a_tool_that_nobody_knows_is_told_by_its_name(result: dict[str, Any]):
    told = deed(run("sing", result), "stranger")

    assert "“sing”" in told.title
    assert told.why == ("something went wrong" if result.get("ok") is False else "")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Call me", "Call me"),
        (True, "yes"),
        (None, "–"),
        (3, "3"),
        ([], "none"),
        ([{"start": "09:00", "ok": False}, "later"], "• start: 09:00, done: no\n• later"),
        ({"free": ["a", ["b", None]]}, "free: a; b; –"),
    ],
)
def test_a_value_is_written_for_a_reader(given: Any, shown: str):
    assert value(given) == shown
