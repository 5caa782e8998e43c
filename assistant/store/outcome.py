"""What came of a call, and its one-line summary: by rule, from the record alone.

Pure: `Record` is all that is known of a call when it is over. A model may write better summaries one
day; the rule stays for the calls no model saw.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

LONGEST_SUMMARY = 500

IN_WORDS = {
    "blocked": "Blocked: not answered.",
    "answered_by_owner": "You answered.",
    "transferred": "Put through to you.",
    "missed": "Hung up before being answered.",
    "booked": "Made an appointment.",
    "message": "Left a message.",
    "voicemail": "Left a recording.",
    "talked": "Talked to the assistant.",
    "no_message": "Left no message.",
}


@dataclass(frozen=True, slots=True)
class Booking:
    """What a caller was given, or asked for, in the calendar. `requested`: the owner has not said yes."""

    title: str = ""
    when: str = ""
    requested: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """The facts of a call that is over.

    blocked: refused before anything else. owner_accepted: the owner took it on their own phone.
    had_stream: the assistant's sound reached the phone company. voicemail_offered: the caller was asked
    to leave a recording without it. caller_words: what the caller said first; "" when no words are known.
    """

    ended_because: str
    blocked: bool = False
    owner_accepted: bool = False
    had_stream: bool = False
    voicemail_offered: bool = False
    left_voicemail: bool = False
    message: str | None = None
    booking: Booking | None = None
    caller_words: str = ""


def outcome(record: Record) -> str:
    """The first of the contract's outcomes that is true of this call."""
    true_of_it = {
        "blocked": record.blocked,
        "answered_by_owner": record.owner_accepted,
        "transferred": record.ended_because in ("transferred", "owner_took_over"),
        "missed": _was_missed(record),
        "booked": record.booking is not None,
        "message": record.message is not None,
        "voicemail": record.left_voicemail,
        "talked": bool(record.caller_words.strip()),
    }
    return next((name for name, holds in true_of_it.items() if holds), "no_message")


def _was_missed(record: Record) -> bool:
    """Gone before anything took the call: the assistant's sound never ran and nobody offered a recording.

    What was left behind proves that something did, also where we were not there to see it (a recording
    made while this program was down).
    """
    offered = record.had_stream or record.voicemail_offered
    left_something = record.left_voicemail or record.message is not None or record.booking is not None
    return not (offered or left_something or record.caller_words)


def summary(record: Record) -> str:
    """One line: the message, else what was booked, else the caller's first words, else the outcome."""
    said = record.message or _booking_line(record.booking) or record.caller_words
    return one_line(said) or IN_WORDS[outcome(record)]


def _booking_line(booking: Booking | None) -> str:
    if booking is None:
        return ""
    verb = "Asked for" if booking.requested else "Booked"
    return f"{verb}: {', '.join(part for part in (booking.title, booking.when) if part)}".rstrip(": ")


def one_line(text: str, most: int = LONGEST_SUMMARY) -> str:
    """Blanks and line ends become one blank; too long a text is cut at a word."""
    text = re.sub(r"\s+", " ", text).strip()
    if len(text) <= most:
        return text
    return text[: most - 1].rsplit(" ", 1)[0].rstrip(" ,.;:") + "…"


def last_booking(runs: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> Booking | None:
    """What a call's tool runs (name, arguments, result; in order) have left of bookings: the newest.

    One that was moved on the same call has its new time, one that was cancelled on it never was.
    """
    made: dict[str, Booking] = {}
    for n, (name, arguments, result) in enumerate(runs):
        event_id = str(result.get("event_id") or arguments.get("event_id") or n)
        if name == "add_event" and (booking := read_booking(arguments, result)) is not None:
            made[event_id] = booking
        elif name == "move_event" and event_id in made and (when := _said(result.get("moved"))):
            made[event_id] = replace(made[event_id], when=when)
        elif name == "cancel_event" and _said(result.get("cancelled")):
            made.pop(event_id, None)
    return next(reversed(made.values()), None)


def _said(slot: Any) -> str:
    """A time in words, as tools answer it."""
    return str(slot.get("say", "")) if isinstance(slot, Mapping) else ""


def read_booking(arguments: Mapping[str, Any], result: Mapping[str, Any]) -> Booking | None:
    """The booking in a run of `add_event`, or None when it did not succeed."""
    if result.get("ok") is not True:
        return None
    requested = "requested" in (result.get("status"), *result)
    slot = result.get("requested" if requested else "booked")
    said = slot.get("say") if isinstance(slot, dict) else None
    when = said or " ".join(str(arguments.get(key, "")) for key in ("date", "time"))
    return Booking(str(arguments.get("title", "")), str(when).strip(), requested)
