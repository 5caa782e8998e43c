"""Who gets in, from the settings page: signed-in browsers, the password, the keypad PIN."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from assistant.store import logins, pins
from assistant.web import login
from assistant.web.settings.browsers import browser_name
from tests.web.pages import Pages, csrf_token, text_of

PASSWORD = "correct horse battery staple"
NEW = "a wholly different sentence"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.0 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


@pytest.fixture
def with_password(pages: Pages) -> Pages:
    pages.set_password(PASSWORD)
    return pages


def send(owner: FlaskClient, what: str, **form: str) -> TestResponse:
    token = csrf_token(owner.get("/settings").text)
    return owner.post(f"/settings/{what}", data={"csrf_token": token, **form})


def told(owner: FlaskClient, section_id: str) -> str:
    """What the page says in a section about what was just done."""
    section = owner.get("/settings").text.partition(f'id="{section_id}"')[2].partition("</section>")[0]
    found = re.search(r'<p class="(done|problem)" role="\w+">([^<]*)</p>', section)
    return found[2] if found else ""


def matches(kept: str | None, secret: str) -> bool:
    return kept is not None and PasswordHasher().verify(kept, secret)


# --- browsers ------------------------------------------------------------------


def test_every_browser_is_listed_and_this_one_is_marked(pages: Pages):
    pages.owner()
    phone = pages.browser()
    phone.get("/login/" + login.login_links(pages.app).issue(), headers={"User-Agent": PHONE})

    words = text_of(phone.get("/settings").text)

    assert words.count("logged in since") == 2
    assert words.count("this one") == 1
    assert words.index("Safari on an iPhone this one") < words.index("An unknown browser Seen")


def test_no_identifier_of_a_login_is_on_the_page(pages: Pages):
    owner = pages.owner()
    pages.owner()

    page = owner.get("/settings").text

    kept = pages.store.read(logins.all_of, now=datetime.now(UTC))
    assert len(kept) == 2
    assert not any(row["login_id"] in page for row in kept)


def test_one_browser_is_signed_out_and_the_others_stay(pages: Pages):
    owner, second = pages.owner(), pages.owner()
    (mark,) = re.findall(r'name="browser" value="([0-9a-f]+)"', owner.get("/settings").text)

    answer = send(owner, "browsers", browser=mark)

    assert answer.location == "/settings#devices"
    assert told(owner, "devices") == "That browser is logged out."
    assert second.get("/").status_code == 302
    assert owner.get("/").status_code == 200


@pytest.mark.parametrize(
    ("others", "said"),
    [(0, "No other browser was logged in."), (1, "Logged out: one browser."), (2, "Logged out: 2 browsers.")],
)
def test_all_others_are_signed_out_at_once(pages: Pages, others: int, said: str):
    owner, *rest = [pages.owner() for _ in range(others + 1)]

    send(owner, "browsers", browser="others")

    assert told(owner, "devices") == said
    assert [browser.get("/").status_code for browser in (owner, *rest)] == [200] + [302] * others


def test_a_mark_of_nobody_signs_nobody_out(pages: Pages):
    owner, second = pages.owner(), pages.owner()

    send(owner, "browsers", browser="0" * 16)

    assert (owner.get("/").status_code, second.get("/").status_code) == (200, 200)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (PHONE, "Safari on an iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0"
            " Safari/537.36 Edg/150.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Mobile"
            " Safari/537.36",
            "Chrome on Android",
        ),
        ("Mozilla/5.0 (Macintosh)", "A browser on a Mac"),
        ("", "An unknown browser"),
        ("<script>", "An unknown browser"),
    ],
)
def test_a_browser_in_plain_words(user_agent: str, name: str):
    assert browser_name(user_agent) == name


# --- the password ----------------------------------------------------------------


def test_the_first_password_needs_no_other(pages: Pages):
    owner, second = pages.owner(), pages.owner()
    assert "Present password" not in owner.get("/settings").text

    send(owner, "password", new=NEW, again=NEW)

    assert told(owner, "password") == "The password is set. Every other browser has to log in again."
    assert matches(pages.store.read(logins.password_hash), NEW)
    assert second.get("/").status_code == 302


def test_a_change_asks_for_the_present_one(with_password: Pages):
    owner = with_password.owner()
    before = with_password.store.read(logins.password_hash)

    for present in ("", "wrong", NEW):
        send(owner, "password", present=present, new=NEW, again=NEW)
        assert told(owner, "password") == "That is not the present password."
    assert with_password.store.read(logins.password_hash) == before

    send(owner, "password", present=PASSWORD, new=NEW, again=NEW)
    assert matches(with_password.store.read(logins.password_hash), NEW)


@pytest.mark.parametrize(
    ("new", "again", "said"),
    [
        ("eleven char", "eleven char", "A password has 12 to 1024 characters."),
        ("x" * 1025, "x" * 1025, "A password has 12 to 1024 characters."),
        (NEW, NEW + " ", "The two new passwords are not equal."),
    ],
)
def test_a_password_that_will_not_do(pages: Pages, new: str, again: str, said: str):
    owner = pages.owner()

    send(owner, "password", new=new, again=again)

    assert told(owner, "password") == said
    assert pages.store.read(logins.password_hash) is None


def test_a_cookie_from_before_the_change_is_worth_nothing(pages: Pages):
    owner = pages.owner()
    stolen = owner.get_cookie("session", domain="127.0.0.1")
    assert stolen is not None

    send(owner, "password", new=NEW, again=NEW)

    thief = pages.browser()
    thief.set_cookie("session", stolen.value, domain="127.0.0.1")
    assert thief.get("/").status_code == 302
    assert owner.get("/").status_code == 200


def test_tries_at_the_present_password_are_few_over_both_forms(with_password: Pages):
    owner = with_password.owner()
    token = csrf_token(owner.get("/settings").text)
    form = {"csrf_token": token, "present": "wrong"}

    statuses = [owner.post(f"/settings/{what}", data=form).status_code for what in ("password", "pin") * 3]

    assert statuses == [303] * 5 + [429]


# --- the PIN ---------------------------------------------------------------------


def test_a_pin_is_set_changed_and_removed_and_never_shown(with_password: Pages):
    owner, store = with_password.owner(), with_password.store
    assert "nobody is the owner on the telephone" in text_of(owner.get("/settings").text)

    answer = send(owner, "pin", present=PASSWORD, pin="271828", again="271828")

    assert answer.location == "/settings#pin"
    page = owner.get("/settings").text
    assert "The PIN is set." in page
    assert "271828" not in page
    assert "There is one." in text_of(page)
    assert matches(store.write(pins.begin_try, "CA1", datetime.now(UTC)), "271828")

    send(owner, "pin", present=PASSWORD, remove="1")
    assert not store.read(pins.has_pin)
    assert told(owner, "pin") == "There is no PIN now: nobody is the owner on the telephone."


@pytest.mark.parametrize(
    ("pin", "again", "said"),
    [
        ("12345", "12345", "A PIN has 6 to 8 digits, and nothing else."),
        ("123456789", "123456789", "A PIN has 6 to 8 digits, and nothing else."),
        ("١٢٣٤٥٦", "١٢٣٤٥٦", "A PIN has 6 to 8 digits, and nothing else."),
        ("", "", "A PIN has 6 to 8 digits, and nothing else."),
        ("123456", "123457", "The two PINs are not equal."),
    ],
)
def test_a_pin_that_will_not_do(pages: Pages, pin: str, again: str, said: str):
    owner = pages.owner()

    send(owner, "pin", pin=pin, again=again)

    assert told(owner, "pin") == said
    assert not pages.store.read(pins.has_pin)


def test_without_the_password_the_pin_stays(with_password: Pages):
    owner, store = with_password.owner(), with_password.store
    send(owner, "pin", present=PASSWORD, pin="271828", again="271828")

    for form in ({"pin": "314159", "again": "314159"}, {"remove": "1"}):
        send(owner, "pin", present="wrong", **form)
        assert told(owner, "pin") == "That is not the present password."

    assert matches(store.write(pins.begin_try, "CA1", datetime.now(UTC)), "271828")


def test_a_stranger_or_a_form_of_another_page_changes_no_secret(pages: Pages):
    owner, forms = (
        pages.owner(),
        {"password": {"new": NEW, "again": NEW}, "pin": {"pin": "271828", "again": "271828"}},
    )

    for what, form in forms.items():
        assert owner.post(f"/settings/{what}", data=form).status_code == 400
        assert pages.browser().post(f"/settings/{what}", data=form).status_code == 401
    assert owner.post("/settings/browsers", data={"browser": "others"}).status_code == 400

    assert pages.store.read(logins.password_hash) is None
    assert not pages.store.read(pins.has_pin)
