"""What callers leave for the owner. A call has one message: the newest; older ones were corrected."""

from __future__ import annotations

from datetime import datetime

from sqlite_utils import Database

from assistant.store.calls import reconsider
from assistant.store.schema import as_text


def add(
    db: Database,
    call_sid: str,
    *,
    name: str | None,
    callback_number: str | None,
    text: str,
    urgency: str,
    created_at: datetime,
) -> None:
    """Keep a message. `urgency`: low, normal or high."""
    db.execute(
        "INSERT INTO messages (call_sid, name, callback_number, text, urgency, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (call_sid, name, callback_number, text, urgency, as_text(created_at)),
    )
    reconsider(db, call_sid)
