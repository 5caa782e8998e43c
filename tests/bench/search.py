"""What a search costs, of 100,000 turns: more than anybody keeps.

From what was typed to what the page shows: the calls, how many there are, and their lines with the words
marked. It runs beside the calls, in the pool; but it is their core that does it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from assistant.store import Database, Store, calls, search
from assistant.store.schema import as_text
from tests.bench.bench import Bench
from tests.bench.figures import percentile
from tests.bench.rows import Row

CALLS, TURNS_EACH, TIMES = 5_000, 20, 25
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
COMMON = ["the", "to", "and", "of", "is", "you", "that", "in", "for", "on"]
SEARCHES = {
    "a common word": "the ",
    "a beginning": "th",
    "a rare word": "elephant",
    "a phrase": '"is the"',
    "a number": "020 7946 0018",
    "operators": "the -elephant said:caller after:2026-03 before:2026-09 is:unread",
    "five common words": "the to and of is ",
}


async def rows(bench: Bench) -> list[Row]:
    """How long searches take, and what being found costs a turn when it is kept."""
    folder = bench.load.folder / "search"
    folder.mkdir()
    return await asyncio.to_thread(_rows, Store(folder / "afterbeep.db"))


def _rows(store: Store) -> list[Row]:
    store.write(fill)
    store.alone(_settle)
    size = store.read(_index_bytes) / 1e6
    how = f"{TIMES} times, {CALLS * TURNS_EACH:,} turns, index {size:.1f} MB"
    found = {name: measured(store, typed) for name, typed in SEARCHES.items()}
    kept = store.write(keeping)
    return [
        *(
            Row(f"search, {name}: p50", percentile(took, 50), "ms", 100, 50, how)
            for name, took in found.items()
        ),
        Row("keep a turn and index it: p50", percentile(kept, 50), "ms", 1, 0.5, "without the commit"),
    ]


def measured(store: Store, typed: str) -> list[float]:
    """How long a search takes, time after time, in ms."""
    took_ms = []
    for _ in range(TIMES):
        began = time.perf_counter()
        found = store.read(search.find, search.read(typed, region="GB"), limit=50)
        took_ms.append((time.perf_counter() - began) * 1000)
        assert found.total, "what is not there is found quickly"
    return took_ms


def keeping(db: Database) -> list[float]:
    """How long it takes to keep each of some turns, in ms."""
    took_ms = []
    for number, text in zip(range(500), said(random.Random(5)), strict=False):
        one = turn(number, text, f"late{number}")
        began = time.perf_counter()
        calls.keep_turn(db, "CA0", one)
        took_ms.append((time.perf_counter() - began) * 1000)
    return took_ms


def fill(db: Database) -> None:
    """Calls with words that are as common as in a language: a few of them everywhere, most nearly nowhere."""
    any_number = random.Random(5)  # the same at every run
    texts = said(any_number)
    numbers = [f"+4420794600{number:02}" for number in range(100)]
    for n in range(CALLS):
        started_at = as_text(NOW - timedelta(hours=2 * n))
        db.execute(
            "INSERT INTO calls (call_sid, direction, from_number, started_at) VALUES (?, 'inbound', ?, ?)",
            (f"CA{n}", any_number.choice(numbers), started_at),
        )
        for number in range(TURNS_EACH):
            calls_turn(db, f"CA{n}", turn(number, "the elephant" if n % 500 == number else next(texts)))


def calls_turn(db: Database, call_sid: str, one: dict[str, Any]) -> None:
    """As `keep_turn` writes it, without its questions about the rest of the call."""
    names = ", ".join(one)
    values = ", ".join(f":{name}" for name in one)
    db.execute(
        f"INSERT INTO turns (call_sid, {names}) VALUES (:call_sid, {values})", {**one, "call_sid": call_sid}
    )


def turn(number: int, text: str, item_id: str = "") -> dict[str, Any]:
    """Something that was said."""
    return {
        "item_id": item_id or f"item{number}",
        "position": float(number),
        "speaker": "caller" if number % 2 else "assistant",
        "text": text,
        "heard_text": text,
        "interrupted": 0,
        "started_ms": number * 4000,
        "ended_ms": number * 4000 + 3000,
        "heard_ms": 3000,
    }


def said(any_number: random.Random) -> Iterator[str]:
    """Sentences of 5 to 20 words without end."""
    rare = [
        "".join(any_number.choices("abcdefghilmnoprstu", k=any_number.randrange(3, 10))) for _ in range(9_000)
    ]
    how_often = [1 / (place + 1) for place in range(len(rare))]
    while True:
        words = any_number.choices(rare, how_often, k=any_number.randrange(5, 21))
        yield " ".join(any_number.choice(COMMON) if any_number.random() < 0.45 else word for word in words)


def _settle(db: Database) -> None:
    search.forget_removed(db)


def _index_bytes(db: Database) -> int:
    return int(db.execute("SELECT sum(length(block)) FROM said_data").fetchone()[0])
