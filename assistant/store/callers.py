"""What is kept about a number: a name, where its caller stands with the owner, and the owner's notes.

`stranger` is everybody nothing is kept about; `known` is booked at once, and may move and cancel what they
booked; `blocked` is never answered. A number is kept in one form only, E.164 or a bare `sip:` URI, or a
blocked caller could come back by being written differently.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Literal, TypedDict, cast

import phonenumbers
from sqlite_utils import Database

from assistant.errors import StoreError

Standing = Literal["stranger", "known", "blocked"]
LONGEST_NAME = 80
LONGEST_NOTES = 2000


class Kept(TypedDict):
    """What is kept about a number."""

    name: str | None
    standing: Standing
    notes: str


NOTHING: Kept = {"name": None, "standing": "stranger", "notes": ""}


def normalise(text: str, *, region: str | None = None) -> str:
    """A number as it is kept. `region` (like "US"): where a number without + is dialled from.

    Raises StoreError with one line for the owner.
    """
    text = text.strip()
    if re.match(r"sips?:", text, re.IGNORECASE):
        return _sip(text)
    if re.search(r"[^0-9+()\-./\s]", text) or not re.search(r"\d", text):
        raise StoreError(f"{text!r} is not a telephone number")
    if not text.startswith("+") and region is None:
        raise StoreError(
            f"{text!r} has no country: write it with + and the country's code, like +12025550123"
        )
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise StoreError(f"{text!r} is not a telephone number ({error})") from error
    if not phonenumbers.is_possible_number(number):
        raise StoreError(
            f"{text!r} is not a possible telephone number: too short, too long, or no such country"
        )
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _sip(text: str) -> str:
    """Scheme, user and host; port and parameters belong to the way, not to the caller."""
    found = re.fullmatch(r"(sips?):([^\s@<>;:]+)@([a-z0-9.\-\[\]]+)(:\d+)?(;\S*)?", text, re.IGNORECASE)
    if found is None:
        raise StoreError(f"{text!r} is not a sip: address, like sip:ana@example.com")
    return f"sip:{found[2]}@{found[3].lower()}"


def region_of(number: str | None) -> str | None:
    """The country of an E.164 number, as `normalise` wants it; None when it says none."""
    if not number:
        return None
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or None
    except phonenumbers.NumberParseException:
        return None


def standing(db: Database, number: str | None) -> dict[str, Any]:
    """`{"name": str | None, "standing": "stranger" | "known" | "blocked"}` of a normalised number;
    a withheld one (None) is a stranger's."""
    return _without_notes(kept(db, number))


def kept(db: Database, number: str | None) -> Kept:
    """All that is kept about a number, as it is written there."""
    found = db.query("SELECT name, standing, notes FROM callers WHERE number = ?", (number,))
    return cast(Kept, next(found, NOTHING))


def set_caller(
    db: Database,
    number: str,
    *,
    name: str | None = None,
    standing: Standing | None = None,
    notes: str | None = None,
) -> dict[str, Any]:
    """Change what is kept about a normalised number; None leaves a thing as it is, "" removes it.

    Returns the same as the function `standing`. Raises StoreError with one line for the owner.
    """
    before = kept(db, number)
    after: Kept = {
        "name": before["name"] if name is None else one_line_name(name),
        "standing": standing or before["standing"],
        "notes": before["notes"] if notes is None else plain_notes(notes),
    }
    if after == NOTHING:
        remove(db, number)
    else:
        # Not REPLACE: that would put a new row in place of the old one without the triggers of its end.
        db.execute(
            "INSERT INTO callers (number, name, standing, notes) VALUES (:number, :name, :standing, :notes)"
            " ON CONFLICT (number) DO UPDATE SET name = excluded.name, standing = excluded.standing,"
            " notes = excluded.notes",
            {"number": number, **after},
        )
    return _without_notes(after)


def _without_notes(what: Kept) -> dict[str, Any]:
    return {"name": what["name"], "standing": what["standing"]}


def one_line_name(name: str) -> str | None:
    """A name that fits on a line; None when nothing is left of it."""
    name = re.sub(r"\s+", " ", name).strip()
    if not name.isprintable():
        raise StoreError("the name contains characters that cannot be shown")
    if len(name) > LONGEST_NAME:
        raise StoreError(f"the name is longer than {LONGEST_NAME} characters")
    return name or None


def plain_notes(notes: str) -> str:
    """Notes of some lines, without the characters that cannot be shown."""
    lines = ("".join(map(_shown, line)).rstrip() for line in notes.splitlines())
    notes = "\n".join(lines).strip()
    if len(notes) > LONGEST_NOTES:
        raise StoreError(f"the notes are longer than {LONGEST_NOTES} characters")
    return notes


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cs") else character


def remove(db: Database, number: str) -> bool:
    """Forget what is kept about a number; whether there was anything."""
    return bool(db.execute("DELETE FROM callers WHERE number = ?", (number,)).rowcount)
