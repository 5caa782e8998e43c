"""Who may run which tool, with what, for how long; and that every call is answered."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from assistant.calendars.diary import Diary
from assistant.call.events import ThenConfirm, ThenHangUp
from assistant.errors import (
    AssistantError,
    CalendarUnavailable,
    StoreBusy,
    StoreError,
    ToolRefused,
    UnknownOutcome,
)
from assistant.store.writer import Store
from assistant.tools.toolbox import Arguments, Tool, Toolbox, ToolContext, ToolResult

NOWHERE = Store(Path("/nonexistent/nothing.db"))
NOTHING = Diary(NOWHERE)


class Question(Arguments):
    days: int = Field(3, ge=1, le=14)
    name: str = ""


class Slow(AssistantError):
    spoken = "I'm sorry, I could not look."


def tool(run: Any = lambda context, given: ToolResult({"ok": True, "days": given.days}), **more: Any) -> Tool:
    return Tool("ask", "Ask something.", Question, run, **more)


def box(*tools: Tool, trust: Any = "stranger", **more: Any) -> Toolbox:
    return Toolbox(ToolContext("CA1", "+12025550143", trust, NOWHERE, NOTHING), tools=tools, **more)


def raising(error: Exception) -> Tool:
    def run(context: ToolContext, given: Question) -> ToolResult:
        raise error

    return tool(run)


# --- declared ----------------------------------------------------------------


def test_the_schema_is_made_from_the_class_that_checks():
    (declared,) = box(tool()).declared()

    assert declared == {
        "type": "function",
        "name": "ask",
        "description": "Ask something.",
        "parameters": {
            "type": "object",
            "properties": {
                "days": {"type": "integer", "default": 3, "minimum": 1, "maximum": 14},
                "name": {"type": "string", "default": ""},
            },
            "required": [],
            "additionalProperties": False,
        },
    }


def test_only_what_the_caller_may_use_is_declared():
    secret = tool(levels=frozenset({"owner"}))

    assert box(secret).declared() == []
    assert box(secret, trust="owner").names() == ["ask"]


# --- run ---------------------------------------------------------------------


def test_a_tool_is_run_and_its_arguments_are_kept():
    assert box(tool()).run("ask", '{"days": 5}') == ToolResult({"ok": True, "days": 5}, arguments={"days": 5})


@pytest.mark.parametrize("given", ['{"days": "5"}', '{"days": 5, "name": ""}', '{"days": 5, "name": null}'])
def test_numbers_as_text_and_blanks_are_accepted(given: str):
    assert box(tool()).run("ask", given).output["days"] == 5


@pytest.mark.parametrize("given", ["", "  ", "{}", '{"days": null}', '{"days": " "}'])
def test_what_is_left_out_has_its_default(given: str):
    assert box(tool()).run("ask", given).output["days"] == 3


def refused(toolbox: Toolbox, name: str = "ask", given: str = "{}") -> tuple[str, bool]:
    result = toolbox.run(name, given)
    assert result.output["ok"] is False
    assert result.output["message"]
    assert result.then is None
    return result.output["error"], result.refused


def test_refusals_are_data():
    assert refused(box(tool()), name="list_messages") == ("unknown_tool", True)
    assert refused(box(tool(levels=frozenset({"owner"})))) == ("not_allowed", True)
    assert refused(box(tool()), given='{"days": 99}') == ("bad_arguments", True)
    assert refused(box(tool()), given='{"hours": 1}') == ("bad_arguments", True)
    assert refused(box(tool()), given="[1]") == ("bad_arguments", True)
    assert refused(box(tool()), given='{"days": ') == ("bad_arguments", True)
    assert refused(box(raising(ToolRefused("too_many", "Enough.")))) == ("too_many", True)
    assert refused(box(raising(ToolRefused("taken", "That time is taken.")))) == ("taken", False)


def test_failures_are_data():
    assert refused(box(raising(TimeoutError()))) == ("timeout", False)
    assert refused(box(raising(StoreBusy("busy")))) == ("timeout", False)
    assert refused(box(raising(StoreError("/path/to/db: disk full")))) == ("failed", False)
    assert refused(box(raising(ZeroDivisionError("a bug")))) == ("failed", False)


def test_trouble_with_the_calendar_is_told_with_what_to_do_instead():
    unseen = box(raising(CalendarUnavailable("10.0.0.7: no route", "network"))).run("ask", "{}").output
    unknown = box(raising(UnknownOutcome("10.0.0.7: no answer"))).run("ask", "{}").output

    assert (unseen["error"], unseen["instead"]) == ("calendar_unavailable", "take_message")
    assert (unknown["error"], unknown["promise"]) == ("unknown_outcome", "nothing; the owner will confirm")
    assert "10.0.0.7" not in f"{unseen} {unknown}"


def test_a_refusal_brings_its_help_along():
    result = box(raising(ToolRefused("past", "Too late.", now="2026-11-30T09:00"))).run("ask", "{}")

    assert result.output == {"ok": False, "error": "past", "message": "Too late.", "now": "2026-11-30T09:00"}


# --- what waits for a key ----------------------------------------------------


def asking(done: list[int]) -> Tool:
    """A tool that is done when the key is pressed."""

    def confirmed(context: ToolContext, given: Question) -> ToolResult:
        done.append(given.days)
        return ToolResult({"ok": True})

    return tool(lambda context, given: ToolResult({"ok": True}, then=ThenConfirm("1")), confirmed=confirmed)


def test_what_was_asked_for_is_done_at_the_key_with_the_same_arguments():
    done: list[int] = []
    toolbox = box(asking(done))
    toolbox.run("ask", '{"days": 5}', "call_1")
    second = toolbox.run("ask", '{"days": 7}', "call_9")
    toolbox.drop("call_1")
    toolbox.run("ask", '{"days": 6}', "call_2")
    assert (done, second.output["error"], second.then) == ([], "not_available", None)

    result = toolbox.confirm("call_2")

    assert (result.output, result.arguments, done) == ({"ok": True}, {"days": 6}, [6])


def test_a_key_works_once_and_not_for_what_was_never_asked():
    done: list[int] = []
    toolbox = box(asking(done))
    toolbox.run("ask", "{}", "call_1")
    toolbox.run("ask", '{"days": 99}', "call_2")

    told = [toolbox.confirm(one) for one in ("call_1", "call_1", "call_2", "call_3")]

    assert [result.output.get("error") for result in told] == [None, *["not_available"] * 3]
    assert done == [3]


def test_what_fails_at_the_key_is_data_too():
    def confirmed(context: ToolContext, given: Question) -> ToolResult:
        raise ZeroDivisionError("a bug")

    toolbox = box(
        tool(lambda context, given: ToolResult({"ok": True}, then=ThenConfirm("1")), confirmed=confirmed)
    )
    toolbox.run("ask", "{}", "call_1")

    assert toolbox.confirm("call_1").output["error"] == "failed"


# --- the level ---------------------------------------------------------------


def test_a_level_rises_by_code_and_the_tools_with_it():
    secret = tool(levels=frozenset({"owner"}))
    toolbox = box(secret)
    assert refused(toolbox) == ("not_allowed", True)

    toolbox.raise_to_owner()

    assert (toolbox.trust, toolbox.names()) == ("owner", ["ask"])
    assert toolbox.run("ask", "{}").output["ok"]


def test_the_model_learns_only_what_a_caller_may():
    assert box(raising(Slow("10.0.0.7 did not answer"))).run("ask", "{}").output["message"] == Slow.spoken
    assert "bug" not in str(box(raising(ZeroDivisionError("a bug"))).run("ask", "{}").output)


def test_a_wrong_argument_is_named_without_its_value(caplog):
    caplog.set_level(logging.DEBUG)

    result = box(tool()).run("ask", '{"days": "my secret"}')

    assert "days" in result.output["message"]
    assert "my secret" not in result.output["message"] + caplog.text
    assert result.arguments == {"days": "my secret"}


def test_an_unknown_name_is_not_logged_as_the_caller_made_it_up(caplog):
    box(tool()).run("my secret", "{}")

    assert "CA1" in caplog.text
    assert "my secret" not in caplog.text


def test_a_tool_has_four_seconds():
    limits = []

    @contextmanager
    def within(seconds: float):
        limits.append(seconds)
        yield
        raise TimeoutError

    assert refused(box(tool(), within=within)) == ("timeout", False)
    assert limits == [4.0]


@given(st.text(), st.one_of(st.text(), st.from_regex(r'\{"(days|name)": .{0,9}\}', fullmatch=True)))
def test_it_never_raises(name: str, arguments: str):
    for called in (name, "ask"):
        assert isinstance(box(tool()).run(called, arguments).output["ok"], bool)


# --- what is built -----------------------------------------------------------


def test_a_stranger_may_leave_a_message_ask_for_a_time_and_end_the_call():
    toolbox = Toolbox(ToolContext("CA1", None, "stranger", NOWHERE, NOTHING))

    assert toolbox.names() == [
        "take_message",
        "find_free_times",
        "add_event",
        "transfer_to_owner",
        "end_call",
    ]
    parameters = {one["name"]: one["parameters"] for one in toolbox.declared()}
    assert parameters["take_message"]["required"] == ["text"]
    assert parameters["take_message"]["properties"]["urgency"]["enum"] == ["low", "normal", "high"]


def test_dates_times_and_lengths_are_declared_as_what_they_are():
    """What cannot be read has a code of its own, so they are checked later than the schema says."""
    toolbox = Toolbox(ToolContext("CA1", None, "owner", NOWHERE, NOTHING))
    parameters = {one["name"]: one["parameters"] for one in toolbox.declared()}

    wish = parameters["add_event"]
    assert wish["required"] == ["date", "time"]
    assert {name: wish["properties"][name]["type"] for name in ("date", "time", "title")} == {
        "date": "string",
        "time": "string",
        "title": "string",
    }
    assert wish["properties"]["duration_minutes"]["anyOf"][0] == {"type": "integer"}
    assert parameters["find_free_times"]["required"] == []
    assert parameters["find_free_times"]["properties"]["days"]["maximum"] == 31
    assert parameters["move_event"]["required"] == ["date", "time", "event_id"]


def test_each_level_has_the_tools_of_the_contract():
    def names(trust: Any) -> set[str]:
        return set(Toolbox(ToolContext("CA1", None, trust, NOWHERE, NOTHING)).names())

    assert names("known") - names("stranger") == {"list_events", "move_event", "cancel_event"}
    assert names("owner") - names("known") == {"list_messages"}


@pytest.mark.parametrize("given", ["", "{}", '{"reason": "The caller said goodbye."}'])
def test_end_call_only_asks_for_the_end(given: str):
    began = time.monotonic()

    result = Toolbox(ToolContext("CA1", None, "known", NOWHERE, NOTHING)).run("end_call", given)

    assert (result.output, result.then) == ({"ok": True}, ThenHangUp())
    assert time.monotonic() - began < 1
