"""What opens the owner's account, and how it is kept: sealed with a key made from SECRET_KEY.

A copy of the database alone opens nothing. Whoever has the instance folder with the kept SECRET_KEY has
both; a SECRET_KEY in the environment keeps them apart. With another SECRET_KEY the seal cannot be opened,
and the owner links again.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class Unreadable(Exception):
    """It was sealed with another key, or is damaged."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """refresh_token: lasts as long as the link. access_token: for about an hour, until `expires_at`."""

    refresh_token: str = field(repr=False)
    access_token: str = field(repr=False)
    expires_at: datetime | None

    def refreshed(self, access_token: str, expires_at: datetime | None) -> Tokens:
        return replace(self, access_token=access_token, expires_at=expires_at)


def seal(key: str, text: bytes) -> bytes:
    """Close `text`; only the same key opens it."""
    return _fernet(key).encrypt(text)


def unseal(key: str, sealed: bytes) -> bytes:
    """What was sealed. Raises Unreadable."""
    from cryptography.fernet import InvalidToken

    try:
        return _fernet(key).decrypt(sealed)
    except InvalidToken:
        raise Unreadable from None


def seal_tokens(key: str, tokens: Tokens) -> bytes:
    expires_at = tokens.expires_at.isoformat() if tokens.expires_at else None
    return seal(key, orjson.dumps([tokens.refresh_token, tokens.access_token, expires_at]))


def unseal_tokens(key: str, sealed: bytes) -> Tokens:
    """Raises Unreadable."""
    refresh_token, access_token, expires_at = orjson.loads(unseal(key, sealed))
    at = datetime.fromisoformat(expires_at).astimezone(UTC) if expires_at else None
    return Tokens(refresh_token, access_token, at)


@lru_cache(maxsize=4)
def _fernet(key: str) -> Fernet:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    # SECRET_KEY signs cookies too: what is derived from it for one purpose says nothing about another.
    derived = HKDF(SHA256(), length=32, salt=None, info=b"afterbeep google link").derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
