"""The printed link, the password, and how a login ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from assistant.store import logins
from assistant.web.login import LINK_SECONDS, LoginLinks, login_links
from tests.web.pages import Pages, csrf_token

PASSWORD = "correct horse battery staple"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


@pytest.fixture
def with_password(pages: Pages) -> Pages:
    pages.set_password(PASSWORD)
    return pages


def type_password(
    browser: FlaskClient, password: str, *, target: str = "/", peer: str = "127.0.0.1"
) -> TestResponse:
    token = csrf_token(browser.get("/login", environ_base={"REMOTE_ADDR": peer}).text)
    form = {"csrf_token": token, "password": password, "next": target}
    return browser.post("/login", data=form, environ_base={"REMOTE_ADDR": peer})


def test_the_printed_link_logs_in_once(pages: Pages):
    link = "/login/" + login_links(pages.app).issue()
    owner, second = pages.browser(), pages.browser()

    assert owner.get(link).location == "/"
    assert owner.get("/").status_code == 200

    again = second.get(link)
    assert again.status_code == 404
    assert "has been used" in again.text
    assert second.get("/").status_code == 302
    assert owner.get(link).location == "/"


def test_a_browser_that_looks_ahead_does_not_use_it_up(pages: Pages):
    link = "/login/" + login_links(pages.app).issue()

    pages.browser().head(link)
    pages.browser().get(link, headers={"Sec-Purpose": "prefetch;prerender"})

    assert pages.browser().get(link).status_code == 302


def test_a_wrong_link_is_refused(pages: Pages):
    login_links(pages.app).issue()

    assert pages.browser().get("/login/guess").status_code == 404


def test_a_link_is_good_for_a_quarter_of_an_hour():
    now = 1000.0
    links = LoginLinks(clock=lambda: now)
    in_time, late = links.issue(), links.issue()

    now += LINK_SECONDS - 1
    assert links.take(in_time)
    now += 2
    assert not links.take(late)


def test_links_are_not_kept_as_they_are():
    links = LoginLinks()
    token = links.issue()

    assert token not in repr(vars(links))


def test_without_a_password_the_page_says_how_to_get_in(pages: Pages):
    page = pages.browser().get("/login").text

    assert "flask password" in page
    assert "<form" not in page


def test_the_password_logs_in_and_leads_back(with_password: Pages):
    owner = with_password.browser()

    answer = type_password(owner, PASSWORD, target="/calls/CA1")

    assert (answer.status_code, answer.location) == (303, "/calls/CA1")
    assert owner.get("/").status_code == 200
    assert owner.get("/login").location == "/"


@pytest.mark.parametrize(
    "target", ["//evil.example", "\\\\evil.example", "https:evil.example", "/\\evil.example"]
)
def test_nobody_is_led_elsewhere(with_password: Pages, target: str):
    assert type_password(with_password.browser(), PASSWORD, target=target).location == "/"


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", "x" * 5000])
def test_a_wrong_password_is_told_so_and_nothing_more(with_password: Pages, password: str):
    browser = with_password.browser()

    answer = type_password(browser, password)

    assert answer.status_code == 403
    assert "That password is not right." in answer.text
    assert browser.get("/").status_code == 302


def test_guessing_is_slowed_down_and_the_owner_still_gets_in(with_password: Pages):
    stranger = with_password.browser()
    answers = [type_password(stranger, f"guess {n}", peer="203.0.113.9") for n in range(6)]

    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert "Too many tries" in answers[-1].text
    assert "Wait a minute" in answers[-1].text
    assert type_password(with_password.browser(), PASSWORD, peer="198.51.100.7").status_code == 303


def test_a_cookie_from_before_the_login_is_worth_nothing(with_password: Pages):
    browser = with_password.browser()
    browser.get("/login")
    before = browser.get_cookie("session", domain="127.0.0.1")
    type_password(browser, PASSWORD)
    thief = with_password.browser()

    assert before is not None
    thief.set_cookie("session", before.value, domain="127.0.0.1")
    assert thief.get("/").status_code == 302


def test_logging_out_ends_every_copy_of_the_cookie(pages: Pages):
    owner, copy = pages.owner(), pages.browser()
    cookie = owner.get_cookie("session", domain="127.0.0.1")
    assert cookie is not None
    copy.set_cookie("session", cookie.value, domain="127.0.0.1")
    assert copy.get("/").status_code == 200

    answer = owner.post("/logout", data={"csrf_token": csrf_token(owner.get("/").text)})

    assert (answer.status_code, answer.location) == (303, "/login")
    assert owner.get("/").status_code == 302
    assert copy.get("/").status_code == 302


def test_the_cookie_names_no_more_than_a_random_row(pages: Pages):
    owner = pages.owner()
    with owner.session_transaction(base_url="http://127.0.0.1:5000") as session:
        login_id = session["_user_id"]

    assert pages.store.read(logins.get, login_id, now=datetime.now(UTC)) is not None
    assert len(login_id) > 40


@pytest.mark.parametrize(("idle_days", "status"), [(29, 200), (31, 302)])
def test_a_login_nobody_uses_ends_after_thirty_days(pages: Pages, idle_days: int, status: int):
    owner = pages.owner()
    last_seen = datetime.now(UTC) - timedelta(days=idle_days)
    with owner.session_transaction(base_url="http://127.0.0.1:5000") as session:
        pages.store.write(logins.touch, session["_user_id"], now=last_seen)

    assert owner.get("/").status_code == status
    assert owner.get("/").status_code == status


def test_being_seen_is_noted(pages: Pages):
    owner = pages.owner()
    with owner.session_transaction(base_url="http://127.0.0.1:5000") as session:
        login_id = session["_user_id"]
    pages.store.write(logins.touch, login_id, now=datetime.now(UTC) - timedelta(days=20))

    owner.get("/")

    row = pages.store.read(logins.get, login_id, now=datetime.now(UTC))
    assert row is not None
    assert datetime.now(UTC) - row["last_seen_at"] < timedelta(minutes=1)
