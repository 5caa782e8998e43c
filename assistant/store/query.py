"""What somebody typed into the search box, read.

Whatever it is, reading never fails: what cannot be understood is left out and told, and what is left is words
to look for. A query is a list of conditions, and all of them have to be true of a call. Pure.

    roof friday             both words, somewhere in the call; the last one may be the beginning of a word
    "a week on friday"      these words in this order
    020 7946 0018           a number, however it is written, or only its last digits
    -roof                   not this; a minus goes before operators too
    from:ana to:0100 after:2026-11-01 before:2026-12 said:caller has:booking is:unread
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import phonenumbers

from assistant.errors import StoreError
from assistant.store.callers import normalise

Speaker = Literal["caller", "assistant"]

LONGEST = 400  # characters; more is no search
MOST_WORDS = 12
FEWEST_DIGITS = 3  # fewer than that are no part of a number
FEWEST_LETTERS = 2  # of the beginning of a word
OPERATORS = ("from", "to", "after", "before", "has", "is", "said")
CHOICES = {
    "has": ("message", "booking", "recording"),
    "is": ("unread", "open", "done", "known", "stranger", "blocked"),
    "said": ("caller", "assistant"),
}
WITHHELD = ("withheld", "anonymous", "private", "hidden", "unknown")
_QUOTES = str.maketrans("“”„‟«»", '"' * 6)
_PART = re.compile(r'(-?)(?:([a-z]+):)?(?:"([^"]*)"?|([^\s"]+))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Digits:
    """A number, or a part of one, in the ways it may be kept. `anywhere`: parts; `last`: only at the end.

    spoken: how else it may stand in a text.
    """

    anywhere: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    spoken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that has to be true of a call (`negated`: must not be).

    kind: words, from, to, after, before, has or is. day: the first day meant, of after and before.
    """

    kind: str
    value: str
    negated: bool = False
    phrase: bool = False
    beginning: bool = False  # the last word may go on
    digits: Digits = field(default_factory=Digits)
    day: date = date.min


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. said: who said the words. unread: a line on each part that was left out."""

    text: str = ""
    conditions: tuple[Condition, ...] = ()
    said: Speaker | None = None
    unread: tuple[str, ...] = ()

    @property
    def words(self) -> list[Condition]:
        """Those that are found in what was said or written."""
        return [one for one in self.conditions if one.kind == "words" and not one.negated]


def read(text: str, *, region: str | None = None) -> Query:
    """A query of anything that can be typed. region: where a number without + is dialled from, like "US"."""
    text, unread = _cleaned(text)
    parts = list(_joined(_parts(text)))
    conditions: list[Condition] = []
    said: Speaker | None = None
    for part in parts:
        condition, complaint = _condition(part, region)
        unread += [complaint] if complaint else []
        if condition is not None and condition.kind == "said":
            said = "caller" if (condition.value == "caller") != condition.negated else "assistant"
        elif condition is not None:
            conditions.append(condition)
    if said and not any(one.kind == "words" for one in conditions):
        unread.append(f"said:{said} needs a word: what did they say?")
    conditions, too_many = _bounded(conditions)
    return Query(text, tuple(_with_beginning(conditions, parts)), said, (*unread, *too_many))


# --- parts ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the things between blanks: `-from:"Ana B"` is all of it at once."""

    operator: str
    value: str
    negated: bool
    quoted: bool

    @property
    def is_number(self) -> bool:
        """Whether it is a number or a piece of one."""
        plain = not (self.operator or self.quoted or self.negated)
        return plain and re.fullmatch(r"[+(]*\d[\d()+./-]*", self.value) is not None


def _cleaned(text: str) -> tuple[str, list[str]]:
    """What is left when everything is taken out that is no letter, sign or blank; and whether it was cut."""
    text = text.encode(errors="replace").decode()  # half a character
    text = "".join(character if character.isprintable() else " " for character in text.translate(_QUOTES))
    text = " ".join(text.split())
    cut = [f"Only the first {LONGEST} characters were read."] if len(text) > LONGEST else []
    return text[:LONGEST], cut


def _parts(text: str) -> Iterator[_Part]:
    for minus, operator, quoted, plain in _PART.findall(text):
        value, is_quoted = (plain, False) if plain else (quoted, True)
        if value[-1:] == ":" and value[:-1].lower() in OPERATORS:
            operator, value = value[:-1], ""
        elif operator and operator.lower() not in OPERATORS:
            operator, value = "", f"{operator}:{value}"  # an address, a name with a colon
        yield _Part(operator.lower(), value, bool(minus), is_quoted)


def _joined(parts: Iterator[_Part]) -> Iterator[_Part]:
    """Pieces of a number that stand in a row become one."""
    number: _Part | None = None
    for part in parts:
        if part.is_number:
            number = replace(number, value=f"{number.value} {part.value}") if number else part
            continue
        if number:
            yield number
        number = None
        yield part
    if number:
        yield number


def _bounded(conditions: list[Condition]) -> tuple[list[Condition], list[str]]:
    words = [one for one in conditions if one.kind == "words"]
    if len(words) <= MOST_WORDS:
        return conditions, []
    left_out = {id(one) for one in words[MOST_WORDS:]}
    told = f"Only the first {MOST_WORDS} words were looked for."
    return [one for one in conditions if id(one) not in left_out], [told]


def _with_beginning(conditions: list[Condition], parts: list[_Part]) -> list[Condition]:
    """The word that stands last may be still unfinished, if it is no more than a word."""
    if not conditions or not parts or parts[-1].operator or parts[-1].quoted or parts[-1].negated:
        return conditions
    last = conditions[-1]
    if last.value != parts[-1].value or len(last.value) < FEWEST_LETTERS:
        return conditions
    return [*conditions[:-1], replace(last, beginning=True)]


# --- conditions ----------------------------------------------------------------


def _condition(part: _Part, region: str | None) -> tuple[Condition | None, str]:
    """A part's condition, or why it has none ("" when there is nothing to say about it)."""
    if not any(map(str.isalnum, part.value)):
        return None, f"{part.operator}: needs something after it." if part.operator else ""
    match part.operator:
        case "after" | "before":
            return _day(part)
        case "has" | "is" | "said":
            return _choice(part)
        case "to" if not re.search(r"\d", part.value):
            return None, f"to:{part.value} was not understood: write digits, like to:0100."
    digits = read_digits(part.value, region)
    kind = part.operator or "words"
    return Condition(kind, part.value, part.negated, phrase=part.quoted, digits=digits), ""


def _choice(part: _Part) -> tuple[Condition | None, str]:
    choices = CHOICES[part.operator]
    value = part.value.lower()
    if value in choices:
        return Condition(part.operator, value, part.negated), ""
    *others, last = (f"{part.operator}:{choice}" for choice in choices)
    return None, f"{part.operator}:{part.value} is not known. There are {', '.join(others)} and {last}."


def _day(part: _Part) -> tuple[Condition | None, str]:
    found = re.fullmatch(r"([0-9]{4})(?:-([0-9]{1,2}))?(?:-([0-9]{1,2}))?", part.value)
    try:
        day = date(*(int(number or 1) for number in found.groups())) if found else None
    except ValueError:
        day = None
    if day is None or not 1970 <= day.year < 9999:  # at the ends of the calendar there are no time zones
        example = f"{part.operator}:2026-11-21"
        return None, f"{part.operator}:{part.value} is not a day. Write it like {example}, or only its month."
    return Condition(part.operator, part.value, part.negated, day=day), ""


# --- numbers -------------------------------------------------------------------


def read_digits(text: str, region: str | None) -> Digits:
    """A number in every form it may be kept in; nothing when the text is none."""
    if "@" in text:
        return Digits(anywhere=(text.lower(),))
    digits = re.sub(r"[^0-9]", "", text.replace("(0)", ""))
    if len(digits) < FEWEST_DIGITS or re.search(r"[^0-9+()\-./\s]", text):
        return Digits()
    if len(digits) == FEWEST_DIGITS:
        return Digits(last=(digits,))
    # In the country a number is dialled with a 0 before it, or 00 and the country: neither is kept.
    without_trunk = digits.lstrip("0")
    ways = [digits, without_trunk] if len(without_trunk) > FEWEST_DIGITS else [digits]
    whole, spoken = _whole(text, region)
    return Digits(anywhere=tuple(dict.fromkeys([*ways, *whole])), spoken=spoken)


def _whole(text: str, region: str | None) -> tuple[list[str], tuple[str, ...]]:
    """A whole number as it is kept (without +, and without the country), and as people write it."""
    try:
        number = phonenumbers.parse(normalise(text.replace("(0)", ""), region=region))
    except (StoreError, phonenumbers.NumberParseException):
        return [], ()
    formats = phonenumbers.PhoneNumberFormat
    shown = [
        phonenumbers.format_number(number, each)
        for each in (formats.E164, formats.INTERNATIONAL, formats.NATIONAL)
    ]
    national = str(number.national_number)
    spoken = tuple(dict.fromkeys([*shown, national, re.sub(r"[^0-9]", "", shown[-1])]))
    return [shown[0].removeprefix("+"), national], spoken
