"""The link with the owner's Google account: one at most. And links that were begun.

What opens the account (tokens, the verifier of a link that was begun) comes here sealed and leaves sealed.
`linked_at` tells one link from the next: what an old link still had to say must not change a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlite_utils import Database

from assistant.store.schema import as_text, as_time

BEGUN_LASTS = timedelta(minutes=10)
SUCCESS_EVERY = timedelta(minutes=1)  # how exactly "last success" is kept


@dataclass(frozen=True, slots=True)
class Link:
    """The link. account: its name, or "" when Google has not told it yet. dies_at: None when not known.

    broken_why: what the owner should know, since `broken_since`. trouble: what one that is not broken said
    last, when that was no success.
    """

    account: str
    client_id: str
    scopes: tuple[str, ...]
    tokens: bytes = field(repr=False)
    linked_at: datetime
    last_success_at: datetime | None = None
    dies_at: datetime | None = None
    broken_since: datetime | None = None
    broken_why: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """A link that was begun: what has to be told again when the owner comes back."""

    verifier: bytes = field(repr=False)
    redirect_uri: str


def link(db: Database) -> Link | None:
    """The link; None when nothing is linked."""
    row = next(db.query("SELECT * FROM google_link"), None)
    if row is None:
        return None
    # One column for both: a link that is broken has no other trouble.
    broken_since, why = _time(row["broken_since"]), row["broken_why"] or ""
    return Link(
        account=row["account"] or "",
        client_id=row["client_id"] or "",
        scopes=tuple((row["scopes"] or "").split()),
        tokens=bytes(row["tokens"] or b""),
        linked_at=as_time(row["linked_at"]),
        last_success_at=_time(row["last_success_at"]),
        dies_at=_time(row["dies_at"]),
        broken_since=broken_since,
        broken_why=why if broken_since else "",
        trouble="" if broken_since else why,
    )


def keep(db: Database, new: Link) -> None:
    """Link, in place of what was linked."""
    row = (
        new.account,
        new.client_id,
        " ".join(new.scopes),
        new.tokens,
        as_text(new.linked_at),
        _text(new.last_success_at),
        _text(new.dies_at),
        _text(new.broken_since),
        new.broken_why if new.broken_since else new.trouble,
    )
    db.execute("INSERT OR REPLACE INTO google_link VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def keep_tokens(db: Database, linked_at: datetime, tokens: bytes) -> None:
    """The link has new tokens."""
    db.execute("UPDATE google_link SET tokens = ? WHERE linked_at = ?", (tokens, as_text(linked_at)))


def succeeded(db: Database, linked_at: datetime, now: datetime, account: str = "") -> None:
    """The account has answered, which ends its trouble; account: its name, if it said so.

    Written once a minute at most, when it tells nothing else.
    """
    db.execute(
        "UPDATE google_link SET last_success_at = ?, account = coalesce(nullif(?, ''), account),"
        " broken_why = iif(broken_since IS NULL, '', broken_why)"
        " WHERE linked_at = ? AND (last_success_at IS NULL OR last_success_at <= ? OR account = ''"
        " OR (broken_since IS NULL AND broken_why <> ''))",
        (as_text(now), account, as_text(linked_at), as_text(now - SUCCESS_EVERY)),
    )


def troubled(db: Database, linked_at: datetime, why: str) -> None:
    """What the account has answered was no success. Of a link that is dead nobody wants to know."""
    db.execute(
        "UPDATE google_link SET broken_why = ? WHERE linked_at = ? AND broken_since IS NULL",
        (why, as_text(linked_at)),
    )


def broke(db: Database, linked_at: datetime, now: datetime, why: str) -> None:
    """The link is dead. What it said first stays."""
    db.execute(
        "UPDATE google_link SET broken_since = ?, broken_why = ?"
        " WHERE linked_at = ? AND broken_since IS NULL",
        (as_text(now), why, as_text(linked_at)),
    )


def unlink(db: Database, linked_at: datetime) -> bool:
    """Forget this link; False: it was not there any more."""
    return bool(db.execute("DELETE FROM google_link WHERE linked_at = ?", (as_text(linked_at),)).rowcount)


def begin(db: Database, state_hash: str, begun: Begun, now: datetime) -> None:
    """A link is begun. Those that were never finished are forgotten."""
    db.execute("DELETE FROM google_states WHERE made_at < ?", (as_text(now - BEGUN_LASTS),))
    db.execute(
        "INSERT INTO google_states (state_hash, verifier, redirect_uri, made_at) VALUES (?, ?, ?, ?)",
        (state_hash, begun.verifier, begun.redirect_uri, as_text(now)),
    )


def take(db: Database, state_hash: str, now: datetime) -> Begun | None:
    """What was begun under this state, once; None when there is nothing, or it is too old."""
    found = db.execute(
        "DELETE FROM google_states WHERE state_hash = ? RETURNING verifier, redirect_uri, made_at",
        (state_hash,),
    ).fetchall()
    if not found or as_time(found[0][2]) < now - BEGUN_LASTS:
        return None
    return Begun(bytes(found[0][0]), str(found[0][1]))


def _text(at: datetime | None) -> str | None:
    return None if at is None else as_text(at)


def _time(text: str | None) -> datetime | None:
    return None if text is None else as_time(text)
