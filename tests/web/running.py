"""What the tests of running calls share: calls that are going on, and the streams that tell of them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from assistant.call.events import Event
from assistant.live import Live
from assistant.live_calls import LiveCalls
from tests.web.pages import PUBLIC, Pages

PATIENCE_S = 10.0


@dataclass
class OnTheLine:
    """A call as the assistant has it: it runs until it is let go, and remembers what it was told."""

    call_sid: str
    cost_usd: float = 0.0123
    caller_gone: bool = False
    parked: bool = False
    away: bool = False
    state: Literal["talking", "ringing_owner"] = "talking"
    clock_ms: int = 83_000
    told: list[Event] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        self.let_go.wait(PATIENCE_S)

    def go_on(self) -> None: ...

    def adopt(self, phone: Any) -> bool:
        return False

    def clock(self) -> int:
        return self.clock_ms

    def put(self, event: Event) -> None:
        self.told.append(event)


@dataclass(frozen=True)
class Said:
    """One event of a stream."""

    name: str
    data: str
    rev: int | None


class Heard:
    """A stream, asked for and read beside the test."""

    def __init__(self, ask: Callable[[], TestResponse]) -> None:
        self._events: queue.Queue[Said | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(ask,), daemon=True)
        self._reader.start()

    def _read(self, ask: Callable[[], TestResponse]) -> None:
        text = ""
        response = ask()
        assert response.status_code == 200, response.status
        for piece in response.iter_encoded():
            text += piece.decode()
            *whole, text = text.split("\n\n")
            for event in whole:
                self._take(event)
        response.close()
        self._events.put(None)

    def _take(self, event: str) -> None:
        fields = [line.partition(": ")[::2] for line in event.split("\n")]
        names = dict(fields)
        if "event" in names:
            data = "\n".join(value for name, value in fields if name == "data")
            self._events.put(Said(names["event"], data, int(names["id"]) if "id" in names else None))

    def next(self) -> Said:
        """The next event; the stream must not be over."""
        said = self._events.get(timeout=PATIENCE_S)
        assert said is not None, "the stream has ended"
        return said

    def until(self, name: str) -> Said:
        """The next event of that name."""
        while (said := self.next()).name != name:
            pass
        return said

    def rest(self) -> list[Said]:
        """What comes until the stream ends, which it must."""
        said = list(iter(lambda: self._events.get(timeout=PATIENCE_S), None))
        self.over()
        return said

    def over(self) -> None:
        """Wait for its end."""
        self._reader.join(PATIENCE_S)
        assert not self._reader.is_alive()


class House(Pages):
    """The pages with the live ones, and calls that run."""

    def __init__(self, tmp_path: Path, **environ: str) -> None:
        super().__init__(tmp_path, **{**PUBLIC, **environ})
        parts = self.app.extensions["afterbeep"]
        self.live = parts.live = Live()
        self.live_calls = parts.live_calls = LiveCalls()

    @contextmanager
    def on_the_line(self, call_sid: str = "CA1", **facts: Any) -> Iterator[OnTheLine]:
        """A call that the assistant has, meanwhile."""
        call = OnTheLine(call_sid, **facts)
        serving = threading.Thread(target=self.live_calls.serve, args=(call,), daemon=True)
        serving.start()
        while not self.live_calls.has(call_sid):
            serving.join(0.001)
        self.live.tell(call_sid, "began")
        try:
            yield call
        finally:
            call.caller_gone = True
            call.let_go.set()
            serving.join(PATIENCE_S)

    @contextmanager
    def listen(self, client: FlaskClient, path: str, **options: Any) -> Iterator[Heard]:
        """A stream, as long as somebody listens."""
        heard = Heard(lambda: client.get(path, buffered=False, **options))
        try:
            yield heard
        finally:
            self.live.close()
            heard.over()
