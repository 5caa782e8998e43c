"""The pictures of the README, taken of the program itself. By hand, when the pages have changed:

    .venv/bin/python -m tests.browser.take_screenshots docs/screenshots

Everybody in them is made up (see `plots`), and so are their numbers.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser.browsing import DESKTOP, HEIGHTS, PHONE, Owner, Scheme
from tests.browser.conftest import CHROMIUM, flags
from tests.browser.seeds import furnish, sid
from tests.whole_call.house import NO_CAPS, House

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_BYTES = 120_000
DESKTOP_HEIGHT = 720
SPOKEN = "() => document.querySelectorAll('#live-lines li.turn').length > 3"
TALKING = "() => document.querySelectorAll('#words li').length > 1"


def nothing(page: Page) -> None:
    """The page is ready as soon as it is there."""


def drawn(page: Page) -> None:
    page.wait_for_selector("#player[data-wave=ready]")


def spoken(page: Page) -> None:
    page.wait_for_function(SPOKEN)


def talking(page: Page) -> None:
    page.locator("#ring-as [name=speaks][value=message]").check()
    page.locator("#call").click()
    page.wait_for_function(TALKING)


def main(folder: Path) -> None:
    """Take all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        instance = Path(place) / "instance"
        furnish(instance)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags(Path(place) / "nobody.wav"))
        with House(instance).prefer(**NO_CAPS) as house:
            owner = Owner(browser, house)
            for name, path, ready in pages(house):
                take(owner, folder, name, path, ready)
        browser.close()


def pages(house: House) -> Iterator[tuple[str, str, Callable[[Page], None]]]:
    """What is taken: a name, where it is, and when it is worth a picture. Nobody rings before the last."""
    yield "inbox", "/", nothing
    yield "call", f"/calls/{sid(2)}", drawn
    yield "calendar", "/calendar", nothing
    yield "settings", "/settings", nothing
    yield "phone", "/phone", talking
    running = house.ring("message")
    running.until("rings")
    yield "live", f"/calls/{running.call_sids[0]}", spoken


def take(owner: Owner, folder: Path, name: str, path: str, ready: Callable[[Page], None]) -> None:
    """One page on a desk by day, and on a phone by night."""
    screens: tuple[tuple[str, int, Scheme], ...] = (("desktop", DESKTOP, "light"), ("phone", PHONE, "dark"))
    for screen, width, scheme in screens:
        with owner.window(width=width, permissions=["microphone"]) as window:
            page = window.go(path)
            ready(page)
            shoot(page, folder / f"{name}-{screen}.png", scheme)


def shoot(page: Page, file: Path, scheme: Scheme) -> None:
    """What is on the screen now."""
    page.emulate_media(color_scheme=scheme)
    width = (page.viewport_size or {"width": DESKTOP})["width"]
    height = DESKTOP_HEIGHT if width == DESKTOP else HEIGHTS[width]
    seen = {"x": 0, "y": 0, "width": width, "height": height}
    file.write_bytes(smaller(page.screenshot(animations="disabled", clip=seen)))  # type: ignore[arg-type]
    if file.stat().st_size > MOST_BYTES:
        sys.exit(f"{file}: {file.stat().st_size} bytes, more than {MOST_BYTES}")


def smaller(png: bytes) -> bytes:
    """The same picture, packed with more patience than a browser has."""
    kept, pixels, at = [], b"", len(SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IDAT":
            pixels += png[at + 8 : at + 8 + length]
        else:
            kept.append((kind, png[at + 8 : at + 8 + length]))
        at += length + 12
    kept.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(pixels), 9)))
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in kept)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
