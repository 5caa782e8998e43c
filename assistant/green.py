"""What gevent is to the rest of the program, which must not name it.

Two kinds of native threads, a time limit, and what waits for a socket: made here once, in the greenlet world,
and handed to whoever needs them. And what the interpreter itself is told, so that nothing holds the calls up.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import gevent
from gevent.threadpool import ThreadPool

SWITCH_SECONDS = 0.0005  # how long a native thread may keep the hub waiting; Python's own 5 ms are heard
_READABLE = 1  # libev's EV_READ

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class GeventParts:
    """Handed to code that must not name gevent (see DESIGN 5 for what a pooled function may do)."""

    in_writer: Callable[..., Any]
    in_pool: Callable[..., Any]
    within: Callable[[float], AbstractContextManager[None]]
    readiness: Callable[[Any], Callable[[], None]]


def gevent_parts(pool_threads: int = 4) -> GeventParts:
    """One native thread for the database's writer, a few for reads and password hashes, a time limit.

    Call it in the greenlet world (after monkey patching); the threads start when first used.
    """
    return GeventParts(
        in_writer=_native(1), in_pool=_native(pool_threads), within=within, readiness=readiness
    )


def _native(threads: int) -> Callable[..., Any]:
    pool = ThreadPool(threads)

    def run(function: Callable[..., Result], *args: Any) -> Result:
        """Run `function(*args)` in a native thread; only the asking greenlet waits."""
        outcome, error = pool.apply(_outcome, (function, args))
        if error is not None:
            raise error
        return outcome  # type: ignore[no-any-return]

    return run


def _outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    # An exception that leaves a pooled function is printed by gevent, arguments and all, before it is
    # handed over. It travels as a value instead.
    try:
        return function(*args), None
    except BaseException as error:
        return None, error


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError when the block takes longer. Limits may be nested: each raises for its own block."""
    limit = gevent.Timeout.start_new(seconds)
    try:
        yield
    except gevent.Timeout as raised:
        if raised is not limit:
            raise
        raise TimeoutError(f"took longer than {seconds:g} s") from None
    finally:
        limit.close()


def readiness(sock: Any) -> Callable[[], None]:
    """What waits until there is something to read on a socket; it costs half of a `recv` that waits.

    gevent's `recv` tries first, and an exception for each piece of sound says that nothing is there yet.
    """
    hub = gevent.get_hub()
    return partial(hub.wait, hub.loop.io(sock.fileno(), _READABLE))


def calm_interpreter() -> None:
    """Let neither the garbage collector nor a native thread hold the calls up.

    A full collection goes through every function and class of the program, which takes it 50 ms, and the
    calls wait meanwhile. What is loaded by now stays until the end; what a call makes is collected as ever,
    but not after every 700 objects: that is every seventh piece of sound.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
