"""Who calls the furnished house, and how those calls go.

The people are made up: first names, and numbers that belong to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from assistant.store.callers import Standing

# Who calls: number (None: withheld), the name that is kept, the standing.
PEOPLE: tuple[tuple[str | None, str, Standing], ...] = (
    ("+442079460018", "Ana", "known"),
    ("+12025550123", "Sam", "known"),
    ("+442079460142", "", "stranger"),
    ("+12025550188", "Lee", "stranger"),
    (None, "", "stranger"),
    ("+442079460777", "Noor", "known"),
    ("+12025550177", "", "stranger"),
)
NUISANCE = "+12025550199"


@dataclass(frozen=True)
class Said:
    """A line of the sandbox's voices. cut_ms: interrupted after that much of it."""

    line: str
    cut_ms: int | None = None


@dataclass(frozen=True, eq=False)  # each is its own: what is in it cannot be hashed
class Ran:
    """A tool the assistant used."""

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any] = field(default_factory=lambda: {"ok": True})
    refused: bool = False


Talk = tuple[Said | Ran, ...]


@dataclass(frozen=True)
class Plot:
    """How a call goes. `message`: name, text, urgency."""

    talk: Talk = ()
    because: str = "assistant_ended"
    message: tuple[str, str, str] | None = None
    voicemail: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


def tomorrow(hour: int) -> dict[str, Any]:
    """A time as the calendar's tools speak of it."""
    day = datetime.now(UTC).date() + timedelta(days=1)
    return {"start": f"{day}T{hour:02d}:00", "say": f"{day:%A}, {hour:02d}:00"}


OPENING = (Said("disclosure"), Said("greeting"))
TOOK_MESSAGE = Ran(
    "take_message",
    {"name": "Ana", "callback_number": "+12025550143", "text": "Please call back about the boiler."},
)
MESSAGE: Talk = (
    *OPENING, Said("message-1"), Said("ask-number"), Said("message-number"), Said("read-back"), Said("yes"),
    TOOK_MESSAGE, Said("pass-on"), Said("thanks-bye"), Ran("end_call", {"reason": "done"}), Said("farewell"),
)  # fmt: skip
BOOKING: Talk = (
    *OPENING, Said("booking-1"),
    Ran("find_free_times", {"date": "2026-11-24", "days": 1, "part_of_day": "morning"},
        {"ok": True, "free": [tomorrow(9), tomorrow(11)]}),
    Said("put-down"), Said("yes"), Said("ask-name"), Said("booking-name"),
    Ran("add_event", {"date": "2026-11-24", "time": "09:00", "title": "Appointment", "caller_name": "Sam"},
        {"ok": True, "status": "requested", "requested": tomorrow(9)}),
    Said("hear-back"), Said("anything-else"), Said("thanks-bye"), Said("farewell"),
)  # fmt: skip
INJECTION: Talk = (
    *OPENING, Said("injection-1"),
    Ran("list_messages", {}, {"ok": False, "error": "not_allowed", "message": "Only the owner may."},
        refused=True),
    Said("refusal"), Said("injection-2"),
    Ran("cancel_event", {"event_id": "all"}, {"ok": False, "error": "not_allowed"}, refused=True),
    Said("refusal"),
)  # fmt: skip
BARGE_IN: Talk = (
    *OPENING, Said("question-1"), Said("explain", cut_ms=4000), Said("interrupt"), Said("go-ahead"),
    Said("message-1"), TOOK_MESSAGE, Said("pass-on"), Said("thanks-bye"), Said("farewell"),
)  # fmt: skip
ABOUT_BOILER = (
    "Ana",
    "Please call back about the boiler. It is cold, and a repair takes an hour.",
    "normal",
)
ABOUT_PARCEL = ("Lee", "The parcel is with the neighbours. It has to be signed for before Friday.", "high")
ABOUT_CHOIR = ("Noor", "The rehearsal is an hour later this week.", "low")
PLOTS = (
    Plot(MESSAGE, message=ABOUT_BOILER),
    Plot(BOOKING),
    Plot(BARGE_IN, because="caller_hung_up", message=ABOUT_PARCEL),
    Plot(INJECTION, because="caller_hung_up"),
    Plot(because="model_failed", voicemail=True, facts={"voicemail_offered": True, "had_stream": True}),
    Plot(because="transferred", talk=(*OPENING, Said("hello"), Said("here"))),
    Plot(because="caller_hung_up", facts={"owner_accepted": True}),
    Plot(OPENING, because="silence"),
    Plot(because="caller_hung_up"),
    Plot((*OPENING, Said("hello"), Said("here"), Said("withheld-1"), Said("pass-parcel-on")),
         because="caller_hung_up", message=ABOUT_CHOIR),
    Plot((*OPENING, Said("question-1"), Said("good-question")), because="time_limit"),
)  # fmt: skip
BLOCKED = Plot(because="rejected", facts={"blocked": True})
