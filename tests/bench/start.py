"""From nothing to an answer."""

from __future__ import annotations

from tests.bench.bench import Bench
from tests.bench.figures import median
from tests.bench.rows import Row


async def rows(bench: Bench) -> list[Row]:
    """Process start to `/healthz`, the first time on a new instance."""
    server = bench.new("started")
    seconds = []
    for _ in range(bench.rounds):
        await server.start()
        server.stop()
        seconds.append(server.started_s)
    return [Row("start-up", median(seconds), "s", 1.5, None, "process start → /healthz answers 200")]
