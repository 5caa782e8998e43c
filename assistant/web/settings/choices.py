"""What a preference may be, where that is a list: what is kept, and how it is called."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError

from assistant.realtime.models import VOICES

# Those the model speaks well; any other code can be set by `flask prefs`, and is then in the list, too.
LANGUAGES = (
    "ar", "bg", "ca", "cs", "da", "de", "el", "en", "en-GB", "es", "et", "fi", "fr", "he", "hi", "hr", "hu",
    "id", "it", "ja", "ko", "lt", "lv", "nl", "no", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sl", "sr", "sv",
    "th", "tr", "uk", "vi", "zh",
)  # fmt: skip

Choices = tuple[tuple[str, str], ...]  # what is kept, and how it is called


def no_choices(held: str) -> Choices:
    return ()


def languages(held: str) -> Choices:
    """By their English names."""
    return tuple(
        sorted(((code, _language_name(code)) for code in {*LANGUAGES, held}), key=lambda one: one[1])
    )


@cache
def _language_name(code: str) -> str:
    try:
        return str(Locale.parse(code, sep="-").get_display_name("en"))
    except (UnknownLocaleError, ValueError):
        return code


@cache
def zones(held: str) -> Choices:
    """The zones people live in, by their IANA names."""
    places = (
        name
        for name in available_timezones()
        if "/" in name and not name.startswith(("Etc/", "SystemV/", "US/"))
    )
    return tuple((name, "") for name in sorted(places))


def voices(held: str) -> Choices:
    """Those that can be used on a call, the best first."""
    best = {"marin": "Marin (clear and warm)", "cedar": "Cedar (calm and deep)"}
    names = [*VOICES, *([held] if held not in VOICES else [])]
    return tuple((name, best.get(name, name.capitalize())) for name in names)


def bookings(held: str) -> Choices:
    return (
        ("request", "A request: the time is kept free, and you approve it or not"),
        ("tentative", "Pencilled in: it stands in the calendar at once, as tentative"),
        ("confirmed", "Fixed: it stands in the calendar at once"),
    )
