"""Linking Google Calendar in a real browser, which has its own mind about forms, redirects and cookies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from assistant.web import login
from tests.calendars.google.server import FakeGoogle
from tests.web import chromium
from tests.web.chromium import Chromium
from tests.web.pages import Pages
from tests.web.test_calendar_link import google_of, make_pages


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Pages, FakeGoogle]]:
    """Our pages on one port, Google on another name and port: two sites, as far as a browser knows."""
    with FakeGoogle() as server:
        http = make_server("127.0.0.1", 0, lambda environ, start: pages.app(environ, start), threaded=True)
        pages = make_pages(tmp_path, server, PORT=str(http.port))
        url = f"http://127.0.0.1:{http.port}"
        server.redirect_uris = (f"{url}/calendar/oauth/callback",)
        elsewhere = server.url.replace("127.0.0.1", "localhost")
        google_of(pages).keep_client(server.client_file(auth_uri=f"{elsewhere}/o/oauth2/auth"))
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield url, pages, server
        http.shutdown()
        thread.join()
        http.server_close()
        assert server.problems == []


@pytest.mark.skipif(
    chromium.PATH is None and chromium.MAY_BE_MISSING, reason="NOT TRIED: there is no Chromium here"
)
def test_the_owner_links_in_a_browser(served: tuple[str, Pages, FakeGoogle], tmp_path: Path):
    url, pages, server = served
    with Chromium(tmp_path / "profile") as browser:
        browser.go(f"{url}/login/{login.login_links(pages.app).issue()}")
        browser.go(f"{url}/calendar/link")

        browser.press("form[action='/calendar/link'] button")
        assert browser.said == []  # about the policy of the page, for one
        assert browser.url.startswith(server.url.replace("127.0.0.1", "localhost") + "/o/oauth2/auth?")
        browser.press("button[value='1']")

        assert browser.url == f"{url}/calendar/link"
        assert "Linked with owner@example.com." in browser.text
