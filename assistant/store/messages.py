"""What callers leave for the owner. A call has one message: the newest; older ones were corrected."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlite_utils import Database

from assistant.store.calls import reconsider
from assistant.store.schema import as_text, as_time


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


def add_to(
    db: Database,
    call_sid: str,
    *,
    name: str | None,
    callback_number: str | None,
    text: str,
    created_at: datetime,
) -> None:
    """Say more in a call's message, or begin one. The same text twice is kept once."""
    before = _of_call(db, call_sid)
    if text in before["text"]:
        return
    add(
        db,
        call_sid,
        name=name or before["name"],
        callback_number=before["callback_number"] or callback_number,
        text=f"{before['text']} {text}".strip(),
        urgency=before["urgency"],
        created_at=created_at,
    )


def take_out(db: Database, call_sid: str, text: str, at: datetime) -> None:
    """Say that no more in a call's message; when nothing else is left of it, there is none."""
    before = _of_call(db, call_sid)
    if text not in before["text"]:
        return
    left = " ".join(before["text"].replace(text, " ").split())
    if left:
        add(db, call_sid, **{**before, "text": left}, created_at=at)
    else:
        db.execute("DELETE FROM messages WHERE call_sid = ?", (call_sid,))
        reconsider(db, call_sid)


def _of_call(db: Database, call_sid: str) -> dict[str, Any]:
    nothing = {"name": None, "callback_number": None, "text": "", "urgency": "normal"}
    found = db.query(
        "SELECT name, callback_number, text, urgency FROM messages WHERE call_sid = ?"
        " ORDER BY id DESC LIMIT 1",
        (call_sid,),
    )
    return next(found, nothing)


def newest(db: Database, most: int, *, not_of: str = "") -> list[dict[str, Any]]:
    """The newest message of each of the last calls that left one: with `from_number` and `created_at`."""
    found = db.query(
        "SELECT calls.from_number, messages.name, callback_number, text, urgency, created_at FROM messages"
        " JOIN calls USING (call_sid) WHERE call_sid != ? AND messages.id ="
        " (SELECT max(id) FROM messages AS later WHERE later.call_sid = messages.call_sid)"
        " ORDER BY messages.id DESC LIMIT ?",
        (not_of, most),
    )
    return [{**row, "created_at": as_time(row["created_at"])} for row in found]
