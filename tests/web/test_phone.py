"""The phone's page, and dialling: who may ring the assistant, and when."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.sandbox import browser_callers
from tests.web.phone_house import (
    Browser,
    House,
    close_code,
    keep,
    opened,
    past_call,
    prefer,
    speak,
    start,
    told,
)
from tests.web.telephone import SETTINGS

KEY_ALONE = {"OPENAI_API_KEY": "key"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened(tmp_path_factory.mktemp("phone"), **SETTINGS) as running:
        yield running


@pytest.fixture(autouse=True)
def _nobody_waits(request: pytest.FixtureRequest) -> Iterator[None]:
    """What one test has dialled and not used is dead before the next."""
    yield
    if "house" in request.fixturenames:
        request.getfixturevalue("house").clock.now_s += 61


# --- the page ---------------------------------------------------------------------------


def test_the_page_alone_may_use_the_microphone_and_its_worklet(house: House):
    owner = house.owner()
    response, page = owner.ask("GET", "/phone")
    elsewhere, _ = owner.ask("GET", "/")

    assert "microphone=(self)" in response.headers["Permissions-Policy"]
    worklet = f"http://{house.host}/static/phone-worklet.js"
    script_src = re.search(r"script-src ([^;]*)", response.headers["Content-Security-Policy"])
    assert script_src
    public = "https://phone.example/static/phone-worklet.js"  # a tunnel need not pass the Host on
    assert script_src[1].split()[1:] == [worklet, public]
    assert 'id="call"' in page
    assert "microphone=()" in elsewhere.headers["Permissions-Policy"]
    assert worklet not in elsewhere.headers["Content-Security-Policy"]


def test_without_a_number_nobody_can_ring_as_the_owner(tmp_path: Path):
    with opened(tmp_path, **KEY_ALONE) as alone:
        owner = alone.owner()
        assert re.search(r'value="owner"[^>]*disabled', owner.get("/phone"))
        status, answer = owner.dial("owner")
        assert (status, "OWNER_PHONE" in answer["problem"]) == (409, True)

        # With the key alone everything else works.
        socket, call_sid = owner.rings()
        speak(socket)
        assert told(socket)["event"] == "media"
        socket.send('{"event": "stop"}')
        assert close_code(socket) == 1000
        call = alone.wait_until_over(call_sid)
        assert (call["from"], call["to"]) == ("client:browser", None)


def test_the_callers_of_the_sandbox_are_offered_and_brought_along(house: House):
    owner = house.owner()

    for caller in browser_callers.everybody():
        assert f'value="{caller["caller_id"]}"' in owner.get("/phone")
    status, ticket = owner.dial(speaks="message")
    said = [step["say"] for step in ticket["steps"] if "say" in step]
    assert status == 200
    assert said[0] == "/phone/voice/message-1"
    response, sound = owner.ask("GET", said[0])
    assert (response.status, sound.encode("latin-1")) == (200, browser_callers.voice("message-1"))
    assert owner.ask("GET", "/phone/voice/greeting")[0].status == 404
    assert owner.ask("GET", "/phone/voice/..%2Fscenarios")[0].status == 404
    assert owner.dial(speaks="nobody")[0] == 400


# --- dialling -----------------------------------------------------------------------------


def test_only_the_sandboxs_voice_is_told_by_its_sound(house: House, tmp_path: Path):
    """Where another voice speaks, what is said as long as something is asked is said once."""
    with opened(tmp_path) as sandbox:
        there = sandbox.owner().dial(speaks="booking")[1]["steps"]
    here = house.owner().dial(speaks="booking")[1]["steps"]

    assert {
        "say": "/phone/voice/yes",
        "text": "Yes, please.",
        "while_asked": "/phone/voice/put-down",
    } in there
    assert {"say": "/phone/voice/yes", "text": "Yes, please."} in here
    assert not [step for step in here if "while_asked" in step]


def test_dialling_wants_a_login_and_a_form_of_ours(house: House):
    assert Browser(house.host).dial()[0] == 401
    assert house.owner().dial(csrf="")[0] == 400
    assert house.owner().dial(as_="president")[0] == 400


def test_a_dialled_call_is_counted_until_its_token_dies(house: House):
    assert house.parts.still_live() == 0
    status, ticket = house.owner().dial()

    assert status == 200
    assert re.fullmatch(r"BP[0-9a-f]{32}", ticket["call_sid"])
    assert ticket["watch"] == "/calls/" + ticket["call_sid"]
    assert house.parts.assistants_busy() == 1
    assert house.parts.still_live() == 1
    assert house.kept(ticket["call_sid"]) is None  # no call before somebody is on the line
    house.clock.now_s += 61
    assert house.parts.assistants_busy() == 0


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (lambda house: prefer(house, max_concurrent_calls="1"), "as you allow at once"),
        (lambda house: prefer(house, daily_budget_usd="0.5"), "budget"),
        (lambda house: keep(house, "client:browser", "blocked"), "blocked"),
        (lambda house: setattr(house.parts.live_calls, "draining", True), "about to stop"),
    ],
)
def test_what_limits_every_call_limits_this_one(tmp_path: Path, limit: Callable[[House], None], words: str):
    with opened(tmp_path, **SETTINGS) as limited:
        past_call(limited, cost_usd=0.6)
        limited.parts.tokens.issue("CA" + "1" * 32)  # a caller is on the way
        owner = limited.owner()
        assert owner.dial()[0] == 200
        limited.clock.now_s += 61
        limited.parts.tokens.issue("CA" + "1" * 32)

        limit(limited)
        status, answer = owner.dial()
        assert (status, words in answer["problem"]) == (409, True), answer


def test_who_dials_anew_has_put_down_what_was_dialled_before(house: House):
    owner = house.owner()
    _, first = owner.dial()
    _, second = owner.dial()
    assert house.parts.assistants_busy() == 1

    socket = owner.connect()
    start(socket, first)
    assert close_code(socket) == 1008
    socket = owner.connect()
    start(socket, second)
    speak(socket)
    assert told(socket)["event"] == "media"
    socket.send('{"event": "stop"}')
    assert close_code(socket) == 1000


def test_no_cap_for_each_caller_holds_for_the_owner_at_home(house: House):
    prefer(house, calls_per_caller_per_day="1", max_concurrent_calls="10")
    owner = house.owner()
    for _ in range(3):
        socket, call_sid = owner.rings()
        socket.send('{"event": "stop"}')
        assert close_code(socket) == 1000
        house.wait_until_over(call_sid)
    prefer(house, calls_per_caller_per_day="5")
