"""Callers: who they are to the owner, what they have called about, and what they may do.

A caller's address is their number (`/callers/+442079460018`, `/callers/sip:ana@example.com`). Callers who
withhold it share one page, where nothing can be kept: nobody can tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple, cast, get_args

from flask import Flask, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from assistant.errors import StoreError
from assistant.store import Database, appointments, callers, housekeeping, inbox, people, search
from assistant.store.appointments import Booking
from assistant.trust import same_number
from assistant.web.calendars.dates import Dates
from assistant.web.inbox import words
from assistant.web.paging import PAGE, asked_page, pages_of
from assistant.web.parts import parts
from assistant.web.words import Words

WITHHELD = "withheld"
NO_NUMBER = (
    "That is not a telephone number. Write it with + and the country, like +442079460018, "
    "or look for the caller on the page Callers."
)
BECAME = {
    "stranger": "They are a stranger again.",
    "known": "They are a known caller now.",
    "blocked": "Blocked. The next call from this number is turned away.",
}


class Entry(NamedTuple):
    """All that a caller's page shows, from one moment. calls: a page of them."""

    who: people.Row
    calls: list[inbox.Row]
    bookings: list[Booking]


def register(app: Flask) -> None:
    """Put the list, a caller's page and its buttons on the map."""
    app.add_url_rule("/callers", "callers", show_callers)
    app.add_url_rule("/callers/<path:number>", "caller", show_caller)
    for name, view in (
        ("add", add_caller),
        ("change", change_caller),
        ("standing", caller_standing),
        ("forget", forget_caller),
    ):
        app.add_url_rule(f"/callers/{name}", view.__name__, view, methods=["POST"])


def region() -> str | None:
    """Where a number without + is dialled from: where the owner's numbers are."""
    settings = parts().settings
    return callers.region_of(settings.twilio_number) or callers.region_of(settings.owner_phone)


# --- the list ----------------------------------------------------------------------


def show_callers() -> ResponseReturnValue:
    """Everybody who called or is kept, or those who were looked for."""
    return _list({})


def _list(typed: Mapping[str, str], trouble: str = "") -> ResponseReturnValue:
    """The list; with what was typed to add somebody, and why that did not work."""
    query = search.read(request.args.get("q", ""), region=region())
    asked = asked_page()
    found: people.Page = parts().store.read(people.page, query, limit=PAGE, offset=(asked - 1) * PAGE)
    pages = pages_of(found.total)
    if asked > pages:
        return redirect(url_for("callers", q=query.text or None, page=pages))
    page = render_template(
        "callers.html", **found._asdict(), query=query, page=asked, pages=pages, typed=typed, trouble=trouble,
        show=words(),
    )  # fmt: skip
    return (page, 422) if trouble else page


def add_caller() -> ResponseReturnValue:
    """Keep somebody who may never have called, and show their page."""
    form = request.form
    try:
        number = callers.normalise(form.get("number", ""), region=region())
        _keep(number, name=form.get("name", ""), standing=_standing() or "stranger")
    except StoreError as error:
        return _list(form, _sentence(error))
    flash("Saved.", "done")
    return redirect(_address(number), 303)


# --- one caller ----------------------------------------------------------------------


def show_caller(number: str) -> ResponseReturnValue:
    """A caller's page. A number that is written differently than it is kept leads to where it is."""
    identity = _identity(number)
    if identity is not None and identity != number:
        return redirect(_address(identity))
    return _page(identity)


def _page(
    number: str | None, typed: Mapping[str, str] | None = None, trouble: str = ""
) -> ResponseReturnValue:
    """The page; with what was typed into its form, and why that was not kept."""
    show = words()
    asked = asked_page()
    entry: Entry = parts().store.read(_look, number, asked, show)
    pages = pages_of(entry.who["calls"])
    if asked > pages:
        return redirect(_address(number))
    page = render_template(
        "caller.html",
        **entry._asdict(),
        page=asked,
        pages=pages,
        typed=typed or {"name": entry.who["kept_name"] or "", "notes": entry.who["notes"]},
        trouble=trouble,
        own=_whose(number),
        address=_address,
        week=lambda booking: _week(booking, show),
        dates=Dates(show.zone.key, str(show.locale), show.now),
        show=show,
    )
    return (page, 422) if trouble else page


def _look(db: Database, number: str | None, page: int, show: Words) -> Entry:
    calls = inbox.calls_of(db, number, limit=PAGE, offset=(page - 1) * PAGE)
    upcoming = appointments.of_number(db, number, show.now) if number else []
    return Entry(people.one(db, number), calls, upcoming)


def _week(booking: Booking, show: Words) -> str:
    """The Monday of the calendar's week it is in."""
    day = booking.start.astimezone(show.zone).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def _identity(written: str) -> str | None:
    """What a caller is kept under, however it is written; None: withheld. What is no number is a 404."""
    if written == WITHHELD:
        return None
    if parts().store.read(people.is_there, written):
        return written
    try:
        return callers.normalise(written, region=region())
    except StoreError:
        abort(404, NO_NUMBER)


def _address(number: str | None) -> str:
    return url_for("caller", number=number or WITHHELD)


def _whose(number: str | None) -> str:
    """Whether it is a number of the house itself: "owner", "assistant" or ""."""
    settings = parts().settings
    if same_number(number, settings.owner_phone):
        return "owner"
    return "assistant" if same_number(number, settings.twilio_number) else ""


# --- what can be done to them ----------------------------------------------------------


def change_caller() -> ResponseReturnValue:
    """Keep name and notes."""
    number = _posted()
    name, notes = request.form.get("name", ""), request.form.get("notes", "")
    try:
        _keep(number, name=name, notes=notes)
    except StoreError as error:
        return _page(number, {"name": name, "notes": notes}, _sentence(error))
    flash("Saved.", "done")
    return redirect(_address(number), 303)


def caller_standing() -> ResponseReturnValue:
    """Make somebody known, a stranger or blocked. Can be taken back."""
    number, standing = _posted(), _standing()
    if standing is None:
        abort(400)
    before = parts().store.read(callers.kept, number)["standing"]
    try:
        _keep(number, standing=standing)
    except StoreError as error:
        flash(_sentence(error), "problem")
        return redirect(_address(number), 303)
    if before != standing and "undo" not in request.form:
        fields = {"number": number, "standing": before, "undo": "1"}
        told: Any = {"text": BECAME[standing], "undo": {"action": request.path, "fields": fields}}
        flash(told, "undo")
    else:
        flash("Undone." if "undo" in request.form else BECAME[standing], "done")
    return redirect(_address(number), 303)


def forget_caller() -> ResponseReturnValue:
    """Remove a caller everywhere, as `flask forget` does. Cannot be taken back, so a box has to be ticked."""
    number = _posted()
    if "sure" not in request.form:
        flash("Nothing was removed: tick the box first, to say that you are sure.", "problem")
        return redirect(f"{_address(number)}#forget", 303)
    try:
        removed = housekeeping.forget(parts().store, parts().settings.instance_path, number)
    except StoreError as error:
        flash(_sentence(error), "problem")
        return redirect(_address(number), 303)
    flash(f"Removed: {removed}.{_in_google(removed.in_google)}", "done")
    if removed.traces:
        flash(
            "Another program is reading the database, so traces are left in its log until tonight.", "caution"
        )
    return redirect(url_for("callers"), 303)


def _in_google(left: int) -> str:
    """What is not ours to remove."""
    if not left:
        return ""
    return f" Still in Google Calendar, to be removed there: {left} appointment{'' if left == 1 else 's'}."


def _posted() -> str:
    """The number a button was pressed for; there has to be one."""
    number = _identity(request.form.get("number", ""))
    if number is None:
        abort(400, "Callers who withhold their number cannot be told apart.")
    return number


def _standing() -> callers.Standing | None:
    chosen = request.form.get("standing", "")
    return cast(callers.Standing, chosen) if chosen in get_args(callers.Standing) else None


def _keep(number: str, **what: Any) -> None:
    """Raises StoreError for what cannot be kept, and when the owner would shut themselves out."""
    whose = _whose(number) if what.get("standing") == "blocked" else ""
    if whose == "owner":
        raise StoreError("this is your own number: blocked, it could not reach your assistant any more")
    if whose == "assistant":
        raise StoreError("this is the assistant's own number: it never calls, so there is nothing to block")
    parts().store.write(callers.set_caller, number, **what)


def _sentence(error: StoreError) -> str:
    """What is wrong, as a sentence of a page."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
