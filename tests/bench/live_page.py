"""How soon a turn that is kept stands on the page of its call, while the call goes on.

Some callers leave a message at the same time with the real program, which is the sandbox here. Every call is
watched twice: by a reader of its stream, logged in as the owner is, and by Chromium on the call's page, where
an observer notes when a line is put in. A turn's time begins when it is durable. That is seen by a connection
of our own, which looks every LOOK_S; what counts is the last look that did not find it, so that what is
measured is up to a look too long, and never too short.

Everything is on one machine and goes by its one clock; the browser's is cut to milliseconds.
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from tests.bench.bench import Bench
from tests.bench.figures import percentile
from tests.bench.rows import Row
from tests.bench.servers import CORES, OUR_CORE, PATIENCE_S, Program
from tests.browser.conftest import CHROMIUM, IN_A_HURRY, flags
from tests.whole_call.house import NO_CAPS, House, no_proxies

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

CALLS = 3  # at once, each with a page
LOOK_S = 0.002
LONGEST_S, BAR_MS, AIM_MS = 55.0, 300, 100
NO_BROWSER = "NOT TRIED: there is no Chromium here"

_KEPT = "SELECT call_sid, rev, item_id FROM turns"
# A line that only moves is put in as well; what is new is a new element.
_OBSERVE = """() => {
  const lines = document.getElementById("live-lines"), seen = new WeakSet(lines.children);
  window.placed = [];
  new MutationObserver((changes) => {
    const at_ms = Date.now();
    for (const line of changes.flatMap((change) => [...change.addedNodes])) {
      if (line.nodeType !== Node.ELEMENT_NODE || seen.has(line)) continue;
      seen.add(line);
      window.placed.push([line.dataset.line, at_ms]);
    }
  }).observe(lines, { childList: true });
}"""


async def rows(bench: Bench) -> list[Row]:
    """From the commit to the socket, and to the page."""
    folder = bench.load.folder / "live-page"
    async with _sandbox(folder) as owner, asyncio.timeout(LONGEST_S), _chromium(folder, owner) as browser:
        seen = await _calls(owner, browser)
    told, shown = seen.at_the_sockets(), seen.on_the_pages() if browser else None
    return [*_figures("at the socket", told), *_figures("on the page", shown)]


def _figures(where: str, took_ms: list[float] | None) -> list[Row]:
    """took_ms: None where there is no browser."""
    name = f"live page: turn durable → {where}"
    if took_ms is None:
        return [Row(f"{name}, {what}", None, "ms", BAR_MS, AIM_MS, NO_BROWSER) for what in ("p50", "max")]
    how = f"{len(took_ms)} turns of {CALLS} calls in the sandbox; looked at every {LOOK_S * 1000:.0f} ms"
    return [
        Row(f"{name}, p50", percentile(took_ms, 50), "ms", BAR_MS, AIM_MS, how),
        Row(f"{name}, max", percentile(took_ms, 100), "ms", BAR_MS, AIM_MS, "the same"),
    ]


# --- the program, and the owner -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Owner:
    """The owner of a house, with the cookies of a login."""

    house: House
    url: str
    cookies: dict[str, str]

    @classmethod
    def log_in(cls, house: House, url: str, link: str) -> _Owner:
        """By the link at the terminal."""
        with no_proxies() as client:
            client.get(link, timeout=PATIENCE_S).raise_for_status()
            return cls(house, url, {cookie.name: cookie.value or "" for cookie in client.cookies})


@asynccontextmanager
async def _sandbox(folder: Path) -> AsyncIterator[_Owner]:
    house = House(folder / "instance").prefer(**NO_CAPS, **IN_A_HURRY)
    program = Program(["app.py"], house.environ(), folder / "program.log")
    try:
        said = await program.says(r"(http://\S+)/login/\S+")
        yield await asyncio.to_thread(_Owner.log_in, house, said[1], said[0])
    finally:
        program.stop()


@asynccontextmanager
async def _chromium(folder: Path, owner: _Owner) -> AsyncIterator[Browser | None]:
    """The browser; None where there is none."""
    if CHROMIUM is None:
        yield None
        return
    from playwright.async_api import async_playwright

    with _every_core():
        playwright = await async_playwright().start()
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=flags(folder / "nobody.wav")
        )
    try:
        yield browser
    finally:
        await browser.close()
        await playwright.stop()


@contextmanager
def _every_core() -> Iterator[None]:
    """What is started now may run anywhere: a browser is many processes, and at home none of them is here."""
    os.sched_setaffinity(0, CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, {OUR_CORE})


# --- what is seen, and when -----------------------------------------------------------


class _Turn(NamedTuple):
    """A turn as it was kept once. kept_at_s: when it was surely not durable yet."""

    call_sid: str
    rev: int
    item_id: str
    kept_at_s: float


@dataclass(slots=True)
class _Seen:
    """All that is noted. told: the revs that came, in their order, and when. placed: the page's lines."""

    turns: list[_Turn] = field(default_factory=list)
    listens_from_s: dict[str, float] = field(default_factory=dict)
    told: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    shows_from_s: dict[str, float] = field(default_factory=dict)
    placed: dict[str, list[tuple[str, float]]] = field(default_factory=dict)

    def at_the_sockets(self) -> list[float]:
        """How long each turn took there, in ms, since somebody listened; infinite for what never came."""
        return [
            _after_ms(turn, [at_s for rev, at_s in self.told[turn.call_sid] if rev >= turn.rev])
            for turn in self.turns
            if turn.kept_at_s >= self.listens_from_s[turn.call_sid]
        ]

    def on_the_pages(self) -> list[float]:
        """The same on the page that shows the call."""
        return [
            _after_ms(
                turn, [at_s for line, at_s in self.placed[turn.call_sid] if line == f"turn {turn.item_id}"]
            )
            for turn in self.turns
            if turn.kept_at_s >= self.shows_from_s.get(turn.call_sid, float("inf"))
        ]


def _after_ms(turn: _Turn, seen_at_s: list[float]) -> float:
    place = bisect_left(seen_at_s, turn.kept_at_s - 0.001)  # the browser's milliseconds are whole
    return (seen_at_s[place] - turn.kept_at_s) * 1000 if place < len(seen_at_s) else float("inf")


async def _calls(owner: _Owner, browser: Browser | None) -> _Seen:
    """Some callers at once, until all of them have hung up and all of it is told."""
    seen = _Seen()
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(_look(owner.house.database, seen))
        await asyncio.wait([group.create_task(_call(owner, browser, seen)) for _ in range(CALLS)])
        looking.cancel()
    return seen


async def _look(database: Path, seen: _Seen) -> None:
    """Note every turn that becomes durable."""
    known: set[tuple[str, int]] = set()
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)) as db:
        looked_at_s, version = time.time(), 0
        while True:
            before_s, looked_at_s = looked_at_s, time.time()
            was, (version,) = version, db.execute("PRAGMA data_version").fetchone()
            if version != was:
                for call_sid, rev, item_id in db.execute(_KEPT):
                    if (call_sid, rev) not in known:
                        seen.turns.append(_Turn(call_sid, rev, item_id, before_s))
                        known.add((call_sid, rev))
            await asyncio.sleep(LOOK_S)


async def _call(owner: _Owner, browser: Browser | None, seen: _Seen) -> None:
    """One call, and those who watch it, until everything is over."""
    ringing = owner.house.ring("message")
    await asyncio.to_thread(ringing.until, "the assistant's line is open")
    call_sid = ringing.call_sids[0]
    async with asyncio.TaskGroup() as group:
        group.create_task(_listen(owner, call_sid, seen))
        if browser:
            group.create_task(_watch(owner, browser, call_sid, seen))
    await asyncio.to_thread(ringing.report, LONGEST_S)


async def _listen(owner: _Owner, call_sid: str, seen: _Seen) -> None:
    """Read the stream to its end, and note when a line has come as a whole."""
    told = seen.told.setdefault(call_sid, [])
    at = urlsplit(owner.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    with closing(writer):
        cookies = "; ".join(f"{name}={value}" for name, value in owner.cookies.items())
        head = f"GET /calls/{call_sid}/live HTTP/1.1\r\nHost: {at.netloc}\r\nCookie: {cookies}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode())
        rev = 0
        async for line in reader:  # what stands between the chunks has no meaning here
            if line.startswith(b"retry: "):
                seen.listens_from_s[call_sid] = time.time()
            elif found := re.match(rb"id: (\d+)\n", line):
                rev = int(found[1])
            elif line == b"\n" and rev:
                told.append((rev, time.time()))
                rev = 0


async def _watch(owner: _Owner, browser: Browser, call_sid: str, seen: _Seen) -> None:
    """Have the call's page open until the call is over, and note when its lines are put in."""
    context = await browser.new_context()
    await context.add_cookies(
        [{"name": name, "value": value, "url": owner.url} for name, value in owner.cookies.items()]
    )
    page: Page = await context.new_page()
    async with page.expect_response(lambda answer: "/live?" in answer.url):
        await page.goto(f"{owner.url}/calls/{call_sid}")
    await page.evaluate(_OBSERVE)
    seen.shows_from_s[call_sid] = time.time()
    await page.wait_for_selector("#live.over", timeout=LONGEST_S * 1000)
    placed = await page.evaluate("window.placed")
    seen.placed[call_sid] = [(line, at_ms / 1000) for line, at_ms in placed]
    await context.close()
