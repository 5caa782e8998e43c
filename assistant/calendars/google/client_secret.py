"""The client secret: the file that Google's console gives the owner for this program.

Its two addresses are obeyed, so that everything runs against another server as well; what is sent there
opens the account, hence https, or this machine. Its content is never shown: not on a page, not in an error.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from assistant.config import is_loopback
from assistant.errors import LinkError

LARGEST_BYTES = 16 * 1024
LONGEST_VALUE = 500
AGAIN = "Download the JSON file of an OAuth client from Google's console once more."


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """Who this program is to Google. kind: "web", or "installed" for a desktop client."""

    kind: str
    client_id: str
    client_secret: str = field(repr=False)
    auth_uri: str
    token_uri: str
    redirect_uris: tuple[str, ...] = ()

    @property
    def revoke_uri(self) -> str | None:
        """Where access is given up, as far as the token's address tells."""
        head, slash, _ = self.token_uri.rpartition("/token")
        return f"{head}/revoke" if slash and self.token_uri.endswith("/token") else None

    @property
    def on_this_machine(self) -> bool:
        """Whether the token's address is a plain one of this machine: another server than Google's."""
        return self.token_uri.startswith("http://")

    def config(self) -> dict[str, Any]:
        """As google-auth-oauthlib takes it."""
        names = ("client_id", "client_secret", "auth_uri", "token_uri")
        return {self.kind: {name: getattr(self, name) for name in names}}


def read(text: bytes) -> ClientSecret:
    """Read the file's content. Raises LinkError, which says what to do."""
    if len(text) > LARGEST_BYTES:
        raise LinkError(f"This is too big for a client secret. {AGAIN}")
    if not text.strip():
        raise LinkError("Nothing was sent: choose the file, or paste what is in it.")
    try:
        content = orjson.loads(text.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        raise LinkError(f"This is not the JSON file of a client secret. {AGAIN}") from None
    kind, client = _client(content)
    return ClientSecret(
        kind,
        client_id=_value(client, "client_id"),
        client_secret=_value(client, "client_secret"),
        auth_uri=_uri(client, "auth_uri"),
        token_uri=_uri(client, "token_uri"),
        redirect_uris=_redirect_uris(client),
    )


def load(path: Path) -> ClientSecret | None:
    """The kept file; None when there is none. Raises LinkError when it is wrong."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LinkError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return read(text)
    except LinkError as error:
        raise LinkError(f"{path}: {error}") from None


def keep(path: Path, text: bytes) -> ClientSecret:
    """Keep the file, for its owner's eyes, in place of the one that is there; a wrong one changes nothing."""
    secret = read(text)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, text)
    except OSError as error:
        raise LinkError(f"{path} cannot be written: {error.strerror}.") from error
    return secret


def _replace(path: Path, text: bytes) -> None:
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".client_secret")  # O_EXCL, 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise


def _client(content: object) -> tuple[str, dict[str, Any]]:
    if isinstance(content, dict):
        for kind in ("web", "installed"):
            if isinstance(content.get(kind), dict):
                return kind, content[kind]
        if content.get("type") == "service_account":
            raise LinkError(
                "This is the key of a service account, which has a calendar of its own and cannot see yours."
                ' Make an OAuth client of the type "Web application" instead.'
            )
    raise LinkError(
        'This is not the file of an OAuth client: it has neither "web" nor "installed" in it.'
        ' In Google\'s console, open Clients, make one of the type "Web application", download its JSON file.'
    )


def _value(client: dict[str, Any], name: str) -> str:
    value = client.get(name)
    if not isinstance(value, str) or not value.strip():
        raise LinkError(f"The client secret has no {name}. {AGAIN}")
    if len(value) > LONGEST_VALUE or not value.isascii() or not value.isprintable() or " " in value:
        raise LinkError(f"The {name} in the client secret cannot be right. {AGAIN}")
    return value


def _uri(client: dict[str, Any], name: str) -> str:
    value = _value(client, name)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise LinkError(f"The {name} in the client secret is no address. {AGAIN}") from None
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not safe or not parts.hostname or parts.username is not None or parts.fragment or "\\" in value:
        raise LinkError(
            f"The {name} in the client secret must begin with https:// (http is for this machine only)."
            f" {AGAIN}"
        )
    return value


def _redirect_uris(client: dict[str, Any]) -> tuple[str, ...]:
    uris = client.get("redirect_uris")
    return tuple(uri for uri in uris if isinstance(uri, str)) if isinstance(uris, list) else ()
