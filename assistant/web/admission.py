"""What is to happen to a call that rings: by rule. Pure, but for `look_up`, which reads what the rules need.

The order matters: who is blocked or a loop of our own is refused unanswered; a program that is leaving
takes recordings only; else the owner's phone may ring first; the assistant comes last, and plain
voicemail takes its place (never the ringing's) when a cap is reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from assistant.store import callers, calls, preferences
from assistant.store.export import export_call
from assistant.store.preferences import Preferences
from assistant.trust import Caller, is_diverted, same_number
from assistant.web.parts import Answer

OWNERS_CALLS_A_DAY = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database knows about a call that rings. `status`: unknown, open or ended.

    name: what the owner calls this caller, if anything. calls_before: of this number today, itself not
    counted. spent_usd: today, by calls that are over. taken: the owner has taken it from the assistant.
    """

    preferences: Preferences
    standing: str
    name: str | None
    status: str
    calls_before: int
    spent_usd: float
    answered: bool
    taken: bool
    midnight: datetime


def look_up(db: Any, call_sid: str, caller: Caller, now: datetime) -> Facts:
    """All of it in one read. `now`: aware."""
    kept = preferences.load(db)
    midnight = start_of_day(kept, now)
    status = calls.status_of(db, call_sid)
    before = calls.calls_today(db, caller.identity, midnight) - (status != "unknown")
    standing, name = _kept_about(db, caller)
    return Facts(
        preferences=kept,
        standing=standing,
        name=name,
        status=status,
        calls_before=max(0, before),
        spent_usd=calls.cost_since(db, midnight),
        answered=status == "open" and _is_answered(db, call_sid),
        taken=calls.put_through(db, call_sid),
        midnight=midnight,
    )


def _is_answered(db: Any, call_sid: str) -> bool:
    row = export_call(db, call_sid)
    return row is not None and row["answered_at"] is not None


def _kept_about(db: Any, caller: Caller) -> tuple[str, str | None]:
    """Where the caller stands, and the name kept for them, by any of their numbers; blocked beats known."""
    found = [callers.standing(db, number) for number in caller.names]
    standings = {kept["standing"] for kept in found}
    standing = next((worst for worst in ("blocked", "known") if worst in standings), "stranger")
    return standing, next((kept["name"] for kept in found if kept["name"]), None)


def start_of_day(kept: Preferences, now: datetime) -> datetime:
    """Midnight where the owner lives."""
    return datetime.combine(now.astimezone(kept.zone).date(), time.min, kept.zone)


@dataclass(frozen=True, slots=True)
class Ringing:
    """A call that rings, as the telephone company tells it."""

    caller: Caller
    forwarded_from: str | None
    stir_verstat: str | None
    is_loop: bool


def first_answer(call: Ringing, facts: Facts, *, owner_phone: str, draining: bool) -> Answer:
    """What happens to it first. "assistant" is still subject to `over_a_cap`."""
    if facts.standing == "blocked":
        return "blocked"
    if call.is_loop:
        return "loop"
    if draining:
        return "voicemail"
    if not facts.preferences.ring_first or _has_rung_already(call, owner_phone):
        return "assistant"
    return "ring_owner"


def _has_rung_already(call: Ringing, owner_phone: str) -> bool:
    """The owner's phone has forwarded this call, or is what it comes from."""
    return (
        same_number(call.forwarded_from, owner_phone)
        or is_diverted(call.stir_verstat)
        or same_number(call.caller.number, owner_phone)
    )


def over_a_cap(
    caller: Caller,
    facts: Facts,
    *,
    owner_phone: str,
    calls_before: int,
    assistants_busy: int,
    running_usd: float,
) -> str | None:
    """The preference that forbids the assistant for this call; None when none does."""
    kept = facts.preferences
    is_owner = same_number(caller.number, owner_phone)
    most_calls = OWNERS_CALLS_A_DAY if is_owner else kept.calls_per_caller_per_day
    if assistants_busy >= kept.max_concurrent_calls:
        return "max_concurrent_calls"
    if most_calls and calls_before >= most_calls:
        return "calls_per_caller_per_day"
    if kept.daily_budget_usd and facts.spent_usd + running_usd >= kept.daily_budget_usd:
        return "daily_budget_usd"
    return None
