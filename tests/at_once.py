"""Many who want the same thing in the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def all_at_once(count: int, do: Callable[[int], Any], *expected: type[Exception]) -> list[Any]:
    """What came of `do(0)` to `do(count - 1)`, begun together: results, and errors of the expected kinds."""
    outcomes: list[Any] = []
    together = threading.Barrier(count)

    def one(n: int) -> None:
        together.wait(timeout=30)
        try:
            outcomes.append(do(n))
        except expected as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(outcomes) == count
    return outcomes
