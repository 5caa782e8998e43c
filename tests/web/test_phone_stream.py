"""The browser phone's socket over real sockets: who may in, and the call behind it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from app import create_app
from assistant.call.events import CallerAudio, CallerGone, CallerPressed, MarkReturned
from assistant.config import load_settings
from assistant.errors import RestError
from assistant.sandbox.model import SandboxModel
from assistant.web.phone import stream
from tests.web.phone_house import Assistant, Browser, House, close_code, opened, press, speak, start, told
from tests.web.telephone import OWNER, SETTINGS

UNKNOWN_SID = "BP" + "0" * 32


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened(tmp_path_factory.mktemp("phone"), **SETTINGS) as house:
        yield house


@pytest.fixture
def house(running: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """With an assistant that has heard nothing yet, and nobody waited for."""
    monkeypatch.setattr(stream, "START_S", 0.5)
    running.clock.now_s += 61
    running.assistant = running.parts.serve_call = Assistant()
    return running


# --- who may in ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://evil.example", "http://127.0.0.1:1", "http://127.0.0.1", "https://{host}"],
)
def test_another_sites_page_gets_no_socket(house: House, origin: str | None):
    owner = house.owner()
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        owner.connect(origin and origin.replace("{host}", house.host))

    assert refused.value.status_code == 403


def test_a_stranger_gets_no_socket(house: House):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Browser(house.host).connect()

    assert refused.value.status_code == 403


def test_the_page_on_the_public_address_gets_one(house: House):
    """Behind a tunnel the Host may be this machine's, and the Origin is the public one."""
    assert close_code(house.owner().connect("https://phone.example")) == 1008  # in, but silent


def test_the_address_without_an_upgrade_is_no_page(house: House):
    assert house.owner().ask("GET", "/phone/stream")[0].status == 400


def test_a_token_lets_one_call_of_one_login_in_once(house: House):
    owner, other = house.owner(), house.owner()
    _, ticket = owner.dial()
    _, another = other.dial()

    def refused(browser: Browser, **changes: str) -> bool:
        socket = browser.connect()
        start(socket, {**ticket, **changes})
        return close_code(socket) == 1008

    assert refused(other)
    assert refused(owner, call_sid=UNKNOWN_SID)
    assert refused(owner, call_sid="CA" + "0" * 32)
    assert refused(owner, call_sid=another["call_sid"])
    assert not house.assistant.seen
    socket = owner.connect()
    start(socket, ticket)
    speak(socket)
    assert told(socket)["event"] == "media"
    assert refused(owner)
    socket.send('{"event": "stop"}')
    assert close_code(socket) == 1000


def test_a_token_dies_after_a_minute(house: House):
    owner = house.owner()
    _, ticket = owner.dial()
    house.clock.now_s += 61
    socket = owner.connect()
    start(socket, ticket)

    assert close_code(socket) == 1008
    assert house.kept(ticket["call_sid"]) is None


@pytest.mark.parametrize(
    "message",
    [None, "{", "[]", '{"event":"connected"}', '{"event":"start"}',
     '{"event":"start","callSid":1,"token":""}', b"{}",
     '{"event":"media","media":{"timestamp":"0","payload":"/w=="}}'],
)  # fmt: skip
def test_what_does_not_begin_as_a_call_is_closed(house: House, message: str | bytes | None):
    socket = house.owner().connect()
    if message is not None:
        (socket.send_binary if isinstance(message, bytes) else socket.send)(message)

    assert close_code(socket) == 1008


def test_a_message_that_is_too_large_ends_the_call(house: House):
    socket, call_sid = house.owner().rings()
    speak(socket, b"\xff" * 4000)

    assert close_code(socket) == 1009
    house.wait_until_over(call_sid)


# --- the call -------------------------------------------------------------------------------


def test_a_call_is_heard_answered_and_kept_like_any_other(house: House):
    socket, call_sid = house.owner().rings()
    speak(socket, bytes(range(160)), at_ms=40)

    heard = told(socket)
    assert base64.b64decode(heard["media"]["payload"]) == bytes(range(160))
    assert told(socket) == {"event": "mark", "streamSid": call_sid, "mark": {"name": "0:1"}}
    socket.send(json.dumps({"event": "mark", "mark": {"name": "0:1"}}))
    press(socket, "8")
    assert told(socket)["event"] == "clear"
    assert house.parts.is_streaming(call_sid)
    running = house.wait_for(call_sid, lambda call: call["answered_at"] is not None)
    assert running["ended_at"] is None
    socket.send('{"event": "stop"}')
    assert close_code(socket) == 1000
    call = house.wait_until_over(call_sid)

    assert house.assistant.seen == [
        {"call_sid": call_sid, "number": "client:browser", "trust": "stranger", "streaming": True}
    ]
    assert [type(event) for event in house.assistant.heard] == [
        CallerAudio, MarkReturned, CallerPressed, CallerGone
    ]  # fmt: skip
    assert house.assistant.heard[0].stream_ms if False else True
    assert (call["from"], call["caller_name"], call["direction"]) == (
        "client:browser",
        "Browser phone",
        "inbound",
    )
    assert (call["to"], call["trust"]) == (SETTINGS["TWILIO_NUMBER"], "stranger")


def test_the_page_is_told_when_the_call_can_be_watched(house: House):
    socket, call_sid = house.owner().rings()
    assert json.loads(socket.recv()) == {"event": "kept"}

    assert house.kept(call_sid) is not None
    socket.send('{"event": "stop"}')
    assert close_code(socket) == 1000
    house.wait_until_over(call_sid)


@pytest.mark.parametrize(
    ("as_", "number", "trust"), [("known", "client:browser", "known"), ("owner", OWNER, "stranger")]
)
def test_a_call_shows_whom_the_owner_plays(house: House, as_: str, number: str, trust: str):
    """The owner's level takes the PIN here as everywhere; the number opens the entry."""
    socket, call_sid = house.owner().rings(as_)
    socket.send('{"event": "stop"}')
    assert close_code(socket) == 1000
    call = house.wait_until_over(call_sid)

    assert (call["from"], call["trust"]) == (number, trust)
    assert (house.assistant.seen[0]["number"], house.assistant.seen[0]["trust"]) == (number, trust)


def test_the_assistant_hangs_up_by_closing_the_socket(house: House):
    socket, call_sid = house.owner().rings()
    press(socket, "9")

    assert close_code(socket) == 1000
    assert house.wait_until_over(call_sid)
    assert house.assistant.heard[-1] == CallerGone(hung_up=True, at_ms=7)


def test_the_browser_phone_is_not_put_through(house: House):
    refused: list[str] = []

    def try_it(phone: Any) -> None:
        with pytest.raises(RestError, match="cannot be transferred") as raised:
            phone.transfer("the boiler")
        refused.append(str(raised.value))

    house.assistant.first = try_it
    socket, call_sid = house.owner().rings()
    speak(socket)
    assert told(socket)["event"] == "media"  # the call goes on
    assert refused
    socket.send('{"event": "stop"}')
    assert close_code(socket) == 1000
    house.wait_until_over(call_sid)


@pytest.mark.parametrize(("code", "hung_up"), [(1000, True), (1001, True), (None, False)])
def test_whoever_leaves_the_page_hangs_up_and_a_lost_line_is_one(
    house: House, code: int | None, hung_up: bool
):
    socket, call_sid = house.owner().rings()
    speak(socket)
    assert told(socket)
    if code is not None:
        socket.send_close(code)
        assert close_code(socket) == code
    socket.shutdown()
    house.wait_until_over(call_sid)

    assert house.assistant.heard[-1] == CallerGone(hung_up=hung_up, at_ms=7)


def test_a_bug_closes_with_1011_and_the_row_is_closed(house: House):
    socket, call_sid = house.owner().rings()
    press(socket, "7")

    assert close_code(socket) == 1011
    assert house.wait_until_over(call_sid)["ended_because"] == "model_failed"


def test_a_program_that_leaves_says_so(house: House):
    socket, call_sid = house.owner().rings()
    press(socket, "6")
    for _ in range(30):
        speak(socket)

    assert close_code(socket) == 1001
    house.wait_until_over(call_sid)


# --- with the assistant itself ----------------------------------------------------------------


def test_the_assistant_answers_the_browser(tmp_path: Path):
    """The same bridge and machine, in the sandbox: the greeting is heard, the books are kept."""
    with SandboxModel() as model, opened(tmp_path) as house:
        settings = load_settings({"INSTANCE_PATH": str(tmp_path)}, None)
        real = create_app(settings, model_url=lambda scenario: model.url)
        house.parts.serve_call = real.extensions["afterbeep"].serve_call
        socket, call_sid = house.owner().rings()
        played = b"".join(listened(socket, marks=3))
        socket.send('{"event": "stop"}')
        assert close_code(socket) == 1000
        call = house.wait_until_over(call_sid)

    assert len(played) >= 8 * 200
    assert call["ended_because"] == "caller_hung_up"
    assert call["first_sound_ms"] is not None
    assert call["turns"][0]["speaker"] == "assistant"
    assert call["turns"][0]["interrupted"]


def listened(socket: websocket.WebSocket, marks: int) -> Iterator[bytes]:
    """What is played until so many marks have come; each is given back at once."""
    at_ms = 0
    while marks:
        speak(socket, at_ms=at_ms)
        at_ms += 20
        message = told(socket)
        if message["event"] == "media":
            yield base64.b64decode(message["media"]["payload"])
        else:
            marks -= 1
            socket.send(json.dumps({"event": "mark", "mark": message["mark"]}))
