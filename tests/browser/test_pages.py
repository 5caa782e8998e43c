"""Every page, in both themes and both widths: nothing to complain of, for anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.browser.browsing import DESKTOP, PHONE, Owner, Window
from tests.browser.seeds import GOING_ON, sid


@dataclass(frozen=True)
class Place:
    """A page, by what is on it. `path`: where it is."""

    name: str
    path: str
    status: int = 200


FURNISHED = (
    Place("inbox", "/"),
    Place("inbox-unread", "/?show=unread"),
    Place("inbox-done", "/?show=done&kind=messages"),
    Place("inbox-second-page", "/?show=all&page=2"),
    Place("call-with-a-message", f"/calls/{sid(0)}"),
    Place("call-with-a-booking", f"/calls/{sid(1)}"),
    Place("call-interrupted", f"/calls/{sid(2)}"),
    Place("call-with-refusals", f"/calls/{sid(3)}"),
    Place("call-with-voicemail", f"/calls/{sid(4)}"),
    Place("call-of-nobody", f"/calls/{sid(8)}"),
    Place("call-going-on", f"/calls/{GOING_ON}"),
    Place("search", "/search"),
    Place("search-with-hits", "/search?q=boiler"),
    Place("search-without-hits", "/search?q=nothing+like+it"),
    Place("callers", "/callers"),
    Place("caller", "/callers/+442079460018"),
    Place("caller-withheld", "/callers/withheld"),
    Place("calendar", "/calendar"),
    Place("calendar-link", "/calendar/link"),
    Place("settings", "/settings"),
    Place("setup", "/setup"),
    Place("doctor", "/doctor"),
    Place("phone", "/phone"),
    Place("nowhere", "/nowhere", 404),
)
BARE = (
    Place("inbox", "/"),
    Place("callers", "/callers"),
    Place("calendar", "/calendar"),
    Place("search", "/search?q=boiler"),
    Place("setup", "/setup"),
)

# Of the ground, 0 to 255.
BRIGHTNESS = """() => {
  const colour = getComputedStyle(document.documentElement).backgroundColor
  const [red, green, blue] = colour.match(/[0-9.]+/g).map(Number)
  return (red + green + blue) / 3
}"""


@pytest.fixture(scope="module")
def looking(owner: Owner) -> Iterator[Window]:
    """One window for all pages."""
    with owner.window(with_axe=True) as window:
        yield window


@pytest.fixture(scope="module")
def looking_around(newcomer: Owner) -> Iterator[Window]:
    """The same, where nothing has happened yet."""
    with newcomer.window(with_axe=True) as window:
        yield window


@pytest.fixture(scope="module")
def looking_in(newcomer: Owner) -> Iterator[Window]:
    """A stranger's."""
    with newcomer.window(with_axe=True, logged_in=False) as window:
        yield window


def look(window: Window, place: Place) -> None:
    """Look at a page in every way."""
    window.widen(PHONE)
    window.go(place.path, status=place.status)
    window.weigh()
    for width in (PHONE, DESKTOP):
        window.widen(width)
        window.look_with_axe("light")
        window.look_with_axe("dark")
    window.judge()


@pytest.mark.parametrize("place", FURNISHED, ids=lambda place: place.name)
def test_a_page_suits_everybody(looking: Window, place: Place):
    look(looking, place)


@pytest.mark.parametrize("place", BARE, ids=lambda place: place.name)
def test_an_empty_page_suits_everybody(looking_around: Window, place: Place):
    look(looking_around, place)


def test_the_login_suits_everybody(looking_in: Window):
    look(looking_in, Place("login", "/login"))


def test_a_theme_that_was_chosen_goes_before_the_systems(looking_around: Window):
    window, page = looking_around, looking_around.page
    page.emulate_media(color_scheme="light")
    window.go("/")
    page.locator("#menu summary").click()
    page.locator("form.themes button[value=dark]").click()

    window.go("/")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("() => matchMedia('(prefers-color-scheme: light)').matches")
    assert page.evaluate(BRIGHTNESS) < 60
    window.judge()
