"""Who is calling, and what that allows. Pure.

A caller ID is a claim. It may be withheld (as a word, or as a number that spells one on a keypad), a SIP
address, or anything a foreign exchange has put there; it proves nobody. So it decides which number a call
is kept under and whether its caller counts as `known`, never more: the owner's level needs a PIN as well,
typed on the keypad and compared in code (`owner_pin`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import phonenumbers

Trust = Literal["stranger", "known", "owner"]

LONGEST_RAW = 200
WITHHELD_WORDS = frozenset(
    {"", "anonymous", "restricted", "unavailable", "unknown", "private", "blocked", "withheld"}
)
# The same words on a keypad. +7378742833 looks like a Russian number, and would pass for one.
WITHHELD_NUMBERS = frozenset({"266696687", "7378742833", "2562533", "8656696", "86282452253"})
FEWEST_DIGITS = 7  # of a number written without its country


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller ID, read. `raw`: as it came. `number`: E.164. `sip`: the bare `sip:` address."""

    raw: str
    number: str | None = None
    sip: str | None = None
    withheld: bool = False

    @property
    def identity(self) -> str | None:
        """What the call is kept under: E.164, a `sip:` address, None when withheld, else as it came."""
        return None if self.withheld else self.number or self.sip or self.raw

    @property
    def names(self) -> tuple[str, ...]:
        """Everything this caller may be kept as: a SIP address may also hold a number."""
        return tuple(dict.fromkeys(name for name in (self.identity, self.sip) if name))


def read_caller(from_: str | None) -> Caller:
    """Read the `From` of a call (or a `ForwardedFrom`), whatever it holds."""
    raw = (from_ or "").strip()[:LONGEST_RAW]
    if _is_withheld(raw):
        return Caller(raw, withheld=True)
    if found := re.match(r"sips?:([^@;]+)@(\[[0-9a-f:.]+\]|[^\s;:>@]+)", raw, re.IGNORECASE):
        return _sip_caller(raw, user=found[1], host=found[2].lower())
    return Caller(raw, number=_e164(raw))


def _sip_caller(raw: str, user: str, host: str) -> Caller:
    plain = _percent_decoded(user)
    if _is_withheld(plain):
        return Caller(raw, withheld=True)
    # Port and parameters belong to the way a call took, not to who made it.
    return Caller(raw, number=_e164(plain), sip=f"sip:{user}@{host}")


def _is_withheld(text: str) -> bool:
    digits = text.removeprefix("+")
    return (
        text.lower() in WITHHELD_WORDS
        or digits in WITHHELD_NUMBERS
        or digits.removeprefix("1") in WITHHELD_NUMBERS
    )


def _e164(text: str) -> str | None:
    if not re.fullmatch(r"\+[0-9 ().-]{6,30}", text):
        return None
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _percent_decoded(text: str) -> str:
    octets = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    return octets.decode(errors="replace")


def same_number(one: str | None, other: str | None) -> bool:
    """Whether two ways of writing are one number, by their digits.

    Carriers leave out the country or write a trunk 0; with both countries given, they count.
    """
    if not one or not other:
        return False
    digits, others = _digits(one), _digits(other)
    if one.strip().startswith("+") and other.strip().startswith("+"):
        return bool(digits) and digits == others
    short, long = sorted((digits.lstrip("0"), others.lstrip("0")), key=len)
    return len(short) >= FEWEST_DIGITS and long.endswith(short)


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def level(standing: str | None, stir_verstat: str | None) -> Trust:
    """How far a caller is trusted before a word is said.

    `known` is for numbers kept as known, unless the network itself doubts the caller ID (validation
    failed, or level C: a gateway vouches for nothing).
    """
    if standing != "known":
        return "stranger"
    found = re.search(r"Validation-(Passed|Failed)(?:-([ABC]))?", stir_verstat or "", re.IGNORECASE)
    doubted = found is not None and (found[1].lower() == "failed" or (found[2] or "").upper() == "C")
    return "stranger" if doubted else "known"


def may_type_pin(identity: str | None, owner_phone: str) -> bool:
    """Whether a call shows the owner's number: then, and only then, its keys may open the PIN entry."""
    return (identity or "").startswith("+") and same_number(identity, owner_phone)


def is_diverted(stir_verstat: str | None) -> bool:
    """Whether the network says that another telephone passed this call on."""
    return (stir_verstat or "").lower().endswith("-diverted")
