"""A conversation with the sandbox's model, over a real socket.

Every event it sends is held against the vendor's types by the client.
"""

import base64
import re

import pytest

from assistant import audio
from assistant.sandbox import lines
from assistant.sandbox.lines import shipped
from assistant.sandbox.model import SandboxModel, mouth
from assistant.sandbox.model.sound import Inlet
from tests.sandbox.model_client import Client, calls_of, session, text, words_of

# --- hearing and answering ----------------------------------------------------


def test_a_caller_leaves_a_message(client: Client) -> None:
    client.say(f"{text('disclosure')} {text('greeting')}")
    assert words_of(client.reply()) == [f"{text('disclosure')} {text('greeting')}"]

    client.play("message-1")
    assert words_of(client.reply()) == [text("ask-number")]
    client.play("message-number")
    asked = client.reply()
    assert calls_of(asked) == [
        (
            "take_message",
            {
                "name": "Ana",
                "callback_number": "+12025550143",
                "text": "Please call Ana back about the boiler.",
                "urgency": "normal",
            },
        )
    ]
    client.answer_tool(asked["output"][0]["call_id"], '{"ok": true}')
    client.send("response.create")
    assert words_of(client.reply()) == [text("read-back")]

    client.play("thanks-bye")
    last = client.reply()
    assert words_of(last) == [text("farewell")]
    assert [name for name, _ in calls_of(last)] == ["end_call"]
    assert [item["type"] for item in last["output"]] == ["message", "function_call"]


@pytest.mark.parametrize("fmt", ["audio/pcmu", "audio/pcm"])
def test_it_hears_and_speaks_in_the_sessions_format(model: SandboxModel, fmt: str) -> None:
    with Client(model.url) as client:
        client.configure(fmt)  # type: ignore[arg-type]
        client.play("message-1")
        reply = client.reply()
        words = client.transcription()

    wire = client.sound_of(reply["output"][0]["id"])
    assert words["transcript"] == text("message-1")
    assert words["usage"]["seconds"] == pytest.approx(4.9, abs=0.3)
    if fmt == "audio/pcmu":
        assert wire == shipped()["ask-number"].payload
    else:
        assert len(wire) == 6 * len(shipped()["ask-number"].payload)
        assert audio.level(audio.encode_ulaw(Inlet("audio/pcm").take(wire))) > 1_000


def test_what_it_does_not_know_it_transcribes_as_words(client: Client) -> None:
    client.append(shipped()["explain"].payload[:16_000] + audio.silence(900))

    assert words_of(client.reply()) == [text("again")]
    assert client.transcription()["transcript"] == "(words)"


def test_events_of_a_turn_come_in_the_services_order(client: Client) -> None:
    client.play("hello")
    client.reply()
    client.transcription()

    kinds = [
        kind for kind in client.types()[2:] if not kind.endswith("delta") and "transcription" not in kind
    ]
    spoken = [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
    ]
    assert kinds == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "rate_limits.updated",
        *spoken,  # two audio items in one response
        *spoken,
        "response.done",
    ]


def test_words_and_sound_come_mixed(client: Client) -> None:
    client.say(text("explain"))
    client.reply()

    kinds = [kind for kind in client.types() if kind.endswith(".delta")]
    assert kinds[:4] == ["response.output_audio_transcript.delta", "response.output_audio.delta"] * 2
    assert "".join(event["delta"] for event in client.of("response.output_audio_transcript.delta")) == text(
        "explain"
    )


def test_items_say_which_item_they_follow(client: Client) -> None:
    client.say(text("greeting"))
    client.reply()
    client.play("question-1")
    client.reply()
    client.play("message-number")
    client.answer_tool(client.reply()["output"][0]["call_id"], '{"ok": true}')
    client.send("response.create")
    client.reply()

    added = client.of("conversation.item.added")
    order = [event["item"]["id"] for event in added]
    assert [event["previous_item_id"] for event in added] == [None, *order[:-1]]
    assert {
        event["item"]["id"]: event["previous_item_id"] for event in client.of("conversation.item.done")
    } == {event["item"]["id"]: event["previous_item_id"] for event in added}
    for committed in client.of("input_audio_buffer.committed"):
        assert committed["previous_item_id"] == order[order.index(committed["item_id"]) - 1]


def test_usage_is_plausible_and_what_was_read_before_is_cached(client: Client) -> None:
    for line_id in ("hello", "message-1", "booking-1"):
        client.play(line_id)
    usages = [client.reply()["usage"] for _ in range(3)]

    for usage in usages:
        details = usage["input_token_details"]
        cached = details["cached_tokens_details"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert details["text_tokens"] + details["audio_tokens"] == usage["input_tokens"]
        assert cached["text_tokens"] <= details["text_tokens"]
        assert cached["audio_tokens"] <= details["audio_tokens"]
        assert details["cached_tokens"] == cached["text_tokens"] + cached["audio_tokens"]
    assert usages[-1]["input_token_details"]["cached_tokens"] > 0


# --- being interrupted --------------------------------------------------------


def test_speech_cancels_the_reply_that_is_being_generated(interrupter: Client) -> None:
    interrupter.say(text("explain"))
    interrupter.until("response.output_audio.delta")
    interrupter.play("interrupt")
    cut = interrupter.reply()

    assert cut["status"] == "cancelled"
    assert cut["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert cut["output"][0]["status"] == "incomplete"
    assert 0 < len(interrupter.sound_of(cut["output"][0]["id"])) < len(shipped()["explain"].payload)
    assert words_of(interrupter.reply()) == [text("go-ahead")]


def test_nothing_of_a_cancelled_reply_comes_after_it_is_done(interrupter: Client) -> None:
    interrupter.play("question-1")
    interrupter.until("response.output_audio.delta")
    interrupter.send("response.cancel")
    cut = interrupter.reply()
    interrupter.say(text("goodbye"))
    interrupter.reply()

    assert cut["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    end = next(place for place, event in enumerate(interrupter.seen) if event["type"] == "response.done")
    assert not [event for event in interrupter.seen[end + 1 :] if event.get("response_id") == cut["id"]]


def test_a_session_may_ask_not_to_be_interrupted(slow_speaker: SandboxModel) -> None:
    with Client(slow_speaker.url) as client:
        wish = session()
        wish["audio"]["input"]["turn_detection"]["interrupt_response"] = False
        client.send("session.update", session=wish)
        client.until("session.updated")
        client.fmt = "audio/pcmu"
        client.say(text("refusal"))
        client.until("response.output_audio.delta")
        client.play("yes")

        assert client.until("error")["error"]["code"] == "conversation_already_has_active_response"
        assert client.reply()["status"] == "completed"


def test_a_heard_part_can_be_cut_but_not_beyond_the_sound(client: Client) -> None:
    client.say(text("explain"))
    item_id = client.reply()["output"][0]["id"]
    whole_ms = audio.duration_ms(shipped()["explain"].payload)
    cut = {"item_id": item_id, "content_index": 0}

    client.send("conversation.item.truncate", **cut, audio_end_ms=whole_ms + 1, event_id="too long")
    error = client.until("error")["error"]
    assert error["event_id"] == "too long"
    assert f"{whole_ms}ms is already shorter" in error["message"]
    client.send("conversation.item.truncate", **cut, audio_end_ms=1480)
    assert client.until("conversation.item.truncated")["audio_end_ms"] == 1480
    client.send("conversation.item.truncate", **cut, audio_end_ms=1500)
    assert "1480ms is already shorter" in client.until("error")["error"]["message"]

    client.send("conversation.item.retrieve", item_id=item_id)
    kept = client.until("conversation.item.retrieved")["item"]["content"][0]
    assert base64.b64decode(kept["audio"]) == shipped()["explain"].payload[: 1480 * 8]
    assert "transcript" not in kept


# --- being told what to say ---------------------------------------------------


def test_words_without_a_voice_are_murmured_under_their_true_transcript(client: Client) -> None:
    client.say("Hello, you've reached Kim's assistant.")
    reply = client.reply()

    assert words_of(reply) == ["Hello, you've reached Kim's assistant."]
    assert client.sound_of(reply["output"][0]["id"]) == mouth.speak("Hello, you've reached Kim's assistant.")


def test_a_new_session_goes_on_with_the_call_it_is_told_about(client: Client) -> None:
    note = f"Assistant: {text('greeting')}\nCaller: {text('message-1')}\nAssistant: Of course. What"
    content = [{"type": "input_text", "text": note}]
    client.send("conversation.item.create", item={"type": "message", "role": "system", "content": content})
    client.send("response.create")

    assert words_of(client.reply()) == [text("ask-number")]
    client.play("message-number")
    assert calls_of(client.reply())[0][1]["name"] == "Ana"


def test_a_reply_begins_with_what_a_note_asks_for(client: Client) -> None:
    client.say(text("greeting"))
    client.reply()
    wish = f'Begin your next reply with exactly this sentence: "{text("disclosure")}"'
    content = [{"type": "input_text", "text": wish}]
    client.send("conversation.item.create", item={"type": "message", "role": "system", "content": content})
    client.play("message-1")

    assert words_of(client.reply()) == [text("disclosure"), text("ask-number")]


def test_a_talked_round_model_asks_for_tools_nobody_gave_it(client: Client) -> None:
    client.play("injection-1")
    asked = client.reply()
    assert calls_of(asked) == [("list_messages", {})]

    client.answer_tool(asked["output"][0]["call_id"], '{"ok": false, "error": "not_allowed"}')
    client.send("response.create")
    assert words_of(client.reply()) == [text("refusal")]


def test_several_calls_in_one_response_when_the_session_allows_it(model: SandboxModel) -> None:
    with Client(model.url) as client:
        client.configure(parallel_tool_calls=True)
        client.play("injection-2")

        names = [name for name, _ in calls_of(client.reply())]
        assert names[:3] == ["search_notes", "list_events", "cancel_event"]


def test_a_response_beside_the_conversation_leaves_no_trace_in_it(client: Client) -> None:
    client.play("message-1")
    client.reply()
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text("message-1")}]}
    before = len(client.of("conversation.item.added"))
    wish = {
        "conversation": "none",
        "output_modalities": ["text"],
        "metadata": {"purpose": "summary"},
        "input": [said],
    }
    client.send("response.create", response=wish)
    reply = client.reply()

    assert reply["output"][0]["content"] == [
        {"type": "output_text", "text": f"The caller said: {text('message-1')}"}
    ]
    assert reply["conversation_id"] is None
    assert reply["metadata"] == {"purpose": "summary"}
    assert len(client.of("conversation.item.added")) == before


def test_a_reply_longer_than_allowed_is_incomplete(client: Client) -> None:
    client.say(text("explain"), max_output_tokens=40)
    reply = client.reply()

    assert reply["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert len(client.sound_of(reply["output"][0]["id"])) == 2_000 * 8


# --- the tests themselves -----------------------------------------------------


IN_THESE_TESTS = {
    "session.created", "session.updated", "error", "rate_limits.updated",
    "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
    "input_audio_buffer.cleared",
    "conversation.item.added", "conversation.item.done", "conversation.item.deleted",
    "conversation.item.truncated", "conversation.item.retrieved",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
    "response.created", "response.done", "response.output_item.added", "response.output_item.done",
    "response.content_part.added", "response.content_part.done",
    "response.output_audio.delta", "response.output_audio.done",
    "response.output_audio_transcript.delta", "response.output_audio_transcript.done",
    "response.output_text.delta", "response.output_text.done",
    "response.function_call_arguments.delta", "response.function_call_arguments.done",
}  # fmt: skip


def test_no_event_is_sent_that_is_not_in_a_test() -> None:
    """The names in the source, against those that come in the tests here, of items, session and faults."""
    source = "".join((lines.HERE / "model" / name).read_text("utf-8") for name in ("session.py", "reply.py"))
    source = source.replace("{event}", "conversation.item.input_audio_transcription", 3)
    source = source.replace("{event}", "response.function_call_arguments")
    sent = set(re.findall(r'(?:send|_of_item|_words)\(\s*(?:item, )?f?"([a-z_.]+)"', source))

    assert sent == IN_THESE_TESTS
