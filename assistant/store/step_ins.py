"""What the owner did while a call was running, from their page."""

from __future__ import annotations

from typing import Any, Literal

from sqlite_utils import Database

from assistant.store.news import next_rev

Kind = Literal["tell", "ask", "ring", "voicemail", "hang_up", "block"]


def keep(db: Database, call_sid: str, *, step_key: str, kind: Kind, text: str, at_ms: int) -> bool:
    """Keep that the owner stepped in. False: this press was kept before, or the call is gone."""
    cursor = db.execute(
        "INSERT INTO step_ins (call_sid, step_key, kind, text, at_ms, rev)"
        " SELECT call_sid, ?, ?, ?, ?, ? FROM calls WHERE call_sid = ?"
        " ON CONFLICT (call_sid, step_key) DO NOTHING",
        (step_key, kind, text, at_ms, next_rev(db, call_sid), call_sid),
    )
    return cursor.rowcount == 1


def of_call(db: Database, call_sid: str) -> list[dict[str, Any]]:
    """Everything the owner did on a call, in its order."""
    found = db.query(
        "SELECT id, kind, text, at_ms FROM step_ins WHERE call_sid = ? ORDER BY at_ms, id", (call_sid,)
    )
    return list(found)
