"""What the views work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.errors import RestError
from tests.web.telephone import Exchange, sid


@contextmanager
def no_time_left(seconds: float) -> Iterator[None]:
    raise TimeoutError
    yield


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path)
    yield exchange
    exchange.store.stop()


@pytest.mark.parametrize("api_url", ["", "http://127.0.0.1:9"])
def test_whatever_twilio_is_asked_has_a_time_limit(exchange: Exchange, api_url: str):
    parts = replace(exchange.parts, within=no_time_left)
    parts.memory.of(sid(1)).api_url = api_url

    with pytest.raises(RestError, match="TimeoutError"):
        parts.rest_for(sid(1)).recordings_of(sid(1))
