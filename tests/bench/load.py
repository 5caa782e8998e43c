"""Many calls at once on one server, and what a steady stretch of them costs and delays."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.journal import CallNotes, Trips, trips
from tests.bench.model import Model
from tests.bench.pace import Pace
from tests.bench.phone import Phone
from tests.bench.response import DELTA_MS
from tests.bench.servers import Server

AT_ONCE = 10  # calls that come in side by side
SETTLE_S, GOODBYE_S = 1.0, 10.0
LAST_S = 0.5  # a frame that is not back so long after the last one is lost


@dataclass(frozen=True, slots=True)
class Steady:
    """A stretch of `seconds` with so many calls. cpu_ms: of the server, for each second of each call."""

    calls: int
    cpu_ms: float
    memory_mib: float
    trips: Trips


class Load:
    """The two far ends: callers and a model. `folder`: where servers keep theirs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: dict[int, CallNotes] = {}
        self.model = Model(self.notes)
        self.pace = Pace()
        self._numbers = itertools.count(1)

    async def open(self) -> Load:
        """From here on the model can be reached."""
        await self.model.open()
        return self

    async def close(self) -> None:
        """Everybody is gone."""
        self.pace.close()
        await self.model.close()

    @asynccontextmanager
    async def calls(self, server: Server) -> AsyncIterator[Calls]:
        """Calls to that server, which all end with the block."""
        calls = Calls(self, server)
        try:
            yield calls
        finally:
            await calls.end()

    def new_phone(self) -> Phone:
        """Somebody who has not rung before."""
        number = next(self._numbers)
        self.notes[number] = CallNotes()
        return Phone(number, self.notes[number], DELTA_MS)


class Calls:
    """The calls on one server, in whatever the model's manner is when they begin."""

    def __init__(self, load: Load, server: Server) -> None:
        self._load = load
        self._server = server
        self._running: list[tuple[Phone, Callable[[], None]]] = []

    @property
    def notes(self) -> list[CallNotes]:
        """Of each call, in no order."""
        return [self._load.notes[phone.number] for phone, _ in self._running]

    async def begin(self, count: int, at_once: int = AT_ONCE) -> None:
        """So many more, talking."""
        left = iter(range(count))

        async def some() -> None:
            for _ in left:
                phone = self._load.new_phone()
                await self._server.ring(phone)
                self.joined(phone)

        await asyncio.gather(*(some() for _ in range(at_once)))

    def joined(self, phone: Phone) -> None:
        """That one's stream has begun: they talk from now on."""
        self._running.append((phone, self._load.pace.add(phone.send_frame)))

    async def steady(self, seconds: float) -> Steady:
        """What the next `seconds` are like."""
        gc.collect()
        gc.disable()  # our own pauses are not the server's
        await asyncio.sleep(SETTLE_S)
        cpu_s, since_ns = self._server.cpu_s(), time.monotonic_ns()
        await asyncio.sleep(seconds)
        cpu_s, until_ns = self._server.cpu_s() - cpu_s, time.monotonic_ns()
        memory_mib = self._server.memory_mib()
        await asyncio.sleep(LAST_S)
        gc.enable()
        call_seconds = len(self._running) * (until_ns - since_ns) / 1e9
        return Steady(
            len(self._running),
            cpu_s * 1000 / call_seconds,
            memory_mib,
            trips(self.notes, since_ns, until_ns),
        )

    async def end(self) -> None:
        """Everybody hangs up, and the server is done with them."""
        for phone, be_silent in self._running:
            be_silent()
            phone.stop()
        async with asyncio.timeout(GOODBYE_S):
            for phone, _ in self._running:
                await phone.gone.wait()
                await self._server.ended(phone.number)
            while self._load.model.sessions:
                await asyncio.sleep(0.02)
