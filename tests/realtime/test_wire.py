"""The Realtime API's messages as events, and commands as its messages."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson
import pytest

from assistant.call import events as ev
from assistant.call.commands import (
    AnswerTool,
    CancelReply,
    CommitCaller,
    CreateReply,
    DeclareTools,
    HangUp,
    HearCaller,
    RemindModel,
    ReportTool,
    TellModel,
    TruncateReply,
    Turn,
)
from assistant.realtime import wire
from tests.realtime.oracle import check_client, check_server

AT = 1_234
USAGE = {"total_tokens": 1, "input_tokens": 1, "output_tokens": 0}


def read(message: dict[str, Any]) -> ev.Event | None:
    return wire.read(orjson.dumps(message), AT)


def part(kind: str, **more: Any) -> dict[str, Any]:
    ids = {"response_id": "resp_1", "item_id": "item_A1", "output_index": 0, "content_index": 0}
    return {"type": kind, "event_id": "e", **ids, **more}


def item(**more: Any) -> dict[str, Any]:
    return {"id": "item_1", "object": "realtime.item", "type": "message", "status": "completed", **more}


def tool_call(**more: Any) -> dict[str, Any]:
    given = {"type": "function_call", "name": "take_message", "call_id": "call_1", "arguments": "{}"}
    return item(**(given | more))


def done(status: str | None = "completed", output: Any = (), **more: Any) -> dict[str, Any]:
    response: dict[str, Any] = {
        "object": "realtime.response",
        "id": "resp_1",
        "conversation_id": "conv_1",
        "output": list(output),
        "usage": USAGE,
        **more,
    }
    if status:
        response["status"] = status
    return {"type": "response.done", "event_id": "e", "response": response}


def failed(code: str | None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {
        "type": "error",
        "event_id": "e",
        "error": {"type": kind, "code": code, "message": "No.", "param": None, "event_id": "reply_3"},
    }


# --- reading: the current interface, each message judged by the oracle too ------

PCMU = b"\xff\x00\x7f"

SERVER = [
    (
        {"type": "input_audio_buffer.speech_started", "event_id": "e", "audio_start_ms": 5, "item_id": "u"},
        ev.SpeechStarted("u", at_ms=AT),
    ),
    (
        {"type": "input_audio_buffer.speech_stopped", "event_id": "e", "audio_end_ms": 9, "item_id": "u"},
        ev.SpeechStopped("u", at_ms=AT),
    ),
    (
        {
            "type": "input_audio_buffer.committed",
            "event_id": "e",
            "item_id": "u",
            "previous_item_id": "item_A0",
        },
        ev.CallerCommitted("u", "item_A0", at_ms=AT),
    ),
    (
        {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "u", "previous_item_id": None},
        ev.CallerCommitted("u", None, at_ms=AT),
    ),
    (
        {
            "type": "conversation.item.added",
            "event_id": "e",
            "previous_item_id": "item_A0",
            "item": item(role="user", content=[{"type": "input_audio", "transcript": None}]),
        },
        ev.ItemAdded("item_1", "item_A0", "caller", at_ms=AT),
    ),
    (
        {
            "type": "conversation.item.added",
            "event_id": "e",
            "previous_item_id": "root",
            "item": item(role="assistant", content=[]),
        },
        ev.ItemAdded("item_1", None, "assistant", at_ms=AT),
    ),
    (
        {"type": "conversation.item.added", "event_id": "e", "previous_item_id": "u", "item": tool_call()},
        ev.ItemAdded("item_1", "u", "other", at_ms=AT),
    ),
    (
        {
            "type": "conversation.item.added",
            "event_id": "e",
            "item": item(role="system", content=[{"type": "input_text", "text": "x"}]),
        },
        ev.ItemAdded("item_1", None, "other", at_ms=AT),
    ),
    (
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "event_id": "e",
            "item_id": "u",
            "content_index": 0,
            "transcript": " Hello, this is Ana.\n",
            "languages": [{"code": "en"}],
            "usage": {"type": "duration", "seconds": 2.6},
        },
        ev.CallerTranscribed("u", "Hello, this is Ana.", at_ms=AT),
    ),
    (
        {
            "type": "conversation.item.input_audio_transcription.failed",
            "event_id": "e",
            "item_id": "u",
            "content_index": 0,
            "error": {"type": "transcription_error", "code": "audio_unintelligible", "message": "..."},
        },
        ev.TranscriptionFailed("u", at_ms=AT),
    ),
    (
        {
            "type": "response.created",
            "event_id": "e",
            "response": {"id": "resp_1", "status": "in_progress", "conversation_id": "conv_1", "output": []},
        },
        ev.ReplyStarted("resp_1", at_ms=AT),
    ),
    (
        part("response.output_audio.delta", delta=b64encode(PCMU).decode()),
        ev.ReplyAudio("resp_1", "item_A1", 0, PCMU, at_ms=AT),
    ),
    (part("response.output_audio.done"), ev.ReplyAudioDone("resp_1", "item_A1", 0, at_ms=AT)),
    (
        part("response.output_audio_transcript.delta", delta="Good "),
        ev.ReplyWords("resp_1", "item_A1", "Good ", at_ms=AT),
    ),
    (
        part("response.output_audio_transcript.done", transcript="Good evening."),
        ev.ReplyText("resp_1", "item_A1", "Good evening.", at_ms=AT),
    ),
    (
        part("response.output_text.delta", delta="Written"),
        ev.ReplyWords("resp_1", "item_A1", "Written", at_ms=AT),
    ),
    (
        part("response.output_text.done", text="Written."),
        ev.ReplyText("resp_1", "item_A1", "Written.", at_ms=AT),
    ),
    (done(), ev.ReplyDone("resp_1", "completed", at_ms=AT)),
    (
        done(output=[tool_call()]),
        ev.ReplyDone(
            "resp_1", "completed", tool_calls=(ev.ToolCall("call_1", "take_message", "{}"),), at_ms=AT
        ),
    ),
    (
        done("cancelled", status_details={"type": "cancelled", "reason": "turn_detected"}),
        ev.ReplyDone("resp_1", "cancelled", error_code="turn_detected", at_ms=AT),
    ),
    (
        done("incomplete", status_details={"type": "incomplete", "reason": "max_output_tokens"}),
        ev.ReplyDone("resp_1", "incomplete", error_code="max_output_tokens", at_ms=AT),
    ),
    (
        done("failed", status_details={"type": "failed", "error": {"code": "rate_limit_exceeded"}}),
        ev.ReplyDone("resp_1", "failed", error_code="rate_limit_exceeded", at_ms=AT),
    ),
    (
        done("failed", status_details={"type": "failed", "error": {"code": "insufficient_quota"}}),
        ev.ReplyDone("resp_1", "failed", error_code="insufficient_quota", fatal=True, at_ms=AT),
    ),
    (failed("conversation_already_has_active_response"), ev.ReplyRefused("reply_3", at_ms=AT)),
    (failed("input_audio_buffer_commit_empty"), ev.NothingCommitted(at_ms=AT)),
    (failed("response_cancel_not_active"), None),
    (
        failed("insufficient_quota"),
        ev.ModelLost("ended by the model: insufficient_quota", fatal=True, at_ms=AT),
    ),
    (failed("session_expired"), ev.ModelLost("ended by the model: session_expired", at_ms=AT)),
    (failed("item_truncate_invalid"), ev.ModelError("item_truncate_invalid", "No.", at_ms=AT)),
    (failed(None, "server_error"), ev.ModelError("server_error", "No.", at_ms=AT)),
]

# What says nothing to a call.
UNSAID: list[dict[str, Any]] = [
    {"type": "session.created", "event_id": "e", "session": {"type": "realtime"}},
    {"type": "session.updated", "event_id": "e", "session": {"type": "realtime"}},
    {"type": "conversation.created", "event_id": "e", "conversation": {"id": "conv_1"}},
    {"type": "rate_limits.updated", "event_id": "e", "rate_limits": [{"name": "tokens", "limit": 1}]},
    {"type": "input_audio_buffer.cleared", "event_id": "e"},
    {
        "type": "input_audio_buffer.timeout_triggered",
        "event_id": "e",
        "audio_start_ms": 0,
        "audio_end_ms": 1,
        "item_id": "u",
    },
    {"type": "input_audio_buffer.dtmf_event_received", "event": "5", "received_at": 1795000000},
    {"type": "conversation.item.done", "event_id": "e", "item": item(role="assistant", content=[])},
    {
        "type": "conversation.item.truncated",
        "event_id": "e",
        "item_id": "a",
        "content_index": 0,
        "audio_end_ms": 1480,
    },
    {"type": "conversation.item.deleted", "event_id": "e", "item_id": "a"},
    {"type": "conversation.item.retrieved", "event_id": "e", "item": item(role="user", content=[])},
    {
        "type": "conversation.item.input_audio_transcription.delta",
        "event_id": "e",
        "item_id": "u",
        "content_index": 0,
        "delta": "Hel",
    },
    {
        "type": "conversation.item.input_audio_transcription.segment",
        "event_id": "e",
        "item_id": "u",
        "content_index": 0,
        "id": "seg_1",
        "speaker": "A",
        "start": 0.0,
        "end": 1.9,
        "text": "Hello",
    },
    {
        "type": "response.output_item.added",
        "event_id": "e",
        "response_id": "resp_1",
        "output_index": 0,
        "item": tool_call(status="in_progress"),
    },
    {
        "type": "response.output_item.done",
        "event_id": "e",
        "response_id": "resp_1",
        "output_index": 0,
        "item": tool_call(),
    },
    part("response.content_part.added", part={"type": "audio", "transcript": ""}),
    part("response.content_part.done", part={"type": "audio", "transcript": "Good evening."}),
    part("response.function_call_arguments.delta", call_id="call_1", delta="{"),
    part("response.function_call_arguments.done", call_id="call_1", name="take_message", arguments="{}"),
    part("response.output_audio.delta", delta=""),
]


@pytest.mark.parametrize(("message", "event"), SERVER)
def test_a_message_is_read_as_its_event(message: dict[str, Any], event: ev.Event | None):
    check_server(message)

    assert read(message) == event


@pytest.mark.parametrize("message", UNSAID, ids=lambda message: message["type"])
def test_a_message_that_says_nothing_to_a_call(message: dict[str, Any]):
    check_server(message)

    assert read(message) is None


@pytest.mark.parametrize(
    ("older", "current"),
    [
        ("response.audio.delta", "response.output_audio.delta"),
        ("response.audio.done", "response.output_audio.done"),
        ("response.audio_transcript.delta", "response.output_audio_transcript.delta"),
        ("response.audio_transcript.done", "response.output_audio_transcript.done"),
        ("response.text.delta", "response.output_text.delta"),
        ("response.text.done", "response.output_text.done"),
    ],
)
def test_older_names_mean_the_same(older: str, current: str):
    more = {"delta": b64encode(PCMU).decode(), "transcript": "x", "text": "x"}

    assert read(part(older, **more)) == read(part(current, **more)) is not None


def test_an_item_created_is_an_item_added():
    message = {"type": "conversation.item.created", "item": item(role="user"), "previous_item_id": "a"}

    assert read(message) == ev.ItemAdded("item_1", "a", "caller", at_ms=AT)


def test_unknown_messages_and_fields_are_ignored():
    assert read({"type": "ping", "event_id": "e"}) is None
    assert read({**part("response.output_audio.done"), "phase": "commentary"}) is not None


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '{"event_id":"e"}', '{"type":5}', b"\xff\xfe"])
def test_what_is_no_message_cannot_be_read(text: str | bytes):
    with pytest.raises(ValueError, match=r"not (JSON|an object)"):
        wire.read(text, AT)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "response.output_audio.delta", "item_id": "a", "delta": "abc"},
        {"type": "response.output_audio.delta", "item_id": "a"},
        {"type": "response.created", "response": None},
        {"type": "response.done", "response": "over"},
        {"type": "conversation.item.added", "item": 5},
        {"type": "input_audio_buffer.speech_started"},
        {"type": "error", "error": "broken"},
    ],
)
def test_a_message_without_what_its_type_promises_cannot_be_read(message: dict[str, Any]):
    with pytest.raises(wire.Unreadable):
        read(message)


# --- reading: tool calls -----------------------------------------------------


def calls_of(message: dict[str, Any]) -> tuple[ev.ToolCall, ...]:
    event = read(message)
    assert isinstance(event, ev.ReplyDone)
    return event.tool_calls


def test_only_whole_calls_of_a_completed_response_are_run():
    half = tool_call(status="incomplete", call_id="call_2")

    assert [call.tool_call_id for call in calls_of(done(output=[tool_call(), half]))] == ["call_1"]
    assert calls_of(done("cancelled", [tool_call()])) == ()
    assert calls_of(done("incomplete", [tool_call()])) == ()


def test_a_server_that_tells_no_status_has_finished():
    call = tool_call()
    del call["status"]

    assert len(calls_of(done(None, [call]))) == 1


def test_a_status_nobody_knows_is_not_a_success():
    event = read(done("strange", [tool_call()]))

    assert isinstance(event, ev.ReplyDone)
    assert (event.status, event.tool_calls) == ("failed", ())


def test_a_response_outside_the_conversation_is_not_the_calls():
    assert read(done(conversation_id=None, metadata={"purpose": "summary"})) is None
    # Some compatible servers never tell a conversation.
    assert read(done(conversation_id=None)) is not None


# --- writing -----------------------------------------------------------------

SESSION = 'You answer for the owner. "Quietly."'


def written(command: Any) -> dict[str, Any]:
    return check_client(wire.write(command, SESSION))


def test_caller_audio_passes_through():
    assert written(HearCaller(PCMU)) == {
        "type": "input_audio_buffer.append",
        "audio": b64encode(PCMU).decode(),
    }


def test_a_plain_reply_is_asked_for_without_ado():
    assert written(CreateReply("reply_1")) == {"type": "response.create", "event_id": "reply_1"}


def test_words_to_be_said_exactly_come_after_the_sessions_own_instructions():
    assert written(CreateReply("reply_1", say='Hello, "you".'))["response"] == {
        "instructions": SESSION
        + "\n\nSay exactly the following, word for word, and nothing else: \"Hello, 'you'.\"",
        "tool_choice": "none",
    }


def test_what_is_asked_of_one_reply_comes_after_the_sessions_own_instructions():
    assert written(CreateReply("reply_1", ask="Say goodbye."))["response"] == {
        "instructions": SESSION + "\n\nSay goodbye.",
        "tool_choice": "none",
    }


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (CommitCaller(), {"type": "input_audio_buffer.commit"}),
        (CancelReply(), {"type": "response.cancel"}),
        (
            TruncateReply("item_A1", 1, 1480),
            {
                "type": "conversation.item.truncate",
                "item_id": "item_A1",
                "content_index": 1,
                "audio_end_ms": 1480,
            },
        ),
        (
            TellModel("The caller pressed 5."),
            {
                "type": "conversation.item.create",
                "item": {
                    "type": "message",
                    "role": "system",
                    "content": [{"type": "input_text", "text": "The caller pressed 5."}],
                },
            },
        ),
        (
            AnswerTool("call_1", {"ok": True}),
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "call_id": "call_1", "output": '{"ok":true}'},
            },
        ),
    ],
)
def test_a_command_is_written_as_its_message(command: Any, message: dict[str, Any]):
    assert written(command) == message


def test_output_that_json_does_not_know_is_told_as_text():
    message = written(AnswerTool("call_1", {"error": ValueError("no")}))

    assert message["item"]["output"] == '{"error":"no"}'


def test_a_late_answer_of_a_tool_is_a_note_for_the_new_session():
    message = written(ReportTool("take_message", {"ok": True}))

    (content,) = message["item"]["content"]
    assert message["item"]["role"] == "system"
    assert content["text"] == (
        'The tool take_message, called before the line broke, has answered: {"ok":true}'
    )


def test_what_came_of_a_key_is_a_note_too():
    message = written(ReportTool("cancel_event", {"ok": True}, confirmed=True))

    (content,) = message["item"]["content"]
    assert message["item"]["role"] == "system"
    assert content["text"] == (
        'The tool cancel_event, confirmed by the caller\'s key, has answered: {"ok":true}'
    )


def test_tools_are_declared_anew_without_touching_the_rest_of_the_session():
    tool = {
        "type": "function",
        "name": "list_messages",
        "description": "Lists messages.",
        "parameters": {"type": "object", "properties": {}},
    }

    assert written(DeclareTools((tool,))) == {
        "type": "session.update",
        "event_id": "tools",
        "session": {"type": "realtime", "tools": [tool]},
    }


def test_a_refused_declaration_is_a_complaint_and_not_the_end():
    refused = {
        "type": "invalid_request_error",
        "code": "invalid_value",
        "param": "session.tools[0].name",
        "message": "No.",
        "event_id": "tools",
    }

    assert isinstance(read({"type": "error", "error": refused}), ev.ModelError)
    assert read({"type": "session.updated", "session": {"type": "realtime"}}) is None


def test_a_new_session_is_reminded_in_one_system_item():
    turns = (
        Turn("u", 1.0, "caller", "It's Ana.", "It's Ana.", False, 0, 900, 900),
        Turn("a", 2.0, "assistant", "Hello Ana, how are you?", "Hello Ana", True, 1000, 1500, 500),
    )

    message = written(RemindModel(turns))

    (content,) = message["item"]["content"]
    assert message["item"]["role"] == "system"
    assert '"It\'s Ana."' in content["text"]
    assert "how are you" not in content["text"]


def test_a_command_for_the_phone_is_not_written_to_the_model():
    with pytest.raises(TypeError):
        wire.write(HangUp(), SESSION)
