"""The owner at a browser, and everything the browser complains about.

A `Window` is one page of a real Chromium. It writes down whatever should not happen on any of our pages: a
line on the console, a script that fails, something the page's own policy forbids, a request that fails or
goes to another host, content wider than the screen. Closing it with anything written down fails the test.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest

from tests.browser.in_page import INLINE, RUN_AXE, SCRIPTS_AND_STYLES, SIDEWAYS, WATCH_POLICY
from tests.whole_call.house import PATIENCE_S, House

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

Scheme = Literal["light", "dark"]

PHONE, DESKTOP = 360, 1280
HEIGHTS = {PHONE: 740, DESKTOP: 800}
PATIENCE_MS = PATIENCE_S * 1000
AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
# All that is other in the dark are colours.
OF_COLOURS = ["color-contrast", "link-in-text-block"]
# What is left behind when a page is left, or no longer needed, is not what failed.
MAY_BE_CUT_OFF = {"fetch", "eventsource", "media", "xhr", "document", "websocket", "image", "manifest"}
MOST_KIB = 150


class Window:
    """One page, and what there is to complain about."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.forgives: tuple[str, ...] = ()
        self.tabs: list[Window] = []
        self.complaints: list[str] = []
        self.loaded: list[Response] = []  # every answer of ours, in order
        self.asked_elsewhere: list[str] = []
        self.expected_status = 200
        self._weights: dict[str, int] = {}
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"script failed: {error}"))
        page.on("dialog", self._on_dialog)
        page.on("request", self._on_request)
        page.on("requestfailed", self._on_request_failed)
        page.on("response", self._on_response)

    # --- what the browser says -------------------------------------------------------

    def _on_console(self, message: ConsoleMessage) -> None:
        text = f"{message.type}: {message.text} ({message.location.get('url', '')})"
        if self.expected_status >= 400 and f"status of {self.expected_status}" in text:
            return  # a page that is an error is told of as one
        self.complaints.append(f"console {text}")

    def _on_dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in {"data", "blob", "about"} and not request.url.startswith(self._ours):
            self.asked_elsewhere.append(request.url)
            self.complaints.append(f"asks another host: {request.url}")

    def _on_request_failed(self, request: Request) -> None:
        if "ERR_ABORTED" in (request.failure or "") and request.resource_type in MAY_BE_CUT_OFF:
            return
        self.complaints.append(f"request failed: {request.url} {request.failure}")

    def _on_response(self, response: Response) -> None:
        self.loaded.append(response)
        if response.status >= 400 and response.status != self.expected_status:
            self.complaints.append(f"{response.status} from {response.url}")

    @property
    def _ours(self) -> tuple[str, ...]:
        return (self.url + "/", self.url.replace("http", "ws", 1) + "/")

    # --- what the owner does ----------------------------------------------------------

    def go(self, path: str, *, status: int = 200) -> Page:
        """Open a page of ours, and look whether it fits."""
        self.expected_status = status
        answer = self.page.goto(self.url + path)
        if answer is None or answer.status != status:
            self.complaints.append(f"{path} is not answered as it should be")
            self.judge()
        self.look_for_sideways()
        return self.page

    def another(self) -> Window:
        """A second tab of the same browser."""
        self.tabs.append(Window(self.page.context.new_page(), self.url))
        return self.tabs[-1]

    def widen(self, width: int) -> None:
        """Have another screen, and look whether the page still fits."""
        self.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        self.look_for_sideways()

    # --- what there is to complain about ------------------------------------------------

    def judge(self) -> None:
        """Fail the test if anything went wrong so far."""
        complaints, self.complaints = self.complaints, []
        complaints = [one for one in complaints if not any(words in one for words in self.forgives)]
        for tab in self.tabs:
            tab.judge()
        if complaints:
            pytest.fail("\n".join(complaints), pytrace=False)

    def look_for_sideways(self) -> None:
        """The page must not be wider than the screen."""
        if wide := self.page.evaluate(SIDEWAYS):
            self.complaints.append(f"wider than the screen: {wide}")

    def look_with_axe(self, scheme: Scheme) -> None:
        """Complain of everything axe finds. In the dark, all that is other are the colours."""
        self.page.emulate_media(color_scheme=scheme)
        kind, rules = ("rule", OF_COLOURS) if scheme == "dark" else ("tag", RULES)
        # preload: it would put styles of its own into the page, which the page's policy forbids.
        options = {
            "runOnly": {"type": kind, "values": rules},
            "resultTypes": ["violations"],
            "preload": False,
        }
        width = self.page.viewport_size["width"] if self.page.viewport_size else 0
        found = self.page.evaluate(RUN_AXE, options)
        self.complaints += [f"axe, {scheme}, {width}: {one}" for one in found]

    def weigh(self) -> None:
        """Scripts and styles of this page, as they travel: not more than MOST_KIB."""
        weights = {url: self._weight(url) for url in self.page.evaluate(SCRIPTS_AND_STYLES)}
        inline = self.page.evaluate(INLINE)
        kib = (sum(weights.values()) + len(gzip.compress(inline.encode()))) / 1024
        if not weights or kib > MOST_KIB:
            self.complaints.append(f"scripts and styles weigh {kib:.0f} KiB: {weights}")

    def _weight(self, url: str) -> int:
        if url not in self._weights:
            self._weights[url] = len(gzip.compress(self.page.request.get(url).body()))
        return self._weights[url]


class Owner:
    """The owner of a house, logged in by the printed link; opens windows on it."""

    def __init__(self, browser: Browser, house: House) -> None:
        self.browser = browser
        self.house = house

    @cached_property
    def cookies(self) -> Any:
        """What the browser keeps of the login: every window has it."""
        link = re.search(r"http://\S+/login/\S+", self.house.output)
        assert link, self.house.output
        context = self.browser.new_context()
        try:
            context.new_page().goto(link.group())
            return context.storage_state()
        finally:
            context.close()

    @contextmanager
    def window(
        self,
        *,
        width: int = DESKTOP,
        logged_in: bool = True,
        with_axe: bool = False,
        at: str | None = None,
        **options: Any,
    ) -> Iterator[Window]:
        """A window for as long as the block runs; nothing may have gone wrong in it.

        with_axe: for looking with it. at: another way to the house than the straight one. `options`: of a
        context.
        """
        context = self.browser.new_context(
            viewport={"width": width, "height": HEIGHTS[width]},
            reduced_motion="reduce",  # colours are looked at as soon as they are other
            storage_state=self.cookies if logged_in else None,
            **options,
        )
        try:
            if with_axe:  # put in by the browser itself: no policy of a page would let it in
                context.add_init_script(path=AXE)
            context.add_init_script(WATCH_POLICY)
            window = Window(context.new_page(), at or self.house.url)
            yield window
            window.judge()
        finally:
            context.close()
