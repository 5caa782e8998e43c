"""What the owner may change while the program runs; a change takes effect with the next call.

`Preferences` is the whole list: names, types, ranges, defaults and what each is for (the settings page
shows the descriptions). In the database is only what has been changed, as text in a normal form, so a
better default reaches everybody who never touched it. Times, money and words arrive as text from a
command line or a form, and are checked one at a time: a wrong one changes nothing.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from sqlite_utils import Database

from assistant.errors import PreferenceError
from assistant.store import working_hours as hours

Voice = Literal[
    "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar",
    "nova", "onyx", "fable",
]  # fmt: skip
NAMELESS_OWNER = "the owner"


def machine_timezone() -> str:
    """The IANA name of this machine's zone; UTC where none can be made out."""
    candidates = [os.environ.get("TZ", "").removeprefix(":")]
    candidates.append(os.path.realpath("/etc/localtime").partition("zoneinfo/")[2])
    named = Path("/etc/timezone")
    if named.is_file():
        candidates.append(named.read_text(encoding="utf-8", errors="replace").strip())
    return next((name for name in candidates if name and _is_zone(name)), "UTC")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder is an OSError
        return False
    return True


def _zone(name: str) -> str:
    if not _is_zone(name):
        raise ValueError("no such time zone; write it like Europe/Berlin")
    return name


def _language(code: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", code):
        raise ValueError("write a language code like en, de or pt-BR")
    first, *rest = code.split("-")
    return "-".join([first.lower(), *(part.upper() if len(part) == 2 else part for part in rest)])


def _plain(text: str) -> str:
    """Text that is spoken and printed on one line."""
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise ValueError("line ends and control characters are not allowed")
    return re.sub(r"\s+", " ", text).strip()


def _switch(value: Any) -> Any:
    if isinstance(value, str):
        if value.strip().lower() not in ("on", "off"):
            raise ValueError("write on or off")
        return value.strip().lower() == "on"
    return value


def _notify_urls(text: str) -> str:
    if wrong := [url for url in text.split() if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", url)]:
        raise ValueError(f"address {text.split().index(wrong[0]) + 1} has no scheme, like ntfy://host/topic")
    return text


Text = Annotated[str, AfterValidator(_plain)]
Switch = Annotated[bool, BeforeValidator(_switch)]
Zone = Annotated[str, AfterValidator(_plain), AfterValidator(_zone)]
Language = Annotated[str, AfterValidator(_plain), AfterValidator(_language)]
Hours = Annotated[str, AfterValidator(_plain), AfterValidator(lambda text: hours.write(hours.read(text)))]
Urls = Annotated[str, AfterValidator(_plain), AfterValidator(_notify_urls)]


class Preferences(BaseModel):
    """Every preference with its default. `Preferences()` is what a new owner has."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    owner_name: Text = Field("", max_length=80, description="Your name, as callers know you")
    timezone: Zone = Field(default_factory=machine_timezone, description="Your time zone, like Europe/Berlin")
    language: Language = Field("en", description="The language callers are greeted in")
    greeting: Text = Field(
        "Hello, you've reached {owner_name}'s assistant. How can I help?",
        min_length=1, max_length=500, description="What callers hear first; {owner_name} becomes your name",
    )  # fmt: skip
    persona: Text = Field("Warm, brief and precise.", max_length=2000, description="The assistant's manner")
    voice: Voice = Field("marin", description="The assistant's voice")
    ring_first: Switch = Field(False, description="Ring your phone before the assistant answers")
    ring_seconds: int = Field(15, ge=5, le=60, description="How long your phone rings")
    working_hours: Hours = Field(
        "mon-fri 09:00-17:00", min_length=1, description="When you can be booked, with holidays"
    )
    booking: Literal["request", "tentative", "confirmed"] = Field(
        "request", description="What a stranger's booking is: a request to you, pencilled in, or fixed"
    )
    event_minutes: int = Field(30, ge=5, le=240, description="How long an appointment usually takes")
    buffer_minutes: int = Field(0, ge=0, le=120, description="Free time kept around appointments")
    notice_hours: int = Field(2, ge=0, le=168, description="How soon the earliest appointment may be")
    horizon_days: int = Field(30, ge=1, le=365, description="How far ahead appointments are offered")
    max_call_seconds: int = Field(600, ge=10, le=3300, description="The longest a call may last")
    max_concurrent_calls: int = Field(3, ge=1, le=1000, description="Calls the assistant takes at once")
    calls_per_caller_per_day: int = Field(
        5, ge=0, le=100_000, description="Calls of one number a day; more get plain voicemail (0: no cap)"
    )
    daily_budget_usd: float = Field(
        5.0,
        ge=0,
        le=100_000,
        allow_inf_nan=False,
        description="The model's cost a day in dollars (0: no cap)",
    )
    record_audio: Switch = Field(True, description="Keep the sound of calls")
    disclosure: Text = Field(
        "This call is answered by an assistant and recorded.",
        max_length=500, description="Spoken before anything is recorded; many places ask for it",
    )  # fmt: skip
    retention_days_text: int = Field(90, ge=0, le=36_500, description="Days calls are kept (0: for ever)")
    retention_days_audio: int = Field(30, ge=0, le=36_500, description="Days sound is kept (0: for ever)")
    notify_urls: Urls = Field(
        "", max_length=4000, description="Where new calls are announced, blank-separated"
    )

    @property
    def opening(self) -> str:
        """What is spoken first, word for word, as one reply: the disclosure, then the greeting."""
        return " ".join(part for part in (self.disclosure, self.spoken_greeting) if part)

    @property
    def spoken_greeting(self) -> str:
        """The greeting with the owner's name in it."""
        return self.greeting.replace("{owner_name}", self.owner_name or NAMELESS_OWNER)

    @property
    def zone(self) -> ZoneInfo:
        """`timezone`, ready to use."""
        return ZoneInfo(self.timezone)

    @property
    def open_hours(self) -> hours.WorkingHours:
        """`working_hours`, read."""
        return hours.read(self.working_hours)

    @property
    def warning(self) -> str | None:
        """What the owner should think about; None when nothing."""
        if self.record_audio and not self.disclosure:
            return "calls are recorded and callers are not told (disclosure is empty): many places ask for it"
        return None


NAMES = tuple(Preferences.model_fields)


def shown(value: Any) -> str:
    """A preference as it is printed and stored."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def checked(name: str, value: str) -> str:
    """The normal form of a value. Raises PreferenceError, one line, when name or value is wrong."""
    if name not in Preferences.model_fields:
        raise PreferenceError(f"there is no preference {name!r}; there are: {', '.join(NAMES)}")
    try:
        preferences = Preferences.model_validate({name: value.strip()})
    except ValidationError as error:
        raise PreferenceError(f"{name}: {_reason(error)}") from error
    return shown(getattr(preferences, name))


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    reason = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
    return reason[:1].lower() + reason[1:]


def load(db: Database) -> Preferences:
    """What holds now. A stored value that is no longer allowed counts as not set: calls go on."""
    stored = {name: value for name, value in _stored(db).items() if name in NAMES}
    try:
        return Preferences.model_validate(stored)
    except ValidationError as error:
        wrong = {problem["loc"][0] for problem in error.errors()}
        return Preferences.model_validate({name: stored[name] for name in stored if name not in wrong})


def all_preferences(db: Database) -> dict[str, str]:
    """Every preference by name, as printed, in the contract's order."""
    preferences = load(db)
    return {name: shown(getattr(preferences, name)) for name in NAMES}


def get(db: Database, name: str) -> str:
    """One preference as printed. Raises PreferenceError for a name that is none."""
    try:
        return all_preferences(db)[name]
    except KeyError:
        raise PreferenceError(f"there is no preference {name!r}; there are: {', '.join(NAMES)}") from None


def set(db: Database, name: str, value: str) -> str:
    """Set one; returns its normal form. Raises PreferenceError, and changes nothing, when it is wrong."""
    normal = checked(name, value)
    db.execute("INSERT OR REPLACE INTO preferences (name, value) VALUES (?, ?)", (name, normal))
    return normal


def set_all(db: Database, values: Mapping[str, str]) -> bool:
    """Set several, all or none of them; returns whether anything is another than before.

    Raises PreferenceError, and changes nothing, when one is wrong.
    """
    normal = {name: checked(name, value) for name, value in values.items()}
    before = load(db)
    db.conn.executemany("INSERT OR REPLACE INTO preferences (name, value) VALUES (?, ?)", normal.items())
    return load(db) != before


def choices(name: str) -> tuple[str, ...]:
    """The words a preference may be, for those that are a choice; else empty."""
    annotation = Preferences.model_fields[name].annotation
    if annotation is bool:
        return ("on", "off")
    return tuple(get_args(annotation))


def _stored(db: Database) -> dict[str, str]:
    return dict(db.execute("SELECT name, value FROM preferences").fetchall())
