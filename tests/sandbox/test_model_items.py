"""The conversation kept by the sandbox's model, and turns its client ends, over a real socket."""

import base64

from assistant import audio
from assistant.sandbox.lines import shipped
from assistant.sandbox.model.ears import recognise
from tests.sandbox.model_client import Client, text, words_of


def note(words: str, **where: str) -> dict[str, object]:
    item = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": words}]}
    return {"item": item, **where}


def test_items_go_where_they_are_put(client: Client) -> None:
    client.send("conversation.item.create", **note("second"))
    second = client.until("conversation.item.added")["item"]["id"]
    client.send("conversation.item.create", **note("first", previous_item_id="root"))
    first = client.until("conversation.item.added")
    client.send("conversation.item.create", **note("between", previous_item_id=first["item"]["id"]))
    between = client.until("conversation.item.added")

    assert first["previous_item_id"] is None
    assert between["previous_item_id"] == first["item"]["id"]
    client.send("conversation.item.create", **note("last"))
    assert client.until("conversation.item.added")["previous_item_id"] == second


def test_a_deleted_item_is_gone(client: Client) -> None:
    client.send("conversation.item.create", **note("a"))
    item_id = client.until("conversation.item.added")["item"]["id"]
    client.send("conversation.item.delete", item_id=item_id)
    assert client.until("conversation.item.deleted")["item_id"] == item_id

    client.send("conversation.item.retrieve", item_id=item_id)
    assert client.until("error")["error"]["code"] == "item_retrieve_invalid_item_id"


def test_a_callers_item_can_be_listened_to_again(client: Client) -> None:
    client.play("yes")
    item_id = client.until("input_audio_buffer.committed")["item_id"]
    client.send("conversation.item.retrieve", item_id=item_id)
    kept = client.until("conversation.item.retrieved")["item"]["content"][0]

    assert recognise(audio.decode_ulaw(base64.b64decode(kept["audio"]))) is shipped()["yes"]


def test_a_call_takes_one_output_and_only_a_call_that_was_made(client: Client) -> None:
    client.play("injection-1")
    call_id = client.reply()["output"][0]["call_id"]
    client.answer_tool("call_unknown", "{}")
    assert client.until("error")["error"]["param"] == "item.call_id"

    client.answer_tool(call_id, "{}")
    assert client.until("conversation.item.added")["item"]["type"] == "function_call_output"
    client.answer_tool(call_id, "{}")
    assert client.until("error")["error"]["param"] == "item.call_id"


# --- turns ended by the client -------------------------------------------------


def test_a_commit_ends_a_turn_that_is_still_being_spoken(client: Client) -> None:
    client.append(audio.silence(200) + shipped()["message-1"].payload)
    client.send("input_audio_buffer.commit")
    words = client.transcription()

    assert words["transcript"] == text("message-1")
    assert words["item_id"] == client.of("input_audio_buffer.speech_started")[0]["item_id"]
    assert "response.created" not in client.types()


def test_cleared_audio_is_forgotten(client: Client) -> None:
    client.append(shipped()["message-1"].payload)
    client.send("input_audio_buffer.clear")
    client.until("input_audio_buffer.cleared")
    client.send("input_audio_buffer.commit")

    assert client.until("error")["error"]["code"] == "input_audio_buffer_commit_empty"


def test_without_voice_detection_the_client_takes_turns_by_itself(client: Client) -> None:
    client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    client.until("session.updated")
    client.append(shipped()["message-1"].payload)
    client.send("input_audio_buffer.commit")
    client.send("response.create")

    assert words_of(client.reply()) == [text("ask-number")]
    assert "input_audio_buffer.speech_started" not in client.types()


def test_silence_that_is_committed_has_no_words(client: Client) -> None:
    client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    client.until("session.updated")
    client.append(audio.silence(500))
    client.send("input_audio_buffer.commit")

    assert client.transcription()["transcript"] == ""
