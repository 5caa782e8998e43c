"""Whatever stands in the database is text on every page: it runs nothing, loads nothing, asks nobody.

The columns are those of the schema itself. Every one that takes any text gets a payload of its own; what is
not to be filled is named here, with the reason. So a new column is tried without anybody thinking of it.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from assistant.store import open_database
from tests.browser.bad_line import BadLine
from tests.browser.browsing import Owner, Window
from tests.browser.seeds import DATABASE, GOING_ON, begin_one, furnish, keep_line
from tests.whole_call.house import House

PAYLOAD = (
    "\"'><script>alert(1)</script><img src=//canary.invalid/i onerror=alert(2)><svg onload=alert(3)>"
    "</textarea></title></style></script><a href=javascript:alert(4)>{{7*7}}${7*7}</a>"
    "<b hx-get=//canary.invalid/h hx-trigger=load hx-on::load=alert(5)><iframe src=//canary.invalid/f>"
    "<base href=//canary.invalid/><meta http-equiv=refresh content='0;url=//canary.invalid/m'>"
)
SHORT = PAYLOAD[: PAYLOAD.index("<img")]
# Whatever was made out of a payload, if anything was.
ALIVE = """() => [...document.querySelectorAll("*")].filter(one =>
  one.matches("[hx-get], [onerror], [onload], [hx-on\\\\:\\\\:load], iframe, base, meta[http-equiv=refresh]")
  || one.matches("script:not([nonce]), a[href^='javascript:' i]")
  || [one.src, one.href].some(url => URL.parse(`${url}`)?.hostname === "canary.invalid")
).map(one => one.outerHTML.slice(0, 200))"""

# Not filled: what the program alone makes and reads back, or what the page is found by.
KEYS = {"call_sid", "item_id", "tool_call_id", "event_id", "step_key", "recording_sid", "login_id"}
KEYS |= {"sid_hash", "state_hash", "verifier", "tokens", "timezone", "client_id"}
OURS = {
    ("preferences", "name"), ("preferences", "value"),  # checked when they are set; see HELD_AS_TEXT
    ("house", "name"), ("house", "value"),
    ("calls", "usage"), ("calls", "response_ms"),
    ("migrations", "name"), ("greetings", "text"), ("greetings", "voice"), ("greetings", "model"),
}  # fmt: skip
HELD_AS_TEXT = ("owner_name", "greeting", "persona", "disclosure")
# Where a person reads them: missing here would mean that nothing was tried.
READ = {
    "calls.caller_name", "calls.summary", "calls.from_number", "turns.text", "turns.heard_text",
    "tool_runs.name", "tool_runs.result", "tool_runs.arguments", "messages.name", "messages.text",
    "messages.callback_number", "callers.name", "callers.notes", "events.title", "bookings.title",
    "bookings.caller_name", "step_ins.text",
    "preferences.owner_name", "preferences.greeting", "preferences.persona", "preferences.disclosure",
}  # fmt: skip
BEGIN = (
    "/",
    "/phone",
    "/setup",
    "/doctor",
    "/callers",
    "/search?q=zz",
    "/settings",
    "/calendar",
    "/calendar/link",
)
MOST_OF_A_KIND = 5
NO_PAGE = re.compile(r"\.(json|txt|zip|wav|ics)")
LINKS = """() => [...document.querySelectorAll("a[href]:not([download])")].map(link => new URL(link.href))
  .filter(url => url.origin === location.origin).map(url => url.pathname + url.search)"""
UNFOLD = """() => document.querySelectorAll("details").forEach(one => { one.name = ""; one.open = true })"""
READ_ALL = """() => [document.body.innerText,
  ...[...document.querySelectorAll("input, textarea")].map(field => field.value)].join("\\n")"""


def mark(place: str) -> str:
    """A word that says which column it came from, and means nothing to anybody."""
    return "zz" + place.replace(".", "zz").replace("_", "q") + "zz"


def fill(database: Path) -> list[str]:
    """Put a payload into every column that takes one. Returns which."""
    filled = []
    with closing(sqlite3.connect(database)) as db:
        for table in _tables(db):
            for column in _text_columns(db, table):
                if _fill(db, table, column):
                    filled.append(f"{table}.{column}")
        db.commit()
    return filled


def _tables(db: sqlite3.Connection) -> list[str]:
    """The tables in which something is kept; not an index of words, which makes its own."""
    found = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    indices = [name for name, sql in found if sql and sql.upper().startswith("CREATE VIRTUAL")]
    own = [*indices, "sqlite_", "_sqlite"]
    return [name for name, _ in found if not any(name.startswith(index) for index in own)]


def _text_columns(db: sqlite3.Connection, table: str) -> list[str]:
    columns = db.execute(f'PRAGMA table_info("{table}")').fetchall()
    texts = [str(name) for _, name, kind, *_ in columns if kind == "TEXT"]
    return [
        name for name in texts
        if name not in KEYS and (table, name) not in OURS and not name.endswith(("_at", "_since"))
    ]  # fmt: skip


def _fill(db: sqlite3.Connection, table: str, column: str) -> bool:
    """Every second row; what is a key has to be another each time. False: the column takes no such text."""
    text = f"{mark(f'{table}.{column}')} {PAYLOAD}"
    for value in (text, orjson.dumps({text: [text]}).decode()):
        try:
            rows = db.execute(f'SELECT DISTINCT "{column}" FROM "{table}"').fetchall()
            for n, (before,) in enumerate(rows):
                if n % 2 == 0:
                    db.execute(
                        f'UPDATE "{table}" SET "{column}" = ? WHERE "{column}" IS ?',
                        (value if value[0] == "{" else f"{value} {n}", before),
                    )
        except sqlite3.IntegrityError:
            continue
        return bool(rows)
    return False


@pytest.fixture(scope="module")
def besieged(chromium: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Owner, list[str]]]:
    """The owner of a house where everybody wrote the worst there is; and where they wrote it."""
    instance = tmp_path_factory.mktemp("besieged") / "instance"
    furnish(instance)
    house = House(instance)
    house.prefer(**{name: f"{mark(f'preferences.{name}')} {SHORT}" for name in HELD_AS_TEXT})
    with house:
        begin_one(instance)
        yield Owner(chromium, house), fill(instance / DATABASE)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def window(besieged: tuple[Owner, list[str]]) -> Iterator[Window]:
    with besieged[0].window() as window:
        yield window


@pytest.fixture(scope="module")
def read(window: Window) -> str:
    """All that can be read on all pages."""
    return crawl(window)


def crawl(window: Window) -> str:
    """Look at every page that can be come to; of the pages of one kind, at some."""
    waiting, seen, read = [*BEGIN], set(), []
    of_a_kind: Counter[tuple[str, int, bool]] = Counter()
    while waiting:
        path = waiting.pop(0)
        kind = kind_of(path)
        if path in seen or of_a_kind[kind] >= MOST_OF_A_KIND or NO_PAGE.search(path):
            continue
        seen.add(path)
        of_a_kind[kind] += 1
        window.go(path)
        window.page.evaluate(UNFOLD)
        window.complaints += [f"{path}: made out of a payload: {it}" for it in window.page.evaluate(ALIVE)]
        read.append(window.page.evaluate(READ_ALL))
        waiting += window.page.evaluate(LINKS)
    return "\n".join(read)


def kind_of(path: str) -> tuple[str, int, bool]:
    """Pages of one kind are made by one template."""
    parts = urlsplit(path)
    steps = parts.path.split("/")
    return steps[1], len(steps), bool(parts.query)


def test_nothing_that_was_written_comes_alive(window: Window, read: str):
    assert len(read) > 10_000
    window.judge()


def test_what_was_written_is_read_as_it_was_written(read: str, besieged: tuple[Owner, list[str]]):
    shown = " ".join(read.split())
    filled = {*besieged[1], *(f"preferences.{name}" for name in HELD_AS_TEXT)}

    assert READ - filled == set()
    assert {place for place in READ if f"{mark(place)} {SHORT}" not in shown} == set()


def test_a_line_that_comes_while_it_is_watched_is_text_too(besieged: tuple[Owner, list[str]]):
    owner = besieged[0]
    with BadLine(owner.house.url, late_s=0.5) as line, owner.window(at=line.url) as window:
        window.page.goto(f"{line.url}/calls/{GOING_ON}", wait_until="commit")
        # Between the page and its stream, which is opened by a script that comes late.
        with closing(open_database(owner.house.database)) as db:
            keep_line(db, GOING_ON, f"{mark('turns.late')} {PAYLOAD}")

        window.page.get_by_text(mark("turns.late")).first.wait_for()
        assert window.page.evaluate(ALIVE) == []
