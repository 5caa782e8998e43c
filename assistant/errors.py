"""Everything this program raises on purpose.

    AssistantError
    ├── ConfigError        settings are wrong or missing: every problem, one line each
    ├── StoreError         the database
    │   └── StoreBusy      it did not answer in time
    ├── PreferenceError    no such preference, or a wrong value
    ├── PhoneError         the telephone side
    │   ├── PhoneLost      its socket is gone or has stalled
    │   └── RestError      the telephone company's REST side refused or could not be reached
    ├── ModelSideError     the model's side
    │   ├── ModelRefused   the session could not be opened; `fatal` when trying again is useless
    │   ├── ModelGone      its socket is gone or has stalled
    │   └── NotRecorded    it did not speak the greeting as it should
    ├── CalendarError      the owner's calendar
    │   ├── CalendarUnavailable   it cannot be seen just now; `why` says what to do about it
    │   ├── SlotTaken      something else is there, or was quicker
    │   ├── NoSuchEvent    it is not there, or not any more
    │   ├── TooManyRequests  as many as may wait for the owner are waiting
    │   └── UnknownOutcome it was asked to write, and nobody knows whether it did
    ├── LinkError          linking a calendar did not work
    └── ToolError          a tool could not do it
        └── ToolRefused    it may not be done: `code` is what the model is told

`str(error)` is for the owner; `spoken` is all a caller may learn: no service names, numbers
or settings. HTTP status codes are in `web/errors.py`.
"""

from __future__ import annotations

from typing import Any, Literal


class AssistantError(Exception):
    """Everything this program raises on purpose. `str(error)` is for the owner."""

    spoken = "I'm sorry, something went wrong on my side."


class ConfigError(AssistantError):
    """Settings are wrong or missing. `problems`: one line each (name, what is wrong, where to get it)."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StoreError(AssistantError):
    """The database."""


class StoreBusy(StoreError):
    """The database did not answer in time; what was to be written is still queued."""


class PreferenceError(AssistantError):
    """No such preference, or a wrong value for it."""


class PhoneError(AssistantError):
    """The telephone side."""


class PhoneLost(PhoneError):
    """The phone's socket is gone, or a write to it has stalled."""


class RestError(PhoneError):
    """The telephone company's REST side refused, or could not be reached. `code`: theirs, 0 if none."""

    def __init__(self, message: str, code: int = 0, status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class ModelSideError(AssistantError):
    """The model's side."""


class ModelRefused(ModelSideError):
    """A session could not be opened. `fatal`: trying again is useless."""

    def __init__(self, message: str, *, fatal: bool) -> None:
        super().__init__(message)
        self.fatal = fatal


class ModelGone(ModelSideError):
    """The model's socket is gone, or a write to it has stalled."""


class NotRecorded(ModelSideError):
    """The greeting could not be recorded: the model did not come, did not finish, or said something else."""


class CalendarError(AssistantError):
    """The owner's calendar."""

    spoken = "I can't see the calendar just now."


Why = Literal["relink", "scope", "api_off", "network", "timeout", "busy", "refused"]


class CalendarUnavailable(CalendarError):
    """The calendar cannot be read or written just now.

    why: relink (the permission is gone), scope (a box was not ticked), api_off (the interface is not switched
    on at the provider), network, timeout, busy (too many at once), refused (anything else it said).
    """

    def __init__(self, message: str, why: Why) -> None:
        super().__init__(message)
        self.why: Why = why


class SlotTaken(CalendarError):
    """Something else is at that time."""

    spoken = "That time has just been taken."


class NoSuchEvent(CalendarError):
    """The appointment is not there, or not any more."""

    spoken = "I can't find that appointment."


class UnknownOutcome(CalendarError):
    """The calendar was asked to write something, and it is not known whether it did."""

    spoken = "I could not make sure that it worked."


class TooManyRequests(CalendarError):
    """As many requests as may wait for the owner from one number are waiting."""

    spoken = "There are too many requests already."


class LinkError(AssistantError):
    """Linking the owner's calendar did not work."""


class ToolError(AssistantError):
    """A tool could not do what it was asked for."""

    code = "failed"


class ToolRefused(ToolError):
    """A tool may not do it. `code`: one of the contract's refusal codes; `help_fields`: what may help."""

    def __init__(self, code: str, message: str, **help_fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.help_fields = help_fields
