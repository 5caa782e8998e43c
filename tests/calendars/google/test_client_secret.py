"""The client secret: what is taken for one, and where it is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.calendars.google import client_secret
from assistant.errors import LinkError

GOOGLES = {
    "client_id": "1-x.apps.googleusercontent.com",
    "project_id": "p",
    "auth_uri": "https://accounts.google.com/o/oauth2/auth",
    "token_uri": "https://oauth2.googleapis.com/token",
    "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
    "client_secret": "GOCSPX-secret",
    "redirect_uris": ["https://phone.example/calendar/oauth/callback"],
}


def written(kind: str = "web", **other: Any) -> bytes:
    content = {name: value for name, value in {**GOOGLES, **other}.items() if value is not None}
    return json.dumps({kind: content}).encode()


@pytest.mark.parametrize("kind", ["web", "installed"])
def test_googles_own_file(kind: str):
    secret = client_secret.read(written(kind))

    assert secret.kind == kind
    assert secret.client_id == GOOGLES["client_id"]
    assert secret.redirect_uris == tuple(GOOGLES["redirect_uris"])
    assert secret.revoke_uri == "https://oauth2.googleapis.com/revoke"
    assert secret.config()[kind]["client_secret"] == "GOCSPX-secret"
    assert "GOCSPX" not in repr(secret)


def test_a_file_saved_by_an_editor_that_marks_its_start():
    assert client_secret.read(b"\xef\xbb\xbf" + written()).kind == "web"


def test_another_server_on_this_machine():
    secret = client_secret.read(written(token_uri="http://localhost:8080/token", auth_uri="http://[::1]:1/a"))

    assert secret.on_this_machine
    assert secret.revoke_uri == "http://localhost:8080/revoke"


def test_a_server_whose_revocation_is_unknown():
    assert client_secret.read(written(token_uri="https://id.example/oauth")).revoke_uri is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "Nothing was sent"),
        (b"  \n", "Nothing was sent"),
        (b"hello", "not the JSON file"),
        (b"\xff\xfe{", "not the JSON file"),
        (b"[" * 10_000, "not the JSON file"),
        (b"[]", "neither"),
        (b"{}", "neither"),
        (b'{"web": 5}', "neither"),
        (b'{"type": "service_account", "private_key": "x"}', "service account"),
        (written(client_id=None), "no client_id"),
        (written(client_id=""), "no client_id"),
        (written(client_id=5), "no client_id"),
        (written(client_secret=None), "no client_secret"),
        (written(client_secret="two words"), "client_secret in the client secret cannot be right"),
        (written(client_secret="x" * 501), "cannot be right"),
        (written(client_id="a\nb"), "cannot be right"),
        (written(token_uri=None), "no token_uri"),
        (written(token_uri="http://evil.example/token"), "must begin with https://"),
        (written(auth_uri="javascript:alert(1)"), "must begin with https://"),
        (written(auth_uri="https://"), "must begin with https://"),
        (written(auth_uri="https://u:p@accounts.google.com/"), "must begin with https://"),
        (written(auth_uri="https://[::1"), "is no address"),
        (written(auth_uri="https://host:port/"), "is no address"),
        (written(project_id="x" * 20_000), "too big"),
    ],
)
def test_what_is_no_client_secret(tmp_path: Path, text: bytes, words: str):
    path = tmp_path / "client_secret.json"
    client_secret.keep(path, written())

    with pytest.raises(LinkError) as raised:
        client_secret.keep(path, text)

    assert words in str(raised.value)
    assert "GOCSPX" not in str(raised.value)
    assert path.read_bytes() == written()
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_kept_for_its_owners_eyes(tmp_path: Path):
    path = tmp_path / "instance" / "client_secret.json"

    client_secret.keep(path, written())
    client_secret.keep(path, written(client_id="other"))

    assert path.stat().st_mode & 0o777 == 0o600
    kept = client_secret.load(path)
    assert kept is not None
    assert kept.client_id == "other"
    assert list(path.parent.iterdir()) == [path]


def test_there_is_none(tmp_path: Path):
    assert client_secret.load(tmp_path / "client_secret.json") is None


def test_a_kept_file_that_is_wrong_is_named(tmp_path: Path):
    path = tmp_path / "client_secret.json"
    path.write_text("{")
    with pytest.raises(LinkError, match=r"client_secret\.json: This is not the JSON file"):
        client_secret.load(path)

    path.unlink()
    path.mkdir()
    with pytest.raises(LinkError, match="cannot be read: Is a directory"):
        client_secret.load(path)
    with pytest.raises(LinkError, match="cannot be written: Is a directory"):
        client_secret.keep(path, written())
    assert list(tmp_path.iterdir()) == [path]
