"""Search: which calls, and which lines of them, have what was typed.

The address says what is looked for (`/search?q=roof+from:ana&page=2`), so that a search can be kept and Back
works. Whatever is typed, there is a page.
"""

from __future__ import annotations

from typing import NamedTuple

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue

from assistant.store import Database, search
from assistant.web.callers import region
from assistant.web.inbox import words
from assistant.web.paging import PAGE, asked_page, pages_of
from assistant.web.parts import parts

# What can be typed, and what it finds.
EXAMPLES = (
    ("roof friday", "calls with both words, whoever said them; the last word may be unfinished"),
    ('"call me back"', "these words in this order"),
    ("0018", "a number, or its last digits, written any way you like"),
    ("from:ana", "who rang, by name or number; from:withheld for hidden numbers"),
    ("after:2026-11-01", "since that day; before:2026-11 for what was before a month"),
    ("has:message", "also has:booking and has:recording"),
    ("is:unread", "also is:open, is:done, is:known, is:stranger and is:blocked"),
    ("roof said:caller", "only what callers said; or said:assistant"),
    ("roof -friday", "a minus leaves calls out"),
)


class Looked(NamedTuple):
    """What was found, from one moment. page: the last one, when a later one was asked for."""

    found: search.Found
    people: list[search.Person]
    page: int
    pages: int


def register(app: Flask) -> None:
    """Put the search on the map."""
    app.add_url_rule("/search", "search", show_search)


def show_search() -> ResponseReturnValue:
    """The page, with what was found if something was asked for."""
    query = search.read(request.args.get("q", ""), region=region())
    looked: Looked = parts().store.read(_look, query, asked_page())
    return render_template("search.html", query=query, examples=EXAMPLES, show=words(), **looked._asdict())


def _look(db: Database, query: search.Query, page: int) -> Looked:
    found = search.find(db, query, limit=PAGE, offset=(page - 1) * PAGE)
    pages = pages_of(found.total)
    there = min(page, pages)
    if found.total and not found.matches:
        found = search.find(db, query, limit=PAGE, offset=(there - 1) * PAGE)
    return Looked(found, search.people(db, query) if there == 1 else [], there, pages)
