"""20 calls in which the model speaks, a turn every 4 s, and the caller's sound flows all the time."""

from __future__ import annotations

from tests.bench.bench import Bench
from tests.bench.echo import cpu_told
from tests.bench.figures import median, spread
from tests.bench.load import Load
from tests.bench.model import TURN_S
from tests.bench.rows import Row
from tests.bench.servers import Server

CALLS = 20


async def rows(bench: Bench) -> list[Row]:
    """CPU against the floor."""
    servers: list[Server] = [await bench.floor(), await bench.plain()]
    rounds = [[await _cpu_ms(bench.load, server) for server in servers] for _ in range(bench.rounds)]
    ratios = [ours / floor for floor, ours in rounds]
    floor, ours = (median([turn[server] for turn in rounds]) for server in range(2))
    how = f"{cpu_told(floor, ours, CALLS)}{spread(ratios)}"
    return [Row("CPU, 20 talking calls", median(ratios), "× floor", 2.5, 1.9, how)]


async def _cpu_ms(load: Load, server: Server) -> float:
    load.model.behave("talk")
    async with load.calls(server) as calls:
        await calls.begin(CALLS)
        return (await calls.steady(TURN_S)).cpu_ms  # whole turns, wherever each call's begins
