"""How the sandbox's model refuses, fails and ends, over a real socket."""

import json
import socket
from collections.abc import Iterator

import pytest
import websocket

from assistant import audio
from assistant.sandbox.model import SandboxModel
from assistant.sandbox.model.reply import Pace
from tests.sandbox.model_client import Client, text, words_of

KEY = "Authorization: Bearer sk-test"


@pytest.fixture
def model() -> Iterator[SandboxModel]:
    with SandboxModel(pace=Pace(think_s=0.01, transcribe_s=0.05, speed=100)) as running:
        yield running


def refused(url: str, *header: str, model: str = "gpt-realtime-2.1") -> tuple[int, str]:
    """Status of a refused handshake and the code in its body."""
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        Client(url, header=header or (KEY,), model=model)
    return refusal.value.status_code, json.loads(refusal.value.resp_body)["error"]["code"]


def test_nobody_gets_in_without_a_key(model: SandboxModel) -> None:
    assert refused(model.url, "X-Nothing: 1") == (401, "invalid_api_key")
    assert refused(model.url, "Authorization: Basic abc") == (401, "invalid_api_key")


def test_a_connection_names_its_model(model: SandboxModel) -> None:
    assert refused(model.url, model="") == (400, "missing_model")


def test_there_are_no_other_paths(model: SandboxModel) -> None:
    assert refused(model.fault_url("gremlins")) == (404, "not_found")
    assert refused(model.url + "/v2") == (404, "not_found")


def test_refuse_answers_the_handshake_with_401(model: SandboxModel) -> None:
    assert refused(model.fault_url("refuse")) == (401, "invalid_api_key")


def test_the_beta_interface_is_gone(model: SandboxModel) -> None:
    with Client(model.url, header=(KEY, "OpenAI-Beta: realtime=v1")) as client:
        code, reason = client.until_closed()

    assert client.of("error")[0]["error"]["code"] == "beta_api_shape_disabled"
    assert (code, reason) == (4000, "invalid_request_error.beta_api_shape_disabled")


def test_quota_lets_in_and_then_refuses_to_work(model: SandboxModel) -> None:
    with Client(model.fault_url("quota")) as client:
        client.until("session.created")
        assert client.configure()["error"]["code"] == "insufficient_quota"
        assert client.until_closed()[0] == 1008


def test_dies_breaks_in_the_second_reply_and_is_well_the_next_time(model: SandboxModel) -> None:
    with Client(model.fault_url("dies")) as client:
        client.configure()
        client.say(text("greeting"))
        client.reply()
        client.play("message-1")
        with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
            client.reply()
    cut = client.of("response.output_audio.delta")[-1]
    assert client.of("conversation.item.input_audio_transcription.completed")
    assert 0 < len(client.sound_of(cut["item_id"])) < 2_110 * 8

    with Client(model.fault_url("dies")) as client:
        client.configure()
        for _ in range(3):
            client.say(text("goodbye"))
            assert client.reply()["status"] == "completed"


def test_mute_hears_but_never_answers_again(model: SandboxModel) -> None:
    with Client(model.fault_url("mute")) as client:
        client.configure()
        client.say(text("greeting"))
        client.reply()
        client.play("message-1")
        client.transcription()
        client.send("response.create")
        client.send("response.cancel")
        client.until("error", timeout_s=2)

    assert client.types().count("response.created") == 1


def test_slow_takes_seven_seconds_to_accept_the_session(model: SandboxModel) -> None:
    with Client(model.fault_url("slow")) as client:
        client.until("session.created")
        client.send("session.update", session={"type": "realtime"})
        with pytest.raises(websocket.WebSocketTimeoutException):
            client.until("session.updated", timeout_s=0.3)


def test_stalls_stops_reading(model: SandboxModel) -> None:
    with Client(model.fault_url("stalls")) as client:
        client.configure()
        client.say(text("goodbye"))
        client.reply()
        client.socket.settimeout(0.3)
        client.socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

        with pytest.raises(websocket.WebSocketTimeoutException):
            client.append(audio.silence(600_000))


def test_busy_fails_one_reply_with_a_rate_limit(model: SandboxModel) -> None:
    with Client(model.fault_url("busy")) as client:
        client.configure()
        client.say(text("greeting"))
        client.reply()
        client.play("message-1")
        failed = client.reply()
        client.send("response.create")

        assert failed["status"] == "failed"
        assert failed["status_details"]["error"]["code"] == "rate_limit_exceeded"
        assert words_of(client.reply()) == [text("ask-number")]


def test_expires_ends_the_session_as_its_hour_does(model: SandboxModel) -> None:
    with Client(model.fault_url("expires")) as client:
        client.configure()
        client.say(text("goodbye"))

        assert client.until_closed()[0] == 1001
        assert client.of("error")[0]["error"]["code"] == "session_expired"


def test_stubborn_keeps_24_khz_whatever_it_is_asked(model: SandboxModel) -> None:
    with Client(model.fault_url("stubborn")) as client:
        now = client.configure()["session"]["audio"]

        assert now["input"]["format"] == now["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
        client.play("message-1")
        assert words_of(client.reply()) == [text("ask-number")]


def test_no_words_fails_every_transcription(model: SandboxModel) -> None:
    with Client(model.fault_url("no-words")) as client:
        client.configure()
        client.play("yes")

        assert client.until("conversation.item.input_audio_transcription.failed")["error"]["message"]


def test_two_callers_at_once_do_not_hear_each_other(model: SandboxModel) -> None:
    with Client(model.url) as one, Client(model.url) as two:
        one.configure()
        two.configure()
        one.play("message-1")
        two.play("second-1")

        assert words_of(one.reply()) == [text("ask-number")]
        assert words_of(two.reply()) == [text("ask-name-number")]


def test_stopping_closes_what_is_open() -> None:
    model = SandboxModel().start()
    with Client(model.url) as client:
        client.until("session.created")
        model.stop()

        assert client.until_closed()[0] in (1000, 1001)
