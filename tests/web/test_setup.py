"""The set-up: five steps, derived from what is; a first password; the number's addresses, after a yes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient

from assistant.config import load_settings, with_sandbox_phone
from assistant.store import logins
from assistant.web import setup_steps
from tests.telephony.far_account import FALLBACK, FarAccount
from tests.telephony.far_end import ACCOUNT
from tests.web.pages import PUBLIC, ROOT, Pages, csrf_token, text_of

PASSWORD = "four plain words here"
WIRED = {
    **PUBLIC,
    "TWILIO_ACCOUNT_SID": ACCOUNT,
    "OPENAI_API_KEY": "sk-canary",
    "TWILIO_AUTH_TOKEN": "c4n4ry" * 6,
}


@pytest.fixture
def house(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


@pytest.fixture
def owner(house: Pages) -> FlaskClient:
    return house.owner()


@pytest.fixture
def far() -> FarAccount:
    return FarAccount()


def press(client: FlaskClient, action: str, page: str = "/setup", **fields: str):
    token = csrf_token(client.get(page).text)
    return client.post(action, data={"csrf_token": token, **fields})


def open_step(page: str) -> str:
    """Which of the steps is open."""
    return " ".join(re.findall(r'<details class="card step" id="(\w+)" open>', page))


# --- the steps ---------------------------------------------------------------------


def test_a_newcomer_begins_with_the_password_and_may_skip_it(owner: FlaskClient):
    page = owner.get("/setup").text

    assert "0 of 5 done" in text_of(page)
    assert "There is no password yet." in text_of(page)
    assert open_step(page) == "password"
    assert 'href="/setup?step=address#address"' in page
    assert open_step(owner.get("/setup?step=address").text) == "address"
    assert open_step(owner.get("/setup?step=<nothing>").text) == "password"


def test_what_is_wired_is_done_and_no_secret_is_shown(tmp_path: Path):
    owner = Pages(tmp_path, **WIRED).owner()

    page = owner.get("/setup").text

    assert "3 of 5 done" in text_of(page)
    assert "PUBLIC_URL=https://phone.example\n" in page
    assert "OWNER_PHONE=+12025550101\nTWILIO_NUMBER=+12025550100\n" in page
    assert "OPENAI_API_KEY=\n" in page
    assert "TWILIO_AUTH_TOKEN is set" in text_of(page)
    assert "canary" not in page
    assert "c4n4ry" not in page


def test_the_sandboxs_made_up_telephone_is_no_telephone(tmp_path: Path):
    house = Pages(tmp_path)
    everything = house.app.extensions["afterbeep"]
    everything.settings = with_sandbox_phone(load_settings({"INSTANCE_PATH": str(tmp_path)}, None))

    page = house.owner().get("/setup").text

    assert "0 of 5 done" in text_of(page)
    assert "OWNER_PHONE=\nTWILIO_NUMBER=\n" in page
    assert everything.settings.twilio_auth_token.get_secret_value() not in page
    assert 'href="/phone"' in page


def test_the_codes_have_the_number_in_them(tmp_path: Path):
    page = Pages(tmp_path, **WIRED).owner().get("/setup").text

    assert "**61*+12025550100**20#" in page
    assert "*712025550100" in page
    assert 'href="tel:+12025550100"' in page
    assert "https://phone.example/voice/status#rc=2&amp;rp=ct,rt,5xx" in page


def test_the_bins_are_those_of_the_readme():
    readme = "\n".join(line.strip() for line in (ROOT / "README.md").read_text().splitlines())

    for xml in (setup_steps.GOODBYE, setup_steps.IS_DOWN):
        assert "\n".join(line.strip() for line in xml.splitlines()) in readme


def test_the_codes_are_those_of_the_readme():
    readme = (ROOT / "README.md").read_text()

    for code in setup_steps.forwarding(""):
        assert code.undo in readme
        assert code.forward.partition("N")[0] in readme


def test_a_steps_check_looks_at_what_it_is_about(house: Pages, owner: FlaskClient):
    answer = press(owner, "/setup/check", step="model")

    assert (answer.status_code, answer.location) == (303, "/setup?step=model#model")
    page = owner.get(answer.location).text
    assert open_step(page) == "model"
    assert "The sandbox's own model answers." in text_of(page)
    assert press(owner, "/setup/check", step="nothing").status_code == 400


def test_a_step_that_is_wired_and_does_not_work_is_not_done(tmp_path: Path, far: FarAccount):
    with far.serving() as url:
        owner = Pages(tmp_path, **WIRED, TWILIO_API_URL=url).owner()
        answer = press(owner, "/setup/check", step="number")
        broken = text_of(owner.get(answer.location).text)
        far.point_at("https://phone.example")
        press(owner, "/setup/check", step="number")
        mended = text_of(owner.get(answer.location).text)

    assert "2 of 5 done" in broken
    assert "Phone number does not work yet" in broken
    assert "3 of 5 done" in mended


def test_a_call_that_has_arrived_is_shown(house: Pages, owner: FlaskClient):
    before = text_of(owner.get("/setup").text)
    house.add_call("CA7", minutes_ago=0, caller_name="<i>Ana</i>")
    after = owner.get("/setup").text

    assert "No call has arrived yet." in before
    assert "A call has arrived: <i>Ana</i>" in text_of(after)
    assert 'data-newest="CA7"' in after
    assert "<i>Ana" not in after


# --- the password ------------------------------------------------------------------


def test_the_first_password_is_set_and_this_browser_stays_in(house: Pages, owner: FlaskClient):
    other = house.owner()

    answer = press(owner, "/setup/password", password=PASSWORD, again=PASSWORD)

    assert (answer.status_code, answer.location) == (303, "/setup")
    kept = house.store.read(logins.password_hash)
    assert kept is not None
    assert PasswordHasher().verify(kept, PASSWORD)
    page = owner.get("/setup").text
    assert "There is no password yet." not in page
    assert open_step(page) == "address"
    assert other.get("/setup").status_code == 302


@pytest.mark.parametrize(
    ("password", "again", "wrong"),
    [("short", "short", "12 characters or more"), (PASSWORD, PASSWORD + "!", "not the same"), ("", "", "12")],
)
def test_a_password_that_will_not_do_is_refused(
    house: Pages, owner: FlaskClient, password: str, again: str, wrong: str
):
    answer = press(owner, "/setup/password", password=password, again=again)

    assert answer.status_code == 400
    assert wrong in answer.text
    assert open_step(answer.text) == "password"
    assert house.store.read(logins.password_hash) is None
    assert PASSWORD not in answer.text


def test_a_password_that_is_set_is_not_replaced_here(house: Pages, owner: FlaskClient):
    house.store.write(lambda db: logins.set_password_hash(db, "a hash") and None)
    owner = house.owner()

    answer = press(owner, "/setup/password", password=PASSWORD, again=PASSWORD)

    assert answer.status_code == 303
    assert "There is a password already." in owner.get(answer.location).text
    assert house.store.read(logins.password_hash) == "a hash"


def test_nothing_is_done_for_strangers_or_without_a_token(house: Pages, owner: FlaskClient):
    for action in ("/setup/password", "/setup/check", "/setup/number"):
        assert owner.post(action).status_code == 400
        assert house.browser().post(action).status_code == 401
    assert house.browser().get("/setup/number").status_code == 302


# --- the number --------------------------------------------------------------------


def test_the_number_is_set_only_after_it_was_shown_what_will_change(tmp_path: Path, far: FarAccount):
    far.number["voice_fallback_url"] = FALLBACK
    with far.serving() as url:
        owner = Pages(tmp_path, **WIRED, TWILIO_API_URL=url).owner()

        shown = owner.get("/setup/number").text
        asked = list(far.asked)
        answer = press(owner, "/setup/number", page="/setup/number")
        after = owner.get(answer.location).text
        again = owner.get("/setup/number").text

    assert asked == ["GET IncomingPhoneNumbers"]
    assert "https://demo.twilio.com/welcome" in shown
    assert "https://phone.example/voice/incoming" in shown
    assert (answer.status_code, answer.location) == (303, "/setup?step=number#number")
    assert far.number["voice_url"] == "https://phone.example/voice/incoming"
    assert far.number["status_callback"] == "https://phone.example/voice/status#rc=2&rp=ct,rt,5xx"
    assert far.number["voice_fallback_url"] == FALLBACK
    assert "Twilio sends the calls of your number here now." in text_of(after)
    assert "They come to https://phone.example/voice/incoming" in text_of(after)
    assert "Nothing needs to be set" in again


def test_an_account_that_refuses_is_told_and_nothing_is_set(tmp_path: Path, far: FarAccount):
    far.refuse[far.number["sid"]] = 403
    with far.serving() as url:
        owner = Pages(tmp_path, **WIRED, TWILIO_API_URL=url).owner()
        answer = press(owner, "/setup/number", page="/setup/number")
        page = text_of(owner.get(answer.location).text)

    assert "Nothing was set: Twilio refused to set the number: HTTP 403" in page
    assert "demo" in far.number["voice_url"]


@pytest.mark.parametrize(
    ("refused", "says"), [(True, "cannot be looked at"), (False, "not among this account's")]
)
def test_a_number_that_cannot_be_had_leads_back_to_its_step(
    tmp_path: Path, far: FarAccount, refused: bool, says: str
):
    far.number["phone_number"] = "+12025550188"
    if refused:
        far.refuse["IncomingPhoneNumbers"] = 401
    with far.serving() as url:
        owner = Pages(tmp_path, **WIRED, TWILIO_API_URL=url).owner()
        answer = owner.get("/setup/number")

        assert answer.location == "/setup?step=number#number"
        assert says in text_of(owner.get(answer.location).text)


def test_without_a_telephone_there_is_no_number_to_set(owner: FlaskClient):
    assert 'href="/setup/number"' not in owner.get("/setup").text

    answer = owner.get("/setup/number")

    assert answer.location == "/setup?step=number#number"
    assert "First fill in the lines of this step" in owner.get(answer.location).text
