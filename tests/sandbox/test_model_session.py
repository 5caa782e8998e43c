"""The session of the sandbox's model and its complaints, over a real socket."""

import json

import pytest

from assistant.sandbox.model import SandboxModel
from tests.sandbox.model_client import Client, calls_of, session, text, words_of


def test_a_session_begins_with_24_khz_and_no_transcription(model: SandboxModel) -> None:
    with Client(model.url) as client:
        created = client.until("session.created")["session"]

    assert created["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert created["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert created["audio"]["input"]["transcription"] is None
    assert created["model"] == "gpt-realtime-2.1"


def test_the_session_is_what_was_asked_for(client: Client) -> None:
    now = client.of("session.updated")[0]["session"]
    wish = session()

    assert {name: now[name] for name in wish if name != "audio"} == {n: wish[n] for n in wish if n != "audio"}
    assert now["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert now["audio"]["input"]["turn_detection"] == {
        **wish["audio"]["input"]["turn_detection"],
        "idle_timeout_ms": None,
    }


def test_a_partial_update_leaves_the_rest_alone(client: Client) -> None:
    client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    now = client.until("session.updated")["session"]

    assert now["audio"]["input"]["turn_detection"] is None
    assert now["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert now["instructions"] == session()["instructions"]


def test_tools_replaced_in_mid_session_are_used_from_then_on(client: Client) -> None:
    client.play("owner-what")
    assert words_of(client.reply()) == [text("refusal")]
    add = {"type": "function", "name": "list_events", "description": "What is on.", "parameters": {}}
    client.send("session.update", event_id="tools", session={"type": "realtime", "tools": [add]})
    now = client.until("session.updated")["session"]
    client.play("owner-what")

    assert [name for name, _ in calls_of(client.reply())] == ["list_events"]
    assert now["instructions"] == session()["instructions"]


def test_days_are_counted_from_the_day_in_the_instructions(client: Client) -> None:
    find = {"type": "function", "name": "find_free_times", "description": "When.", "parameters": {}}
    told = "Now it is Monday, 2026-12-28, 9:00 (Europe/Berlin, UTC+01:00)."
    client.configure(instructions=told, tools=[find])
    client.play("booking-1")

    [(name, arguments)] = calls_of(client.reply())
    assert (name, arguments["date"]) == ("find_free_times", "2026-12-29")


REFUSED = {
    "flat voice": ({"voice": "marin"}, "unknown_parameter", "session.voice"),
    "temperature": ({"temperature": 0.8}, "unknown_parameter", "session.temperature"),
    "no type": ({"type": None}, "missing_required_parameter", "session.type"),
    "format as a word": (
        {"audio": {"input": {"format": "pcm16"}}},
        "invalid_type",
        "session.audio.input.format",
    ),
    "another rate": (
        {"audio": {"output": {"format": {"type": "audio/pcm", "rate": 8000}}}},
        "invalid_value",
        "session.audio.output.format.rate",
    ),
    "rate of mu-law": (
        {"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 8000}}}},
        "unknown_parameter",
        "session.audio.input.format.rate",
    ),
    "both modalities": (
        {"output_modalities": ["audio", "text"]},
        "invalid_value",
        "session.output_modalities",
    ),
    "other model": ({"model": "gpt-realtime-2"}, "invalid_value", "session.model"),
    "strict tool": (
        {"tools": [{"type": "function", "name": "a", "strict": True}]},
        "unknown_parameter",
        "session.tools[0].strict",
    ),
    "threshold": (
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
        "invalid_value",
        "session.audio.input.turn_detection.threshold",
    ),
    "two languages": (
        {
            "audio": {
                "input": {"transcription": {"model": "gpt-transcribe", "language": "en", "languages": ["en"]}}
            }
        },
        "invalid_parameter",
        "session.audio.input.transcription.languages",
    ),
    "streaming words": (
        {"audio": {"input": {"transcription": {"model": "gpt-live-transcribe"}}}},
        "invalid_value",
        "session.audio.input.turn_detection",
    ),
    "detection without type": (
        {"audio": {"input": {"turn_detection": {"threshold": 0.5}}}},
        "missing_required_parameter",
        "session.audio.input.turn_detection.type",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_one_wrong_field_refuses_the_whole_update(model: SandboxModel, case: str) -> None:
    change, code, param = REFUSED[case]
    wish = {name: value for name, value in {**session(), **change}.items() if value is not None}
    with Client(model.url) as client:
        client.send("session.update", event_id="evt_7", session=wish)
        error = client.until("error")["error"]
        client.send("session.update", session={"type": "realtime"})
        now = client.until("session.updated")["session"]

    assert (error["code"], error["param"], error["event_id"]) == (code, param, "evt_7")
    assert now["audio"]["input"]["format"]["type"] == "audio/pcm"
    assert now["tools"] == []


def test_an_older_model_takes_no_reasoning(model: SandboxModel) -> None:
    with Client(model.url, model="gpt-realtime-1.5") as client:
        error = client.configure(model="gpt-realtime-1.5")["error"]

    assert error["param"] == "session.reasoning"


def test_the_voice_is_fixed_once_it_has_been_heard(client: Client) -> None:
    client.say(text("goodbye"))
    client.reply()
    client.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": "cedar"}}})

    assert client.until("error")["error"]["code"] == "cannot_update_voice"


# --- complaints


def test_a_second_response_is_refused_while_one_is_active(interrupter: Client) -> None:
    interrupter.say(text("greeting"))
    interrupter.send("response.create", event_id="second")
    error = interrupter.until("error")["error"]

    assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", "second")
    assert interrupter.reply()["status"] == "completed"


WRONG = {
    "no such event": ({"type": "response.sing"}, "invalid_value", "type"),
    "no type": ({"event_id": "e"}, "missing_required_parameter", "type"),
    "nothing to cancel": ({"type": "response.cancel"}, "response_cancel_not_active", None),
    "nothing to commit": ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
    "unknown field": ({"type": "response.create", "say": "hi"}, "unknown_parameter", "say"),
    "unknown wish": (
        {"type": "response.create", "response": {"temperature": 1}},
        "unknown_parameter",
        "response.temperature",
    ),
    "no base64": ({"type": "input_audio_buffer.append", "audio": "#"}, "invalid_value", "audio"),
    "decimals": (
        {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 1.5},
        "invalid_type",
        "audio_end_ms",
    ),
    "unknown item": (
        {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 1},
        "item_truncate_invalid_item_id",
        "item_id",
    ),
    "assistant's sound put in": (
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "input_text", "text": "a"}],
            },
        },
        "invalid_value",
        "item.content",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_event_is_answered_and_the_session_goes_on(client: Client, case: str) -> None:
    event, code, param = WRONG[case]
    client.socket.send(json.dumps({"event_id": "wrong", **event}))
    error = client.until("error")["error"]
    client.say(text("goodbye"))

    assert (error["code"], error["param"]) == (code, param)
    assert error["event_id"] in ("wrong", "e")
    assert client.reply()["status"] == "completed"


def test_what_is_not_json_is_answered(client: Client) -> None:
    client.socket.send("{")

    assert client.until("error")["error"]["code"] == "invalid_json"
