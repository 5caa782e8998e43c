"""All shipped scenarios at once, and what came of each."""

from __future__ import annotations

import orjson

from assistant.sandbox.caller import CallRecord, CallReport
from assistant.sandbox.caller.script import known_scenarios
from tests.whole_call.house import House, Kept


class Stage:
    """Rings every scenario in one program."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.token = orjson.loads((house.instance_path / "sandbox.json").read_bytes())["auth_token"]
        self._ringing = {name: house.ring(name) for name in known_scenarios()}

    def report(self, name: str) -> CallReport:
        """A scenario's report, once it is over."""
        return self._ringing[name].report()

    def calls(self, name: str) -> list[tuple[CallRecord, Kept]]:
        """The calls of a scenario: what the caller's side knows, and what the program keeps."""
        return [(record, self.house.closed(record)) for record in self.report(name).calls]
