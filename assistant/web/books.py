"""What the webhooks write about a call: each step a function for the store, whole and repeatable."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from assistant.store import calls, export
from assistant.store.schema import as_time

# A line that was lost, and an end that Twilio tells so soon after, are one: the caller hung up.
ONE_END = timedelta(seconds=5)


def begin(db: Any, call_sid: str, row: dict[str, Any], since: datetime) -> int:
    """Give a call its row. Returns how many calls of its number there are besides it since then."""
    others = calls.calls_today(db, row["from_number"], since)
    return others if calls.begin(db, call_sid, **row) else max(0, others - 1)


def keep_blocked(db: Any, call_sid: str, row: dict[str, Any], now: datetime) -> None:
    """A blocked caller's call: refused, and kept as such."""
    if calls.begin(db, call_sid, **row):
        calls.set_columns(db, call_sid, blocked=True)
        calls.finish(db, call_sid, ended_at=now, ended_because="rejected")


def offer_voicemail(db: Any, call_sid: str, now: datetime) -> None:
    """The caller is asked for a recording, without the assistant."""
    if calls.status_of(db, call_sid) == "open":
        calls.set_answered(db, call_sid, now)
        calls.set_columns(db, call_sid, voicemail_offered=True)


def owner_accepted(db: Any, call_sid: str, now: datetime) -> None:
    """The owner has pressed 1."""
    if calls.status_of(db, call_sid) == "open":
        calls.set_answered(db, call_sid, now)
        calls.set_columns(db, call_sid, owner_accepted=True)


def owner_was_not_reached(db: Any, call_sid: str) -> None:
    """The owner pressed 1, and the two were never connected all the same."""
    if calls.status_of(db, call_sid) == "open":
        calls.set_columns(db, call_sid, owner_accepted=False, answered_at=None)
    elif calls.put_through(db, call_sid):
        calls.set_columns(db, call_sid, ended_because="line_lost")


def stream_began(db: Any, call_sid: str, now: datetime) -> None:
    """The assistant has the call; so nobody else has it, whatever was said before."""
    if calls.status_of(db, call_sid) == "open":
        calls.set_answered(db, call_sid, now)
    calls.set_columns(db, call_sid, had_stream=True, owner_accepted=False)


def caller_has_gone(db: Any, call_sid: str, at: datetime) -> None:
    """Twilio says the call is over. It is the end of a call the assistant had no part in; of one it had,
    only the moment is news, and what a lost line was."""
    call = export.export_call(db, call_sid)
    if call is None:
        return
    if call["ended_because"] == "line_lost" and call["ended_at"] and not _left_voicemail(call):
        ended_at = as_time(call["ended_at"])
        if at - ended_at <= ONE_END:
            at = ended_at
            calls.set_columns(db, call_sid, ended_because="caller_hung_up")
    calls.finish(db, call_sid, ended_at=at, ended_because="caller_hung_up")


def _left_voicemail(call: dict[str, Any]) -> bool:
    return any(recording["kind"] == "voicemail" for recording in call["recordings"])
