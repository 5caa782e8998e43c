"""What stands around every page: the ways to the other pages, and how this browser likes to see them.

The theme and the keyboard shortcuts belong to a browser, not to the house: a phone may be dark and a
desktop light. They are cookies that the server reads, so the first thing a browser draws is right
already, and no script has to mend it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flask import Flask, abort, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from assistant.web.guard import is_local_path

THEMES = ("auto", "light", "dark")
KEYS = ("on", "off")
KEPT_S = 400 * 24 * 3600  # longer no browser keeps a cookie


@dataclass(frozen=True, slots=True)
class Page:
    """A page the frame leads to. under: the first words of the addresses that belong to it."""

    endpoint: str
    name: str
    under: tuple[str, ...]

    @property
    def is_here(self) -> bool:
        return request.path.split("/")[1] in self.under

    @property
    def current(self) -> str:
        """What `aria-current` is to say; "" on other pages."""
        return ("page" if request.endpoint == self.endpoint else "true") if self.is_here else ""


PAGES = (
    Page("inbox", "Inbox", ("", "calls")),
    Page("search", "Search", ("search",)),
    Page("calendar", "Calendar", ("calendar",)),
    Page("phone", "Phone", ("phone",)),
)
MORE = (
    Page("callers", "Callers", ("callers",)),
    Page("settings", "Settings", ("settings",)),
    Page("setup", "Set-up", ("setup",)),
    Page("doctor", "Doctor", ("doctor",)),
)


class Frame:
    """What base.html asks about this request."""

    pages = PAGES  # always in sight
    more = MORE  # under "More"

    @property
    def theme(self) -> str:
        """How this browser wants its pages: light, dark, or auto, as the device does."""
        kept = request.cookies.get("theme", "")
        return kept if kept in THEMES else "auto"

    @property
    def keys(self) -> str:
        """Whether single keys do something in this browser: on or off."""
        kept = request.cookies.get("keys", "")
        return kept if kept in KEYS else "on"

    @property
    def address(self) -> str:
        """This page's address, to come back to; the inbox's, where it cannot be asked for again."""
        if request.method not in {"GET", "HEAD"} or not request.url_rule:
            return url_for("inbox")
        query = request.query_string.decode("latin-1")
        return quote(request.path, safe="/+:") + (f"?{query}" if query else "")


def register(app: Flask) -> None:
    """Put `frame` into every template, and the two choices on the map."""
    app.jinja_env.globals["frame"] = Frame()
    app.add_url_rule("/settings/theme", "choose_theme", choose_theme, methods=["POST"])
    app.add_url_rule("/settings/keys", "choose_keys", choose_keys, methods=["POST"])


def choose_theme() -> ResponseReturnValue:
    """Keep the theme in this browser."""
    return _keep("theme", THEMES)


def choose_keys() -> ResponseReturnValue:
    """Switch the keyboard shortcuts on or off in this browser."""
    return _keep("keys", KEYS)


def _keep(name: str, choices: tuple[str, ...]) -> ResponseReturnValue:
    chosen = request.form.get(name, "")
    if chosen not in choices:
        abort(400)
    target = request.form.get("next", "")
    answer = make_response(redirect(target if is_local_path(target) else url_for("settings"), 303))
    answer.set_cookie(name, chosen, max_age=KEPT_S, secure=request.is_secure, samesite="Lax")
    return answer
