"""How late the loop is, in an hour's counts."""

from __future__ import annotations

from assistant.lateness import BOUNDS_MS, ENOUGH, MINUTES, TICK_S, Lateness


class LateClock:
    """A clock on which every sleep takes too long by `late_s`."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.late_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds == TICK_S
        self.now_s += seconds + self.late_s


def ticked(lateness: Lateness, clock: LateClock, times: int, late_ms: float) -> None:
    clock.late_s = late_ms / 1000
    for _ in range(times):
        lateness.tick(clock, clock.sleep)


def test_nothing_is_told_of_the_first_minute():
    lateness, clock = Lateness(), LateClock()
    ticked(lateness, clock, ENOUGH - 1, 900.0)
    before = lateness.p99_ms()
    ticked(lateness, clock, 1, 900.0)

    assert before is None
    assert lateness.p99_ms() is not None


def test_one_late_tick_of_a_hundred_is_forgiven_and_two_are_not():
    lateness, clock = Lateness(), LateClock()
    ticked(lateness, clock, 990, 1.0)
    ticked(lateness, clock, 10, 80.0)
    forgiven = lateness.p99_ms()

    ticked(lateness, clock, 1, 80.0)
    seen = lateness.p99_ms()

    assert forgiven is not None
    assert 1.0 <= forgiven <= 1.2
    assert seen is not None
    assert 80 <= seen <= 96


def test_what_is_an_hour_old_is_forgotten():
    lateness, clock = Lateness(), LateClock()
    ticked(lateness, clock, ENOUGH, 500.0)
    for _ in range(MINUTES):
        lateness.next_minute()
        ticked(lateness, clock, 20, 0.1)

    assert lateness.p99_ms() == BOUNDS_MS[0]


def test_a_stop_of_minutes_is_as_late_as_can_be_said():
    lateness, clock = Lateness(), LateClock()
    ticked(lateness, clock, ENOUGH, 60_000)

    assert lateness.p99_ms() == BOUNDS_MS[-1]
