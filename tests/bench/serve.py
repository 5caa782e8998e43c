"""The real program, and beside it a greenlet that notes how late it is woken.

Started as `app.py` starts, patched before anything else. The notes go into a file that is mapped into
memory, named by BENCH_LATENESS: a count, then milliseconds. Writing them waits for nobody.
"""

if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()

import mmap
import os
import struct
import sys
import time
from pathlib import Path

EVERY_S = 0.005
MOST = 100_000

_DOUBLE = struct.Struct("d")


def read(path: Path) -> list[float]:
    """All notes in the file so far, in ms."""
    notes = [number for (number,) in _DOUBLE.iter_unpack(path.read_bytes())]
    return notes[1 : 1 + int(notes[0])]


def _watch(notes: mmap.mmap) -> None:
    import gevent

    for count in range(1, MOST):
        due_s = time.monotonic() + EVERY_S
        gevent.sleep(EVERY_S)
        _DOUBLE.pack_into(notes, count * _DOUBLE.size, (time.monotonic() - due_s) * 1000)
        _DOUBLE.pack_into(notes, 0, count)


def _main() -> int:
    import gevent

    import app  # after the patching, like everything it imports

    with open(os.environ["BENCH_LATENESS"], "w+b") as file:
        file.truncate(MOST * _DOUBLE.size)
        notes = mmap.mmap(file.fileno(), 0)
    gevent.spawn(_watch, notes)
    return app.main()


if __name__ == "__main__":
    sys.exit(_main())
