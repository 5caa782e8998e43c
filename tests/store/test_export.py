"""Calls as the contract shows them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlite_utils import Database

from assistant.store import Store, calls, export

KEYS = [
    "call_sid", "direction", "from", "to", "forwarded_from", "caller_name", "trust", "started_at",
    "answered_at", "ended_at", "duration_s", "outcome", "ended_because", "summary", "message", "turns",
    "tool_runs", "recordings", "usage", "cost_usd", "first_sound_ms", "response_ms",
]  # fmt: skip


def test_a_running_call_is_there_with_what_is_not_known_yet(store: Store, ring: Callable[..., bool]) -> None:
    ring(from_number=None, caller_name="ANA")

    call = store.read(export.export_call, "CA1")

    assert call is not None
    assert list(call) == KEYS
    assert call == {
        "call_sid": "CA1",
        "direction": "inbound",
        "from": None,
        "to": "+12025550100",
        "forwarded_from": None,
        "caller_name": "ANA",
        "trust": "stranger",
        "started_at": "2026-11-21T09:00:00.000Z",
        "answered_at": None,
        "ended_at": None,
        "duration_s": None,
        "outcome": None,
        "ended_because": None,
        "summary": None,
        "message": None,
        "turns": [],
        "tool_runs": [],
        "recordings": [],
        "usage": dict.fromkeys(export.USAGE, 0),
        "cost_usd": 0,
        "first_sound_ms": None,
        "response_ms": [],
    }
    assert store.read(export.export_call, "CA2") is None


def test_turns_and_tool_runs_have_the_contract_s_keys(
    store: Store, ring: Callable[..., bool], turn: Callable[..., Any]
) -> None:
    ring()
    cut = {"speaker": "assistant", "heard_text": "We are", "interrupted": True, "heard_ms": 400}
    store.write(calls.keep_turn, "CA1", turn("a", "We are open until five.", **cut))
    store.write(
        calls.keep_tool_run,
        "CA1",
        tool_call_id="call_1",
        name="end_call",
        arguments={"reason": "done"},
        result={"ok": True},
        refused=False,
        started_ms=1000,
        took_ms=2,
    )

    call = store.read(export.export_call, "CA1")
    assert call is not None
    assert [list(call["turns"][0].items()), list(call["tool_runs"][0].items())] == [
        [
            ("n", 1),
            ("speaker", "assistant"),
            ("text", "We are open until five."),
            ("heard_text", "We are"),
            ("interrupted", True),
            ("started_ms", 100),
            ("ended_ms", 900),
            ("heard_ms", 400),
        ],
        [
            ("name", "end_call"),
            ("arguments", {"reason": "done"}),
            ("result", {"ok": True}),
            ("refused", False),
            ("started_ms", 1000),
            ("took_ms", 2),
        ],
    ]


def test_all_calls_come_oldest_first_and_pages_newest_first(
    store: Store, ring: Callable[..., bool], nine: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CALLS_AT_A_TIME", 2)
    for sid, minutes in (("CA3", 3), ("CA1", 1), ("CA2", 2), ("CA4", 3), ("CA5", 3)):
        ring(sid, started_at=nine + timedelta(minutes=minutes))

    whole = store.read(lambda db: [call["call_sid"] for call in export.export_all(db)])
    page = store.read(export.recent, limit=2, offset=1)

    assert whole == ["CA1", "CA2", "CA3", "CA4", "CA5"]
    assert [call["call_sid"] for call in page] == ["CA4", "CA3"]
    assert store.read(export.count) == 5


def fill(db: Database, calls_kept: int, at: datetime) -> None:
    db.conn.executemany(
        "INSERT INTO calls (call_sid, direction, from_number, started_at) VALUES (?, 'inbound', ?, ?)",
        ((f"CA{n}", f"+1202555{n:04}", (at + timedelta(minutes=n)).isoformat()) for n in range(calls_kept)),
    )
    db.conn.executemany(
        "INSERT INTO turns (call_sid, item_id, position, speaker, text, heard_text, interrupted, started_ms,"
        " ended_ms, heard_ms) VALUES (?, ?, ?, 'caller', ?, ?, 0, 0, 0, 0)",
        ((f"CA{n}", str(m), m, "words " * 8, "words " * 8) for n in range(calls_kept) for m in range(8)),
    )


def test_a_page_of_many_calls_is_quick_and_asks_little(store: Store, nine: datetime) -> None:
    store.write(fill, 5000, nine)
    statements: list[str] = []

    def page(db: Database) -> list[dict[str, Any]]:
        with db.tracer(lambda sql, parameters: statements.append(sql)):
            return export.recent(db, limit=50, offset=2500)

    began = time.perf_counter()
    found = store.read(page)
    took_s = time.perf_counter() - began

    assert len(found) == 50
    assert all(len(call["turns"]) == 8 for call in found)
    assert len(statements) <= 6
    assert took_s < 0.15
    assert orjson.dumps(found)
