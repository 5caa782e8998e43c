"""100 calls whose every frame comes back: what it costs, and how long a frame is on its way."""

from __future__ import annotations

from tests.bench.bench import Bench
from tests.bench.figures import median, percentile, spread
from tests.bench.load import Load, Steady
from tests.bench.rows import Row
from tests.bench.servers import Server

CALLS = 100
FULL = 0.95  # of a core


async def once(load: Load, server: Server, calls: int, seconds: float) -> Steady:
    """A stretch of echo on one server."""
    load.model.behave("echo")
    async with load.calls(server) as ringing:
        await ringing.begin(calls)
        return await ringing.steady(seconds)


async def rows(bench: Bench) -> list[Row]:
    """CPU, a frame's round trip and its halves, and memory."""
    floor, plain, recording = await bench.floor(), await bench.plain(), await bench.recording()
    servers: list[Server] = [floor, plain, recording]
    idle_mib = plain.memory_mib()
    for server in servers:
        await once(bench.load, server, 1, 0.5)  # what is imported or made at the first call
    warm_mib = plain.memory_mib()
    rounds = [
        [await once(bench.load, server, CALLS, bench.seconds) for server in servers]
        for _ in range(bench.rounds)
    ]
    return [*_cpu(rounds), *_delays(rounds), *_memory(idle_mib, warm_mib, [turn[1] for turn in rounds])]


def _cpu(rounds: list[list[Steady]]) -> list[Row]:
    plain = [turn[1].cpu_ms / turn[0].cpu_ms for turn in rounds]
    recording = [turn[2].cpu_ms / turn[0].cpu_ms for turn in rounds]
    floor, ours, ours_recording = (median([turn[server].cpu_ms for turn in rounds]) for server in range(3))
    how = f"{cpu_told(floor, ours, CALLS)}{spread(plain)}"
    added = median(recording) - median(plain)
    return [
        Row("CPU, 100 echo calls", median(plain), "× floor", 3.0, 2.2, how),
        Row("CPU that recording adds", added, "× floor", 0.5, None, f"with it {ours_recording:.2f}"),
    ]


def cpu_told(floor_ms: float, ours_ms: float, calls: int) -> str:
    """What the two cost. Where the core is full, work is done in heaps and a ratio tells too little."""
    load = ours_ms * calls / 1000
    full = ", and the core is FULL: a lower bound" if load > FULL else ""
    return f"CPU ms for each second of a call: floor {floor_ms:.2f}, ours {ours_ms:.2f}{full}"


def _delays(rounds: list[list[Steady]]) -> list[Row]:
    floor, ours = ([turn[server].trips for turn in rounds] for server in range(2))
    floor_p50 = median([percentile(trips.around, 50) for trips in floor])
    p50 = median([percentile(trips.around, 50) for trips in ours])
    p99, to_model, to_caller = (
        median([percentile(half, 99) for half in halves])
        for halves in zip(*((trips.around, trips.to_model, trips.to_caller) for trips in ours), strict=True)
    )
    lost = sum(trips.lost for trips in ours)
    floors_p99 = median([percentile(trips.around, 99) for trips in floor])
    return [
        Row("round trip beyond the floor's, p50", p50 - floor_p50, "ms", 0.3, None, f"floor {floor_p50:.2f}"),
        Row("round trip, p99", p99, "ms", 2.5, None, f"100 echo calls; floor {floors_p99:.2f}"),
        Row("caller's frame → model, p99", to_model, "ms", 1.5, None, "sent to read, outside the server"),
        Row("model's sound → caller, p99", to_caller, "ms", 1.5, None, "sent to read, outside the server"),
        Row("frames lost", lost, "", 0, None, f"of {sum(len(trips.around) for trips in ours)}"),
    ]


def _memory(idle_mib: float, warm_mib: float, ours: list[Steady]) -> list[Row]:
    each = (ours[0].memory_mib - warm_mib) / CALLS
    return [
        Row("memory, idle", idle_mib, "MiB", 115, None, "resident, before the first call"),
        Row("memory, each call", each, "MiB", 0.15, None, "100 echo calls, less the same after one call"),
    ]
