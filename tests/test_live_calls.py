"""Who is on the line, and what is left of calls that are over."""

from __future__ import annotations

import gc
import weakref

import pytest

from assistant.call.events import Event
from assistant.live_calls import LiveCalls


class Call:
    """A call whose parts know each other."""

    caller_gone = False
    away = False
    cost_usd = 0.5

    def __init__(self, call_sid: str) -> None:
        self.call_sid = call_sid
        self.itself = self
        self.told: list[Event] = []

    def run(self) -> None: ...

    def clock(self) -> int:
        return 0

    def put(self, event: Event) -> None:
        self.told.append(event)


@pytest.fixture
def no_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_call_that_is_over_is_given_back_when_nobody_is_on_the_line():
    live_calls = LiveCalls()
    first = Call("CA1")
    gone = weakref.ref(first)
    live_calls.serve(first)
    del first
    assert gone() is not None  # only the collector frees it

    live_calls.serve(Call("CA2"))

    assert gone() is None


@pytest.mark.usefixtures("no_collector")
def test_nothing_is_collected_while_another_is_on_the_line():
    live_calls = LiveCalls()
    first = Call("CA1")
    gone = weakref.ref(first)
    live_calls.serve(first)
    del first

    class Meanwhile(Call):
        def run(self) -> None:
            live_calls.serve(Call("CA3"))
            assert gone() is not None

    live_calls.serve(Meanwhile("CA2"))

    assert gone() is None
