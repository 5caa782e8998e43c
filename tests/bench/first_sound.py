"""How long a caller waits for the first sound while the model is slow."""

from __future__ import annotations

import asyncio

from tests.bench.bench import Bench
from tests.bench.figures import MS, percentile
from tests.bench.journal import CallNotes
from tests.bench.load import Load
from tests.bench.rows import Row
from tests.bench.servers import Afterbeep

CALLS = 30
CONNECT_S, SPEAK_S = 0.8, 0.9
KEPT_WITHIN_S, RINGS_S = 1.0, 1.5
BETWEEN_S = 0.05  # two calls that begin


async def rows(bench: Bench) -> list[Row]:
    """With a greeting kept as audio, and with no more than a session opened while the owner's phone rings."""
    server = await bench.plain()
    kept = _waits_ms(await _kept(bench.load, server))
    opened = _waits_ms(await _opened(bench.load, server))
    slow = f"model: {CONNECT_S * 1000:.0f} ms to connect, {SPEAK_S * 1000:.0f} ms to speak; {CALLS} calls"
    at_once = f"the same to connect while it rings, then spoken at once; p50 {percentile(opened, 50):.1f}"
    return [
        Row("first sound, greeting kept, p50", percentile(kept, 50), "ms", 5, None, slow),
        Row("first sound, greeting kept, p99", percentile(kept, 99), "ms", 20, None, "the same"),
        Row("first sound, session opened only, p99", percentile(opened, 99), "ms", 50, None, at_once),
    ]


def _waits_ms(notes: list[CallNotes]) -> list[float]:
    return [
        (call.first_sound_ns - call.started_ns) / MS if call.first_sound_ns else float("inf")
        for call in notes
    ]


async def _kept(load: Load, server: Afterbeep) -> list[CallNotes]:
    server.prefer(greeting="Hello, these words are kept by the bench.")
    load.model.behave("quiet", opening_ms=1_000)
    async with load.calls(server) as calls:
        await calls.begin(1)
        await asyncio.sleep(KEPT_WITHIN_S)
    load.model.behave("quiet", connect_s=CONNECT_S, speak_s=SPEAK_S, opening_ms=1_000)
    async with load.calls(server) as calls:
        for _ in range(CALLS):
            await calls.begin(1)
            await asyncio.sleep(BETWEEN_S)
        await asyncio.sleep(CONNECT_S + SPEAK_S + 0.5)
        return calls.notes


async def _opened(load: Load, server: Afterbeep) -> list[CallNotes]:
    """The opening that the model speaks is another one than asked for, so that it is never kept."""
    server.prefer(greeting="Hello, these words are never kept.", ring_first="on")
    load.model.behave("quiet", connect_s=CONNECT_S, opening_ms=1_000, repeats=False)
    try:
        async with load.calls(server) as calls:
            phones = [load.new_phone() for _ in range(CALLS)]
            for phone in phones:
                await server.webhook("incoming", phone.number)
            await asyncio.sleep(RINGS_S)
            for phone in phones:
                document = await server.webhook("after-dial", phone.number, DialCallStatus="no-answer")
                await server.connect(phone, document)
                calls.joined(phone)
                await asyncio.sleep(BETWEEN_S)
            await asyncio.sleep(CONNECT_S + 0.5)
            return calls.notes
    finally:
        server.prefer(ring_first="off")
