"""Who is watching which call, and what they are told."""

from __future__ import annotations

import threading
from itertools import pairwise

from assistant.live import Live


def test_those_who_watch_a_call_are_told_once_for_each_thing_in_order() -> None:
    live = Live()
    first, second, other = live.watch("CA1"), live.watch("CA1"), live.watch("CA2")

    live.tell("CA1", "kept")
    live.tell("CA1", "state")
    live.tell("CA1", "kept")

    for watcher in (first, second):
        assert [watcher.next(0), watcher.next(0), watcher.next(0)] == ["kept", "state", None]
    assert [other.next(0), other.next(0)] == ["state", None]


def test_the_coming_and_going_of_calls_is_for_everybody_and_their_words_are_not() -> None:
    live = Live()
    everywhere = live.watch()

    for what in ("began", "kept", "state", "ended"):
        live.tell("CA1", what)

    assert [everywhere.next(0) for _ in range(4)] == ["began", "state", "ended", None]


def test_one_who_is_slow_is_told_however_much_came_meanwhile_and_holds_up_nobody() -> None:
    live = Live()
    slow, quick = live.watch("CA1"), live.watch("CA1")

    for _ in range(10_000):
        live.tell("CA1", "kept")
        assert quick.next(0) == "kept"

    assert [slow.next(0), slow.next(0)] == ["kept", None]


def test_one_who_waits_is_woken() -> None:
    live = Live()
    watcher, told = live.watch("CA1"), []
    waiting = threading.Thread(target=lambda: told.append(watcher.next(10)))
    waiting.start()

    live.tell("CA1", "kept")
    waiting.join(5)

    assert told == ["kept"]


def test_one_who_left_is_told_no_more() -> None:
    live = Live()
    watcher = live.watch("CA1")

    watcher.close()
    live.tell("CA1", "kept")

    assert watcher.next(0) is None
    assert live.watching() == 0
    watcher.close()


def test_everybody_is_sent_away_when_the_program_leaves() -> None:
    live = Live()
    watchers = [live.watch("CA1"), live.watch()]
    waiting = threading.Thread(target=watchers[0].next, args=(10,))
    waiting.start()

    live.close()
    waiting.join(5)

    assert not waiting.is_alive()
    assert all(watcher.closed for watcher in watchers)
    assert live.watching() == 0


def test_the_mark_is_another_one_whenever_a_call_began_or_ended() -> None:
    live = Live()
    marks = [live.mark]
    for what in ("began", "kept", "state", "ended"):
        live.tell("CA1", what)
        marks.append(live.mark)

    assert [one == other for one, other in pairwise(marks)] == [False, True, True, False]
    assert Live().mark != live.mark
