"""Who is watching which call."""

from __future__ import annotations

from assistant.live import LONGEST, Live


def test_those_who_watch_a_call_are_told_in_order():
    live = Live()
    first, second, other = live.watch("CA1"), live.watch("CA1"), live.watch("CA2")

    live.tell("CA1", "Hello.")
    live.tell("CA1", "It's Ana.")

    for watcher in (first, second):
        assert [watcher.next(0), watcher.next(0), watcher.next(0)] == ["Hello.", "It's Ana.", None]
    assert other.next(0) is None


def test_one_who_left_is_told_no_more():
    live = Live()
    watcher = live.watch("CA1")

    watcher.close()
    live.tell("CA1", "Hello.")

    assert watcher.next(0) is None
    assert live.watching("CA1") == 0
    watcher.close()


def test_one_who_does_not_keep_up_is_dropped_and_holds_up_nobody():
    live = Live()
    slow, quick = live.watch("CA1"), live.watch("CA1")

    for n in range(LONGEST + 1):
        live.tell("CA1", n)
        assert quick.next(0) == n

    assert slow.dropped
    assert not quick.dropped
    assert live.watching("CA1") == 1
