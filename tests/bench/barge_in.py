"""Callers who interrupt, again and again: how soon it is quiet, and what the model is told was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from tests.bench.bench import Bench
from tests.bench.figures import MS, percentile
from tests.bench.journal import CallNotes
from tests.bench.load import Load
from tests.bench.rows import Row
from tests.bench.servers import Server

CALLS = 20
LONGER = 1.6  # than other stretches: a call is interrupted once a second


async def rows(bench: Bench) -> list[Row]:
    """The delay of a clear, and the error of a truncation."""
    seconds = bench.seconds * LONGER
    floor = list(_delays_ms(await _interrupted(bench.load, await bench.floor(), seconds)))
    notes = await _interrupted(bench.load, await bench.plain(), seconds)
    ours = list(_delays_ms(notes))
    floor_p50 = percentile(floor, 50)
    how = f"sent to read outside the server, less the floor's p50 ({floor_p50:.2f} ms); {len(ours)} of them"
    errors = list(_errors_ms(notes))
    beyond = sum(told > cut[1] for told, cut in _told_and_cut(notes))
    of = f"worst of {len(errors)}; p50 {percentile(errors, 50):.1f}"
    return [
        Row("barge-in: speech_started → clear, p50", percentile(ours, 50) - floor_p50, "ms", 0.2, None, how),
        Row("barge-in, p99", percentile(ours, 99) - floor_p50, "ms", 1.5, None, "the same"),
        Row("truncation against what was played", max(errors, default=None), "ms", 40, None, of),
        Row("truncations beyond their item", beyond if errors else None, "", 0),
    ]


async def _interrupted(load: Load, server: Server, seconds: float) -> list[CallNotes]:
    load.model.behave("barge")
    async with load.calls(server) as calls:
        await calls.begin(CALLS)
        await asyncio.sleep(seconds)
        return calls.notes


def _delays_ms(notes: list[CallNotes]) -> Iterator[float]:
    """Each clear that came before the next interruption."""
    for call in notes:
        for barged_ns, next_ns in zip(call.barged_ns, call.barged_ns[1:], strict=False):
            cleared = (each for each in call.cleared_ns if barged_ns < each < next_ns)
            if cleared_ns := next(cleared, None):
                yield (cleared_ns - barged_ns) / MS


def _told_and_cut(notes: list[CallNotes]) -> Iterator[tuple[int, tuple[float, float]]]:
    for call in notes:
        for item, told_ms in call.truncated_ms.items():
            if item in call.cut_ms:
                yield told_ms, call.cut_ms[item]


def _errors_ms(notes: list[CallNotes]) -> Iterator[float]:
    """An item that was cut and of which the model was told nothing counts as told to be heard whole."""
    for call in notes:
        for item, (played_ms, of_ms) in call.cut_ms.items():
            if item in call.items:
                yield abs(call.truncated_ms.get(item, of_ms) - played_ms)
