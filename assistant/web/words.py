"""How the pages write numbers, times and the contract's words for a reader.

The pages are in English, whatever is spoken on the phone: a "vor 5 Minuten" in the middle of a sentence
helps nobody. Of the owner's `language` it keeps the clock and the order of a date (to 24 hours, and the day
first, where people write so), and of `timezone` the zone. A broken preference falls back to UTC and
America's way, because a page that cannot name a month should still show the call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal

from assistant.store.delays import Waits, nearest_rank

OUTCOMES = {
    "message": "Message",
    "booked": "Appointment",
    "transferred": "Put through",
    "answered_by_owner": "You answered",
    "talked": "Talked",
    "no_message": "No message",
    "voicemail": "Recording",
    "blocked": "Blocked",
    "missed": "Missed",
}
ENDINGS = {
    "caller_hung_up": "the caller hung up",
    "assistant_ended": "the assistant said goodbye",
    "owner_ended": "you ended it",
    "transferred": "put through to your phone",
    "owner_took_over": "you took over",
    "silence": "nobody spoke any more",
    "time_limit": "the longest time for a call was reached",
    "model_failed": "the assistant failed; the caller could leave a recording",
    "line_lost": "the line was lost",
    "shut_down": "the program was being stopped",
    "interrupted": "the program stopped without warning",
    "rejected": "turned away",
}
RECORDINGS = {"call": "The call, both sides", "voicemail": "Left after the tone"}
MOST_LISTED = 12  # answers of a call; more numbers in a row tell less
NO_BREAK = "\u00a0"  # a number and its unit stay on one line
TRUST = {"stranger": "Stranger", "known": "Known caller", "owner": "You"}
TWELVE_HOURS, TWENTY_FOUR = Locale("en"), Locale.parse("en_150")  # as America and as Europe write English


def english_for(language: str) -> Locale:
    """The English of a reader who speaks this language: their own, or the one with their clock."""
    try:
        spoken = Locale.parse(language, sep="-" if "-" in language else "_")
    except (UnknownLocaleError, ValueError, TypeError):
        return TWELVE_HOURS
    if spoken.language == "en":
        return spoken
    return TWENTY_FOUR if "H" in str(spoken.time_formats["short"].pattern) else TWELVE_HOURS


class Words:
    """What a template needs to write about calls; `now` is when the page is made."""

    def __init__(self, timezone: str, language: str, now: datetime) -> None:
        self.now = now
        try:
            self.zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError):
            self.zone = ZoneInfo("UTC")
        self.locale = english_for(language)

    def exact(self, at: str) -> str:
        """Day and time in the owner's zone."""
        return format_datetime(_moment(at).astimezone(self.zone), "medium", locale=self.locale)

    def ago(self, at: str) -> str:
        """ "3 hours ago"."""
        past = min(_moment(at) - self.now, timedelta(seconds=-1))  # never "in 0 seconds"
        return format_timedelta(past, add_direction=True, locale=self.locale)

    def dollars(self, amount: float) -> str:
        """Small amounts matter here: three places."""
        written: str = format_currency(amount, "USD", "¤#,##0.000", locale=self.locale, currency_digits=False)
        return written

    @staticmethod
    def number(number: str | None) -> str:
        """A phone number as people write it; what is none is shown as it came."""
        if not number:
            return "Withheld number"
        if number.startswith("client:"):
            return "a browser"
        if not number.startswith("+"):
            return number
        try:
            parsed = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            return number
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)

    @staticmethod
    def tel(number: str | None) -> str:
        """What a `tel:` link may hold; "" for everything that is no plain number."""
        return number if number and re.fullmatch(r"\+[0-9]{4,15}", number) else ""

    def who(self, call: Mapping[str, Any]) -> str:
        """The caller's name where there is one, else the number."""
        return str(call["caller_name"] or self.number(call["from"]))

    @staticmethod
    def outcome(call: Mapping[str, Any]) -> str:
        """The outcome in a word or two; a running call has none yet."""
        return "On the line" if call["outcome"] is None else OUTCOMES.get(call["outcome"], "Over")

    @staticmethod
    def ending(call: Mapping[str, Any]) -> str:
        """Why the assistant's part ended."""
        return ENDINGS.get(call["ended_because"], "it is over")

    @staticmethod
    def recording(kind: str) -> str:
        return RECORDINGS.get(kind, kind)

    @staticmethod
    def trust(level: str | None) -> str:
        return TRUST.get(level or "", level or "")

    @staticmethod
    def length(seconds: float | None) -> str:
        """m:ss, or h:mm:ss."""
        minutes, rest = divmod(round(seconds or 0), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

    @staticmethod
    def spoken_length(seconds: float | None) -> str:
        """The same as HTML's `datetime` wants it."""
        return f"PT{round(seconds or 0)}S"

    what_is_a_wait = (
        "First word: from the moment the line is open to the assistant’s first sound. "
        "Answer: from when the model noticed that the caller had stopped speaking, about 0.7 s after "
        "their last word, to the first sound of the answer."
    )

    def wait(self, ms: int) -> str:
        """How long somebody waited, as exactly as it can be felt: "3 ms", "0.6 s", "12 s"."""
        if ms < 100:
            return f"{max(1, ms)}{NO_BREAK}ms"  # nothing takes no time at all
        seconds = format_decimal(ms / 1000, "0.0" if ms < 9950 else "0", locale=self.locale)
        return f"{seconds}{NO_BREAK}s"

    def waits(self, waits: Waits) -> str:
        """What half of many waits took at most, and nearly all: "half within 0.7 s, 95 % within 1.4 s"."""
        half, nearly_all = self.wait(waits.p50_ms), self.wait(waits.p95_ms)
        within = f"95{NO_BREAK}% within {nearly_all}"
        return within if half == nearly_all else f"half within {half}, {within}"

    def answers(self, response_ms: Sequence[int]) -> str:
        """A sentence on how long each answer of a call took, or on the like of them; "" without answers."""
        waits = [self.wait(ms) for ms in response_ms]
        if len(waits) > MOST_LISTED:
            half = self.wait(nearest_rank(sorted(response_ms), 50))
            slowest = self.wait(max(response_ms))
            return f"{len(waits)} answers: half within {half}, the slowest after {slowest}."
        *others, last = waits or [""]
        listed = f"{', '.join(others)} and {last}" if others else last
        return f"{'Answers' if others else 'Answer'} after {listed}." if waits else ""

    @staticmethod
    def value(value: Any) -> str:
        """One value of a tool's arguments or result."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if value is None:
            return "–"
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)

    @staticmethod
    def unheard(turn: Mapping[str, Any]) -> str:
        """What was generated of a reply and cut off before the caller could hear it."""
        text, heard = turn["text"] or "", turn["heard_text"] or ""
        if not turn["interrupted"] or text == heard:
            return ""
        shared = heard.rstrip(" .…-–—")
        return text[len(shared) :].strip() if text.startswith(shared) else text


def _moment(at: str | datetime) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
