"""The program as it runs with keys: a model's address, an account's REST side, and nothing of the sandbox.

Its model takes PCM alone. Every secret is one that no file, page or line of the log may show.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.sandbox.caller import CallReport
from assistant.sandbox.model import SandboxModel
from tests.whole_call.house import NO_CAPS, House, beside, free_port, telephone

API_KEY = "sk-canary-that-nobody-may-hear-sing"
SECRET_KEY = "a-canary-of-a-secret-key-of-more-than-32"


class Keyed:
    """One call that leaves a message; the program goes on afterwards."""

    def __init__(self, folder: Path, model: SandboxModel) -> None:
        self._wiring = {
            "OPENAI_API_KEY": API_KEY,
            "OPENAI_BASE_URL": model.url,
            "REALTIME_AUDIO": "pcm",
            "SECRET_KEY": SECRET_KEY,
        }
        self.house = House(folder / "instance", **telephone(free_port(), ""), **self._wiring)
        self.house.prefer(**NO_CAPS)
        self.idle_mib: list[float] = []
        self._report = beside(self._make)

    def report(self) -> CallReport:
        """What the caller's side says, once the call is over."""
        return self._report.result(120)

    def _make(self) -> CallReport:
        ringing = self.house.about_to_ring("message")
        # The caller's REST side, at an address that is known before there is anybody to ring.
        with ringing.caller.rest.serving() as rest:
            self.house.start(TWILIO_API_URL=rest.url)
            self.idle_mib.append(self.house.resident_mib)
            report = ringing.begin().report()
        self.house.closed(report.call)
        self.idle_mib.append(self.house.resident_mib)
        return report


@contextmanager
def keyed_program(folder: Path) -> Iterator[Keyed]:
    """The program and its model, while the block runs."""
    with SandboxModel() as model:
        program = Keyed(folder, model)
        try:
            yield program
        finally:
            program.house.kill()
