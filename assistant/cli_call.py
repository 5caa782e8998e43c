"""`flask call SCENARIO`: a simulated caller rings the running sandbox, and the conversation is printed.

Works beside the server, as a process of its own: it reads where the sandbox is from
`instance/sandbox.json`, rings over real sockets, and reads what the app keeps of the call from the
database, as it is kept. Exit 0: the call went as its script says; 1: it did not, and why; 2: there is
nobody to ring, or no such scenario.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from assistant.errors import StoreError
from assistant.sandbox.caller import CallRecord, CallReport, SandboxCaller
from assistant.sandbox.caller.expect import Kept, reasons_against
from assistant.sandbox.caller.network import Happening
from assistant.sandbox.caller.script import Scenario, ScenarioError, load_scenario
from assistant.store.export import export_call
from assistant.store.schema import open_database

if TYPE_CHECKING:
    from assistant.config import Settings

POLL_S = 0.25
HEALTH_TIMEOUT_S = 3.0
# The app closes its books on a call after the caller has gone: a last transcription, a fetched voicemail.
BOOKS_TIMEOUT_S = 20.0
WRONG = 2


@dataclass(frozen=True)
class Sandbox:
    """Where the running sandbox is: instance/sandbox.json."""

    url: str
    account_sid: str
    auth_token: str
    twilio_number: str
    owner_phone: str


class NobodyToRing(Exception):
    """The app is not running as a sandbox; `str` says what to do."""


def register(app: Flask) -> None:
    """Add the command to the app."""
    app.cli.add_command(call)


@click.command("call")
@click.argument("scenario")
@with_appcontext
def call(scenario: str) -> None:
    """A simulated caller rings the running sandbox; prints the conversation as it happens."""
    settings = cast("Settings", current_app.extensions["afterbeep"].settings)
    try:
        wanted = load_scenario(scenario)
        sandbox = running_sandbox(settings)
    except (ScenarioError, NobodyToRing) as error:
        click.echo(str(error), err=True)
        sys.exit(WRONG)
    sys.exit(ring(sandbox, wanted, settings.database))


def running_sandbox(settings: Settings) -> Sandbox:
    """Where the sandbox is, after asking whether it answers. Raises NobodyToRing."""
    if not settings.sandbox:
        raise NobodyToRing("this is not the sandbox: OPENAI_API_KEY is set, and the calls would be real")
    try:
        sandbox = Sandbox(**json.loads((settings.instance_path / "sandbox.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise NobodyToRing("the sandbox is not running: start it with `make run`") from error
    if not _answers(sandbox.url):
        raise NobodyToRing(f"nothing answers at {sandbox.url}: start the sandbox with `make run`")
    return sandbox


def ring(sandbox: Sandbox, scenario: Scenario, database: Path) -> int:
    """Play the scenario and print it. Returns the exit status."""
    click.echo(scenario.title)
    screen = Screen(labelled=len(scenario.callers) > 1)
    books = Books(database, screen)
    caller = SandboxCaller(
        sandbox.url,
        sandbox.account_sid,
        sandbox.auth_token,
        scenario,
        books.follow,
        twilio_number=sandbox.twilio_number,
        owner_phone=sandbox.owner_phone,
    )
    with books.watching():
        report = caller.run()
        books.wait_until_closed(report)
    return conclude(report, books.kept, screen)


def conclude(report: CallReport, kept: dict[str, Kept], screen: Screen) -> int:
    """Print what became of each call, and whether that is what the script says."""
    wrong = [*report.problems]
    for record in report.calls:
        found = kept.get(record.call_sid)
        screen.show(record.label, "summary", _summary(record.call_sid, found))
        wrong += [screen.labelled(record.label, reason) for reason in reasons_against(record, found)]
    for reason in wrong:
        click.echo(f"  not as the script says: {reason}")
    if wrong and report.scenario.needs:
        click.echo(f"  {report.scenario.needs}")
    click.echo("The call did not go as its script says." if wrong else "The call went as its script says.")
    return 1 if wrong else 0


def _summary(call_sid: str, kept: Kept | None) -> str:
    if kept is None:
        return f"{call_sid}: not in the database"
    seconds = kept["duration_s"] or 0
    return f"{call_sid}: {kept['outcome']}, {kept['ended_because']}, {seconds:.0f} s. {kept['summary'] or ''}"


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Screen:
    """Prints who says what; with a label in front when several call at once."""

    def __init__(self, *, labelled: bool) -> None:
        self._labelled = labelled
        self._one_at_a_time = threading.Lock()

    def labelled(self, label: str, text: str) -> str:
        """A line with its call's label."""
        return f"[{label}] {text}" if self._labelled else text

    def show(self, label: str, kind: str, text: str) -> None:
        """Print one thing. `kind`: a Happening's, or assistant, tool, summary."""
        line = {
            "says": f"caller     {text}",
            "presses": f"caller     (presses {text})",
            "hangs_up": "caller     (hangs up)",
            "assistant": f"assistant  {text}",
            "tool": f"tool       {text}",
            "trouble": f"trouble    {text}",
            "summary": text,
        }.get(kind, f"           ({text})")
        with self._one_at_a_time:
            click.echo(self.labelled(label, line))


class Books:
    """What the app keeps of the calls: read again and again while they run, and shown as it comes."""

    def __init__(self, database: Path, screen: Screen) -> None:
        self.kept: dict[str, Kept] = {}
        self._database = database
        self._screen = screen
        self._labels: dict[str, str] = {}
        self._shown: set[tuple[object, ...]] = set()
        self._changed = threading.Condition()

    def follow(self, happening: Happening) -> None:
        """Show what happens at the caller's side, and watch the books of that call from now on."""
        if happening.kind == "rings":
            self._labels[happening.call_sid] = happening.label
        self._screen.show(happening.label, happening.kind, happening.text)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Read and show while the block runs, and once more at its end."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), name="books", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join(BOOKS_TIMEOUT_S)

    def wait_until_closed(self, report: CallReport) -> None:
        """Wait until the app has ended every call, and come to the outcome that is expected."""
        with self._changed:
            self._changed.wait_for(lambda: all(map(self._closed, report.calls)), BOOKS_TIMEOUT_S)

    def _closed(self, record: CallRecord) -> bool:
        kept = self.kept.get(record.call_sid)
        if kept is None or kept["ended_at"] is None:
            return False
        return record.expected.outcome in (None, kept["outcome"])

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(POLL_S):
            # A database that is busy for a moment is read the next time.
            with suppress(StoreError):
                self._read()
        self._read()

    def _read(self) -> None:
        with closing(open_database(self._database)) as db:
            found = {call_sid: export_call(db, call_sid) for call_sid in list(self._labels)}
        for call_sid, kept in found.items():
            if kept is not None:
                self._show_new(self._labels[call_sid], call_sid, kept)
        with self._changed:
            self.kept |= {call_sid: kept for call_sid, kept in found.items() if kept is not None}
            self._changed.notify_all()

    def _show_new(self, label: str, call_sid: str, kept: Kept) -> None:
        """Turns and tool runs that were not there the last time, in the order they happened."""
        entries = [
            (turn["started_ms"], "assistant", _spoken(turn))
            for turn in kept["turns"]
            if turn["speaker"] == "assistant" and turn["heard_text"]
        ]
        entries += [(run["started_ms"], "tool", _ran(run)) for run in kept["tool_runs"]]
        for started_ms, kind, text in sorted(entries):
            if (call_sid, started_ms, kind) not in self._shown:
                self._shown.add((call_sid, started_ms, kind))
                self._screen.show(label, kind, text)


def _spoken(turn: Kept) -> str:
    return f"{turn['heard_text']} — (interrupted)" if turn["interrupted"] else str(turn["text"])


def _ran(run: Kept) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in run["arguments"].items())
    return f"{run['name']}({arguments}){' refused' if run['refused'] else ''}"
