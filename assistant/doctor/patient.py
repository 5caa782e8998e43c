"""What is looked at, and what a look finds. Every organ is given the one and yields the other."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from assistant.calendars.google import Google
from assistant.config import ROOT, SANDBOX_TWILIO_NUMBER, Settings
from assistant.store import Store, preferences

State = Literal["green", "amber", "red"]

ASK_S = 5.0  # one question to the outside
TRY_AGAIN = "Look again in a minute."
NOT_IN_THE_SANDBOX = "Not needed in the sandbox."


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: a sentence for each of what was found, why that is, what to do.

    amber: it works, but not as it should, or not for long. red: it does not work. cause and action are ""
    when it is green. organ: the look it comes from, filled in by `examine`.
    """

    name: str
    state: State
    found: str
    cause: str = ""
    action: str = ""
    organ: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at. within: a limit in time where there is one (see DESIGN 5)."""

    settings: Settings
    store: Store
    google: Google
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    within: Callable[[float], AbstractContextManager[Any]] = nullcontext
    env_file: Path = ROOT / ".env"

    @property
    def has_phone(self) -> bool:
        """Whether there is a real number to answer, not the one the sandbox made up."""
        settings = self.settings
        is_at_home = settings.public_url == settings.local_url
        made_up = settings.sandbox and is_at_home and settings.twilio_number == SANDBOX_TWILIO_NUMBER
        return settings.has_phone and not made_up

    @property
    def sandbox_only(self) -> bool:
        """The sandbox without a telephone: nobody has to come in, and nobody outside has to answer."""
        return self.settings.sandbox and not self.has_phone

    def at(self, path: str, action: str) -> str:
        """What to do, with the address of the page to do it on in place of {page}."""
        return action.format(page=self.settings.url(path))

    def clock(self, at: datetime) -> str:
        """A time as the owner's clock shows it."""
        local = at.astimezone(self.store.read(preferences.load).zone)
        return f"{local:%B} {local.day}, {local:%Y, %H:%M}"
