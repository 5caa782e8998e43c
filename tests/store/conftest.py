"""A store in a temporary folder, and calls to put into it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assistant.store import Store, appointments, calls
from assistant.store.appointments import Booking

NINE = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "instance" / "afterbeep.db"


@pytest.fixture
def store(path: Path) -> Store:
    return Store(path)


@pytest.fixture
def nine() -> datetime:
    """Nine o'clock in the morning, when every call of these tests begins."""
    return NINE


@pytest.fixture
def ring(store: Store) -> Callable[..., bool]:
    """A call comes in: `ring("CA1", from_number=…)`."""

    def ring(call_sid: str = "CA1", **facts: Any) -> bool:
        call = {
            "direction": "inbound",
            "from_number": "+12025550123",
            "to_number": "+12025550100",
            "forwarded_from": None,
            "caller_name": None,
            "trust": "stranger",
            "stir_verstat": None,
            "started_at": NINE,
        }
        return store.write(calls.begin, call_sid, **{**call, **facts})

    return ring


@pytest.fixture
def turn() -> Callable[..., dict[str, Any]]:
    """Something that was said, as the call machine hands it over."""

    def turn(item_id: str, text: str, *, position: float = 1.0, speaker: str = "caller", **rest: Any) -> Any:
        whole = {
            "heard_text": text,
            "interrupted": False,
            "started_ms": 100,
            "ended_ms": 900,
            "heard_ms": 800,
        }
        return {"item_id": item_id, "text": text, "position": position, "speaker": speaker, **whole, **rest}

    return turn


@pytest.fixture
def ask(store: Store) -> Callable[..., Booking]:
    """A caller asks for half an hour: `ask("CA1", at=…, status="requested")`."""

    def ask(call_sid: str = "CA1", *, at: datetime = NINE, minutes: int = 30, **facts: Any) -> Booking:
        wish = {
            "call_sid": call_sid,
            "tool_call_id": "call_1",
            "number": "+12025550123",
            "trust": "stranger",
            "caller_name": "Ana",
            "title": "About the roof",
            "start": at,
            "end": at + timedelta(minutes=minutes),
            "timezone": "Europe/Berlin",
            "status": "requested",
            "calendar": "",
            "event_id": f"event-of-{call_sid}",
            "clear": None,
            "now": NINE,
        }
        return store.write(appointments.hold, **{**wish, **facts})

    return ask
