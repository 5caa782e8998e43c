"""Watching a call while it goes on: cold, warm, with late scripts, over a line that is cut, and in two tabs.

One call is watched by all of these at the same time: it takes as long as people take to talk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.browser.bad_line import BadLine
from tests.browser.browsing import PHONE, Owner, Window
from tests.whole_call.house import LONGEST_CALL_S, PATIENCE_S, House, eventually
from tests.whole_call.owner_calls import command

CUTS = 10
LATE_S = 0.4
# What a browser says of a connection that somebody has cut.
CUT_OFF = ("ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_", "ERR_EMPTY_RESPONSE")
LINES = """() => [...document.querySelectorAll("#live-lines > li")].map(line => {
  const words = line.querySelector(".words, .what").cloneNode(true)
  words.querySelector(".unheard")?.remove()
  return [line.classList.contains("turn") ? "turn" : "deed",
    line.classList.contains("caller") ? "caller" : "assistant", words.textContent]
})"""
SO_MANY_TURNS = "most => document.querySelectorAll('#live-lines > li.turn').length >= most"
SOON = 4  # turns; by then everybody watches, and the call goes on

Kept = dict[str, Any]


class Watched:
    """A call that leaves a message, and those who watch it."""

    def __init__(self, owner: Owner, open_until_the_end: ExitStack) -> None:
        self.owner = owner
        self.house: House = owner.house
        self._open = open_until_the_end
        self._call = command(self.house, "call", "message")
        self.windows: dict[str, Window] = {}
        self.turns_when_seen: dict[str, int] = {}
        self.printed = ""

    def watch(self, name: str, *, at: str | None = None, **how: Any) -> Window:
        """Open the call's page in a browser that has never seen it."""
        window = self._open.enter_context(self.owner.window(at=at, **how))
        window.go(self.path)
        self.windows[name] = window
        return window

    @property
    def path(self) -> str:
        return f"/calls/{self.call_sid}"

    @property
    def call_sid(self) -> str:
        """The call's, once it is there."""
        return str(eventually(lambda: next(iter(self.house.all_kept()), ""), "the call is kept"))

    @property
    def kept(self) -> Kept:
        return self.house.kept(self.call_sid)

    def end(self) -> None:
        """Wait for the end, and for everybody to have been told."""
        if not self.printed:
            self.printed = self._call.communicate(timeout=LONGEST_CALL_S)[0]
            for window in self.windows.values():
                window.page.wait_for_selector("#live.over")

    def kill(self) -> None:
        self._call.kill()
        self._call.communicate()


def lines(window: Window) -> list[list[str]]:
    """What a live page shows: turn or deed, whose, the words."""
    return [[kind, speaker, " ".join(words.split())] for kind, speaker, words in window.page.evaluate(LINES)]


def turns_as_kept(kept: Kept) -> list[list[str]]:
    """What a live page should show of what was said, in the end."""
    unclear = "(the words could not be made out)"
    return [["turn", turn["speaker"], turn["heard_text"] or unclear] for turn in kept["turns"]]


class Cuts:
    """A stream that is cut again and again, as soon as it flows."""

    def __init__(self, line: BadLine) -> None:
        self.line = line
        self.made = 0
        self._thread = threading.Thread(target=self._cut, daemon=True)
        self._thread.start()

    def _cut(self) -> None:
        while self.made < CUTS and self.line.cut(PATIENCE_S):
            self.made += 1

    def join(self) -> None:
        self._thread.join(PATIENCE_S)


@pytest.fixture(scope="module")
def inbox(host: Owner) -> Iterator[Window]:
    """A page that was opened before anybody rang."""
    with host.window() as window:
        window.go("/")
        assert not window.page.locator("#live-banner a[data-call]").count()
        yield window


@pytest.fixture(scope="module")
def cut(host: Owner) -> Iterator[BadLine]:
    with BadLine(host.house.url) as line:
        yield line


@pytest.fixture(scope="module")
def watched(host: Owner, inbox: Window, cut: BadLine) -> Iterator[Watched]:
    """A call, from its first word to its last."""
    with ExitStack() as stack:
        late = stack.enter_context(BadLine(host.house.url, late_s=LATE_S))
        watched = Watched(host, stack)
        stack.callback(watched.kill)
        watched.watch("cut", at=cut.url).forgives = CUT_OFF
        cuts = Cuts(cut)
        watched.watch("late", at=late.url)
        watched.watch("cold")
        watched.watch("warm").go(watched.path)
        watched.watch("on the phone", width=PHONE)
        beside = watched.windows["cold"].another()
        beside.go(watched.path)
        watched.windows["another tab"] = beside
        for name, window in watched.windows.items():
            window.page.wait_for_function(SO_MANY_TURNS, arg=SOON)
            watched.turns_when_seen[name] = len(watched.kept["turns"])
        assert watched.kept["ended_at"] is None, "it was all seen while it went on"
        yield watched
        cuts.join()


WAYS = ("cold", "warm", "late", "cut", "on the phone", "another tab")


def test_a_call_is_told_wherever_the_owner_is(inbox: Window, watched: Watched):
    banner = inbox.page.locator(f"#live-banner a[data-call='{watched.call_sid}']")
    banner.wait_for()
    inbox.look_for_sideways()
    inbox.judge()


@pytest.mark.parametrize("way", WAYS)
def test_what_is_said_is_there_while_it_is_said(watched: Watched, way: str):
    assert watched.turns_when_seen[way] >= SOON


@pytest.mark.parametrize("way", WAYS)
def test_a_watcher_has_every_line_once(watched: Watched, way: str):
    watched.end()

    shown = lines(watched.windows[way])
    assert [line for line in shown if line[0] == "turn"] == turns_as_kept(watched.kept)
    assert len([line for line in shown if line[0] == "deed"]) == len(watched.kept["tool_runs"])


def test_the_stream_was_really_cut(watched: Watched, cut: BadLine):
    watched.end()

    assert cut.asked_for_streams > CUTS


def test_the_call_went_as_its_script_says(watched: Watched):
    watched.end()

    assert "The call went as its script says." in watched.printed


def test_the_banner_goes_with_the_call(inbox: Window, watched: Watched):
    watched.end()

    inbox.page.locator("#live-banner a[data-call]").wait_for(state="hidden")
    inbox.judge()


def test_the_end_leads_to_what_came_of_it(watched: Watched):
    watched.end()
    window = watched.windows["warm"]

    window.page.locator("#live-over a").click()
    window.page.wait_for_selector("#gist")
    assert window.page.url.endswith(watched.path)
