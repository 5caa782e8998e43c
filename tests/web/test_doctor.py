"""The doctor's page: what is seen at once, what is asked at a press of the button, the count in the menu."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from assistant import doctor as the_doctor
from assistant.doctor import Check, Patient
from assistant.store import preferences, program
from assistant.web import doctor
from tests.web.pages import PUBLIC, Pages, csrf_token, text_of


@pytest.fixture
def house(tmp_path: Path) -> Pages:
    tmp_path.chmod(0o700)
    return Pages(tmp_path)


@pytest.fixture
def owner(house: Pages) -> FlaskClient:
    return house.owner()


def look_now(client: FlaskClient) -> None:
    page = client.get("/doctor").text
    answer = client.post("/doctor", data={"csrf_token": csrf_token(page)})
    assert (answer.status_code, answer.location) == (303, "/doctor")


def seen(red: Check | None = None) -> dict[str, object]:
    """One look, which finds this."""

    def look(of: Patient) -> Iterator[Check]:
        yield red or Check("Clock", "green", "It is right.")

    return {"Clock": look}


def test_a_sandbox_is_well_at_once_and_asks_nobody(house: Pages, owner: FlaskClient):
    house.store.write(program.note, program.PULSE, {"late_p99_ms": 1.0}, datetime.now(UTC))

    page = text_of(owner.get("/doctor").text)

    assert "All is well" in page
    assert "Nobody outside has to be asked." in page
    assert "It is running; it said so" in page
    assert "The sandbox's own model answers." in page


def test_with_keys_others_are_asked_only_when_the_button_is_pressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = threading.Event()

    def look(of: Patient) -> Iterator[Check]:
        asked.set()
        yield Check("Clock", "red", "It is 3600 s slow.", "Nobody set it.", "See `man date`.")

    monkeypatch.setitem(the_doctor.LOOKS, "Clock", look)  # type: ignore[misc]
    for organ in ("Twilio", "Model", "Public address"):
        monkeypatch.setitem(the_doctor.LOOKS, organ, seen()["Clock"])  # type: ignore[misc]
    house = Pages(tmp_path, **PUBLIC, OPENAI_API_KEY="sk-canary")
    owner = house.owner()

    before = text_of(owner.get("/doctor").text)
    was_asked = asked.is_set()
    look_now(owner)
    after = owner.get("/doctor").text

    assert not was_asked
    assert "Press “Look now” to ask." in before
    assert "It is 3600 s slow. Nobody set it. See man date" in text_of(after)
    assert "<code>man date</code>" in after
    assert "One thing does not work" in text_of(after)
    assert "canary" not in after


def test_red_ones_are_counted_in_the_menu_of_every_page(
    house: Pages, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
):
    red = Check("Clock", "red", "It is slow.", "Nobody set it.", "Set it.")
    monkeypatch.setattr(the_doctor, "LOOKS", seen(red))
    monkeypatch.setattr(doctor, "LOOKS", seen(red))

    with house.app.test_request_context():
        before = doctor.open_problems()
        look_now(owner)
        after = doctor.open_problems()

    assert (before, after) == (0, 1)


def test_two_who_press_at_once_are_one_round(house: Pages, owner: FlaskClient):
    with doctor._looking:
        look_now(owner)

    assert "The doctor is looking already." in owner.get("/doctor").text
    assert house.store.read(program.findings) == {}


def test_the_button_wants_a_token_and_the_page_a_login(house: Pages, owner: FlaskClient):
    assert owner.post("/doctor").status_code == 400
    assert house.browser().get("/doctor").status_code == 302
    assert house.browser().post("/doctor").status_code == 401


def test_what_was_found_is_shown_as_text(house: Pages, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch):
    hostile = Check("Clock", "red", "<script>alert(1)</script>", "<b>", 'Go to https://x.example/"onx=1 now.')
    monkeypatch.setattr(the_doctor, "LOOKS", seen(hostile))
    monkeypatch.setattr(doctor, "LOOKS", seen(hostile))
    monkeypatch.setattr(doctor, "outside", lambda of: ("Clock",))

    look_now(owner)
    page = owner.get("/doctor").text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert '"onx' not in page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nothing.", [("text", "Nothing.", "")]),
        ("Type `flask pin`.", [("text", "Type ", ""), ("code", "flask pin", ""), ("text", ".", "")]),
        (
            "Link again: https://phone.example/calendar/link",
            [("text", "Link again: ", ""), ("link", "Google Calendar", "/calendar/link")],
        ),
        (
            "Set one: https://phone.example/setup?step=password",
            [("text", "Set one: ", ""), ("link", "Set-up", "/setup?step=password")],
        ),
        (
            "Enable it at https://console.cloud.google.com/apis, then wait.",
            [
                ("text", "Enable it at ", ""),
                ("link", "console.cloud.google.com/apis", "https://console.cloud.google.com/apis"),
                ("text", ", then wait.", ""),
            ],
        ),
    ],
)
def test_a_sentence_becomes_links_and_code(tmp_path: Path, text: str, expected: list[tuple[str, str, str]]):
    house = Pages(tmp_path, **PUBLIC)

    with house.app.test_request_context():
        assert list(doctor.pieces(text)) == expected


def test_the_programs_own_address_answers_the_doctor_alone(house: Pages):
    nonce = "n" * 43
    stranger = house.browser()

    before = stranger.get(f"/healthz/{nonce}")
    house.store.write(program.expect_nonce, nonce, datetime.now(UTC))
    waited_for = stranger.get(f"/healthz/{nonce}")
    house.store.write(program.expect_nonce, nonce, datetime.now(UTC) - timedelta(minutes=2))
    later = stranger.get(f"/healthz/{nonce}")

    assert [answer.status_code for answer in (before, waited_for, later)] == [404, 200, 404]
    assert waited_for.headers["Content-Type"].startswith("text/plain")
    assert "Set-Cookie" not in waited_for.headers


def test_a_preference_that_is_wrong_is_seen_at_once(house: Pages, owner: FlaskClient):
    house.store.write(preferences.set, "disclosure", "")

    page = owner.get("/doctor").text

    assert "Callers are recorded and not told." in text_of(page)
    assert ">Settings</a></p>" in page


def test_what_is_mended_is_counted_no_more(house: Pages, owner: FlaskClient):
    wrong = Check("Money", "red", "The budget is used up.", "It is small.", "Wait.", organ="Limits")
    the_doctor.keep(house.store, [wrong], datetime.now(UTC))
    assert the_doctor.open_problems(house.store) == 1
    owner.get("/doctor")

    assert the_doctor.open_problems(house.store) == 0
