"""A real Chromium, and the program in a process of its own for it to look at.

On anybody's machine a browser may be missing, and then these tests are passed over, which is said loudly;
where every change is checked (`CI` is set) they fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.browser import microphone
from tests.browser.browsing import Owner
from tests.browser.seeds import begin_one, furnish
from tests.whole_call.house import NO_CAPS, House

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which(os.environ.get("CHROMIUM") or "chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
# Few words before it is the caller's turn: these calls take as long as they take.
IN_A_HURRY = {"disclosure": "", "greeting": "How can I help?"}


def without(what: str) -> NoReturn:
    """A browser cannot be had: that fails a check, and passes a test over elsewhere."""
    reason = f"NOT TRIED: there is no {what} here"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def flags(sound: Path) -> list[str]:
    """How it is started. Its own sandbox does not work for root, which is what a build machine is."""
    own_sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return [*FLAGS, f"--use-file-for-fake-audio-capture={sound}%noloop", *own_sandbox]


# For this folder and no longer: while Playwright's loop is there, no other test of this process may have one.
@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The browser."""
    if CHROMIUM is None:
        without("Chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        without("Playwright")
    sound = tmp_path_factory.mktemp("microphone") / "said.wav"
    microphone.write(sound)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags(sound))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def owner(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """The owner of a house in which much has happened."""
    instance = tmp_path_factory.mktemp("furnished") / "instance"
    furnish(instance)
    with House(instance) as house:
        begin_one(instance)
        yield Owner(chromium, house)


@pytest.fixture(scope="package")
def newcomer(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """The owner of a house in which nothing has happened yet."""
    with House(tmp_path_factory.mktemp("bare") / "instance") as house:
        yield Owner(chromium, house)


@pytest.fixture(scope="package")
def host(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """The owner of a house that is rung all the time."""
    house = House(tmp_path_factory.mktemp("rung") / "instance").prefer(**NO_CAPS, **IN_A_HURRY)
    with house:
        yield Owner(chromium, house)
