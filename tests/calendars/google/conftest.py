"""Google on a loopback port, and Afterbeep's side of it on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calendars.google.parts import REDIRECT_URI, Linked, make_google
from tests.calendars.google.server import FakeGoogle


@pytest.fixture
def server() -> Iterator[FakeGoogle]:
    with FakeGoogle(redirect_uris=(REDIRECT_URI,)) as server:
        yield server
    assert server.problems == []


@pytest.fixture
def linked(server: FakeGoogle, tmp_path: Path) -> Linked:
    """An account that is linked."""
    return Linked(server, make_google(server, tmp_path)).link()
