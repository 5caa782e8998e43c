"""The inbox: every call, the newest first, fifty a page; and what is done to calls without opening them.

The address says which calls are listed (`/?show=done&kind=messages&page=2`), so a list can be bookmarked and
Back works. What an address asks for and is not known here falls back to the inbox itself.

Every change can be taken back. What there was before is remembered here, not in the page: the undo is for the
next minutes, and fifty calls are more than a cookie holds.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from babel.dates import format_time
from flask import Flask, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from assistant.store import Database, delays, inbox, preferences
from assistant.store.inbox import Filter
from assistant.web.guard import is_local_path
from assistant.web.paging import PAGE, pages_of
from assistant.web.parts import parts
from assistant.web.words import Words

MOST_UNDOS = 100

SHOWN = {"inbox": "Inbox", "unread": "Unread", "done": "Done", "all": "All"}
KINDS = {
    "": "Everything",
    "messages": "Messages",
    "appointments": "Appointments",
    "known": "Known",
    "strangers": "Strangers",
    "blocked": "Blocked",
}
ONE_IS = {"done": "Marked as done.", "unread": "Marked as unread.", "open": "Marked as read."}
SEVERAL_ARE = {
    "done": "{} calls marked as done.",
    "unread": "{} calls marked as unread.",
    "open": "{} calls marked as read.",
}


def register(app: Flask) -> None:
    """Put the inbox and its buttons on the map, and what every page's frame shows."""
    app.extensions["afterbeep_undos"] = Undos()
    app.add_url_rule("/", "inbox", show_inbox)
    app.add_url_rule("/inbox/state", "inbox_state", inbox_state, methods=["POST"])
    app.add_url_rule("/inbox/undo", "inbox_undo", inbox_undo, methods=["POST"])
    app.context_processor(lambda: {"sandbox": parts().settings.sandbox})


def words() -> Words:
    """How to write times for this owner, as of now."""
    kept = parts().store.read(preferences.load)
    return Words(kept.timezone, kept.language, datetime.now(UTC))


# --- the list -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class View:
    """What an address of the inbox asks for."""

    chosen: Filter
    by_caller: bool
    page: int

    @classmethod
    def read(cls, args: Mapping[str, str]) -> View:
        """The view a query string names."""
        shown, kind = args.get("show", ""), args.get("kind", "")
        chosen = Filter(shown if shown in SHOWN else "inbox", kind if kind in KINDS else "")
        return cls(chosen, args.get("group") == "caller", _whole_number(args.get("page", "")))

    def address(self, page: int = 1, **changes: Any) -> str:
        """Where this list is, on its first page or another; `changes`: other `state`, `kind`, `by_caller`."""
        by_caller = changes.pop("by_caller", self.by_caller)
        chosen = replace(self.chosen, **changes)
        query: dict[str, Any] = {
            "show": chosen.state if chosen.state != "inbox" else None,
            "kind": chosen.kind or None,
            "group": "caller" if by_caller else None,
            "page": page if page > 1 else None,
        }
        return url_for("inbox", **query)


def _whole_number(text: str) -> int:
    """A page's number; 1 for what is none."""
    try:
        return int(text)
    except ValueError:
        return 1


class Listed(NamedTuple):
    """A page of the list, and what is said around it. `total`: rows on all its pages."""

    rows: list[inbox.Row]
    total: int
    pages: int
    counts: dict[str, int]
    lately: delays.Delays | None


def show_inbox() -> ResponseReturnValue:
    """One page of calls, or of callers."""
    view, show = View.read(request.args), words()
    listed: Listed = parts().store.read(_look, view, show.now)
    if not 1 <= view.page <= listed.pages:
        abort(404)
    return render_template(
        "inbox.html",
        **listed._asdict(),
        view=view,
        show=show,
        clock=format_time(show.now.astimezone(show.zone), "short", locale=show.locale),
        shown=SHOWN,
        kinds=KINDS,
    )


def _look(db: Database, view: View, now: datetime) -> Listed:
    """All that the page shows, from one moment."""
    counts = inbox.counts(db, view.chosen)
    total = inbox.count_callers(db, view.chosen) if view.by_caller else counts[view.chosen.state]
    pages = pages_of(total)
    look = inbox.by_caller if view.by_caller else inbox.page
    there = 1 <= view.page <= pages
    rows = look(db, view.chosen, limit=PAGE, offset=(view.page - 1) * PAGE) if there else []
    return Listed(rows, total, pages, counts, delays.lately(db, now))


# --- what can be done to calls --------------------------------------------------


def inbox_state() -> ResponseReturnValue:
    """Mark calls: a row's own button (`one`: "done CA…"), or `state` and any number of `call_sid`.

    Leads back to `next`. A call that is done already is simply done; one that is gone is told of.
    """
    state, call_sids = _asked()
    if state not in inbox.STATES:
        abort(400)
    if len(call_sids) > PAGE:
        abort(400, f"At most {PAGE} calls at a time.")
    before: dict[str, str] = parts().store.write(inbox.set_state, call_sids, state)
    _tell(state, before, gone=len(call_sids) - len(before))
    return redirect(_back(), 303)


def _asked() -> tuple[str, list[str]]:
    """Which state for which calls, each of them once."""
    if "one" in request.form:
        state, _, call_sid = request.form["one"].partition(" ")
        return state, [call_sid]
    return request.form.get("state", ""), list(dict.fromkeys(request.form.getlist("call_sid")))


def _tell(state: str, before: Mapping[str, str], *, gone: int) -> None:
    """Say what was done, with the way back; and what could not be."""
    if not before and not gone:
        flash("No call was selected. Tick the boxes of the calls you mean first.", "problem")
    if gone:
        which = "That call is" if gone == 1 else f"{gone} of these calls are"
        flash(f"{which} still going on or no longer kept: nothing was changed there.", "problem")
    if before:
        text = ONE_IS[state] if len(before) == 1 else SEVERAL_ARE[state].format(len(before))
        fields = {"undo": _undos().keep(before, state), "next": request.form.get("next", "")}
        told: Any = {"text": text, "undo": {"action": url_for("inbox_undo"), "fields": fields}}
        flash(told, "undo")


class Undos:
    """What the last changes have replaced; the oldest are forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Mapping[str, str], str]] = OrderedDict()

    def keep(self, before: Mapping[str, str], state: str) -> str:
        """Remember how calls were `before` they got a state. Returns the name to ask for it by."""
        name = secrets.token_urlsafe(12)
        self._kept[name] = (before, state)
        while len(self._kept) > MOST_UNDOS:
            self._kept.popitem(last=False)
        return name

    def find(self, name: str) -> tuple[Mapping[str, str], str] | None:
        """What was kept under a name. It stays: an undo that is pressed twice finds its work done."""
        return self._kept.get(name)


def _undos() -> Undos:
    undos: Undos = current_app.extensions["afterbeep_undos"]
    return undos


def inbox_undo() -> ResponseReturnValue:
    """Put calls back to what they were before the change that `undo` names."""
    kept = _undos().find(request.form.get("undo", ""))
    if kept is None:
        flash("That is too long ago to be undone. Change it on the call itself.", "problem")
    else:
        parts().store.write(inbox.take_back, *kept)
        flash("Undone.", "done")
    return redirect(_back(), 303)


def _back() -> str:
    """Where the button was pressed; in a list that has become shorter, its last page."""
    target = request.form.get("next", "")
    if not is_local_path(target):
        return url_for("inbox")
    spelled = urlsplit(target)
    if spelled.path != url_for("inbox"):
        return target
    view = View.read(dict(parse_qsl(spelled.query)))
    if view.page <= 1:
        return view.address()
    listed: Listed = parts().store.read(_look, view, datetime.now(UTC))
    return view.address(min(view.page, listed.pages))
