"""`flask doctor`: its lines, and the status it leaves with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.cli_doctor import line
from assistant.doctor import Check
from assistant.store import Store, program
from tests.calendars.google.parts import REDIRECT_URI, Linked, make_google
from tests.calendars.google.server import FakeGoogle

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def server() -> Iterator[FakeGoogle]:
    with FakeGoogle(redirect_uris=(REDIRECT_URI,)) as server:
        yield server


def doctor(instance: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "flask", "doctor"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "INSTANCE_PATH": str(instance), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_new_installation_is_well(tmp_path: Path) -> None:
    done = doctor(tmp_path / "instance")

    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert [said for said in lines if not said.startswith("green")] == [
        "amber  Program: It is not running. It was never seen. Start it with `make run`."
    ]
    assert "green  Calendar: The embedded calendar is in use; no Google account is linked." in lines
    assert "green  PIN: There is none. The scenario “owner” needs one: 246810." in lines
    assert "green  Public address: Not needed in the sandbox." in lines
    kept = Store(tmp_path / "instance" / "afterbeep.db").read(program.findings)
    assert [check["name"] for check in kept["PIN"][1]] == ["PIN"]  # for the page


def test_a_dead_link_is_red_and_exit_status_1_and_no_secret_is_shown(
    server: FakeGoogle, tmp_path: Path
) -> None:
    key = "k" * 40
    given = {"GOOGLE_CALENDAR_URL": server.calendar_url, "SECRET_KEY": key}
    Linked(server, make_google(server, tmp_path, key=key)).link()
    well = doctor(tmp_path, **given)
    server.forget_tokens()
    first = doctor(tmp_path, **given)
    later = doctor(tmp_path, **given)

    assert (well.returncode, well.stderr) == (0, "")
    assert [said for said in well.stdout.splitlines() if said.startswith("red")] == []
    assert well.stdout.count("green  Google") == 4
    assert [first.returncode, later.returncode] == [1, 1]
    assert [first.stderr, later.stderr] == ["", ""]  # no line of a log among those of the doctor
    assert "red    Google Calendar: It cannot be used." in first.stdout
    (dead,) = [said for said in later.stdout.splitlines() if said.startswith("red")]
    assert dead.startswith("red    Google link: It is dead since ")
    assert dead.endswith(" Link again: http://127.0.0.1:5000/calendar/link")
    assert "GOCSPX" not in well.stdout + first.stdout + later.stdout


def test_a_check_is_one_line_whatever_was_found() -> None:
    check = Check("PIN", "amber", "There\nis none.", "Nobody  set one.", "Set one.")

    assert line(check) == "amber  PIN: There is none. Nobody set one. Set one."
