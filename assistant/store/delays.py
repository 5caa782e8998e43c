"""How long callers had to wait: for the first word, and for each answer.

A percentile is the nearest rank: the shortest of the waits that at least so many of a hundred do not
exceed. So it is always a wait that somebody had, and of a single wait it is that wait.

Read while others are on the line, so it must be short: SQLite joins the numbers to one text, which is a
tenth of the time its own sorting takes, and what is left for Python is one list to sort.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from sqlite_utils import Database

from assistant.store.schema import as_text

LATELY = timedelta(days=30)

# Calls in which the assistant was not heard have neither a first sound nor an answer.
_LATELY = """
SELECT group_concat(first_sound_ms),
  group_concat(trim(response_ms, '[]')) FILTER (WHERE json_array_length(response_ms) > 0)
FROM calls WHERE started_at >= ? AND ended_at IS NOT NULL AND first_sound_ms IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Waits:
    """`number` waits: half of them took at most `p50_ms`, 95 of a hundred at most `p95_ms`."""

    number: int
    p50_ms: int
    p95_ms: int


@dataclass(frozen=True, slots=True)
class Delays:
    """A first sound for each call, an answer for each time the caller had spoken."""

    first_sound: Waits
    answers: Waits | None


def lately(db: Database, now: datetime) -> Delays | None:
    """The waits in calls that began within the last 30 days and are over; None without such a call."""
    first_sounds, answers = db.execute(_LATELY, (as_text(now - LATELY),)).fetchone()
    first_sound = _waits(first_sounds)
    return Delays(first_sound, _waits(answers)) if first_sound else None


def _waits(numbers: str | None) -> Waits | None:
    """The waits in a text like `700,900`; None when there is none."""
    if not numbers:
        return None
    waits: list[int] = sorted(orjson.loads(f"[{numbers}]"))
    return Waits(len(waits), nearest_rank(waits, 50), nearest_rank(waits, 95))


def nearest_rank(waits: list[int], percent: int) -> int:
    """The percentile of sorted waits, of which there is at least one."""
    return waits[-(-len(waits) * percent // 100) - 1]
