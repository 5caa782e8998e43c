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

from assistant.call.events import ThenHangUp
from assistant.errors import AssistantError, StoreBusy, StoreError, ToolRefused
from assistant.store.writer import Store
from assistant.tools.toolbox import Arguments, Tool, Toolbox, ToolContext, ToolResult

NOWHERE = Store(Path("/nonexistent/nothing.db"))


class Question(Arguments):
    days: int = Field(3, ge=1, le=14)
    name: str = ""


class Slow(AssistantError):
    spoken = "I'm sorry, I could not look."


def tool(run: Any = lambda context, given: ToolResult({"ok": True, "days": given.days}), **more: Any) -> Tool:
    return Tool("ask", "Ask something.", Question, run, **more)


def box(*tools: Tool, trust: Any = "stranger", **more: Any) -> Toolbox:
    return Toolbox(ToolContext("CA1", "+12025550143", trust, NOWHERE), tools=tools, **more)


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


def test_a_tool_has_six_seconds():
    limits = []

    @contextmanager
    def within(seconds: float):
        limits.append(seconds)
        yield
        raise TimeoutError

    assert refused(box(tool(), within=within)) == ("timeout", False)
    assert limits == [6.0]


@given(st.text(), st.one_of(st.text(), st.from_regex(r'\{"(days|name)": .{0,9}\}', fullmatch=True)))
def test_it_never_raises(name: str, arguments: str):
    for called in (name, "ask"):
        assert isinstance(box(tool()).run(called, arguments).output["ok"], bool)


# --- what is built -----------------------------------------------------------


def test_a_stranger_may_leave_a_message_and_end_the_call():
    toolbox = Toolbox(ToolContext("CA1", None, "stranger", NOWHERE))

    assert toolbox.names() == ["take_message", "end_call"]
    parameters = {one["name"]: one["parameters"] for one in toolbox.declared()}
    assert parameters["take_message"]["required"] == ["text"]
    assert parameters["take_message"]["properties"]["urgency"]["enum"] == ["low", "normal", "high"]


@pytest.mark.parametrize("given", ["", "{}", '{"reason": "The caller said goodbye."}'])
def test_end_call_only_asks_for_the_end(given: str):
    began = time.monotonic()

    result = Toolbox(ToolContext("CA1", None, "known", NOWHERE)).run("end_call", given)

    assert (result.output, result.then) == ({"ok": True}, ThenHangUp())
    assert time.monotonic() - began < 1
