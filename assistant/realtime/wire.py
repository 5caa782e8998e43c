"""The Realtime API's messages, as the call's events and commands.

The current (GA) interface is written; when reading, older names are accepted too, because
compatible servers still use them. Unknown messages and unknown fields are ignored. Pure:
what has to be remembered between two messages (the name of a tool that is told only once,
which session was agreed on) is the client's.

Audio passes through as it is; the client converts it where the session is not mu-law.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any, Literal, cast

import orjson

from assistant.call.commands import (
    AnswerTool,
    CancelReply,
    Command,
    CommitCaller,
    CreateReply,
    DeclareTools,
    DeleteItem,
    HearCaller,
    RemindModel,
    ReportTool,
    TellGreeting,
    TellModel,
    TruncateReply,
)
from assistant.call.events import (
    CallerCommitted,
    CallerTranscribed,
    Event,
    ItemAdded,
    ModelError,
    ModelLost,
    NothingCommitted,
    ReplyAudio,
    ReplyAudioDone,
    ReplyDone,
    ReplyRefused,
    ReplyStarted,
    ReplyText,
    ReplyWords,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TranscriptionFailed,
)
from assistant.prompt import greeting_note, memory_note
from assistant.realtime.session import FATAL_ACCOUNT, Wire


class Unreadable(ValueError):
    """A message that is no JSON object with a `type`, or lacks what its type promises."""


# --- reading -----------------------------------------------------------------

_OLDER_NAMES = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "conversation.item.created": "conversation.item.added",
}


def read(text: str | bytes, at_ms: int) -> Event | None:
    """The event a message of the server is; None for one that says nothing to a call.

    Raises Unreadable (a ValueError) for what is no message at all.
    """
    return event_of(parse(text), at_ms)


def parse(text: str | bytes) -> Wire:
    """The message as data, its `type` in the current interface's name."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unreadable("not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Unreadable("not an object with a type")
    message["type"] = _OLDER_NAMES.get(message["type"], message["type"])
    return message


def event_of(message: Wire, at_ms: int) -> Event | None:
    """The event a parsed message is. Raises Unreadable when it lacks what its type promises."""
    reader = _READERS.get(message["type"])
    if reader is None:
        return None
    try:
        return reader(message, at_ms)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"{message['type']} lacks {type(error).__name__}") from error


def _reply_audio(message: Wire, at_ms: int) -> Event | None:
    payload = a2b_base64(message["delta"])
    if not payload:
        return None
    response_id, index = message.get("response_id") or "", message.get("content_index") or 0
    return ReplyAudio(response_id, message["item_id"], index, payload, at_ms=at_ms)


def _reply_audio_done(message: Wire, at_ms: int) -> Event:
    return ReplyAudioDone(_response(message), message["item_id"], _index(message), at_ms=at_ms)


def _reply_words(message: Wire, at_ms: int) -> Event | None:
    if not message["delta"]:
        return None
    return ReplyWords(_response(message), message["item_id"], message["delta"], at_ms=at_ms)


def _reply_text(message: Wire, at_ms: int) -> Event:
    words = message.get("transcript") or message.get("text") or ""
    return ReplyText(_response(message), message["item_id"], str(words), at_ms=at_ms)


def _response(message: Wire) -> str:
    return str(message.get("response_id") or "")


def _index(message: Wire) -> int:
    return int(message.get("content_index") or 0)


def _item_added(message: Wire, at_ms: int) -> Event:
    item = message["item"]
    before = message.get("previous_item_id")
    return ItemAdded(item["id"], None if before == "root" else before, _kind(item), at_ms=at_ms)


def _kind(item: Wire) -> Literal["caller", "assistant", "other"]:
    if item.get("type") != "message":
        return "other"
    match item.get("role"):
        case "user":
            return "caller"
        case "assistant":
            return "assistant"
    return "other"


def _committed(message: Wire, at_ms: int) -> Event:
    return CallerCommitted(message["item_id"], message.get("previous_item_id"), at_ms=at_ms)


def _transcribed(message: Wire, at_ms: int) -> Event:
    return CallerTranscribed(message["item_id"], (message.get("transcript") or "").strip(), at_ms=at_ms)


def _reply_started(message: Wire, at_ms: int) -> Event | None:
    if out_of_band(message):
        return None
    return ReplyStarted(message["response"]["id"], at_ms=at_ms)


_STATUS = ("completed", "cancelled", "incomplete", "failed")


def _reply_done(message: Wire, at_ms: int) -> Event | None:
    if out_of_band(message):
        return None
    response = message["response"]
    told = response.get("status") or "completed"
    status = cast(
        Literal["completed", "cancelled", "incomplete", "failed"], told if told in _STATUS else "failed"
    )
    code = "" if status == "completed" else _failure(response)
    return ReplyDone(
        str(response.get("id") or ""),
        status,
        tool_calls=_tool_calls(response) if status == "completed" else (),
        error_code=code,
        fatal=code in FATAL_ACCOUNT,
        at_ms=at_ms,
    )


def _failure(response: Wire) -> str:
    """Why a response did not complete: an error's code, or the reason it was cut off."""
    details = response.get("status_details") or {}
    error = details.get("error") or {}
    return str(error.get("code") or error.get("type") or details.get("reason") or "")


def _tool_calls(response: Wire) -> tuple[ToolCall, ...]:
    """The calls that were generated whole. Servers that tell no status finish what they list."""
    return tuple(
        ToolCall(item["call_id"], str(item.get("name") or ""), item.get("arguments") or "")
        for item in response.get("output") or ()
        if item.get("type") == "function_call" and (item.get("status") or "completed") == "completed"
    )


def out_of_band(message: Wire) -> bool:
    """Does `response.created` or `.done` belong to a response outside the conversation?

    Those carry our metadata; some compatible servers leave conversation_id null always.
    """
    response = message.get("response") or {}
    return response.get("conversation_id", "") is None and bool(response.get("metadata"))


def _error(message: Wire, at_ms: int) -> Event | None:
    error = message.get("error") or {}
    code = str(error.get("code") or error.get("type") or "")
    if code == "response_cancel_not_active":
        return None  # it had just finished by itself
    if code == "conversation_already_has_active_response":
        return ReplyRefused(str(error.get("event_id") or ""), at_ms=at_ms)
    if code == "input_audio_buffer_commit_empty":
        return NothingCommitted(at_ms=at_ms)
    if code in FATAL_ACCOUNT or code == "session_expired":
        return ModelLost(f"ended by the model: {code}", fatal=code in FATAL_ACCOUNT, at_ms=at_ms)
    return ModelError(code, str(error.get("message") or "")[:300], at_ms=at_ms)


_READERS: dict[str, Callable[[Wire, int], Event | None]] = {
    "error": _error,
    "input_audio_buffer.speech_started": lambda m, at: SpeechStarted(m["item_id"], at_ms=at),
    "input_audio_buffer.speech_stopped": lambda m, at: SpeechStopped(m["item_id"], at_ms=at),
    "input_audio_buffer.committed": _committed,
    "conversation.item.added": _item_added,
    "conversation.item.input_audio_transcription.completed": _transcribed,
    "conversation.item.input_audio_transcription.failed": (
        lambda m, at: TranscriptionFailed(m["item_id"], at_ms=at)
    ),
    "response.created": _reply_started,
    "response.output_audio.delta": _reply_audio,
    "response.output_audio.done": _reply_audio_done,
    "response.output_audio_transcript.delta": _reply_words,
    "response.output_audio_transcript.done": _reply_text,
    "response.output_text.delta": _reply_words,
    "response.output_text.done": _reply_text,
    "response.done": _reply_done,
}


# --- writing -----------------------------------------------------------------


def write(command: Command, session_instructions: str) -> bytes:
    """The message that carries out a command. `session_instructions`: those of the session."""
    if isinstance(command, HearCaller):
        # Fifty times a second and call: no need of a JSON encoder for base64.
        sound = b2a_base64(command.payload, newline=False)
        return b'{"type":"input_audio_buffer.append","audio":"%b"}' % sound
    return orjson.dumps(_message(command, session_instructions))


def _message(command: Command, session_instructions: str) -> Wire:
    match command:
        case CommitCaller():
            return {"type": "input_audio_buffer.commit"}
        case CreateReply():
            return _create(command, session_instructions)
        case CancelReply():
            return {"type": "response.cancel"}
        case TruncateReply(item_id, content_index, audio_end_ms):
            return {
                "type": "conversation.item.truncate",
                "item_id": item_id,
                "content_index": content_index,
                "audio_end_ms": audio_end_ms,
            }
        case TellModel(text):
            return _note(text)
        case TellGreeting(item_id, words, heard):
            note = _note(greeting_note(words, heard))
            note["item"]["id"] = item_id
            return {**note, "previous_item_id": "root"}
        case DeleteItem(item_id):
            return {"type": "conversation.item.delete", "item_id": item_id}
        case RemindModel(turns):
            return _note(memory_note(turns))
        case AnswerTool(tool_call_id, output):
            return _item({"type": "function_call_output", "call_id": tool_call_id, "output": _json(output)})
        case ReportTool(name, output, confirmed):
            when = "confirmed by the caller's key" if confirmed else "called before the line broke"
            return _note(f"The tool {name}, {when}, has answered: {_json(output)}")
        case DeclareTools(tools):
            # Only what changes. It is granted or refused in passing: the session is agreed on long since.
            session = {"type": "realtime", "tools": list(tools)}
            return {"type": "session.update", "event_id": "tools", "session": session}
    raise TypeError(f"{type(command).__name__} is not for the model")


def _note(text: str) -> Wire:
    content = [{"type": "input_text", "text": text}]
    return _item({"type": "message", "role": "system", "content": content})


def _json(output: dict[str, Any]) -> str:
    return orjson.dumps(output, default=str).decode()


def _item(item: dict[str, Any]) -> Wire:
    return {"type": "conversation.item.create", "item": item}


def _create(command: CreateReply, session_instructions: str) -> Wire:
    message: Wire = {"type": "response.create", "event_id": command.event_id}
    own = _say(command.say) if command.say else command.ask
    if own:
        # Instructions of a response take the place of the session's, so these are repeated.
        message["response"] = {"instructions": f"{session_instructions}\n\n{own}", "tool_choice": "none"}
    return message


def _say(words: str) -> str:
    quoted = words.replace('"', "'")
    return f'Say exactly the following, word for word, and nothing else: "{quoted}"'
