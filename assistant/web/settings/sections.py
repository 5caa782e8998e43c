"""The preferences as the settings page shows them: which belong together, and what each is in plain words.

Names, types, ranges and defaults are `store.preferences`'; nothing is said twice. A section is one form:
what is wrong in it loses nothing of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from assistant.errors import PreferenceError
from assistant.store import preferences
from assistant.web.settings.choices import Choices, bookings, languages, no_choices, voices, zones


@dataclass(frozen=True, slots=True)
class Field:
    """One preference. choices: for a list or for buttons, given what holds now.

    kind: text, long, number, switch, list, buttons, suggestions (a text with choices to pick from).
    """

    name: str
    label: str
    hint: str = ""
    kind: str = "text"
    unit: str = ""
    choices: Callable[[str], Choices] = no_choices

    @property
    def least(self) -> float | None:
        return _bound(self.name, "ge")

    @property
    def most(self) -> float | None:
        return _bound(self.name, "le")

    @property
    def longest(self) -> int | None:
        bound = _bound(self.name, "max_length")
        return None if bound is None else int(bound)

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return preferences.Preferences.model_fields[self.name].annotation is int

    @property
    def default(self) -> str:
        """What a new owner has."""
        return preferences.shown(
            preferences.Preferences.model_fields[self.name].get_default(call_default_factory=True)
        )

    def typed(self, form: Mapping[str, str]) -> str:
        """What a form says of it. A text area's line ends are blanks: it is spoken in one breath."""
        if self.kind == "switch":
            return "on" if form.get(self.name) else "off"
        return " ".join(form.get(self.name, "").split())

    def wrong(self, value: str) -> str:
        """Why this cannot be kept, for a reader who knows no types; "" when it can."""
        try:
            preferences.checked(self.name, value)
        except PreferenceError as error:
            return self._in_plain_words(value, str(error).partition(": ")[2])
        return ""

    def _in_plain_words(self, value: str, reason: str) -> str:
        if self.kind == "number":
            return f"Write a {'whole ' if self.whole else ''}number from {self.least:g} to {self.most:g}."
        if self.kind in ("list", "buttons"):
            return "Choose one of these."
        if self.longest is not None and len(value) > self.longest:
            return f"That is {len(value)} characters; {self.longest} are the most."
        if not value:
            return "This cannot be empty."
        return f"{reason[:1].upper()}{reason[1:]}."


def _bound(name: str, kind: str) -> float | None:
    """What `store.preferences` sets as the least, the most or the longest."""
    rules = preferences.Preferences.model_fields[name].metadata
    bounds: list[float] = [getattr(rule, kind) for rule in rules if getattr(rule, kind, None) is not None]
    return bounds[0] if bounds else None


@dataclass(frozen=True, slots=True)
class Section:
    """A form of the page, and its heading."""

    id: str
    title: str
    fields: tuple[Field, ...]

    def typed(self, form: Mapping[str, str]) -> dict[str, str]:
        """What a form says of each of its preferences."""
        return {field.name: field.typed(form) for field in self.fields}

    def wrong(self, typed: Mapping[str, str]) -> dict[str, str]:
        """What cannot be kept, and why, by name."""
        reasons = {field.name: field.wrong(typed[field.name]) for field in self.fields}
        return {name: reason for name, reason in reasons.items() if reason}


# --- the page ------------------------------------------------------------------


def switch(name: str, label: str, hint: str = "") -> Field:
    return Field(name, label, hint, kind="switch")


def long(name: str, label: str, hint: str = "") -> Field:
    return Field(name, label, hint, kind="long")


def number(name: str, label: str, unit: str, hint: str = "") -> Field:
    return Field(name, label, hint, kind="number", unit=unit)


YOU = Section(
    "you",
    "You",
    (
        Field("owner_name", "Your name", "As callers hear it. If it is empty, they hear “the owner”."),
        Field(
            "timezone",
            "Time zone",
            "Type your city. All times, on these pages and on the telephone, are in it.",
            kind="suggestions",
            choices=zones,
        ),
        Field(
            "language",
            "Language of the assistant",
            "The one it greets callers in. These pages stay in English.",
            kind="list",
            choices=languages,
        ),
    ),
)
FIRST_WORDS = Section(
    "first-words",
    "First words",
    (
        long(
            "disclosure",
            "Notice",
            "Spoken before everything else, and before anything is recorded. Many places ask for it."
            " Empty: there is none.",
        ),
        long(
            "greeting",
            "Greeting",
            "Spoken after the notice, word for word. {owner_name} becomes your name.",
        ),
        Field("voice", "Voice", "For the greeting and the whole call.", kind="list", choices=voices),
        long("persona", "Manner", "How the assistant is to talk. It is told this in every call."),
    ),
)
CALLS = Section(
    "calls",
    "Calls",
    (
        switch(
            "ring_first",
            "Ring my phone first",
            "The assistant answers when you do not. A forwarded call has rung already, and goes to the"
            " assistant at once.",
        ),
        number("ring_seconds", "Ring for", "seconds"),
        number("max_call_seconds", "Longest call", "seconds", "Then the assistant says goodbye."),
        number("max_concurrent_calls", "At once", "calls", "Further callers get a plain voicemail."),
        number(
            "calls_per_caller_per_day",
            "Of one number, a day",
            "calls",
            "Further ones get a plain voicemail. 0: no limit.",
        ),
        number(
            "daily_budget_usd",
            "Spend at most, a day",
            "US dollars",
            "The model’s cost since midnight; above it, plain voicemail. 0: no limit.",
        ),
    ),
)
APPOINTMENTS = Section(
    "appointments",
    "Appointments",
    (
        long(
            "working_hours",
            "Working hours",
            "When you can be booked. With holidays, if you like:"
            " mon-fri 09:00-17:00, 12-24 09:00-12:00, 12-25 to 12-26 closed",
        ),
        Field(
            "booking",
            "What a stranger books is",
            "What a known caller books goes into the calendar at once, fixed.",
            kind="buttons",
            choices=bookings,
        ),
        number("event_minutes", "Usual length", "minutes", "When the caller says nothing else."),
        number(
            "buffer_minutes", "Kept free around each", "minutes", "Before and after what is in your calendar."
        ),
        number("notice_hours", "Not sooner than", "hours", "From the moment of the call."),
        number("horizon_days", "Not later than", "days", "From the day of the call."),
    ),
)
PRIVACY = Section(
    "privacy",
    "Privacy",
    (
        switch(
            "record_audio",
            "Keep the sound of calls",
            "Off: calls are answered and written down as always, and there is nothing to listen to.",
        ),
        number(
            "retention_days_text",
            "Keep calls for",
            "days",
            "Then a call is removed, with all its words. 0: for ever.",
        ),
        number(
            "retention_days_audio",
            "Keep sound for",
            "days",
            "Then its recordings are removed. 0: as long as the call.",
        ),
    ),
)
NOTIFICATIONS = Section(
    "notifications",
    "Notifications",
    (long("notify_urls", "Addresses", "With blanks between them, like ntfy://ntfy.sh/your-topic"),),
)

SECTIONS = (YOU, FIRST_WORDS, CALLS, APPOINTMENTS, PRIVACY, NOTIFICATIONS)
