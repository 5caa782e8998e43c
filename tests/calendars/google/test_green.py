"""Google's libraries in the serving process: greenlets, patched sockets, its time limit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.calendars.google.parts import KEY, Linked, make_google, new_event, soon
from tests.calendars.google.server import FakeGoogle, Fault

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
from gevent import monkey
monkey.patch_all()
import json, sys, time
import gevent
from assistant.calendars.events import Deadline
from assistant.calendars.google import Google
from assistant.config import load_settings
from assistant.errors import CalendarUnavailable
from assistant.green import gevent_parts
from assistant.store import Store
from tests.calendars.google.parts import span

green = gevent_parts()
settings = load_settings(json.loads(sys.argv[1]), None)
store = Store(settings.database, in_writer=green.in_writer, in_pool=green.in_pool)
store.start()
google = Google(settings, store, lambda: sys.argv[2], green.within)
google.load()
calendar = google.calendar()
day = span("2026-12-01 00:00", 24 * 60)

def ask(seconds):
    began = time.monotonic()
    try:
        return len(calendar.busy(day, Deadline(seconds))), time.monotonic() - began
    except CalendarUnavailable as error:
        return error.why, time.monotonic() - began

def beat():
    while True:
        gevent.sleep(0.01)
        beats.append(time.monotonic())

beats = []
heart = gevent.spawn(beat)
eight = [job.get() for job in [gevent.spawn(ask, 4.0) for _ in range(8)]]
trickle = ask(0.5)
heart.kill()
store.stop()
print(json.dumps({"eight": eight, "trickle": trickle, "beats": len(beats)}))
"""


def test_many_greenlets_ask_at_once_and_a_trickle_is_cut(server: FakeGoogle, tmp_path: Path):
    linked = Linked(server, make_google(server, tmp_path)).link()
    linked.calendar.add(new_event(), soon())
    server.faults["freebusy"].extend([Fault(slow_s=0.4)] * 8 + [Fault(trickle=True)])
    environ = {"INSTANCE_PATH": str(tmp_path), "GOOGLE_CALENDAR_URL": server.calendar_url}

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(environ), KEY],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [busy for busy, _ in told["eight"]] == [1] * 8
    assert max(took for _, took in told["eight"]) < 2.5  # side by side, not one after the other
    assert told["trickle"][0] == "timeout"
    assert 0.4 < told["trickle"][1] < 2
    assert told["beats"] > 20  # the others went on meanwhile
