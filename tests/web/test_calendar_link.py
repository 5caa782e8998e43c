"""The page that links Google Calendar, against a local Google."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from assistant.calendars.google import Google
from assistant.errors import CalendarUnavailable
from assistant.store import google_link
from tests.calendars.google.parts import KEY, agree, soon
from tests.calendars.google.server import CLIENT_SECRET, FakeGoogle, Fault
from tests.web.pages import PUBLIC, Pages, csrf_token, text_of

CALLBACK = "/calendar/oauth/callback"
REDIRECT_URI = "http://127.0.0.1:5000" + CALLBACK


@pytest.fixture
def server() -> Iterator[FakeGoogle]:
    with FakeGoogle(redirect_uris=(REDIRECT_URI, "https://phone.example" + CALLBACK)) as server:
        yield server
    assert server.problems == []


def make_pages(tmp_path: Path, server: FakeGoogle, *, key: str = KEY, **environ: str) -> Pages:
    pages = Pages(tmp_path, GOOGLE_CALENDAR_URL=server.calendar_url, **environ)
    parts = pages.app.extensions["afterbeep"]
    parts.google = Google(parts.settings, pages.store, lambda: key)
    return pages


@pytest.fixture
def pages(tmp_path: Path, server: FakeGoogle) -> Pages:
    """With a client secret in its place, and nothing linked."""
    pages = make_pages(tmp_path, server)
    google_of(pages).keep_client(server.client_file())
    return pages


def google_of(pages: Pages) -> Google:
    return pages.app.extensions["afterbeep"].google


def press(owner: FlaskClient, path: str = "/calendar/link", **data: Any) -> TestResponse:
    token = csrf_token(owner.get("/calendar/link").text)
    return owner.post(path, data={"csrf_token": token, **data})


def begin(owner: FlaskClient) -> str:
    answer = press(owner)
    assert answer.status_code == 303
    return answer.location


def come_back(owner: FlaskClient, **query: str) -> TestResponse:
    return owner.get(f"{CALLBACK}?{urlencode(query)}", headers={"Sec-Fetch-Site": "cross-site"})


def link(owner: FlaskClient, **ticked: Any) -> TestResponse:
    """Press Link, agree, come back."""
    return come_back(owner, **agree(begin(owner), **ticked))


def told(owner: FlaskClient) -> str:
    return text_of(owner.get("/calendar/link").text)


# --- before ---------------------------------------------------------------------


def test_a_stranger_sees_and_presses_nothing(pages: Pages):
    stranger = pages.browser()

    assert stranger.get("/calendar/link").location == "/login?next=/calendar/link"
    for path in ("", "/client", "/check", "/unlink"):
        assert stranger.post("/calendar/link" + path).status_code == 401
    assert stranger.get(CALLBACK + "?state=x&code=y").status_code == 302


@pytest.mark.parametrize("path", ["", "/client", "/check", "/unlink"])
def test_every_button_needs_the_form_of_this_page(pages: Pages, path: str):
    assert pages.owner().post("/calendar/link" + path).status_code == 400


def test_it_tells_what_to_do_in_the_console(tmp_path: Path, server: FakeGoogle):
    owner = make_pages(tmp_path, server).owner()

    page = owner.get("/calendar/link").text

    assert REDIRECT_URI in text_of(page)
    assert "https://www.googleapis.com/auth/calendar.events.owned" in page
    assert "https://www.googleapis.com/auth/calendar.freebusy" in page
    assert "Upload it" in page
    assert ">Link</button>" not in page


def test_nothing_is_asked_of_google_by_looking_at_the_page(pages: Pages, server: FakeGoogle):
    told(pages.owner())

    assert server.asked == []


# --- the client secret ------------------------------------------------------------


def test_the_client_secret_is_uploaded(tmp_path: Path, server: FakeGoogle):
    pages = make_pages(tmp_path, server)
    owner = pages.owner()

    answer = press(owner, "/calendar/link/client", file=(io.BytesIO(server.client_file()), "client.json"))

    assert answer.location == "/calendar/link"
    page = owner.get("/calendar/link").text
    assert "The client secret is kept." in page
    assert ">Link</button>" in page
    assert CLIENT_SECRET not in page
    assert (tmp_path / "client_secret.json").stat().st_mode & 0o777 == 0o600


def test_the_client_secret_is_pasted(tmp_path: Path, server: FakeGoogle):
    owner = make_pages(tmp_path, server).owner()

    press(owner, "/calendar/link/client", text=server.client_file().decode())

    assert "The client secret is kept." in told(owner)


def test_a_wrong_file_changes_nothing(pages: Pages):
    owner = pages.owner()
    before = google_of(pages).client()

    press(owner, "/calendar/link/client", text="<script>alert(1)</script>")

    words = told(owner)
    assert "Nothing was kept. This is not the JSON file of a client secret." in words
    assert "alert" not in words
    assert google_of(pages).client() == before


def test_a_damaged_file_is_told_and_can_be_replaced(pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    (pages.instance / "client_secret.json").write_text("{")

    assert "is not the JSON file of a client secret" in told(owner)
    press(owner, "/calendar/link/client", text=server.client_file().decode())

    assert "The client secret is kept." in told(owner)


# --- linking -----------------------------------------------------------------------


def test_linking(pages: Pages, server: FakeGoogle):
    owner = pages.owner()

    answer = link(owner)

    assert answer.status_code == 303
    assert answer.location == "/calendar/link"
    words = told(owner)
    assert "Linked with owner@example.com." in words
    assert "Account owner@example.com" in words
    assert "See, create, change, and delete events on Google calendars you own" in words
    assert "View your availability in your calendars" in words
    assert "Last success" in words
    assert "ago" in words
    assert "Google has set no end" in words
    assert server.count("token") == 1


def test_what_google_is_asked_for(pages: Pages):
    asked = parse_qs(urlsplit(begin(pages.owner())).query)

    assert asked["access_type"] == ["offline"]
    assert asked["prompt"] == ["consent"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [REDIRECT_URI]
    assert set(asked["scope"][0].split()) == {
        "https://www.googleapis.com/auth/calendar.events.owned",
        "https://www.googleapis.com/auth/calendar.freebusy",
    }
    assert "include_granted_scopes" not in asked


def test_the_public_address_is_the_one_google_comes_back_to(tmp_path: Path, server: FakeGoogle):
    pages = make_pages(tmp_path, server, **PUBLIC, OPENAI_API_KEY="sk-1")
    google_of(pages).keep_client(server.client_file())
    owner = pages.owner()

    words = told(owner)

    # It was opened at this machine's own address, where the browser will not come back to.
    assert "open this page there first, and link: https://phone.example/calendar/link" in words
    assert "https://phone.example/calendar/oauth/callback" in words


def test_the_secrets_of_a_link_stay_here(pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    url = begin(owner)

    (begun,) = pages.store.read(lambda db: list(db.query("SELECT * FROM google_states")))

    with owner.session_transaction() as session:
        assert "verifier" not in str(dict(session))
    state = parse_qs(urlsplit(url).query)["state"][0]
    assert state not in str(begun)
    come_back(owner, **agree(url))
    verifier = server.asked[-2].body["code_verifier"]
    assert verifier.encode() not in begun["verifier"]
    assert verifier not in url


def test_an_answer_works_once(pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    back = agree(begin(owner))
    come_back(owner, **back)
    before = pages.store.read(google_link.link)

    again = come_back(owner, **back)

    assert again.status_code == 400
    assert "does not belong to a link that was begun in this browser" in text_of(again.text)
    assert pages.store.read(google_link.link) == before
    assert server.count("token") == 1


def test_another_browser_cannot_finish_it(pages: Pages, server: FakeGoogle):
    back = agree(begin(pages.owner()))

    answer = come_back(pages.owner(), **back)

    assert answer.status_code == 400
    assert pages.store.read(google_link.link) is None
    assert server.count("token") == 0


@pytest.mark.parametrize("state", ["", "x", "ü", "a" * 5000])
def test_a_wrong_state_leaves_the_right_one_alone(pages: Pages, state: str):
    owner = pages.owner()
    back = agree(begin(owner))

    assert come_back(owner, state=state, code=back["code"]).status_code == 400

    assert come_back(owner, **back).status_code == 303
    assert "Linked with" in told(owner)


def test_looking_ahead_uses_nothing_up(pages: Pages):
    owner = pages.owner()
    back = agree(begin(owner))

    assert owner.head(f"{CALLBACK}?{urlencode(back)}").status_code == 503
    looked = owner.get(f"{CALLBACK}?{urlencode(back)}", headers={"Sec-Purpose": "prefetch"})
    assert looked.status_code == 503

    assert come_back(owner, **back).status_code == 303
    assert "Linked with" in told(owner)


def test_after_ten_minutes_it_is_too_late(pages: Pages):
    owner = pages.owner()
    back = agree(begin(owner))
    made_at = (datetime.now(UTC) - timedelta(minutes=10, seconds=1)).isoformat()
    pages.store.write(lambda db: db.execute("UPDATE google_states SET made_at = ?", (made_at,)) and None)

    come_back(owner, **back)

    assert "older than ten minutes" in told(owner)
    assert pages.store.read(google_link.link) is None


def test_cancelling_changes_nothing(pages: Pages):
    owner = pages.owner()
    link(owner)
    told(owner)
    before = pages.store.read(google_link.link)
    back = agree(begin(owner), cancel=True)

    come_back(owner, **back)

    assert "You pressed Cancel at Google, so nothing has changed." in told(owner)
    assert pages.store.read(google_link.link) == before
    assert come_back(owner, **back).status_code == 400


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"error": "admin_policy_enforced"}, "Google answered admin_policy_enforced"),
        ({"error": "<b>no</b>"}, "Google answered without a code"),
        ({}, "Google answered without a code"),
    ],
)
def test_other_answers_without_a_code(pages: Pages, query: dict[str, str], words: str):
    owner = pages.owner()
    state = parse_qs(urlsplit(begin(owner)).query)["state"][0]

    come_back(owner, state=state, **query)

    assert words in told(owner)


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("calendar.freebusy", "the box “View your availability in your calendars” was not ticked"),
        ("calendar.events.owned", "events on Google calendars you own” was not ticked"),
    ],
)
def test_a_box_that_was_not_ticked(pages: Pages, scope: str, words: str):
    owner = pages.owner()

    link(owner, untick=scope)

    assert words in told(owner)
    assert pages.store.read(google_link.link) is None


def test_no_box_was_ticked(pages: Pages, server: FakeGoogle):
    owner = pages.owner()

    link(owner, untick=("calendar.events.owned", "calendar.freebusy"))

    words = told(owner)
    assert "Not linked: the boxes “See, create" in words
    assert "View your availability in your calendars” were not ticked." in words
    assert server.access_tokens == {}


def test_access_for_an_hour_only_is_no_link(pages: Pages, server: FakeGoogle):
    server.gives_refresh_token = False
    owner = pages.owner()

    link(owner)

    assert "Not linked: Google gave access for an hour only." in told(owner)


def test_a_code_that_is_wrong(pages: Pages):
    owner = pages.owner()
    back = agree(begin(owner))

    come_back(owner, state=back["state"], code="4/other")

    assert "Google did not accept the answer" in told(owner)


def test_another_client_secret_than_googles(pages: Pages, server: FakeGoogle):
    google_of(pages).keep_client(server.client_file(client_secret="GOCSPX-old"))
    owner = pages.owner()

    link(owner)

    assert "Google does not know this client, or its secret is wrong" in told(owner)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=500, body=b"<html>Sorry</html>"), "cannot be understood"),
        (Fault(status=200, body=b"<html>Welcome</html>"), "cannot be understood"),
        (Fault(status=200, body=b"[1]"), "cannot be understood"),
        (Fault(status=200, body=b'{"access_token": 5}'), "an hour only"),
        (Fault(status=200, body=b'{"token_type": "Bearer"}'), "cannot be understood"),
        (Fault(status=200, body=b"\xff\xfe\x00"), "cannot be understood"),
        (Fault(status=400, body=b'{"error": "<b>"}'), "Google refused to link (it did not say why)"),
        (Fault(status=400, body=b'{"error": ["x"]}'), "Google refused to link"),
        (Fault(status=302, body=b"https://elsewhere.example/"), "cannot be understood"),
        (Fault(cut=True), "could not be reached"),
    ],
)
def test_what_can_be_answered_in_place_of_tokens(pages: Pages, server: FakeGoogle, fault: Fault, words: str):
    server.faults["token"].append(fault)
    owner = pages.owner()

    answer = link(owner)

    assert answer.status_code == 303
    assert words in told(owner)
    assert pages.store.read(google_link.link) is None


def test_google_is_not_there(pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    back = agree(begin(owner))
    google_of(pages).keep_client(server.client_file(token_uri="http://127.0.0.1:9/token"))

    come_back(owner, **back)

    assert "could not be reached" in told(owner)


def test_linked_but_the_calendar_is_not_enabled(pages: Pages, server: FakeGoogle):
    server.faults["list"].append(Fault(status=403, reason="accessNotConfigured"))
    owner = pages.owner()

    link(owner)

    words = told(owner)
    assert "Linked, but the calendar cannot be used yet." in words
    assert words.count("The Google Calendar API is not enabled in your project") == 1
    assert "The Google Calendar API is not enabled in your project" in told(owner)  # as long as it is so
    assert "Account not told yet" in words
    assert "Last success none yet" in words

    press(owner, "/calendar/link/check")

    words = told(owner)
    assert "It works: owner@example.com has answered." in words
    assert "Account owner@example.com" in words
    assert "cannot be used" not in words


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(status=401, reason="authError"), "Google does not accept the access any more."),
        (
            Fault(status=403, reason="insufficientPermissions"),
            "Google says that a permission is missing. Tick every box at Google.",
        ),
    ],
)
def test_what_a_call_ran_into_shows_without_a_check(
    pages: Pages, server: FakeGoogle, fault: Fault, said: str
):
    owner = pages.owner()
    link(owner)
    assert "cannot be used" not in told(owner)
    server.faults["list"].extend([fault] * 5)

    calendar = google_of(pages).calendar()
    assert calendar is not None
    with pytest.raises(CalendarUnavailable):
        calendar.account_name(soon())

    words = told(owner)
    assert f"The calendar cannot be used. {said}" in words
    assert "on the page “Google Calendar”" not in words
    server.faults["list"].clear()
    press(owner, "/calendar/link/check")
    assert "cannot be used" not in told(owner)


def test_the_client_secret_is_gone(tmp_path: Path, pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    link(owner)
    (tmp_path / "client_secret.json").unlink()

    page = owner.get("/calendar/link").text
    words = text_of(page)

    assert f"The client secret is gone: there is no {tmp_path / 'client_secret.json'}." in words
    assert "The link itself is alive: uploading the file again is enough." in words
    assert "does not work" not in words
    assert "Check it now" not in page
    press(owner, "/calendar/link/client", text=server.client_file().decode())
    assert "cannot be used" not in told(owner)


def test_when_the_link_will_end(pages: Pages, server: FakeGoogle):
    server.refresh_token_expires_in = 604_799
    owner = pages.owner()

    link(owner)

    words = told(owner)
    assert "Google ends this link on" in words
    assert "“Testing”: seven days" in words
    kept = pages.store.read(google_link.link)
    assert timedelta(days=6, hours=23) < kept.dies_at - datetime.now(UTC) < timedelta(days=7)


# --- afterwards ----------------------------------------------------------------------


def test_a_dead_link_shows_at_once_and_is_linked_again(pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    link(owner)
    server.forget_tokens()

    press(owner, "/calendar/link/check")

    page = owner.get("/calendar/link").text
    assert "The link has not worked since" in text_of(page)
    assert page.count("was taken back") == 1
    assert "Google says that the access has expired or was taken back." in text_of(page)
    assert "Check it now" not in page
    assert "on the page “Google Calendar”" not in page
    assert "<dt>Ends</dt>" not in page
    asked = parse_qs(urlsplit(begin(owner)).query)
    assert asked["login_hint"] == ["owner@example.com"]

    link(owner)

    assert "has not worked" not in told(owner)


def test_another_secret_key_makes_the_link_useless(pages: Pages, tmp_path: Path, server: FakeGoogle):
    link(pages.owner())

    other = make_pages(tmp_path, server, key="another key altogether").owner()

    words = told(other)
    assert "SECRET_KEY is not the one that the link was kept with." in words
    link(other)
    assert "The link does not work" not in told(other)


def test_another_client_makes_the_link_useless(pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    link(owner)

    press(owner, "/calendar/link/client", text=server.client_file(client_id="other.example").decode())

    assert "The client secret is another client's than the one that was linked." in told(owner)


def test_linking_another_account(pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    link(owner)
    assert "stays in force" not in told(owner)
    server.shelf.summary = "sam@example.com"

    link(owner)

    words = told(owner)
    assert "Linked with sam@example.com. What owner@example.com has allowed stays in force until" in words
    assert "Account sam@example.com" in words


def test_unlinking_gives_the_access_up(pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    link(owner)
    (token,) = server.refresh_tokens

    press(owner, "/calendar/link/unlink")

    assert "Unlinked. Google has been told, and the access is gone." in told(owner)
    assert server.revoked == [token]
    assert pages.store.read(google_link.link) is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, body=b"<html>"),
        Fault(cut=True),
        Fault(status=400, body=b'{"error": "invalid_request"}'),
        Fault(status=400, body=b"[]"),
    ],
)
def test_google_could_not_be_told_of_the_unlinking(pages: Pages, server: FakeGoogle, fault: Fault):
    owner = pages.owner()
    link(owner)
    server.faults["revoke"].append(fault)

    press(owner, "/calendar/link/unlink")

    assert "Remove this program by hand at https://myaccount.google.com/permissions" in told(owner)
    assert pages.store.read(google_link.link) is None


def test_unlinking_what_is_dead_already(pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    link(owner)
    server.forget_tokens()

    press(owner, "/calendar/link/unlink")

    assert "Google has been told, and the access is gone." in told(owner)


def test_pressing_twice_is_no_error(pages: Pages):
    owner = pages.owner()

    press(owner, "/calendar/link/unlink")
    press(owner, "/calendar/link/check")

    assert "Nothing is linked." in told(owner)


def test_names_from_google_are_text(pages: Pages, server: FakeGoogle):
    server.shelf.summary = '<script>alert("x")</script>'
    owner = pages.owner()

    link(owner)

    page = owner.get("/calendar/link").text
    assert "<script" not in page.partition("<main")[2].partition("</main>")[0]
    assert '<script>alert("x")</script>' in text_of(page)


def test_no_page_holds_a_secret(pages: Pages, server: FakeGoogle):
    owner = pages.owner()
    link(owner)

    page = owner.get("/calendar/link").text

    for secret in (CLIENT_SECRET, *server.refresh_tokens, *server.access_tokens):
        assert secret not in page


# --- what Google would refuse -----------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://phone.example", None),
        ("https://192.168.1.5", "it is a number and not a name"),
        ("https://box.local", "nobody outside your house knows its name"),
        ("https://box", "nobody outside your house knows its name"),
        ("http://localhost:5000", None),
    ],
)
def test_addresses_google_does_not_come_back_to(
    tmp_path: Path, server: FakeGoogle, address: str, why: str | None
):
    pages = make_pages(tmp_path, server, **{**PUBLIC, "PUBLIC_URL": address}, OPENAI_API_KEY="sk-1")
    page = pages.owner().get("/calendar/link").text

    assert ("Google will not come back to" in page) == (why is not None)
    assert why is None or why in page


def test_a_client_without_our_address(pages: Pages, server: FakeGoogle):
    google_of(pages).keep_client(server.client_file(redirect_uris=["https://other.example/"]))

    assert "redirect_uri_mismatch" in told(pages.owner())


def test_the_forms_of_this_page_may_lead_to_google(pages: Pages, server: FakeGoogle):
    """A browser takes the rule for forms to hold for redirects as well."""
    policy = pages.owner().get("/calendar/link").headers["Content-Security-Policy"]

    assert re.search(rf"form-action 'self' {re.escape(server.url)};", policy)
    google_of(pages).keep_client(server.client_file(auth_uri="https://accounts.google.com/o/oauth2/auth"))
    policy = pages.owner().get("/calendar/link").headers["Content-Security-Policy"]
    assert "form-action 'self' https:;" in policy
    assert "form-action 'self';" in pages.owner().get("/settings").headers["Content-Security-Policy"]


def test_a_desktop_client_and_a_public_address(tmp_path: Path, server: FakeGoogle):
    pages = make_pages(tmp_path, server, **PUBLIC, OPENAI_API_KEY="sk-1")
    google_of(pages).keep_client(server.client_file("installed"))

    assert "is a desktop client's" in told(pages.owner())


def test_a_desktop_client_on_this_machine(pages: Pages, server: FakeGoogle):
    google_of(pages).keep_client(server.client_file("installed", redirect_uris=["http://localhost"]))
    owner = pages.owner()

    assert 'class="caution"' not in owner.get("/calendar/link").text
    link(owner)
    assert "Linked with" in told(owner)


def test_pressing_link_with_no_client_secret(tmp_path: Path, server: FakeGoogle):
    owner = make_pages(tmp_path, server).owner()

    assert press(owner).location == "/calendar/link"

    assert "There is no client secret yet" in told(owner)


def test_a_file_that_is_far_too_big(pages: Pages):
    owner = pages.owner()

    press(owner, "/calendar/link/client", text="x" * 20_000)
    assert "This is too big for a client secret." in told(owner)

    huge = press(owner, "/calendar/link/client", file=(io.BytesIO(b"x" * 100_000), "client.json"))
    assert huge.status_code == 413
