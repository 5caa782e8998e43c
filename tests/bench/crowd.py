"""How many calls one process serves on one core before a caller could notice."""

from __future__ import annotations

from tests.bench import echo
from tests.bench.bench import Bench
from tests.bench.figures import percentile
from tests.bench.load import Calls, Steady
from tests.bench.rows import Row

STEP, MOST = 50, 500
P99_MS = 20.0
SECONDS = 3.0


async def rows(bench: Bench) -> list[Row]:
    """More and more echo calls, until frames are late or lost."""
    server = await bench.new("crowd").start()
    bench.load.model.behave("echo")
    tried: list[Steady] = []
    try:
        async with bench.load.calls(server) as calls:
            await _more_and_more(calls, tried)
    except (OSError, TimeoutError):
        pass  # so many that it does not even answer
    finally:
        server.stop()
    held = max((step.calls for step in tried if _is_good(step)), default=0)
    how = "; ".join(f"{step.calls}: {_told(step)}" for step in tried)
    floor = await echo.once(bench.load, await bench.floor(), min(held + STEP, MOST), SECONDS)
    limit = "" if _is_good(floor) else " (the callers' side may be what is too slow)"
    how = f"p99: {how}; floor with {floor.calls}: {_told(floor)}{limit}"
    return [Row("calls in one process, p99 ≤ 20 ms", held, "", 300, 400, how, at_least=True)]


async def _more_and_more(calls: Calls, tried: list[Steady]) -> None:
    while not tried or (_is_good(tried[-1]) and tried[-1].calls < MOST):
        await calls.begin(STEP)
        tried.append(await calls.steady(SECONDS))


def _is_good(step: Steady) -> bool:
    return step.trips.lost == 0 and percentile(step.trips.around, 99) <= P99_MS


def _told(step: Steady) -> str:
    lost = f", {step.trips.lost} lost" if step.trips.lost else ""
    return f"{percentile(step.trips.around, 99):.1f} ms{lost}"
