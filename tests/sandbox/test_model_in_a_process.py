"""The sandbox's model lives in the serving process: with plain threads and with gevent's."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNPATCHED = ""
PATCHED = "from gevent import monkey\nmonkey.patch_all()\n"
CALL = """
from assistant.sandbox.model import SandboxModel
from assistant.sandbox.model.reply import Pace
from tests.sandbox.model_client import Client, calls_of, text, words_of
import threading

done = []

def call(url):
    with Client(url) as client:
        client.configure()
        client.say(text("greeting"))
        client.reply()
        client.play("message-1")
        assert words_of(client.reply()) == [text("ask-number")]
        client.play("message-number")
        assert calls_of(client.reply())[0][0] == "take_message"
    done.append(url)

with SandboxModel(pace=Pace(think_s=0.01, transcribe_s=0.02, speed=50)) as model:
    callers = [threading.Thread(target=call, args=(model.url,)) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    left_open = Client(model.url)
    left_open.until("session.created")
left_open.socket.shutdown()
assert len(done) == 3, done

# A program that ends without stopping the model ends all the same, with a connection open.
forgotten = SandboxModel().start()
last = Client(forgotten.url)
last.until("session.created")
last.socket.shutdown()
print("all well")
"""


@pytest.mark.parametrize("threads", [UNPATCHED, PATCHED], ids=["plain", "gevent"])
def test_calls_go_through_with_both_kinds_of_threads(threads: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", threads + CALL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.stdout == "all well\n", ran.stderr
    assert (ran.returncode, ran.stderr) == (0, "")
