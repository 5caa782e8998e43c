"""The inbox: every call, newest first, fifty a page."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask, abort, render_template, request
from flask.typing import ResponseReturnValue

from assistant.store import delays, export, preferences
from assistant.web.parts import parts
from assistant.web.words import Words

PAGE = 50


def register(app: Flask) -> None:
    """Put `/` on the map, and what every page's frame shows."""
    app.add_url_rule("/", "inbox", inbox)
    app.context_processor(lambda: {"sandbox": parts().settings.sandbox})


def inbox() -> ResponseReturnValue:
    """One page of calls."""
    page = request.args.get("page", 1, type=int)
    store = parts().store
    total = store.read(export.count)
    pages = max(1, -(-total // PAGE))
    if not 1 <= page <= pages:
        abort(404)
    calls = store.read(export.recent, limit=PAGE, offset=(page - 1) * PAGE)
    show = words()
    lately = store.read(delays.lately, show.now)
    return render_template(
        "inbox.html", calls=calls, total=total, page=page, pages=pages, lately=lately, show=show
    )


def words() -> Words:
    """How to write times for this owner, as of now."""
    kept = parts().store.read(preferences.load)
    return Words(kept.timezone, kept.language, datetime.now(UTC))
