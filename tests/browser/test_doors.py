"""Who has no login sees nothing of the owner's; who has no JavaScript reads all of it, and can work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from werkzeug.routing import Rule

from app import create_app
from assistant.config import load_settings
from assistant.web.guard import PUBLIC
from tests.browser.browsing import Owner, Window
from tests.browser.seeds import sid
from tests.whole_call.house import PATIENCE_S, no_proxies

# What may stand in an address.
NAMES = {"call_sid": sid(0), "number": "+442079460018"}
TURNED_AWAY = {401, 403}
SECRETS = ("boiler", "parcel", "Ana", "+442079460018", "Dentist")


def rules(tmp_path: Path) -> list[Rule]:
    """Every address of the program that is not open to everybody."""
    app = create_app(load_settings({"INSTANCE_PATH": str(tmp_path)}, None))
    return [rule for rule in app.url_map.iter_rules() if rule.rule not in PUBLIC]


def address(rule: Rule) -> str:
    """An address of that kind."""
    return re.sub(r"<(?:any\((\w+).*?\):|\w+:)?(\w+)>", lambda it: it[1] or NAMES.get(it[2], "1"), rule.rule)


def test_a_stranger_is_turned_away_everywhere(owner: Owner, tmp_path: Path):
    asked, let_in = 0, []
    for rule in rules(tmp_path):
        for method in sorted((rule.methods or {"GET"}) & {"GET", "POST"}):
            answer = ask(owner.house.url + address(rule), method, websocket=rule.websocket)
            asked += 1
            if not is_turned_away(answer):
                let_in.append(f"{method} {rule}: {answer.status_code}")
            assert not [secret for secret in SECRETS if secret in answer.text], rule

    assert let_in == []
    assert asked > 20


def ask(url: str, method: str, *, websocket: bool) -> requests.Response:
    """What a stranger gets, each time on a connection of its own: one that was turned away is closed."""
    headers = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}
    if websocket:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}  # fmt: skip
    with no_proxies() as stranger:
        return stranger.request(method, url, headers=headers, allow_redirects=False, timeout=PATIENCE_S)


def is_turned_away(answer: requests.Response) -> bool:
    goes_to_login = answer.is_redirect and answer.headers["Location"].startswith("/login?")
    return goes_to_login or answer.status_code in TURNED_AWAY


def test_a_browser_without_a_login_ends_at_the_login(owner: Owner):
    with owner.window(logged_in=False) as window:
        page = window.go(f"/calls/{sid(0)}")

        assert page.url.startswith(f"{window.url}/login?next=")
        assert not [secret for secret in SECRETS if secret in page.content()]


# --- without JavaScript -------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(owner: Owner) -> Iterator[Window]:
    """A browser that runs no scripts."""
    with owner.window(java_script_enabled=False) as window:
        yield window


def test_the_inbox_and_a_call_can_be_read_without_scripts(plain: Window):
    page = plain.go("/")
    page.locator(f"a[href='/calls/{sid(1)}']").first.click()

    assert "Hello, I would like an appointment" in page.locator("main").inner_text()
    assert page.locator("audio[controls]").first.is_visible()
    plain.judge()


def test_a_word_can_be_searched_for_without_scripts(plain: Window):
    page = plain.go("/search")
    page.locator("main input[name=q]").fill("boiler")
    page.locator("main input[name=q]").press("Enter")
    page.wait_for_url("**/search?q=boiler*")

    assert page.locator("main mark").first.inner_text().lower() == "boiler"
    page.locator("main a[href*='#turn-']").first.click()
    assert "boiler" in page.locator("li:target").inner_text()
    plain.judge()


def test_a_call_can_be_done_with_without_scripts(plain: Window):
    page = plain.go(f"/calls/{sid(5)}")
    page.locator("form.state button[value=done]").click()

    page = plain.go("/")
    assert page.locator(f"main a[href='/calls/{sid(5)}']").count() == 0
    page = plain.go("/?show=done")
    assert page.locator(f"main a[href='/calls/{sid(5)}']").count() >= 1
    plain.judge()


def test_a_preference_can_be_changed_without_scripts(plain: Window, owner: Owner):
    page = plain.go("/settings")
    page.locator("[name=owner_name]").fill("Alex")
    page.locator("form:has([name=owner_name]) button").last.click()

    assert owner.house.flask("prefs", "owner_name").stdout.strip().endswith("Alex")
    plain.judge()
