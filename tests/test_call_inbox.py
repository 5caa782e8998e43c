"""Whoever brings an event takes care of it: one at a time, in order, nothing lost, and not too many waiting.

Real threads that are changed as often as Python will, and greenlets in a process of their own.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant import inbox as module
from assistant.call.events import CallerPressed, Event, TimerFired
from assistant.inbox import Inbox

ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 10.0
NEVER_MS = 600_000

Then = Callable[[], object]


def press(key: str) -> Event:
    """Any event will do; this one has a name."""
    return CallerPressed(key, at_ms=0)


class Desk:
    """An inbox, and whoever takes care of what comes into it: notes it, and does what the test wants then."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int]] = []  # an event's name, and its source
        self.fired_ms: dict[str, int] = {}
        self.most_at_once = self.most_waiting = self._at_once = 0
        self.then: dict[str, Then] = {}
        self._began = time.monotonic()
        self.inbox = Inbox(self._take, self.now_ms)
        self.error: BaseException | None = None
        self.serving = threading.Thread(target=self._serve, daemon=True)

    def now_ms(self) -> int:
        return int((time.monotonic() - self._began) * 1000)

    def _take(self, event: Event, source: int) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.most_waiting = max(self.most_waiting, len(self.inbox._events))
        name = event.timer if isinstance(event, TimerFired) else getattr(event, "digit", "")
        if isinstance(event, TimerFired):
            self.fired_ms[name] = event.at_ms
        self.taken.append((name, source))
        try:
            self.then.get(name, bool)()
        finally:
            self._at_once -= 1

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.taken]

    def put(self, name: str, then: Then | None = None) -> None:
        if then is not None:
            self.then[name] = then
        self.inbox.put(press(name))

    def serve(self) -> None:
        self.serving.start()

    def _serve(self) -> None:
        try:
            self.inbox.serve()
        except BaseException as error:
            self.error = error

    def over(self) -> BaseException | None:
        """What came out of `serve`, once it has returned."""
        self.serving.join(WAIT_S)
        assert not self.serving.is_alive()
        return self.error


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Threads are changed every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    made = Desk()
    yield made
    made.inbox.close()
    sys.setswitchinterval(before)


class Work:
    """Somebody takes care of an event, and is not done before the test says so."""

    def __init__(self, desk: Desk, name: str = "work", then: Then = bool) -> None:
        self._begun, self._enough = threading.Event(), threading.Event()

        def work() -> None:
            self._begun.set()
            assert self._enough.wait(WAIT_S)
            then()

        self._thread = beside(lambda: desk.put(name, work))
        assert self._begun.wait(WAIT_S)

    def finish(self) -> None:
        self._enough.set()
        joined(self._thread)


def beside(*what: Then) -> threading.Thread:
    """Do that, one thing after the other, in a thread of its own."""
    thread = threading.Thread(target=lambda: [do() for do in what], daemon=True)
    thread.start()
    return thread


def joined(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(WAIT_S)
        assert not thread.is_alive()


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)


def fail() -> None:
    raise ZeroDivisionError


# --- one at a time, in order, nothing lost -----------------------------------------------


def test_many_threads_bring_and_one_at_a_time_is_taken_care_of(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_WAITING", 20)
    each = 2_000
    together = threading.Barrier(8)

    def bring_all(source: int) -> None:
        together.wait(WAIT_S)
        say = desk.inbox.bring if source % 2 else desk.inbox.put
        for number in range(each):
            say(press(str(number)), source)

    desk.serve()
    joined(*(beside(lambda source=source: bring_all(source)) for source in range(8)))

    assert desk.most_at_once == 1
    assert desk.most_waiting > 0  # they did come in each other's way
    by_source = defaultdict(list)
    for name, source in desk.taken:
        by_source[source].append(name)
    assert dict(by_source) == {source: [str(number) for number in range(each)] for source in range(8)}


def test_what_comes_as_another_leaves_is_not_left_behind(desk: Desk):
    """Nobody serves here: once all have gone, everything has been taken care of."""
    rounds, sides = 1_500, 2
    together = threading.Barrier(sides)
    left_behind: list[int] = []

    def come_and_go() -> None:
        for number in range(rounds):
            together.wait(WAIT_S)
            desk.put("again")
            if together.wait(WAIT_S) == 0 and len(desk.taken) != sides * (number + 1):
                left_behind.append(number)

    joined(*(beside(come_and_go) for _ in range(sides)))

    assert left_behind == []
    assert len(desk.taken) == sides * rounds


def test_what_comes_between_the_last_look_and_leaving_is_taken_care_of(desk: Desk):
    class Turn:
        """Somebody else comes as the first turn ends, and finds it taken."""

        def __init__(self) -> None:
            self._lock = threading.Lock()
            self._turns = 0
            self.acquire = self._lock.acquire

        def release(self) -> None:
            self._turns += 1
            if self._turns == 1:
                joined(beside(lambda: desk.put("late")))
                assert desk.names == ["early"]
            self._lock.release()

    desk.inbox._turn = Turn()
    desk.put("early")

    assert desk.names == ["early", "late"]


def test_what_is_put_while_another_is_taken_care_of_comes_after_it(desk: Desk):
    done: list[str] = []

    def work() -> None:
        desk.put("from inside")
        joined(beside(lambda: desk.put("from outside")))
        done.extend(desk.names)

    desk.put("work", work)

    assert done == ["work"]
    assert desk.names == ["work", "from inside", "from outside"]


def test_a_put_does_not_wait_for_whoever_is_at_work(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    working = Work(desk)
    joined(beside(*[lambda: desk.put("meanwhile")] * 10))

    assert desk.names == ["work"]
    working.finish()
    assert desk.names == ["work"] + ["meanwhile"] * 10


# --- timers ------------------------------------------------------------------------------


def test_timers_fire_when_they_are_due_and_only_if_they_still_run(desk: Desk):
    def begin() -> None:
        now_ms = desk.now_ms()
        for name, after_ms in (("third", 90), ("first", 20), ("stopped", 40), ("replaced", 30)):
            desk.inbox.start_timer(name, now_ms + after_ms)
        desk.inbox.stop_timer("stopped")
        desk.inbox.stop_timer("never there")
        desk.inbox.start_timer("replaced", now_ms + 60)
        desk.fired_ms["begun"] = now_ms

    desk.then["third"] = desk.inbox.close
    desk.serve()
    desk.put("begin", begin)

    assert desk.over() is None
    assert desk.names == ["begin", "first", "replaced", "third"]
    after_ms = {name: at_ms - desk.fired_ms["begun"] for name, at_ms in desk.fired_ms.items()}
    assert after_ms["first"] >= 20
    assert after_ms["replaced"] >= 60
    assert after_ms["third"] >= 90


def test_a_timer_that_another_thread_starts_is_not_late_for_one_that_is_due_later(desk: Desk):
    desk.put("begin", lambda: desk.inbox.start_timer("late", NEVER_MS))
    desk.serve()
    wait_until(lambda: desk.inbox._next_look_ms == NEVER_MS)

    due_ms = desk.now_ms() + 30
    desk.then["soon"] = desk.inbox.close
    joined(beside(lambda: desk.put("start", lambda: desk.inbox.start_timer("soon", due_ms))))

    assert desk.over() is None
    assert desk.names == ["begin", "start", "soon"]
    assert due_ms <= desk.fired_ms["soon"] < due_ms + 1_000


def test_a_timer_that_starts_as_the_next_is_looked_for_is_not_missed(desk: Desk):
    class Timers(dict[str, int]):
        """Another thread starts one right after the look at those there are."""

        def copy(self) -> dict[str, int]:
            copied = super().copy()
            if not desk.taken:
                joined(beside(lambda: desk.put("start", start)))
            return copied

    def start() -> None:
        desk.inbox.start_timer("soon", desk.now_ms() + 10)

    desk.inbox._timers = Timers(late=NEVER_MS)
    desk.inbox._next_look_ms = 0  # as after one that has fired
    desk.then["soon"] = desk.inbox.close
    desk.serve()

    assert desk.over() is None
    assert desk.names == ["start", "soon"]


def test_timers_that_are_started_all_the_time_all_fire(desk: Desk):
    """Each from a thread of its own, at the very moment in which the next one is looked for."""
    desk.serve()
    number = 400
    for at in range(number):
        name = f"timer {at}"
        desk.put(f"start {at}", lambda name=name: desk.inbox.start_timer(name, desk.now_ms() + 1))
        if at % 20 == 0:
            wait_until(lambda name=name: name in desk.fired_ms)

    wait_until(lambda: len(desk.fired_ms) == number)


def test_of_two_timers_due_at_once_the_first_can_stop_or_put_off_the_second(desk: Desk):
    def begin() -> None:
        for name in ("first", "stopped", "put off", "last"):
            desk.inbox.start_timer(name, 0)
        desk.inbox.start_timer("overdue", -1)

    def first() -> None:
        desk.inbox.stop_timer("stopped")
        desk.inbox.start_timer("put off", desk.now_ms() + 20)

    desk.then |= {"first": first, "put off": desk.inbox.close}
    desk.put("begin", begin)
    desk.serve()

    assert desk.over() is None
    assert desk.names == ["begin", "overdue", "first", "last", "put off"]


def test_a_timer_that_is_stopped_as_it_fires_has_fired(desk: Desk):
    """What stops it comes between the look at the clock and the firing; it must not be stopped and fire."""
    looks: list[int] = []

    def now_ms() -> int:
        looks.append(1)
        if len(looks) == 3:  # for how long to wait, what is due, and when it fired
            joined(beside(lambda: desk.put("stop", stop)))
        return 50

    def stop() -> None:
        desk.inbox.stop_timer("timer")
        desk.inbox.close()

    desk.inbox = Inbox(desk._take, now_ms)
    desk.put("begin", lambda: desk.inbox.start_timer("timer", 50))
    desk.serve()

    assert desk.over() is None
    assert desk.names == ["begin", "timer", "stop"]


# --- the end -----------------------------------------------------------------------------


def test_a_fault_in_any_thread_comes_out_of_serve_and_is_the_end(desk: Desk):
    desk.serve()
    working = Work(desk, then=fail)
    joined(beside(lambda: desk.put("waits behind it")))
    working.finish()

    assert isinstance(desk.over(), ZeroDivisionError)
    desk.put("later")
    desk.inbox.bring(press("later still"))
    assert desk.names == ["work"]
    assert not desk.inbox._events


def test_a_fault_when_a_timer_fires_comes_out_of_serve(desk: Desk):
    desk.then["bad"] = fail

    def begin() -> None:
        desk.inbox.start_timer("bad", 0)
        desk.inbox.start_timer("good", 0)

    desk.put("begin", begin)
    desk.serve()

    assert isinstance(desk.over(), ZeroDivisionError)
    assert desk.names == ["begin", "bad"]


def test_closed_from_inside_nothing_more_is_taken_care_of(desk: Desk):
    desk.serve()
    working = Work(desk, then=desk.inbox.close)
    desk.put("waits behind it")
    working.finish()

    assert desk.over() is None
    desk.put("later")
    assert desk.names == ["work"]
    assert not desk.inbox._events


def test_closed_from_inside_serve_waits_for_the_rest_of_that_work(desk: Desk):
    def close_and_fail() -> None:
        desk.inbox.close()
        desk.serving.join(0.05)
        fail()

    desk.serve()
    joined(beside(lambda: desk.put("work", close_and_fail)))

    assert isinstance(desk.over(), ZeroDivisionError)


def test_closed_as_serve_begins_to_wait_it_does_not_wait(desk: Desk):
    class Wake(threading.Event):
        """Closed by another thread between the look whether it is, and the wait."""

        def clear(self) -> None:
            joined(beside(desk.inbox.close))
            super().clear()

    desk.inbox._wake = Wake()
    desk.serve()

    assert desk.over() is None


def test_closed_at_any_moment_serve_returns():
    for _ in range(200):
        desk = Desk()
        desk.serve()
        desk.put("close", desk.inbox.close)
        assert desk.over() is None


# --- those who bring too much --------------------------------------------------------------


def test_whoever_brings_too_much_waits_for_their_turn(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    brought: list[int] = []

    def bring_all() -> None:
        for number in range(50):
            desk.inbox.bring(press(str(number)))
            brought.append(number)

    working = Work(desk)
    bringing = beside(bring_all)
    wait_until(lambda: len(desk.inbox._events) == 11)
    desk.put("put")  # does not wait

    assert brought == list(range(10))  # the eleventh is there, and whoever brought it waits
    working.finish()
    joined(bringing)
    assert desk.names == ["work", *map(str, range(11)), "put", *map(str, range(11, 50))]
    assert desk.most_waiting == 11


def test_however_many_bring_too_much_few_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_WAITING", 30)
    sides, each = 6, 1_000
    working = Work(desk)

    def bring_all() -> None:
        for number in range(each):
            desk.inbox.bring(press(str(number)))

    bringing = [beside(bring_all) for _ in range(sides)]
    wait_until(lambda: len(desk.inbox._events) == 30 + sides)
    working.finish()
    joined(*bringing)

    assert len(desk.taken) == 1 + sides * each
    assert desk.most_at_once == 1
    assert 30 < desk.most_waiting <= 30 + sides


@pytest.mark.parametrize("end", [None, fail], ids=["closed", "failed"])
def test_nobody_waits_for_a_turn_that_never_comes(
    desk: Desk, end: Then | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    working = Work(desk, then=end or desk.inbox.close)
    bringing = [beside(*[lambda: desk.inbox.bring(press("much"))] * 100) for _ in range(4)]
    wait_until(lambda: len(desk.inbox._events) == 14)
    working.finish()
    joined(*bringing)

    assert desk.names == ["work"]
    assert not desk.inbox._events


def test_once_it_is_closed_bringing_does_not_wait_for_whoever_is_at_work(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    working = Work(desk)
    desk.inbox.close()
    joined(beside(*[lambda: desk.inbox.bring(press("much"))] * 20))
    working.finish()

    assert desk.names == ["work"]
    assert not desk.inbox._events


# --- under gevent --------------------------------------------------------------------------

GREEN = """
from gevent import monkey; monkey.patch_all()
import threading, time
import gevent
from assistant import inbox as module
from assistant.call.events import CallerPressed, TimerFired
from assistant.inbox import Inbox

began = time.monotonic()
module.MOST_WAITING = 20

def now_ms():
    return int((time.monotonic() - began) * 1000)

def press(name):
    return CallerPressed(name, at_ms=0)

class Desk:
    def __init__(self):
        self.taken, self.at_once, self.most_waiting, self.then = [], 0, 0, {}
        self.inbox = Inbox(self.take, now_ms)
        self.serving = gevent.spawn(self.serve)

    def take(self, event, source):
        assert not self.at_once
        self.at_once += 1
        self.most_waiting = max(self.most_waiting, len(self.inbox._events))
        name = event.timer if isinstance(event, TimerFired) else event.digit
        self.taken.append((name, source))
        gevent.sleep(0)  # as a write does
        try:
            self.then.get(name, bool)()
        finally:
            self.at_once -= 1

    def serve(self):
        try:
            self.inbox.serve()
        except ZeroDivisionError as error:
            return error

def many():
    desk = Desk()
    def bring_all(source):
        for number in range(300):
            (desk.inbox.bring if source % 2 else desk.inbox.put)(press(str(number)), source)
            if number % 7 == source:
                gevent.sleep(0)
    gevent.joinall([gevent.spawn(bring_all, source) for source in (1, 2, 3, 5)], timeout=10, raise_error=True)
    desk.inbox.put(press("end"))
    for source in (1, 2, 3, 5):
        numbers = [name for name, from_ in desk.taken if from_ == source]
        assert numbers == [str(number) for number in range(300)], source
    desk.inbox.close()
    assert desk.serving.get(timeout=5) is None

def full():
    desk = Desk()
    enough = threading.Event()
    desk.then["work"] = enough.wait
    working = gevent.spawn(desk.inbox.put, press("work"))
    def bring_all():
        for _ in range(100):
            desk.inbox.bring(press("much"))
    bringing = [gevent.spawn(bring_all) for _ in range(3)]
    gevent.idle()
    assert len(desk.inbox._events) == 23, len(desk.inbox._events)
    desk.inbox.put(press("put"))
    enough.set()
    gevent.joinall([working, *bringing], timeout=10, raise_error=True)
    assert len(desk.taken) == 302 and desk.most_waiting <= 24
    desk.inbox.close()
    assert desk.serving.get(timeout=5) is None

def timers():
    desk = Desk()
    def begin():
        for name, after_ms in (("never", 600_000), ("second", 60), ("first", 30), ("stopped", 30)):
            desk.inbox.start_timer(name, now_ms() + after_ms)
    desk.then = {"begin": begin, "first": lambda: desk.inbox.stop_timer("stopped"),
                 "second": desk.inbox.close}
    gevent.idle()  # serve waits without a time limit by now
    desk.inbox.put(press("begin"))
    assert desk.serving.get(timeout=5) is None
    assert [name for name, _ in desk.taken] == ["begin", "first", "second"], desk.taken

def ends(end):
    desk = Desk()
    enough = threading.Event()
    desk.then["work"] = lambda: (enough.wait(), end(desk))
    working = gevent.spawn(desk.inbox.put, press("work"))
    bringing = [gevent.spawn(lambda: [desk.inbox.bring(press("much")) for _ in range(50)]) for _ in range(3)]
    gevent.idle()
    enough.set()
    gevent.joinall([working, *bringing], timeout=10, raise_error=True)
    assert desk.taken == [("work", 0)] and not desk.inbox._events
    return desk.serving.get(timeout=5)

many()
full()
timers()
assert ends(lambda desk: desk.inbox.close()) is None
assert isinstance(ends(lambda desk: 1 / 0), ZeroDivisionError)
print("green and well")
"""


def test_an_inbox_under_gevent():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", GREEN], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "green and well\n"
    assert done.stderr == ""
