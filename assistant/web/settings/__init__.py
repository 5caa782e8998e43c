"""Settings: all the owner may change, in plain words.

sections.py   the preferences: what belongs together, and what each is
hours.py      the working hours, as a person checks them
greeting.py   the sound of the first words
access.py     the password, the PIN, and the browsers that are logged in
browsers.py   a browser's name in plain words
takeaway.py   everything there is about calls, as a file to keep

A section is a form of its own. A wrong value changes nothing, is told at its field, and stays in it; what
is right takes effect with the next call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import Flask, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from assistant.realtime.models import fitting_voice
from assistant.store import logins, pins, preferences
from assistant.web.calendars.dates import Dates
from assistant.web.parts import parts
from assistant.web.settings import access, greeting, takeaway
from assistant.web.settings.greeting import MOST_AN_HOUR, Takes
from assistant.web.settings.hours import entries, next_days
from assistant.web.settings.sections import SECTIONS

__all__ = ["MOST_AN_HOUR", "Takes", "register"]

SAVE_S = 5.0
NOT_KEPT = 422  # understood, and not done


@dataclass(frozen=True)
class Typed:
    """A form that was sent and is shown again: what stands in it, and what is wrong with it."""

    section: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)


def register(app: Flask) -> None:
    """Put the settings on the map, and what they are made of."""
    app.add_url_rule("/settings", "settings", settings)
    app.add_url_rule("/settings/<section_id>", "save_settings", save_settings, methods=["POST"])
    for part in (greeting, access, takeaway):
        part.register(app)


def settings() -> ResponseReturnValue:
    """The page."""
    return show(Typed())


def save_settings(section_id: str) -> ResponseReturnValue:
    """Keep one section, whole or not at all; "Check the hours" keeps nothing and shows what they mean."""
    section = next((one for one in SECTIONS if one.id == section_id), None) or abort(404)
    values = section.typed(request.form)
    wrong = section.wrong(values)
    if wrong:
        return show(Typed(section.id, values, wrong)), NOT_KEPT
    if "check" in request.form:
        return show(Typed(section.id, values))
    changed = parts().store.write(preferences.set_all, values, timeout_s=SAVE_S)
    flash(
        "Saved. It holds from the next call on." if changed else "Nothing was changed.", f"done@{section.id}"
    )
    return redirect(url_for("settings", _anchor=section.id), 303)


def show(typed: Typed) -> str:
    """The page, with one form as it was sent."""
    store, now = parts().store, datetime.now(UTC)
    held = store.read(preferences.load)
    kept = store.read(preferences.all_preferences)
    voice, other_voice = fitting_voice(held.voice)
    words = Dates(held.timezone, held.language, now)
    values = {**kept, **typed.values}
    return render_template(
        "settings.html",
        sections={section.id: section for section in SECTIONS},
        values=values,
        typed=typed,
        preferences=held,
        voice=voice,
        other_voice=other_voice,
        kept=greeting.kept_sound(held),
        days=next_days(values["working_hours"], now.astimezone(words.zone).date()),
        entries=entries(values["working_hours"]),
        browsers=access.browsers(now),
        has_password=store.read(logins.password_hash) is not None,
        has_pin=store.read(pins.has_pin),
        shortest_password=logins.SHORTEST_PASSWORD,
        pin_digits=(pins.SHORTEST, pins.LONGEST),
        show=words,
    )
