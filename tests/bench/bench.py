"""What the sections of the bench share: how long to measure, the far ends, and servers that stay up."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.bench.load import Load
from tests.bench.servers import Afterbeep, Floor, Server


@dataclass(slots=True)
class Bench:
    """One run. Servers are started when first asked for, and stopped at the end."""

    load: Load
    rounds: int = 3
    seconds: float = 5.0
    _servers: dict[str, Server] = field(default_factory=dict)

    async def floor(self) -> Floor:
        """The relay that everything is compared with."""
        if "floor" not in self._servers:
            self._servers["floor"] = await Floor.start(self.load.folder, self.load.model.socket_url)
        floor = self._servers["floor"]
        assert isinstance(floor, Floor)
        return floor

    async def plain(self) -> Afterbeep:
        """The program, recording nothing."""
        return await self._afterbeep("plain", record_audio="off")

    async def recording(self) -> Afterbeep:
        """The program, recording every call."""
        return await self._afterbeep("recording", record_audio="on")

    async def _afterbeep(self, name: str, **preferred: str) -> Afterbeep:
        if name not in self._servers:
            await self.new(name, **preferred).start()
        server = self._servers[name]
        assert isinstance(server, Afterbeep)
        return server

    def new(self, name: str, **preferred: str) -> Afterbeep:
        """The program on a new instance, not started yet."""
        server = Afterbeep(name, self.load.folder, self.load.model.base_url, **preferred)
        self._servers[name] = server
        return server

    def stop(self) -> None:
        """End all that is left of them."""
        for server in self._servers.values():
            server.stop()
