"""Messages for the owner, in a real database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from assistant.calendars.diary import Diary
from assistant.store import calls
from assistant.store.export import export_call
from assistant.store.writer import Store
from assistant.tools.toolbox import Toolbox, ToolContext, ToolResult

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
CALLER = "+12025550143"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "afterbeep.db")
    store.write(
        calls.begin,
        "CA1",
        direction="inbound",
        from_number=CALLER,
        to_number="+12025550100",
        forwarded_from=None,
        caller_name=None,
        trust="stranger",
        stir_verstat=None,
        started_at=NOW,
    )
    return store


def take(store: Store, caller_number: str | None = CALLER, **arguments: Any) -> ToolResult:
    context = ToolContext("CA1", caller_number, "stranger", store, Diary(store), now=lambda: NOW)
    return Toolbox(context).run("take_message", orjson.dumps(arguments).decode())


def kept(store: Store) -> dict[str, Any]:
    call = store.read(export_call, "CA1")
    assert call is not None
    message: dict[str, Any] = call["message"]
    return message


def test_a_message_is_kept_and_said_to_be(store: Store):
    result = take(store, name="Ana", callback_number="+1 202 555 0188", text="Please call.", urgency="high")

    assert result.output["ok"] is True
    assert result.output["say"]
    assert kept(store) == {
        "name": "Ana",
        "callback_number": "+1 202 555 0188",
        "text": "Please call.",
        "urgency": "high",
    }


def test_only_the_text_is_needed(store: Store):
    take(store, text="The parcel is with the neighbours.")

    assert kept(store) == {
        "name": None,
        "callback_number": CALLER,
        "text": "The parcel is with the neighbours.",
        "urgency": "normal",
    }


@pytest.mark.parametrize(
    "said", ["", "  ", None, "the same", "unknown", "2025550143", "(202) 555-0143", 2025550143]
)
def test_the_callers_own_number_is_the_usual_one(store: Store, said: object):
    take(store, text="Call back.", callback_number=said)

    assert kept(store)["callback_number"] == CALLER


def test_a_withheld_number_leaves_none(store: Store):
    result = take(store, None, text="Call back.")

    assert kept(store)["callback_number"] is None
    assert "no number" in result.output["say"]


@pytest.mark.parametrize("arguments", [{}, {"text": ""}, {"text": " \n"}, {"text": None}, {"name": "Ana"}])
def test_a_message_without_words_is_refused(store: Store, arguments: dict[str, Any]):
    result = take(store, **arguments)

    assert (result.output["error"], result.refused) == ("bad_arguments", True)
    assert kept(store) is None


@pytest.mark.parametrize(
    ("said", "urgency"), [("High", "high"), (" low ", "low"), ("", "normal"), (None, "normal")]
)
def test_urgency_is_understood_however_it_is_written(store: Store, said: object, urgency: str):
    take(store, text="x", urgency=said)

    assert kept(store)["urgency"] == urgency


def test_an_urgency_nobody_knows_is_refused(store: Store):
    assert take(store, text="x", urgency="nuclear").output["error"] == "bad_arguments"


def test_control_characters_and_endless_text_are_cut(store: Store):
    take(store, name="A\x00na\x1b[31m\n" + "a" * 500, text="Line one.\r\nLine\ttwo.\x07 " + "x" * 9000)

    message = kept(store)
    assert message["name"].startswith("A na [31m aaa")
    assert len(message["name"]) == 120
    assert message["text"].startswith("Line one. Line two. xxx")
    assert len(message["text"]) == 4000


def test_a_second_message_replaces_the_first(store: Store):
    take(store, text="Wrong.")
    take(store, text="Right.")

    assert kept(store)["text"] == "Right."
