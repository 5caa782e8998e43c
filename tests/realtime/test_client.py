"""The socket to the model, against a real server: agreeing, talking, and every way it can end."""

from __future__ import annotations

import json
import logging
import queue
import socket
import subprocess
import sys
import threading
import time
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from websockets.datastructures import Headers
from websockets.http11 import Response

from assistant import audio, channel
from assistant.call.commands import CreateReply, DeclareTools, HearCaller, TellModel
from assistant.call.events import (
    ItemAdded,
    ModelError,
    ModelLost,
    ReplyAudio,
    ReplyDone,
    ReplyStarted,
    SpeechStarted,
    ToolCall,
)
from assistant.errors import ModelGone
from assistant.realtime import client as client_module
from assistant.realtime.client import ModelAddress, RealtimeClient
from tests.realtime.model_server import KEY, WAIT_S, WISH, Running, Session, model_server

ROOT = Path(__file__).resolve().parent.parent.parent
PCM = {"type": "audio/pcm", "rate": 24000}


def refuse(status: int, code: str = ""):
    def answer(connection, request):
        body = json.dumps({"error": {"code": code, "message": f"Incorrect key {KEY}"}}).encode()
        headers = Headers({"Content-Length": str(len(body)), "X-Echo": KEY})
        return Response(status, "No", headers, body)

    return answer


def nothing(session: Session) -> None:
    session.until_closed()


# --- connecting --------------------------------------------------------------


def test_the_address_is_the_base_url_as_a_socket():
    def url(base: str) -> str:
        return ModelAddress(base, "gpt-realtime-2.1", KEY).url

    assert url("https://api.openai.com/v1") == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    assert url("http://127.0.0.1:8765/v1/") == "ws://127.0.0.1:8765/v1/realtime?model=gpt-realtime-2.1"
    assert url("wss://example.org/v1") == "wss://example.org/v1/realtime?model=gpt-realtime-2.1"


def test_the_key_is_not_shown_with_the_address():
    assert KEY not in repr(ModelAddress("https://api.openai.com/v1", "m", KEY))


def test_a_session_is_ready_when_it_was_agreed_on():
    heard: queue.SimpleQueue = queue.SimpleQueue()

    def script(session: Session) -> None:
        heard.put(session.agree())
        session.tell("input_audio_buffer.speech_started", audio_start_ms=0, item_id="u")
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        assert model.next() == SpeechStarted("u", at_ms=77)
        model.client.close()
        model.over()

        (request,) = server.requests
        assert request.path == "/v1/realtime?model=gpt-realtime-2.1"
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert request.headers["OpenAI-Safety-Identifier"] == "owner-hash"
        assert "Origin" not in request.headers
        assert "OpenAI-Beta" not in request.headers
        assert heard.get(timeout=WAIT_S)["session"]["instructions"] == "Be brief."
        assert server.closes.get(timeout=WAIT_S) == 1000


def test_a_loopback_model_is_never_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    with model_server(lambda session: (session.agree(), session.until_closed())) as server:
        model = Running(server.base_url)
        model.ready()
        model.client.close()
        model.over()


@pytest.mark.parametrize(
    ("status", "code", "fatal"),
    [
        (401, "invalid_api_key", True),
        (403, "", True),
        (404, "model_not_found", True),
        (400, "", True),
        (429, "insufficient_quota", True),
        (429, "rate_limit_exceeded", False),
        (500, "", False),
        (503, "", False),
        (302, "", False),
    ],
)
def test_a_refused_handshake_is_told_once(status: int, code: str, fatal: bool, caplog):
    caplog.set_level(logging.DEBUG)
    with model_server(nothing, answer=refuse(status, code)) as server:
        lost = Running(server.base_url).lost()

    assert lost.fatal is fatal
    if status != 302:
        assert lost.reason == f"the model refused the connection: {status} {code}".strip()
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith("websockets")]
    assert KEY not in lost.reason + "".join(ours)


def test_our_key_does_not_follow_a_redirect():
    def answer(connection, request):
        headers = Headers({"Location": server.base_url.replace("http", "ws") + "/elsewhere"})
        return Response(302, "Found", headers, b"")

    with model_server(nothing, answer=answer) as server:
        Running(server.base_url).lost()
        assert len(server.requests) == 1


def test_nobody_listening_is_not_fatal():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    lost = Running(f"http://127.0.0.1:{port}/v1").lost()

    assert lost == ModelLost("the model cannot be reached: Connection refused", at_ms=77)


def test_an_error_in_place_of_a_session_is_fatal_when_it_is_the_accounts():
    def script(session: Session) -> None:
        session.tell("error", error={"type": "invalid_request_error", "code": "invalid_api_key"})
        session.connection.close(3000, "invalid_request_error.invalid_api_key")

    with model_server(script) as server:
        lost = Running(server.base_url).lost()

    assert lost == ModelLost("the model refused the session: invalid_api_key", fatal=True, at_ms=77)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client_module, "_READY_S", 0.6)
    with model_server(nothing) as server:
        lost = Running(server.base_url).lost()

    assert not lost.fatal
    assert "no session" in lost.reason


def test_a_refused_field_costs_a_second_try_and_not_the_call():
    def script(session: Session) -> None:
        session.tell("session.created", session={})
        update = session.hear()
        param = "session.audio.input.noise_reduction"
        session.tell(
            "error",
            error={
                "type": "invalid_request_error",
                "code": "unknown_parameter",
                "message": "no",
                "param": param,
                "event_id": update["event_id"],
            },
        )
        again = session.hear()
        assert "noise_reduction" not in again["session"]["audio"]["input"]
        session.tell("session.updated", session=again["session"])
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        model.client.close()
        model.over()


def test_a_session_that_keeps_its_own_instructions_is_given_up():
    def script(session: Session) -> None:
        session.agree(instructions="You are a helpful assistant.")
        session.hear()
        session.tell("session.updated", session={"instructions": "You are a helpful assistant."})
        session.until_closed()

    with model_server(script) as server:
        lost = Running(server.base_url).lost()

    assert lost.fatal
    assert "instructions" in lost.reason


# --- talking -----------------------------------------------------------------


def test_commands_are_written_and_usage_is_summed():
    heard: queue.SimpleQueue = queue.SimpleQueue()

    def script(session: Session) -> None:
        session.agree()
        for _ in range(2):
            heard.put(session.hear())
        for status in ("completed", "cancelled"):
            session.tell(
                "response.done",
                response={"id": "r", "status": status, "usage": {"input_tokens": 10, "output_tokens": 5}},
            )
        session.tell(
            "conversation.item.input_audio_transcription.completed",
            item_id="u",
            transcript="Hi.",
            usage={"type": "duration", "seconds": 60},
        )
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        model.client.send(HearCaller(b"\xff\x00"))
        model.client.send(CreateReply("reply_1", ask="Say goodbye."))
        assert heard.get(timeout=WAIT_S)["audio"] == b64encode(b"\xff\x00").decode()
        assert heard.get(timeout=WAIT_S)["response"]["instructions"] == "Be brief.\n\nSay goodbye."
        assert [type(model.next()).__name__ for _ in range(3)] == [
            "ReplyDone",
            "ReplyDone",
            "CallerTranscribed",
        ]
        model.client.close()
        model.over()

    assert model.client.usage.as_dict()["audio_in"] == 20
    assert model.client.usage.as_dict()["transcription_s"] == 60
    assert model.client.cost_usd == pytest.approx((20 * 32 + 10 * 64) / 1_000_000 + 0.0045)


def test_tools_declared_later_are_granted_or_refused_without_disturbing_the_call():
    tool = {"type": "function", "name": "list_messages", "parameters": {"type": "object"}}
    heard: queue.SimpleQueue = queue.SimpleQueue()

    def script(session: Session) -> None:
        update = session.agree()
        heard.put(session.hear())
        session.tell("session.updated", session={**update["session"], "tools": [], "instructions": "Mine."})
        second = session.hear()
        refused = {"type": "invalid_request_error", "code": "invalid_value", "param": "session.tools"}
        session.tell("error", error={**refused, "message": "No.", "event_id": second["event_id"]})
        session.tell("response.created", response={"id": "r"})
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        model.client.send(DeclareTools((tool,)))
        model.client.send(DeclareTools((tool,)))

        assert model.next() == ModelError("invalid_value", "No.", at_ms=77)
        assert model.next() == ReplyStarted("r", at_ms=77)
        assert heard.get(timeout=WAIT_S)["session"] == {"type": "realtime", "tools": [tool]}
        model.client.close()
        model.over()


def test_a_session_in_pcm_is_converted_both_ways():
    tone = np.round(8000 * np.sin(2 * np.pi * 500 * np.arange(24000) / 24000)).astype("<i2").tobytes()
    heard: queue.SimpleQueue = queue.SimpleQueue()

    def script(session: Session) -> None:
        asked = session.agree(audio={"input": {"format": PCM}, "output": {"format": PCM}})
        assert asked["session"]["audio"]["input"]["format"] == {"type": "audio/pcmu"}
        heard.put(session.hear())
        for begin in range(0, len(tone), 4801):  # deltas may end in the middle of a sample
            delta = b64encode(tone[begin : begin + 4801]).decode()
            session.tell("response.output_audio.delta", response_id="r", item_id="a", delta=delta)
        session.tell("response.output_audio.done", response_id="r", item_id="a")
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        model.client.send(HearCaller(audio.silence(20)))
        assert len(b64decode(heard.get(timeout=WAIT_S)["audio"])) == 20 * 48
        payload = b""
        while isinstance(event := model.next(), ReplyAudio):
            payload += event.payload
        model.client.close()
        model.over()

    assert audio.duration_ms(payload) == 1000
    assert audio.level(payload) == pytest.approx(8000 / 2**0.5, rel=0.03)


def test_a_tools_name_told_only_at_the_beginning_is_remembered():
    call = {"id": "f", "type": "function_call", "call_id": "call_1", "arguments": "{}"}

    def script(session: Session) -> None:
        session.agree()
        session.tell("response.output_item.added", response_id="r", item={**call, "name": "end_call"})
        session.tell("response.done", response={"id": "r", "status": "completed", "output": [call]})
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        done = ReplyDone("r", "completed", (ToolCall("call_1", "end_call", "{}"),), at_ms=77)
        assert model.next() == done
        model.client.close()
        model.over()


def test_a_tools_call_that_the_end_of_its_response_leaves_out_is_remembered():
    call = {"id": "f", "type": "function_call", "call_id": "call_1", "name": "end_call", "arguments": "{}"}

    def script(session: Session) -> None:
        session.agree()
        session.tell("response.output_item.done", response_id="r", item=call)
        session.tell("response.done", response={"id": "r", "status": "completed", "output": []})
        session.tell("response.output_item.done", response_id="s", item=call)
        session.tell("response.done", response={"id": "s", "status": "completed", "output": [call]})
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        for response_id in ("r", "s"):
            calls = (ToolCall("call_1", "end_call", "{}"),)
            assert model.next() == ReplyDone(response_id, "completed", calls, at_ms=77)
        model.client.close()
        model.over()


def test_an_item_told_in_both_ways_is_added_once_and_a_side_response_is_not_heard():
    item = {"id": "i", "type": "message", "role": "user"}

    def script(session: Session) -> None:
        session.agree()
        session.tell("conversation.item.created", item=item, previous_item_id=None)
        session.tell("conversation.item.added", item=item, previous_item_id=None)
        side = {"id": "side", "conversation_id": None, "metadata": {"purpose": "summary"}}
        session.tell("response.created", response=side)
        session.tell("response.output_audio.delta", response_id="side", item_id="s", delta="AAAA")
        session.tell("response.created", response={"id": "r", "conversation_id": "c"})
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        assert model.next() == ItemAdded("i", None, "caller", at_ms=77)
        assert model.next() == ReplyStarted("r", at_ms=77)
        model.client.close()
        model.over()


def test_what_cannot_be_read_is_passed_over(caplog):
    def script(session: Session) -> None:
        session.agree()
        for broken in ("{", '{"type":"response.done","response":"x"}', '{"type":"response.created"}'):
            session.connection.send(broken)
        session.tell("error", error={"type": "invalid_request_error", "code": "odd", "message": "m"})
        for _ in range(20):
            session.connection.send("not JSON at all")
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        assert model.next() == ModelError("odd", "m", at_ms=77)
        assert "nothing that can be read" in model.lost().reason


# --- the end -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "fatal"),
    [
        (1011, "internal error", False),
        (1001, "Your session hit the maximum duration of 60 minutes.", False),
        (4000, "invalid_request_error.beta_api_shape_disabled", True),
        (3000, "invalid_request_error.invalid_api_key", True),
        (1008, "insufficient_quota", True),
        (1000, "", False),
    ],
)
def test_a_close_says_why(code: int, reason: str, fatal: bool):
    def script(session: Session) -> None:
        session.agree()
        session.connection.close(code, reason)

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        lost = model.lost()

    assert lost == ModelLost(f"closed by the model: {code} {reason}".strip(), fatal=fatal, at_ms=77)


def test_a_connection_that_breaks_is_lost():
    def script(session: Session) -> None:
        session.agree()
        session.connection.socket.shutdown(socket.SHUT_RDWR)

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        assert not model.lost().fatal
        with pytest.raises(ModelGone):
            model.client.send(TellModel("?"))


@pytest.mark.parametrize("code", ["session_expired", "insufficient_quota"])
def test_an_error_that_ends_the_session_is_a_loss(code: str):
    def script(session: Session) -> None:
        session.agree()
        session.tell("error", error={"type": "invalid_request_error", "code": code, "message": ""})
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        lost = model.lost()

    assert lost == ModelLost(f"ended by the model: {code}", fatal=code == "insufficient_quota", at_ms=77)


def test_a_write_that_stalls_is_a_lost_socket():
    done = threading.Event()

    def script(session: Session) -> None:
        session.agree()
        # Nothing is taken any more: the server's own thread stops reading when its queue is full.
        done.wait(WAIT_S * 2)

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        began = time.monotonic()
        with pytest.raises(ModelGone, match="stalled"):  # noqa: PT012 - which write stalls is the kernel's
            while time.monotonic() < began + WAIT_S:
                at = time.monotonic()
                model.client.send(HearCaller(bytes(200_000)))
        took = time.monotonic() - at
        lost = model.lost()
        done.set()

    assert 1.5 <= took <= 3.0
    assert lost == ModelLost("the line to the model: a write stalled", at_ms=77)


def test_a_message_may_come_in_halves_with_a_long_pause_between():
    later = threading.Event()

    def script(session: Session) -> None:
        session.agree()
        # Looked after meanwhile, more than once, and none the worse for it.
        text = json.dumps({"type": "response.created", "response": {"id": "r"}}).encode()
        session.connection.socket.sendall(bytes([0x81, len(text)]) + text[:20])
        later.wait(WAIT_S)
        session.connection.socket.sendall(text[20:])
        session.until_closed()

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        with pytest.raises(queue.Empty):
            model.events.get(timeout=2.5 * channel.LOOK_S)
        later.set()
        assert model.next() == ReplyStarted("r", at_ms=77)
        model.client.close()
        model.over()


def test_a_model_that_answers_no_ping_is_gone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(channel, "PING_S", 0.1)
    monkeypatch.setattr(channel, "SILENT_S", 1.0)
    seen = threading.Event()

    def script(session: Session) -> None:
        session.agree()
        session.connection.protocol.receive_data = lambda data: None  # deaf from now on
        seen.wait(WAIT_S)

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        lost = model.lost()
        seen.set()

    assert lost.reason == "the line to the model: nobody answers pings"


def test_pings_keep_a_quiet_session_alive(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(channel, "PING_S", 0.1)
    monkeypatch.setattr(channel, "SILENT_S", 0.6)

    with model_server(lambda session: (session.agree(), session.until_closed())) as server:
        model = Running(server.base_url)
        model.ready()
        with pytest.raises(queue.Empty):
            model.events.get(timeout=1.5)
        model.client.close()
        model.over()


def test_closing_while_still_connecting_is_quick_and_the_late_handshake_is_not_used():
    arrived, go_on = threading.Event(), threading.Event()

    def answer(connection, request):
        arrived.set()
        go_on.wait(WAIT_S)

    messages: queue.SimpleQueue = queue.SimpleQueue()

    def script(session: Session) -> None:
        for message in session.connection:
            messages.put(message)

    with model_server(script, answer=answer) as server:
        model = Running(server.base_url)
        assert arrived.wait(WAIT_S)
        began = time.monotonic()
        model.client.close()
        assert time.monotonic() - began < 0.1
        go_on.set()
        model.over()
        assert server.closes.get(timeout=WAIT_S) == 1000
        assert messages.empty()


def test_closing_does_not_wait_for_a_server_that_does_not_answer():
    done = threading.Event()

    def script(session: Session) -> None:
        session.agree()
        session.connection.protocol.receive_data = lambda data: None
        done.wait(WAIT_S)

    with model_server(script) as server:
        model = Running(server.base_url)
        model.ready()
        began = time.monotonic()
        model.client.close()
        assert time.monotonic() - began < 0.1
        model.over()
        assert time.monotonic() - began < 3
        done.set()


def test_a_client_is_used_once_and_not_before_it_is_connected():
    client = RealtimeClient(ModelAddress("http://127.0.0.1:9/v1", "m", KEY), WISH, clock=lambda: 0)
    with pytest.raises(ModelGone):
        client.send(TellModel("?"))
    client.run(lambda event: None)

    with pytest.raises(RuntimeError, match="one reader"):
        client.run(lambda event: None)


def test_a_fault_of_ours_is_a_loss_and_not_a_silence(monkeypatch, caplog):
    def broken(**wanted):
        raise LookupError("a bug")

    monkeypatch.setattr(client_module, "PcmSound", broken)
    wish = replace(WISH, audio="pcm")
    with model_server(lambda session: (session.agree(), session.until_closed())) as server:
        lost = Running(server.base_url, wish).lost()

    assert lost.reason == "a fault of this program"
    assert "a bug" in caplog.text


# --- under gevent ------------------------------------------------------------

GREEN = """
from gevent import monkey; monkey.patch_all()
import sys, time
import gevent, gevent.queue
from contextlib import contextmanager
from assistant.call.commands import HearCaller
from assistant.call.events import ModelLost, ModelReady
from assistant.errors import ModelGone
from assistant.realtime.client import ModelAddress, RealtimeClient
from assistant.realtime.session import SessionWish

@contextmanager
def within(seconds):
    with gevent.Timeout(seconds, TimeoutError()):
        yield

def client():
    address = ModelAddress(sys.argv[1], "gpt-realtime-2.1", "k")
    return RealtimeClient(address, SessionWish("gpt-realtime-2.1", "x"), clock=lambda: 0, within=within)

events = gevent.queue.Queue()
first = client()
reader = gevent.spawn(first.run, events.put)
assert isinstance(events.get(timeout=8), ModelReady)
first.send(HearCaller(b"go"))
assert type(events.get(timeout=8)).__name__ == "ReplyStarted"
first.close()
reader.join(8)
assert reader.successful() and events.empty()

second = client()
reader = gevent.spawn(second.run, events.put)
assert isinstance(events.get(timeout=8), ModelReady)
worst, ticking = [0.0], [True]
def tick():
    while ticking[0]:
        at = time.monotonic(); gevent.sleep(0.01); worst[0] = max(worst[0], time.monotonic() - at - 0.01)
ticker = gevent.spawn(tick)
try:
    while True:
        at = time.monotonic()
        second.send(HearCaller(bytes(200_000)))
except ModelGone as error:
    took = time.monotonic() - at
    print(f"{took:.2f} {error}")
lost = events.get(timeout=8)
assert isinstance(lost, ModelLost) and "stalled" in lost.reason, lost
ticking[0] = False; ticker.join(8); reader.join(8)
assert reader.successful() and 1.5 < took < 3.0 and worst[0] < 0.5, (took, worst)
print("green and well")
"""


def test_the_client_under_gevent():
    stop = threading.Event()
    first = iter([True, False])

    def script(session: Session) -> None:
        session.agree()
        if next(first):
            session.hear()
            session.tell("response.created", response={"id": "r"})
            session.until_closed()
        else:
            stop.wait(30)

    with model_server(script) as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", GREEN, server.base_url],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        stop.set()

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("green and well\n")
