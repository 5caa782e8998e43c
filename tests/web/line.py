"""The telephone side behind a real server: in threads of the test's process, or a program under gevent.

    python -m tests.web.line FOLDER      serves under gevent; prints its address; ends with its input

What the assistant does with a call follows from the caller's number.
"""

from __future__ import annotations

if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assistant.call.events import CallerAudio, CallerGone, CallerPressed
from assistant.web import media
from assistant.web.parts import parts
from tests.web.telephone import Exchange

ECHOES, FAILS, LEAVES, LISTENS = "+12025550143", "+12025550144", "+12025550145", "+12025550146"
START_S = 0.7


def serve_call(phone: Any, *, call_sid: str, number: str | None, trust: str, scenario: str | None) -> str:
    """An assistant of few words."""
    assert parts().is_streaming(call_sid)
    if number == FAILS:
        raise RuntimeError("a bug")
    if number == LEAVES:
        phone.close(1001, "leaving")
        return "shut_down"
    while True:
        event = phone.hear(lambda: 0)
        match event:
            case CallerGone():
                return "caller_hung_up" if event.hung_up else "line_lost"
            case CallerAudio() if number == ECHOES:
                phone.play(event.payload)
                phone.send_held()
            case CallerPressed():
                phone.mark(f"pressed {event.digit}")
                phone.send_held()


def prepared(folder: Path) -> Exchange:
    """The app, with an address that is still to come."""
    media.START_S = START_S
    exchange = Exchange(folder, PUBLIC_URL="http://127.0.0.1:1")
    exchange.parts.serve_call = serve_call  # type: ignore[assignment]
    exchange.prefer(max_concurrent_calls="1000", calls_per_caller_per_day="0")
    return exchange


def moved_to(exchange: Exchange, port: int) -> str:
    """Now the address is known."""
    url = f"http://127.0.0.1:{port}"
    exchange.parts.settings = exchange.parts.settings.model_copy(update={"public_url": url})
    return url


@contextmanager
def in_threads(folder: Path) -> Iterator[str]:
    """Served by werkzeug, one thread a connection. Gives the address."""
    from werkzeug.serving import make_server

    exchange = prepared(folder)
    server = make_server("127.0.0.1", 0, exchange.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield moved_to(exchange, server.server_port)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
        exchange.store.stop(10)


def under_gevent(folder: Path) -> None:
    """Served by our own server until the input ends."""
    import gevent

    from assistant.green import gevent_parts
    from assistant.server import Server

    exchange = prepared(folder)
    exchange.parts.within = gevent_parts().within
    server = Server(
        exchange.app, "127.0.0.1", 0, live=lambda: 0, on_drain=lambda: None, close_calls=lambda: None,
        drain_seconds=0,
    )  # fmt: skip
    server.listen()
    print(moved_to(exchange, server.port), flush=True)  # noqa: T201 - for the test to read
    serving = gevent.spawn(server.serve)
    gevent.get_hub().threadpool.apply(sys.stdin.read)
    server.leave()
    serving.join(10)
    exchange.store.stop(10)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    under_gevent(Path(sys.argv[1]))
