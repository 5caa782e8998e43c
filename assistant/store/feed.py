"""The secret in the address of the calendar's feed: whoever knows it can read the owner's appointments.

Programs that read feeds cannot log in, so the address is the key. It is made when the owner first wants a
feed, and made anew when somebody else may know it: the old address is then worth nothing.
"""

from __future__ import annotations

import secrets

from sqlite_utils import Database


def secret(db: Database) -> str | None:
    """The feed's secret; None: the owner wants no feed."""
    row = db.execute("SELECT value FROM house WHERE name = 'feed_secret'").fetchone()
    return str(row[0]) if row else None


def renew(db: Database) -> str:
    """Make a new secret (256 bit) in place of the old one, and return it."""
    new = secrets.token_urlsafe(32)
    db.execute("INSERT OR REPLACE INTO house (name, value) VALUES ('feed_secret', ?)", (new,))
    return new


def remove(db: Database) -> None:
    """Have no feed any more: its address is worth nothing."""
    db.execute("DELETE FROM house WHERE name = 'feed_secret'")
