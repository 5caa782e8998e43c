"""What the owner's inbox costs with thousands of calls: the server's time, and the weight of the page.

The whole app answers, over Flask's test client, on a database as a busy year leaves it. It is served on the
core on which calls are served.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from app import create_app
from assistant.config import load_settings
from assistant.store import Database, Store, callers, calls, inbox, messages, open_database
from assistant.web import login
from tests.bench.bench import Bench
from tests.bench.figures import percentile
from tests.bench.rows import Row

CALLS, CALLERS, TURNS, TIMES = 5_000, 400, 6, 30
LISTS = {
    "inbox": "/",
    "all calls": "/?show=all",
    "its last page": f"/?show=all&page={CALLS // 50}",
    "all messages": "/?show=all&kind=messages",
    "all callers": "/?show=all&group=caller",
}
AT = "http://127.0.0.1:5000"
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
WISH = "Please call me back about the leaking roof above the kitchen before the weekend: it will rain again. "


async def rows(bench: Bench) -> list[Row]:
    """The slowest and the heaviest of the lists."""
    folder = bench.load.folder / "inbox-page"
    folder.mkdir()
    return await asyncio.to_thread(_rows, folder)


def _rows(folder: Path) -> list[Row]:
    owner = logged_in(folder)
    took_ms = {name: measured(owner, url) for name, url in LISTS.items()}
    weight = {name: len(owner.get(url, base_url=AT).data) / 1024 for name, url in LISTS.items()}
    slowest = max(LISTS, key=lambda name: percentile(took_ms[name], 50))
    heaviest = max(LISTS, key=lambda name: weight[name])
    p95 = percentile(took_ms[slowest], 95)
    how = f"the slowest list, {slowest}, {TIMES} times; p95 {p95:.0f}"
    name = f"inbox, {CALLS:,} calls"
    return [
        Row(f"{name}: on the server, p50", percentile(took_ms[slowest], 50), "ms", 150, 75, how),
        Row(f"{name}: HTML", weight[heaviest], "KiB", 60, None, f"the heaviest list, {heaviest}"),
    ]


def measured(owner: FlaskClient, url: str) -> list[float]:
    """How long the server takes for a page, in ms, once it has shown one."""
    took_ms = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        answer = owner.get(url, base_url=AT)
        took_ms.append((time.perf_counter() - began) * 1000)
        assert answer.text.count('<li class="call') == 50, url
    return took_ms[1:]


def logged_in(folder: Path) -> FlaskClient:
    """The owner's browser, and the app on a database full of calls."""
    settings = load_settings({"INSTANCE_PATH": str(folder)}, None)
    open_database(settings.database).close()
    Store(settings.database).write(fill)
    app = create_app(settings)
    owner = app.test_client()
    owner.get(f"/login/{login.login_links(app).issue()}", base_url=AT)
    return owner


def fill(db: Database) -> None:
    """A year of calls, as calls leave them."""
    any_number = random.Random(5)  # the same at every run
    numbers = [f"+4420794{n:05}" for n in range(CALLERS)]
    for number in numbers[::3]:
        callers.set_caller(db, number, name=f"Bartholomew {number[-5:]}", standing="known")
    for n in range(CALLS):
        _call(db, n, any_number.choice([*numbers, None]), any_number)


def _call(db: Database, n: int, number: str | None, any_number: random.Random) -> None:
    sid, began = f"CA{any_number.getrandbits(128):032x}", NOW - timedelta(minutes=105 * n)
    calls.begin(db, sid, direction="inbound", from_number=number, to_number="+12025550100", started_at=began,
                forwarded_from=None, caller_name=None, trust="stranger", stir_verstat=None)  # fmt: skip
    for place in range(TURNS):
        calls.keep_turn(db, sid, _turn(place))
    calls.add_recording(db, sid, kind="call", file=f"recordings/{sid}.wav", seconds=40.0)
    if n % 3:
        messages.add(db, sid, name="Ana", callback_number=number, text=WISH * 4, created_at=began,
                     urgency=any_number.choice(["normal", "high"]))  # fmt: skip
    calls.finish(db, sid, ended_at=began + timedelta(seconds=any_number.randrange(5, 400)), usage={},
                 ended_because="caller_hung_up", first_sound_ms=5, response_ms=[700, 900, 1100])  # fmt: skip
    inbox.set_state(db, [sid], any_number.choice(inbox.STATES))


def _turn(place: int) -> dict[str, Any]:
    at_ms = place * 4_000
    return {
        "item_id": f"item_{place}",
        "position": float(place),
        "speaker": "assistant" if place % 2 == 0 else "caller",
        "text": WISH,
        "heard_text": WISH,
        "interrupted": False,
        "started_ms": at_ms,
        "ended_ms": at_ms + 3_000,
        "heard_ms": 3_000,
    }
