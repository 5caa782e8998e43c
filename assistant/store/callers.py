"""What is kept about a number: a name, and where its caller stands with the owner.

`stranger` is everybody nothing is kept about; `known` opens the calendar's booking; `blocked` is never
answered. A number is kept in one form only, E.164 or a bare `sip:` URI, or a blocked caller could come
back by being written differently.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import phonenumbers
from sqlite_utils import Database

from assistant.errors import StoreError

Standing = Literal["stranger", "known", "blocked"]
LONGEST_NAME = 80


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
    return _kept(db, number)


def _kept(db: Database, number: str | None) -> dict[str, Any]:
    row = next(db.query("SELECT name, standing FROM callers WHERE number = ?", (number,)), None)
    return row or {"name": None, "standing": "stranger"}


def set_caller(
    db: Database, number: str, *, name: str | None = None, standing: Standing | None = None
) -> dict[str, Any]:
    """Change what is kept about a normalised number; None leaves a thing as it is, name "" removes it.

    Returns the same as the function `standing`.
    """
    before = _kept(db, number)
    name = before["name"] if name is None else one_line_name(name)
    after = {"name": name, "standing": standing or before["standing"]}
    if after == {"name": None, "standing": "stranger"}:
        remove(db, number)
    else:
        db.execute("INSERT OR REPLACE INTO callers (number, name, standing) VALUES (?, ?, ?)",
                   (number, after["name"], after["standing"]))  # fmt: skip
    return after


def one_line_name(name: str) -> str | None:
    """A name that fits on a line; None when nothing is left of it."""
    name = re.sub(r"\s+", " ", name).strip()
    if not name.isprintable():
        raise StoreError("the name contains characters that cannot be shown")
    if len(name) > LONGEST_NAME:
        raise StoreError(f"the name is longer than {LONGEST_NAME} characters")
    return name or None


def remove(db: Database, number: str) -> bool:
    """Forget what is kept about a number; whether there was anything."""
    return bool(db.execute("DELETE FROM callers WHERE number = ?", (number,)).rowcount)
