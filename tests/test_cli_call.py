"""`flask call` beside a running app: what it prints and with which status it leaves."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from flask import Flask

from assistant import cli_call
from assistant.sandbox.caller.far_ends import tone
from assistant.sandbox.caller.script import load_scenario
from assistant.store import calls
from assistant.store.schema import open_database
from tests.sandbox.fake_app import ACCOUNT, TOKEN, FakeApp, Stream

SCRIPT = """
title = "A trial"
[[caller]]
label = "Ana"
from = "+12025550143"
steps = [{ hear = "reply", quiet_ms = 200 }, { say = "hello" }, { hear = "end" }]
[expect]
outcome = "talked"
ended_because = "assistant_ended"
streams = 1
"""


@pytest.fixture
def scenarios(tmp_path, monkeypatch):
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "trial.toml").write_text(SCRIPT)
    monkeypatch.setattr(cli_call, "load_scenario", lambda name: load_scenario(name, folder))


def runner(instance, *, sandbox: bool = True):
    app = Flask("trial")
    settings = SimpleNamespace(instance_path=instance, database=instance / "afterbeep.db", sandbox=sandbox)
    app.extensions["afterbeep"] = SimpleNamespace(settings=settings)
    cli_call.register(app)
    return app.test_cli_runner()


def test_without_a_running_sandbox_there_is_one_line_and_status_2(tmp_path):
    result = runner(tmp_path).invoke(args=["call", "message"])

    assert result.exit_code == 2
    assert result.stderr.splitlines() == ["the sandbox is not running: start it with `make run`"]


def test_with_real_keys_nobody_is_rung(tmp_path):
    result = runner(tmp_path, sandbox=False).invoke(args=["call", "message"])

    assert result.exit_code == 2
    assert result.stderr.startswith("this is not the sandbox: OPENAI_API_KEY is set")


def test_an_unknown_scenario_is_one_line_with_the_known_ones_and_status_2(tmp_path):
    result = runner(tmp_path).invoke(args=["call", "massage"])

    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert line.startswith("unknown scenario 'massage'; known: barge-in, booking, ")


def test_a_sandbox_that_is_gone_is_status_2(tmp_path):
    where_it_is(tmp_path, "http://127.0.0.1:9")

    result = runner(tmp_path).invoke(args=["call", "message"])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "nothing answers at http://127.0.0.1:9: start the sandbox with `make run`"
    ]


def where_it_is(instance, url: str) -> None:
    numbers = {"twilio_number": "+12025550100", "owner_phone": "+12025550101"}
    table = {"url": url, "account_sid": ACCOUNT, "auth_token": TOKEN, **numbers}
    (instance / "sandbox.json").write_text(json.dumps(table))


class Keeper:
    """As much of an app as keeps a call in the database the way the real one does."""

    def __init__(self, app: FakeApp, path, *, outcome: str = "talked") -> None:
        self._path = path
        self._ended_because = "assistant_ended" if outcome == "talked" else "silence"
        app.documents["/voice/incoming"] = lambda form: self._begin(app, form)
        app.documents["/voice/status"] = self._finish
        app.talk = self._talk
        open_database(path).close()

    def _write(self, function, *args, **kwargs) -> None:
        db = open_database(self._path)
        with db.conn:
            function(db, *args, **kwargs)
        db.close()

    def _begin(self, app: FakeApp, form) -> str:
        facts = {"from_number": form["From"], "to_number": form["To"], "forwarded_from": None}
        facts |= {"caller_name": None, "trust": "stranger", "stir_verstat": form["StirVerstat"]}
        now = datetime.now(UTC)
        self._write(calls.begin, form["CallSid"], direction="inbound", started_at=now, **facts)
        self.call_sid = form["CallSid"]
        return app.assistant(then="<Hangup/>")

    def _talk(self, stream: Stream) -> None:
        stream.play(tone(300, 400))
        self._keep(1, "assistant", "How can I help?", 400)
        for _ in range(200):
            stream.read("media")
        self._keep(2, "caller", "Hello?", 1500)

    def _keep(self, n: int, speaker: str, text: str, ms: int) -> None:
        turn = {"item_id": f"item_{n}", "position": n, "speaker": speaker, "text": text, "heard_text": text}
        turn |= {"interrupted": False, "started_ms": n * 10, "ended_ms": n * 10 + ms, "heard_ms": ms}
        self._write(calls.keep_turn, self.call_sid, turn)

    def _finish(self, form) -> str:
        self._write(
            calls.finish, self.call_sid, ended_at=datetime.now(UTC), ended_because=self._ended_because
        )
        return "<Response/>"


def ring(instance, scenarios, **keeping):
    with FakeApp().running() as app:
        Keeper(app, instance / "afterbeep.db", **keeping)
        where_it_is(instance, app.url)
        return runner(instance).invoke(args=["call", "trial"])


def test_a_call_is_printed_as_it_happens_and_ends_with_status_0(tmp_path, scenarios):
    result = ring(tmp_path, scenarios)

    lines = result.stdout.splitlines()
    assert lines[0] == "A trial"
    assert "assistant  How can I help?" in lines
    assert "caller     Hello? Is anybody there?" in lines
    assert lines.index("assistant  How can I help?") < lines.index("caller     Hello? Is anybody there?")
    assert lines[-1] == "The call went as its script says."
    assert ": talked, assistant_ended," in lines[-2]
    assert result.exit_code == 0
    assert threading.active_count() < 10


def test_a_call_that_went_otherwise_says_why_with_status_1(tmp_path, scenarios, monkeypatch):
    monkeypatch.setattr(cli_call, "BOOKS_TIMEOUT_S", 1.0)

    result = ring(tmp_path, scenarios, outcome="silence")
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert "  not as the script says: ended_because: silence, expected assistant_ended" in lines
    assert lines[-1] == "The call did not go as its script says."
