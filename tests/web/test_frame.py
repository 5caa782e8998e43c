"""What stands around every page, and how its styles and scripts are sent."""

from __future__ import annotations

import gzip
import json
import os
import re
import struct
from pathlib import Path

import pytest
from flask import Flask, flash, g, url_for
from flask.testing import FlaskClient

from assistant.web import assets
from assistant.web.headers import content_policy
from tests.web.pages import ROOT, Browser, Pages, csrf_token, text_of

PICO = "/static/vendor/pico-2.1.1.css"
GZIP = {"Accept-Encoding": "gzip, deflate, br"}
BUDGET = 150 * 1024


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


@pytest.fixture
def owner(pages: Pages) -> FlaskClient:
    return pages.owner()


def html_tag(page: str) -> str:
    found = re.search(r"<html[^>]*>", page)
    assert found
    return found[0]


# --- ways ------------------------------------------------------------------------


def test_all_pages_can_be_reached_from_everywhere(owner: FlaskClient):
    nav = owner.get("/settings").text.partition('<nav class="nav"')[2].partition("</nav>")[0]

    assert re.findall(r'<a href="([^"]+)"', nav)[0] == "/"
    assert '<a href="/settings" aria-current="page">' in nav
    assert 'class="here"' in nav  # "More" says that the page is under it


def test_a_call_belongs_to_the_inbox(pages: Pages, owner: FlaskClient):
    pages.finish(pages.add_call())

    assert '<a href="/" aria-current="true">' in owner.get("/calls/CA1").text
    assert '<a href="/" aria-current="page">' in owner.get("/").text


def test_the_doctors_open_problems_are_counted_in_the_menu(pages: Pages, owner: FlaskClient):
    pages.app.jinja_env.globals["open_problems"] = lambda: 2
    assert '2<span class="away"> open problems</span>' in owner.get("/").text

    pages.app.jinja_env.globals["open_problems"] = lambda: 0
    assert "open problem" not in owner.get("/").text


def test_a_stranger_sees_no_ways_and_no_token_of_ours(pages: Pages):
    page = pages.browser().get("/login").text

    assert "<nav" not in page
    assert "csrf-token" not in page


# --- theme and keys ----------------------------------------------------------------


def choose(browser: FlaskClient, what: str, value: str, target: str = "/") -> str | None:
    token = csrf_token(browser.get("/").text)
    answer = browser.post(f"/settings/{what}", data={"csrf_token": token, what: value, "next": target})
    assert answer.status_code == 303
    return answer.location


def test_without_a_choice_the_device_decides(owner: FlaskClient):
    page = owner.get("/").text

    assert html_tag(page) == '<html lang="en" data-keys="on">'
    assert '<meta name="color-scheme" content="light dark">' in page
    assert page.count('<meta name="theme-color"') == 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chosen_theme_is_in_the_first_byte_of_every_page(pages: Pages, owner: FlaskClient, theme: str):
    assert choose(owner, "theme", theme, "/settings?x=1") == "/settings?x=1"

    for path in ("/", "/settings", "/nothing-here"):
        page = owner.get(path).text
        assert html_tag(page) == f'<html lang="en" data-theme="{theme}" data-keys="on">'
        assert f'<meta name="color-scheme" content="{theme}">' in page
        assert page.count('<meta name="theme-color"') == 1
    assert "data-theme" not in html_tag(pages.owner().get("/").text)

    choose(owner, "theme", "auto")
    assert "data-theme" not in html_tag(owner.get("/").text)


def test_keys_can_be_switched_off(owner: FlaskClient):
    choose(owner, "keys", "off")

    assert 'data-keys="off"' in html_tag(owner.get("/").text)


def test_a_strangers_word_is_no_theme_and_no_way_elsewhere(owner: FlaskClient):
    token = csrf_token(owner.get("/").text)
    bad = owner.post("/settings/theme", data={"csrf_token": token, "theme": 'x" onload="1', "next": "/"})
    assert bad.status_code == 400

    owner.set_cookie("theme", '"><script>', domain="127.0.0.1")
    owner.set_cookie("keys", '"><script>', domain="127.0.0.1")
    assert html_tag(owner.get("/").text) == '<html lang="en" data-keys="on">'

    for target in ("https://evil.example/", "//evil.example", "/\\evil.example", ""):
        assert choose(owner, "theme", "dark", target) == "/settings"
    assert owner.post("/settings/theme", data={"theme": "dark"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/?page=1&q=%C3%A4", "/?page=1&amp;q=%C3%A4"),
        ("/settings", "/settings"),
        ("/nothing-here", "/"),
        ("/calls/a%20b%3Fc", "/calls/a%20b%3Fc"),
    ],
)
def test_the_way_back_is_the_page_itself(owner: FlaskClient, path: str, back: str):
    nav = owner.get(path).text.partition("<nav")[2].partition("</nav>")[0]

    assert f'<input type="hidden" name="next" value="{back}">' in nav


# --- what was just done --------------------------------------------------------------


def with_flash(pages: Pages, message: object, category: str) -> FlaskClient:
    def tell() -> str:
        flash(message, category)  # type: ignore[arg-type]
        return "told"

    pages.app.add_url_rule("/tell", "tell", tell)
    owner = pages.owner()
    assert owner.get("/tell").text == "told"
    return owner


@pytest.mark.parametrize(
    ("category", "role"), [("done", "status"), ("caution", "status"), ("problem", "alert")]
)
def test_a_flash_is_shown_once_on_the_next_page(pages: Pages, category: str, role: str):
    owner = with_flash(pages, "Said <once>.", category)

    assert f'<p class="flash {category}" role="{role}">Said &lt;once&gt;.</p>' in owner.get("/").text
    assert "Said" not in owner.get("/").text


def test_an_undo_is_a_little_form(pages: Pages):
    undo = {"action": "/inbox/state", "fields": {"state": "unread", "call": ["CA1", 'CA"2']}}

    page = with_flash(pages, {"text": "2 calls are done.", "undo": undo}, "undo").get("/").text

    form = page.partition('<form class="flash undo"')[2].partition("</form>")[0]
    assert 'method="post" action="/inbox/state" data-fades' in form
    assert '<input type="hidden" name="state" value="unread">' in form
    assert '<input type="hidden" name="call" value="CA1">' in form
    assert '<input type="hidden" name="call" value="CA&#34;2">' in form
    assert csrf_token(form)
    assert "2 calls are done. Undo" in text_of("<main>" + form)


def test_what_another_part_of_a_page_tells_itself_is_left_to_it(pages: Pages):
    assert "Private" not in with_flash(pages, "Private", "part-week done 7").get("/").text


# --- scripts --------------------------------------------------------------------------


def test_every_script_has_the_nonce_of_its_answer(owner: FlaskClient):
    answer = owner.get("/")

    tags = re.findall(r"<script[^>]*>", answer.text)
    (nonce,) = re.findall(r"script-src 'nonce-([^']+)'", answer.headers["Content-Security-Policy"])
    assert len(tags) >= 2
    assert all(f'nonce="{nonce}"' in tag and " src=" in tag for tag in tags)
    assert not re.search(r"\son\w+=|\sstyle=|<style", answer.text)


def test_a_page_may_ask_for_one_thing_more_for_itself_alone(pages: Pages):
    def phone() -> str:
        g.microphone, g.worklet = True, "http://127.0.0.1:5000/static/worklet.js"
        return "phone"

    pages.app.add_url_rule("/rings", "rings", phone)
    owner = pages.owner()

    there, elsewhere = owner.get("/rings").headers, owner.get("/").headers

    assert "microphone=(self)" in there["Permissions-Policy"]
    assert "' http://127.0.0.1:5000/static/worklet.js;" in there["Content-Security-Policy"]
    assert "microphone=()" in elsewhere["Permissions-Policy"]
    assert "worklet" not in elsewhere["Content-Security-Policy"]


def test_the_policy_names_its_exceptions_and_nothing_else():
    plain = content_policy("n")

    assert content_policy("n", form_goes_to="https://a.example").replace(" https://a.example", "") == plain
    assert content_policy("n", worklet="http://b.example/w.js").replace(" http://b.example/w.js", "") == plain


# --- how files are sent ------------------------------------------------------------------


def test_every_file_of_a_page_is_there_and_may_be_kept_for_a_year(pages: Pages, owner: FlaskClient):
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', owner.get("/settings").text)
    assert len(found) >= 7

    for address in found:
        answer = pages.browser().get(address)
        assert answer.status_code == 200, address
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable", address


def test_text_is_sent_small_and_is_the_same(pages: Pages):
    stranger = pages.browser()
    plain, packed = stranger.get(PICO), stranger.get(PICO, headers=GZIP)

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data == (ROOT / PICO[1:]).read_bytes()
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 5
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert plain.headers["ETag"] != packed.headers["ETag"]
    assert packed.content_type == "text/css; charset=utf-8"


@pytest.mark.parametrize("encoding", ["", "br", "gzip;q=0", "identity"])
def test_who_cannot_unpack_gets_it_as_it_is(pages: Pages, encoding: str):
    answer = pages.browser().get(PICO, headers={"Accept-Encoding": encoding})

    assert "Content-Encoding" not in answer.headers


def test_what_has_not_changed_is_not_sent_again(pages: Pages):
    stranger = pages.browser()
    tag = stranger.get(PICO, headers=GZIP).headers["ETag"]

    answer = stranger.get(PICO, headers=GZIP | {"If-None-Match": tag})

    assert (answer.status_code, answer.data) == (304, b"")
    assert stranger.head(PICO).data == b""


def test_an_address_without_its_version_or_with_an_old_one_is_asked_for_again(pages: Pages):
    for address in ("/static/style.css", "/static/style.css?v=000000000000"):
        assert pages.browser().get(address).headers["Cache-Control"] == "no-cache"


def test_a_file_is_kept_once_by_however_many_names_it_is_asked_for(pages: Pages):
    """Anybody may ask, and there is no end of such names."""
    stranger = pages.browser()
    names = ["style.css", *(f"{'./' * n}{n}/../style.css" for n in range(1, 20))]
    answers = {stranger.get(f"/static/{name}").status_code for name in names}

    assert answers == {200}
    assert len(pages.app.extensions["afterbeep_assets"]._kept) == 1


def test_a_file_that_changes_has_another_address(tmp_path: Path):
    app = Flask("files", static_folder=tmp_path, static_url_path="/static")
    app.test_client_class = Browser
    assets.register(app)
    (tmp_path / "a.css").write_text("a { color: red }")
    seen = []
    for words in ("a { color: red }", "a { color: tan }"):
        (tmp_path / "a.css").write_text(words)
        os.utime(tmp_path / "a.css", ns=(len(seen), len(seen)))  # a clock that is too coarse to see it
        with app.test_request_context():
            seen.append(url_for("static", filename="a.css"))
        assert app.test_client().get(seen[-1]).text == words

    assert seen[0] != seen[1]
    with app.test_request_context():
        assert url_for("static", filename="none.css") == "/static/none.css"


@pytest.mark.parametrize(
    "path",
    [
        "/static/none.css",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/vendor",
    ],
)
def test_nothing_outside_the_folder_is_sent(pages: Pages, path: str):
    assert pages.browser().get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/settings", "/login"])
def test_scripts_and_styles_of_a_page_are_light(pages: Pages, path: str):
    owner = pages.browser() if path == "/login" else pages.owner()
    page = owner.get(path).text

    files = {PICO, *re.findall(r'(?:<script|<link rel="stylesheet")[^>]*(?:href|src)="([^"]+)"', page)}
    sent = sum(len(owner.get(file, headers=GZIP).data) for file in files)

    assert sent < BUDGET


# --- on a home screen -----------------------------------------------------------------------


def test_the_manifest_names_icons_that_are_what_it_says(pages: Pages):
    stranger = pages.browser()

    answer = stranger.get("/static/manifest.webmanifest")

    assert answer.content_type == "application/manifest+json"
    manifest = json.loads(answer.text)
    assert manifest["start_url"] == manifest["scope"] == "/"
    for icon in manifest["icons"]:
        sent = stranger.get(f"/static/{icon['src']}")
        assert sent.content_type.partition(";")[0] == icon["type"]
        assert len(sent.data) < 8 * 1024
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", sent.data[16:24])
            assert icon["sizes"] == f"{width}x{height}"
