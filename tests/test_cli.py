"""The owner's commands, run as `flask` runs them."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from click.testing import Result
from flask import Flask

from assistant import cli
from assistant.store import Store, appointments, calls, logins, pins

ROOT = Path(__file__).resolve().parent.parent
ANA = "+12025550123"

Flask_ = Callable[..., Result]


@dataclass
class Settings:
    """As much of the program's settings as the commands want."""

    instance_path: Path
    twilio_number: str | None = None
    owner_phone: str | None = None

    @property
    def database(self) -> Path:
        return self.instance_path / "afterbeep.db"


@dataclass
class Parts:
    settings: Settings
    store: Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "instance")


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store(settings.database)


@pytest.fixture
def flask(settings: Settings) -> Flask_:
    """`flask("prefs", "voice", "cedar")`: the finished command, with its output."""
    app = Flask(__name__)
    app.extensions["afterbeep"] = Parts(settings, Store(settings.database))
    cli.register(app)

    def flask(*words: str, stdin: str = "") -> Result:
        return app.test_cli_runner().invoke(args=words, input=stdin)

    return flask


def refused(result: Result) -> str:
    """The one line on standard error of a command that did nothing."""
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def ring(store: Store, sid: str, number: str | None = ANA, *, at: datetime | None = None) -> None:
    """A call that came, said hello and went."""
    at = at or datetime(2026, 11, 21, 9, tzinfo=UTC)
    store.write(
        calls.begin,
        sid,
        direction="inbound",
        from_number=number,
        to_number=None,
        forwarded_from=None,
        caller_name=None,
        trust="stranger",
        stir_verstat=None,
        started_at=at,
    )
    said = {"item_id": "a", "position": 1, "speaker": "caller", "text": "Grüße", "heard_text": "Grüße"}
    rest = {"interrupted": False, "started_ms": 0, "ended_ms": 900, "heard_ms": 900}
    store.write(calls.keep_turn, sid, said | rest)
    store.write(calls.finish, sid, ended_at=at + timedelta(seconds=9), ended_because="caller_hung_up")


# --- export ------------------------------------------------------------------


def test_calls_are_exported_as_json_lines_oldest_first(flask: Flask_, store: Store) -> None:
    assert flask("export").stdout == ""
    ring(store, "CA2", at=datetime(2026, 11, 22, tzinfo=UTC))
    ring(store, "CA1")

    lines = flask("export").stdout.splitlines()

    assert [json.loads(line)["call_sid"] for line in lines] == ["CA1", "CA2"]
    assert json.loads(lines[0])["turns"][0]["text"] == "Grüße"
    assert flask("export", "--call", "CA2").stdout.splitlines() == lines[1:]


def test_an_unknown_call_is_not_exported(flask: Flask_) -> None:
    assert "CA9" in refused(flask("export", "--call", "CA9"))


# --- prefs -------------------------------------------------------------------


def test_preferences_are_printed_and_set(flask: Flask_) -> None:
    everything = flask("prefs").stdout.splitlines()

    assert len(everything) == 23
    assert everything[5:7] == ["voice=marin", "ring_first=off"]
    assert flask("prefs", "voice", "cedar").stdout == "voice=cedar\n"
    assert flask("prefs", "voice").stdout == "voice=cedar\n"
    assert flask("prefs").stdout.splitlines()[5] == "voice=cedar"


@pytest.mark.parametrize(
    "words",
    [
        ["colour"],
        ["colour", "blue"],
        ["voice", "robot"],
        ["ring_seconds", "-5"],
        ["greeting", "Hello\nthere"],
        ["working_hours", "--always"],
    ],
)
def test_a_wrong_preference_changes_nothing(flask: Flask_, words: list[str]) -> None:
    before = flask("prefs").stdout

    refused(flask("prefs", *words))

    assert flask("prefs").stdout == before


def test_recording_without_telling_is_warned_of(flask: Flask_) -> None:
    result = flask("prefs", "disclosure", "")

    assert (result.exit_code, result.stdout) == (0, "disclosure=\n")
    assert "many places" in result.stderr


# --- caller ------------------------------------------------------------------


def test_what_is_kept_about_a_number_is_shown_and_set(flask: Flask_) -> None:
    assert flask("caller", ANA).stdout == f"number={ANA}\nname=\nstanding=stranger\n"
    assert flask("caller", "+1 202-555-0123", "--name", "Ana", "--known").exit_code == 0
    assert flask("caller", ANA).stdout == f"number={ANA}\nname=Ana\nstanding=known\n"
    assert "standing=blocked" in flask("caller", ANA, "--known", "--blocked").stdout
    assert "standing=stranger" in flask("caller", ANA, "--stranger").stdout
    assert "standing=blocked" in flask("caller", "sip:spam@example.com", "--blocked").stdout


def test_a_number_without_a_country_is_read_where_the_owner_lives(flask: Flask_, settings: Settings) -> None:
    assert "country" in refused(flask("caller", "202 555 0123"))

    settings.owner_phone = "+12025550101"
    assert flask("caller", "202 555 0123").stdout.startswith(f"number={ANA}\n")


def test_nonsense_is_no_number(flask: Flask_) -> None:
    assert "telephone number" in refused(flask("caller", "nonsense", "--blocked"))


# --- password ----------------------------------------------------------------


@pytest.mark.parametrize("stdin", ["correct horse\n", "correct horse", "correct horse\ncorrect horse\n"])
def test_a_password_is_read_from_standard_input(flask: Flask_, store: Store, stdin: str) -> None:
    result = flask("password", stdin=stdin)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "correct horse" not in result.stdout
    kept = store.read(logins.password_hash)
    assert kept is not None
    assert PasswordHasher().verify(kept, "correct horse")
    assert kept.startswith("$argon2id$")


@pytest.mark.parametrize("stdin", ["", "\n", "11 letters!\n", "correct horse\nbattery staple\n", "a\nb\nc\n"])
def test_a_password_that_will_not_do_changes_nothing(flask: Flask_, store: Store, stdin: str) -> None:
    refused(flask("password", stdin=stdin))

    assert store.read(logins.password_hash) is None


# --- pin ---------------------------------------------------------------------


def pin_hash(store: Store) -> str:
    kept = store.write(pins.begin_try, "CA1", datetime.now(UTC))
    assert kept is not None
    return kept


@pytest.mark.parametrize("stdin", ["123456\n", "123456", "123456\r\n123456\r\n"])
def test_a_pin_is_read_from_standard_input(flask: Flask_, store: Store, stdin: str) -> None:
    result = flask("pin", stdin=stdin)

    assert (result.exit_code, result.stdout, result.stderr) == (0, "The PIN is set.\n", "")
    kept = pin_hash(store)
    assert PasswordHasher().verify(kept, "123456")
    assert kept.startswith("$argon2id$")


def test_a_pin_has_six_to_eight_digits(flask: Flask_, store: Store) -> None:
    assert flask("pin", stdin="00000000\n").exit_code == 0

    assert PasswordHasher().verify(pin_hash(store), "00000000")


@pytest.mark.parametrize(
    "stdin",
    [
        "",
        "12345\n",
        "123456789\n",
        "12345a\n",
        "123 456\n",
        " 123456\n",
        "-123456\n",
        "١٢٣٤٥٦\n",  # digits, but not a keypad's
        "¹²³⁴⁵⁶\n",
        "123456\n654321\n",
        "123456\n\n",
        "\n123456\n",
        "123456\n123456\n123456\n",
        "\n\n\n",
    ],
)
def test_a_pin_that_will_not_do_changes_nothing(flask: Flask_, store: Store, stdin: str) -> None:
    flask("pin", stdin="111111\n")

    complaint = refused(flask("pin", stdin=stdin))

    assert PasswordHasher().verify(pin_hash(store), "111111")
    assert not stdin.strip() or stdin.strip() not in complaint


@pytest.mark.parametrize("stdin", ["\n", "\n\n"])
def test_an_empty_line_removes_the_pin(flask: Flask_, store: Store, stdin: str) -> None:
    flask("pin", stdin="111111\n")

    for _ in range(2):
        result = flask("pin", stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, "")
        assert not store.read(pins.has_pin)


# --- backup, forget, prune ---------------------------------------------------


def test_a_backup_is_made_once(flask: Flask_, store: Store, tmp_path: Path) -> None:
    ring(store, "CA1")
    target = tmp_path / "copy.db"

    assert flask("backup", str(target)).exit_code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "not overwritten" in refused(flask("backup", str(target)))


def test_forgetting_says_what_it_removed(flask: Flask_, store: Store) -> None:
    ring(store, "CA1")
    ring(store, "CA2", "+12025550124")

    assert flask("forget", "+1 202 555 0123").stdout == f"Removed of {ANA}: 1 call, 1 turn.\n"
    assert flask("forget", ANA).stdout == f"Removed of {ANA}: nothing.\n"
    assert len(flask("export").stdout.splitlines()) == 1
    refused(flask("forget", "nonsense"))


def hold(store: Store, sid: str, **facts: Any) -> None:
    """An appointment was asked for on a call."""
    start = datetime.now(UTC) + timedelta(days=1)
    wish = {
        "call_sid": sid,
        "tool_call_id": "call_1",
        "number": ANA,
        "trust": "known",
        "caller_name": "Ana",
        "title": "Roof",
        "start": start,
        "end": start + timedelta(hours=1),
        "timezone": "UTC",
        "status": "requested",
        "calendar": "",
        "event_id": sid,
        "clear": None,
        "now": start - timedelta(days=1),
    }
    store.write(appointments.hold, **{**wish, **facts})


def test_forgetting_says_what_is_left_to_the_owner(flask: Flask_, store: Store) -> None:
    hold(store, "CA1", status="booked", calendar="google")
    hold(store, "CA2")
    assert flask("forget", ANA).stdout == (
        f"Removed of {ANA}: 2 bookings. 1 appointment stays in Google Calendar: to be removed there.\n"
    )

    for sid in ("CA1", "CA2"):
        hold(store, sid, status="booked", calendar="google")
    assert "2 appointments stay in Google Calendar" in flask("forget", ANA).stdout
    assert flask("forget", ANA).stdout == f"Removed of {ANA}: nothing.\n"


def test_a_caller_whose_number_was_none_and_who_only_has_a_booking_can_be_forgotten(
    flask: Flask_, store: Store
) -> None:
    hold(store, "CA1", number="7378742833")

    assert flask("forget", "7378742833").stdout == "Removed of 7378742833: 1 booking.\n"


def test_a_caller_whose_number_was_none_can_be_forgotten_as_it_came(flask: Flask_, store: Store) -> None:
    ring(store, "CA1", "7378742833")

    assert flask("forget", "7378742833").stdout == "Removed of 7378742833: 1 call, 1 turn.\n"


def test_pruning_says_what_it_removed(flask: Flask_, store: Store) -> None:
    ring(store, "CA1", at=datetime.now(UTC) - timedelta(days=91))
    ring(store, "CA2", at=datetime.now(UTC))

    assert flask("prune").stdout == "Removed: 1 call, 1 turn.\n"
    assert flask("prune").stdout == "Removed: nothing.\n"


# --- as a program ------------------------------------------------------------

STUB = """
import sys
from pathlib import Path
from flask import Flask
from assistant import cli
from assistant.store import Store

class Settings:
    instance_path = Path(__file__).parent / "instance"
    database = instance_path / "afterbeep.db"
    twilio_number = owner_phone = None

class Parts:
    settings = Settings()
    store = Store(Settings.database)

def create_app():
    app = Flask(__name__)
    app.extensions["afterbeep"] = Parts()
    cli.register(app)
    return app
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start `flask` with these words in a process of its own, on an app with nothing but the commands."""
    (tmp_path / "app.py").write_text(STUB)
    running: list[subprocess.Popen[str]] = []

    def program(*words: str, **options: Any) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "flask", "--app", str(tmp_path / "app.py"), *words],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                text=True,
                **{**pipes, **options},
            )
        )
        return running[-1]

    yield program
    for process in running:
        process.kill()
        process.wait(timeout=10)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def test_flask_run_is_refused(program: Callable[..., Any], tmp_path: Path) -> None:
    for words in (["run", "--port", "0"], ["--debug", "run", "--port", "0"]):
        process = program(*words)
        out, errors = process.communicate(timeout=30)

        assert process.returncode == 1
        assert errors == "Error: `flask run` cannot serve calls: use `make run`\n"
        assert out == ""
    assert not (tmp_path / "instance").exists()


def test_looking_at_the_commands_opens_nothing(program: Callable[..., Any], tmp_path: Path) -> None:
    out, _ = program("--help").communicate(timeout=30)

    assert {"export", "prefs", "caller", "password", "pin", "backup", "forget", "prune"} <= set(out.split())
    assert not (tmp_path / "instance").exists()


def test_several_first_commands_at_once_are_safe(program: Callable[..., Any], tmp_path: Path) -> None:
    processes = [program("prefs", "ring_seconds", str(seconds)) for seconds in (10, 20, 30)]

    for process in processes:
        assert process.communicate(timeout=30)[1] == ""
        assert process.returncode == 0
    assert stat.S_IMODE((tmp_path / "instance").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "instance" / "afterbeep.db").stat().st_mode) == 0o600


def test_a_terminal_is_asked_twice(program: Callable[..., Any], tmp_path: Path) -> None:
    seen = at_a_terminal(program, "password", "Password: ", "correct horse", "is set")

    assert "correct horse" not in seen
    assert Store(tmp_path / "instance" / "afterbeep.db").read(logins.password_hash)


def test_a_terminal_is_asked_for_a_pin_that_may_be_empty(program: Callable[..., Any], tmp_path: Path) -> None:
    store = Store(tmp_path / "instance" / "afterbeep.db")

    assert "123456" not in at_a_terminal(program, "pin", "PIN: ", "123456", "is set")
    assert store.read(pins.has_pin)
    at_a_terminal(program, "pin", "PIN: ", "", "no PIN")
    assert not store.read(pins.has_pin)


def at_a_terminal(program: Callable[..., Any], command: str, prompt: str, secret: str, answer: str) -> str:
    """Give a secret twice where it is asked for; what the terminal showed."""
    ours, theirs = pty.openpty()
    process = program(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    try:
        seen = ""
        for asked in (prompt, "Repeat"):
            seen += _read_until(ours, asked)
            os.write(ours, f"{secret}\n".encode())
        seen += _read_until(ours, answer)
        assert process.wait(timeout=30) == 0
    finally:
        os.close(theirs)
        os.close(ours)
    return seen


def _read_until(terminal: int, words: str) -> str:
    seen = ""
    while words not in seen:
        ready, _, _ = select.select([terminal], [], [], 30)
        assert ready, f"{words!r} did not come, only {seen!r}"
        seen += os.read(terminal, 4096).decode()
    return seen


@pytest.mark.skipif(not (ROOT / "app.py").exists(), reason="the program is not put together yet")
def test_the_commands_work_in_the_real_program(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "INSTANCE_PATH": str(tmp_path / "instance")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        flask = [sys.executable, "-m", "flask", *words]
        return subprocess.run(flask, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert run("prefs", "owner_name", "Sam").stdout == "owner_name=Sam\n"
    assert run("prefs", "owner_name").stdout == "owner_name=Sam\n"
    assert run("export").stdout == ""
    wrong = run("prefs", "voice", "robot")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (1, "", 1)
    assert "make run" in run("run").stderr
