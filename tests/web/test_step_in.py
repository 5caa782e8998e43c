"""The owner steps in on a running call: once for each press, with an answer at once."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from assistant.call import events as ev
from assistant.store import callers, step_ins
from assistant.web import step_in
from assistant.web.step_in import Answer, Presses, Wish
from tests.web.pages import PUBLIC, csrf_token, text_of
from tests.web.running import House

KEY = "key-of-this-form"
SCRIPT = {"X-Afterbeep": "fragment"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.add_call("CA1")
    return house


@pytest.fixture
def owner(house: House) -> FlaskClient:
    return house.owner()


def press(
    owner: FlaskClient, kind: str, text: str = "", *, key: str = KEY, script: bool = True, **more: Any
) -> TestResponse:
    """Press a button of a form, as the script does or as a browser without one."""
    form = {
        "csrf_token": csrf_token(owner.get("/calls/CA1").text),
        "step_key": key,
        "kind": kind,
        "text": text,
    }
    return owner.post("/calls/CA1/step-in", data=form, headers=SCRIPT if script else {})


def said(response: TestResponse) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.text).split())


@pytest.mark.parametrize(
    ("kind", "text", "event", "words"),
    [
        ("tell", " Ten minutes. ", ev.OwnerSays("Ten minutes.", ask=False, at_ms=83_000), "will say this"),
        ("ask", "Which street?", ev.OwnerSays("Which street?", ask=True, at_ms=83_000), "will ask this"),
        ("ring", "", ev.OwnerRings(at_ms=83_000), "Your phone is ringing."),
        ("voicemail", "", ev.OwnerEnds(voicemail=True, at_ms=83_000), "The caller hears the tone."),
        ("hang_up", "", ev.OwnerEnds(voicemail=False, at_ms=83_000), "Hung up."),
        ("block", "", ev.OwnerEnds(voicemail=False, at_ms=83_000), "Blocked and hung up."),
    ],
)
def test_the_call_is_told_and_so_is_the_owner(
    house: House, owner: FlaskClient, kind: str, text: str, event: ev.Event, words: str
) -> None:
    watcher = house.live.watch("CA1")
    with house.on_the_line() as call:
        answer = press(owner, kind, text)

    assert call.told == [event]
    assert answer.status_code == 200
    assert words in said(answer)
    kept = house.store.read(step_ins.of_call, "CA1")
    assert [(step["kind"], step["text"], step["at_ms"]) for step in kept] == [(kind, text.strip(), 83_000)]
    assert [watcher.next(0), watcher.next(0)] == ["began", "kept"]


def test_without_a_script_it_leads_back_to_the_call(house: House, owner: FlaskClient) -> None:
    with house.on_the_line():
        answer = press(owner, "tell", "Ten minutes.", script=False)
        page = owner.get(answer.location).text

    assert (answer.status_code, answer.location) == (303, "/calls/CA1")
    assert "The assistant will say this as soon as the caller pauses." in text_of(page)


def test_a_press_that_comes_twice_is_done_once_and_answered_alike(house: House, owner: FlaskClient) -> None:
    with house.on_the_line() as call:
        answers = [said(press(owner, "tell", "Ten minutes.")) for _ in range(2)]
        press(owner, "tell", "Ten minutes.", key="another-form-of-it")

    assert answers[0] == answers[1]
    assert len(call.told) == 2
    assert len(house.store.read(step_ins.of_call, "CA1")) == 2


def test_two_presses_at_once_are_one() -> None:
    presses, done, going_on = Presses(), [], threading.Event()
    wish = Wish("CA1", "hang_up", "", KEY)

    def do(wish: Wish) -> Answer:
        done.append(wish)
        going_on.wait(10)
        return Answer(True, "Hung up.")

    answers: list[Answer] = []
    pressing = [
        threading.Thread(target=lambda: answers.append(presses.once(wish, do)), daemon=True) for _ in range(4)
    ]
    for one in pressing:
        one.start()
    going_on.set()
    for one in pressing:
        one.join(10)

    assert done == [wish]
    assert answers == [Answer(True, "Hung up.")] * 4


def test_what_was_not_possible_may_be_tried_again(house: House, owner: FlaskClient) -> None:
    refused = press(owner, "hang_up")
    with house.on_the_line() as call:
        assert press(owner, "hang_up").status_code == 200

    assert refused.status_code == 409
    assert len(call.told) == 1


def test_each_answer_brings_a_key_for_the_next_press(house: House, owner: FlaskClient) -> None:
    with house.on_the_line():
        keys = [
            re.findall(r'data-step-key="([^"]+)"', press(owner, "tell", "Wait.", key=f"key-{n}-000").text)[0]
            for n in range(2)
        ]

    assert len(set(keys)) == 2
    assert all(step_in.KEY.fullmatch(key) for key in keys)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Type what the caller is to hear"),
        ("   ", "Type what the caller is to hear"),
        ("x" * 501, "501 characters"),
        ("one\nother", "one line"),
        ("a\x00b", "one line"),
        ("a\x1b[31mb", "one line"),
        ("a\u2028b", "one line"),
        ("a\u202eb", "change the direction"),
    ],
)
def test_what_cannot_be_said_is_refused_and_still_there(
    house: House, owner: FlaskClient, text: str, words: str
) -> None:
    with house.on_the_line() as call:
        answer = press(owner, "tell", text)
        page = press(owner, "tell", text, script=False)

    assert call.told == []
    assert (answer.status_code, page.status_code) == (422, 422)
    assert words in said(answer)
    assert words in text_of(page.text)
    field = re.findall(r'<input type="text" id="step-in-text".*?>', page.text, re.DOTALL)[0]
    assert 'aria-invalid="true"' in field
    if text.strip() == text == text.replace("\x00", ""):
        assert f'value="{text}"' in field


@pytest.mark.parametrize("text", ["Grüße", "نعم", "👩‍👧 ok", "ten\u00a0minutes", "全角\u3000空白", "x" * 500])
def test_whatever_people_write_can_be_said(house: House, owner: FlaskClient, text: str) -> None:
    with house.on_the_line() as call:
        assert press(owner, "tell", text).status_code == 200

    assert [event.text for event in call.told if isinstance(event, ev.OwnerSays)] == [text]


def test_hostile_text_is_text(house: House, owner: FlaskClient) -> None:
    text = '"><script>alert(1)</script>'
    with house.on_the_line() as call:
        press(owner, "tell", text)
        page = owner.get("/calls/CA1").text
        refused = press(owner, "tell", text + "\n" + text, key="another-form-of-it", script=False).text

    assert len(call.told) == 1
    for html in (page, refused):
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html


def test_of_a_call_that_is_over_it_is_said(house: House, owner: FlaskClient) -> None:
    house.finish("CA1", usage={"text_in": 1})
    token = csrf_token(owner.get("/").text)
    for kind in ("tell", "ask", "ring", "voicemail", "hang_up"):
        answer = press(owner, kind, "Wait.", csrf_token=token)
        assert (answer.status_code, said(answer)) == (409, "The call is over.")
    assert house.store.read(step_ins.of_call, "CA1") == []


def test_a_caller_who_has_just_gone_is_told_nothing(house: House, owner: FlaskClient) -> None:
    with house.on_the_line(caller_gone=True) as call:
        assert press(owner, "tell", "Wait.").status_code == 409
    assert call.told == []


def test_a_call_that_ends_between_looking_and_telling_is_over(
    house: House, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.on_the_line() as call:
        monkeypatch.setattr(house.live_calls, "put", lambda call_sid, make: False)
        assert said(press(owner, "hang_up")) == "The call is over."
    assert call.told == []
    assert house.store.read(step_ins.of_call, "CA1") == []


def test_while_the_owners_phone_rings_nobody_is_there_to_say_it(house: House, owner: FlaskClient) -> None:
    with house.on_the_line(state="ringing_owner") as call:
        for kind in ("tell", "ask", "ring"):
            assert "Your phone is ringing just now" in said(press(owner, kind, "Wait."))
        assert press(owner, "hang_up").status_code == 200

    assert [type(event) for event in call.told] == [ev.OwnerEnds]


def test_blocking_keeps_the_number_blocked(house: House, owner: FlaskClient) -> None:
    with house.on_the_line():
        press(owner, "block")

    assert house.store.read(callers.standing, "+442079460018")["standing"] == "blocked"


def test_a_caller_can_be_blocked_who_has_just_hung_up(house: House, owner: FlaskClient) -> None:
    house.finish("CA1", usage={"text_in": 1})

    answer = press(owner, "block", csrf_token=csrf_token(owner.get("/").text))
    assert (answer.status_code, said(answer)) == (200, "Blocked. The call was over already.")
    assert house.store.read(callers.standing, "+442079460018")["standing"] == "blocked"


def test_a_withheld_number_cannot_be_blocked(house: House, owner: FlaskClient) -> None:
    house.add_call("CA2", from_number=None)
    with house.on_the_line("CA2") as call:
        page = owner.get("/calls/CA2").text
        form = {"csrf_token": csrf_token(page), "step_key": KEY, "kind": "block"}
        answer = owner.post("/calls/CA2/step-in", data=form, headers=SCRIPT)

    assert "withheld their number, so it cannot be blocked" in text_of(page)
    assert (answer.status_code, "Withheld numbers cannot be blocked" in said(answer)) == (409, True)
    assert call.told == []


def test_the_owners_own_phone_is_neither_rung_nor_blocked(house: House, owner: FlaskClient) -> None:
    house.add_call("CA2", from_number=PUBLIC["OWNER_PHONE"])
    with house.on_the_line("CA2") as call:
        for kind in ("ring", "block"):
            form = {"csrf_token": csrf_token(owner.get("/calls/CA2").text), "step_key": KEY, "kind": kind}
            answer = owner.post("/calls/CA2/step-in", data=form, headers=SCRIPT)
            assert said(answer) == "This call comes from your own phone."
    assert call.told == []


def test_without_a_phone_of_the_owners_none_can_ring(tmp_path: Path) -> None:
    house = House(tmp_path, **dict.fromkeys(PUBLIC, ""))
    house.add_call("CA1")
    with house.on_the_line() as call:
        assert "OWNER_PHONE" in said(press(house.owner(), "ring"))
    assert call.told == []


def test_while_the_owners_phone_rings_nobody_is_sent_to_the_tone(house: House, owner: FlaskClient) -> None:
    """The caller is with no stream of ours, that would have to be left for it."""
    with house.on_the_line(state="ringing_owner") as call:
        answer = press(owner, "voicemail")

    assert (answer.status_code, "Your phone is ringing just now" in said(answer)) == (409, True)
    assert call.told == []


def test_a_call_from_the_browser_is_put_through_to_nobody(house: House, owner: FlaskClient) -> None:
    browsers = "BP" + "0" * 32
    house.add_call(browsers)
    with house.on_the_line(browsers) as call:
        form = {"csrf_token": csrf_token(owner.get("/").text), "step_key": KEY, "kind": "ring"}
        answer = owner.post(f"/calls/{browsers}/step-in", data=form, headers=SCRIPT)

    assert (answer.status_code, "comes from the browser" in said(answer)) == (409, True)
    assert call.told == []


def test_when_the_program_is_about_to_stop_no_phone_is_rung_but_the_rest_works(
    house: House, owner: FlaskClient
) -> None:
    house.live_calls.draining = True
    with house.on_the_line() as call:
        assert "about to stop" in said(press(owner, "ring"))
        assert press(owner, "tell", "Wait.").status_code == 200
    assert len(call.told) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "shout"}, {"kind": ""}, {"step_key": ""}, {"step_key": "a b c d e f"}, {"csrf_token": ""}],
)
def test_what_no_form_of_ours_sends_is_refused(
    house: House, owner: FlaskClient, wrong: dict[str, str]
) -> None:
    with house.on_the_line() as call:
        token = {"csrf_token": csrf_token(owner.get("/calls/CA1").text)}
        form = {**token, "step_key": KEY, "kind": "tell", "text": "Wait.", **wrong}
        assert owner.post("/calls/CA1/step-in", data=form).status_code == 400
    assert call.told == []


def test_there_is_no_stepping_in_on_a_call_that_is_none(house: House, owner: FlaskClient) -> None:
    form = {"csrf_token": csrf_token(owner.get("/").text), "step_key": KEY, "kind": "hang_up"}
    assert owner.post("/calls/CA9/step-in", data=form).status_code == 404


def test_nobody_but_the_owner_steps_in(house: House) -> None:
    with house.on_the_line() as call:
        assert house.browser().post("/calls/CA1/step-in", data={"kind": "hang_up"}).status_code == 401
    assert call.told == []
