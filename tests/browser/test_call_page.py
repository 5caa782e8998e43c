"""The page of a call in a browser: pressing a line is hearing it, and hearing a line shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.browsing import Owner, Window
from tests.browser.seeds import sid

NEAR_S = 0.3
# Where the sound went, noted in the page: asked from outside, it has played on by the time of the answer.
NOTE_SEEKS = """() => {
  window.seeks = []
  const audio = document.querySelector("#player audio")
  audio.addEventListener("seeked", () => window.seeks.push(audio.currentTime))
}"""
CURRENT = "#transcript li[aria-current=true]"

Kept = dict[str, Any]


@pytest.fixture(scope="module")
def window(owner: Owner) -> Iterator[Window]:
    """The page of a call with a recording, ready to be played."""
    with owner.window() as window:
        yield window


@pytest.fixture
def opened(window: Window) -> Window:
    """The same, fresh."""
    window.go(f"/calls/{sid(0)}")
    window.page.wait_for_selector("#player[data-ready]")
    window.page.evaluate(NOTE_SEEKS)
    return window


@pytest.fixture(scope="module")
def turns(owner: Owner) -> list[Kept]:
    """What was said on it."""
    return list(owner.house.kept(sid(0))["turns"])


def sought(window: Window) -> float:
    """Where the sound went to, once it has gone somewhere."""
    window.page.wait_for_function("() => window.seeks.length")
    place = window.page.evaluate("() => window.seeks.pop()")
    window.page.evaluate("() => { window.seeks = []; document.querySelector('#player audio').pause() }")
    return float(place)


def test_pressing_a_line_plays_it(opened: Window, turns: list[Kept]):
    places = []
    for turn in turns:
        opened.page.locator(f"#turn-{turn['n']} button.at").click()
        places.append(sought(opened))

    wanted = [turn["started_ms"] / 1000 for turn in turns]
    assert len(wanted) > 5
    assert places == [pytest.approx(place, abs=NEAR_S) for place in wanted]
    opened.judge()


def test_a_line_can_be_played_from_the_keyboard(opened: Window, turns: list[Kept]):
    opened.page.locator("#turn-4 button.at").focus()
    opened.page.keyboard.press("Enter")

    assert sought(opened) == pytest.approx(turns[3]["started_ms"] / 1000, abs=NEAR_S)


def test_a_press_on_the_wave_shows_its_line(opened: Window, turns: list[Kept]):
    opened.page.wait_for_selector("#player[data-wave=ready]")
    wave = opened.page.locator("#player .wave")
    box = wave.bounding_box()
    seconds = float(opened.page.evaluate("() => document.querySelector('#player audio').duration"))
    assert box
    for turn in (turns[5], turns[2]):
        middle_s = (turn["started_ms"] + turn["ended_ms"]) / 2000
        wave.click(position={"x": box["width"] * middle_s / seconds, "y": box["height"] / 2})

        assert sought(opened) == pytest.approx(middle_s, abs=NEAR_S)
        opened.page.wait_for_selector(f"#turn-{turn['n']}[aria-current=true]")
        assert opened.page.locator(CURRENT).count() == 1
    opened.judge()


def test_the_keys_play_pause_and_skip(opened: Window, turns: list[Kept]):
    page = opened.page
    page.locator("#turn-3 button.at").click()
    at_s = sought(opened)

    page.locator("h1").click()
    page.keyboard.press("Space")
    page.wait_for_function("() => !document.querySelector('#player audio').paused")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('#player audio').paused")
    page.keyboard.press("ArrowRight")
    assert sought(opened) > at_s + 4.5
    page.keyboard.press(",")
    assert sought(opened) in [pytest.approx(turn["started_ms"] / 1000, abs=NEAR_S) for turn in turns]
    opened.judge()


def test_what_was_said_but_not_heard_is_told_apart(owner: Owner):
    with owner.window() as window:
        page = window.go(f"/calls/{sid(2)}")
        cut = next(turn for turn in owner.house.kept(sid(2))["turns"] if turn["interrupted"])
        line = page.locator(f"#turn-{cut['n']}")

        unheard = cut["text"].removeprefix(cut["heard_text"]).strip()
        assert line.locator(".words").inner_text().startswith(cut["heard_text"])
        assert line.locator("s").inner_text() == unheard


def test_a_refused_tool_can_be_seen(owner: Owner):
    with owner.window() as window:
        page = window.go(f"/calls/{sid(3)}")

        refused = page.locator(".tool.refused")
        assert refused.count() == 2
        refused.first.locator("summary").click()
        assert "The caller is a stranger." in refused.first.inner_text()
        assert "list_messages" in refused.first.inner_text()
