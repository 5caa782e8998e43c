"""The sound of greetings: the first words of a call, kept so that nobody has to wait for them.

A greeting is known by what decides how it sounds: its words and the disclosure before them, the voice and
the model that spoke. Change one of them and nothing is kept for the new one yet. The eight
that were made last stay: whoever tries out a voice and goes back to the old one finds it as it was.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from datetime import datetime

from sqlite_utils import Database

from assistant.store.schema import as_text, as_time

MOST_KEPT = 8


@dataclass(frozen=True, slots=True)
class GreetingKey:
    """What decides how a greeting sounds. `text`: the greeting as it is spoken, the owner's name in it."""

    text: str
    voice: str
    model: str
    disclosure: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept greeting. `payload`: 8 kHz mu-law of the whole opening, the disclosure first."""

    payload: bytes = field(repr=False)
    made_at: datetime


def kept(db: Database, key: GreetingKey) -> Kept | None:
    """The greeting's sound and when it was made; None when none is kept."""
    found = db.execute(
        "SELECT payload, made_at FROM greetings"
        " WHERE text = ? AND voice = ? AND model = ? AND disclosure = ?",
        astuple(key),
    )
    row = found.fetchone()
    return Kept(bytes(row[0]), as_time(row[1])) if row else None


def find(db: Database, key: GreetingKey) -> bytes | None:
    """The greeting's sound; None when none is kept."""
    found = kept(db, key)
    return found.payload if found else None


def keep(db: Database, key: GreetingKey, payload: bytes, made_at: datetime) -> None:
    """Keep a greeting's sound in place of what was kept under this key. The newest eight stay."""
    if not payload:
        raise ValueError("a greeting without sound")
    db.execute(
        "INSERT OR REPLACE INTO greetings (text, voice, model, disclosure, payload, made_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (*astuple(key), payload, as_text(made_at)),
    )
    db.execute(
        "DELETE FROM greetings WHERE id NOT IN (SELECT id FROM greetings ORDER BY id DESC LIMIT ?)",
        (MOST_KEPT,),
    )
