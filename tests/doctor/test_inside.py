"""What can be seen from here: the running program's notes, the disk, the limits, the sound, the door."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from assistant.doctor import Patient, examine, keep, kept, open_problems, security, sound, storage
from assistant.store import calls, logins, open_database, preferences, program
from tests.doctor.clinic import PHONE, found, patient, runs, states

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def at_noon(tmp_path: Path, **environ: str) -> Patient:
    """Somebody who is looked at on a day at noon."""
    of = patient(tmp_path, **environ)
    return Patient(of.settings, of.store, of.google, now=lambda: NOW, env_file=of.env_file)


# --- the running program ---------------------------------------------------------


def test_a_program_that_said_so_lately_is_running(tmp_path: Path):
    of = at_noon(tmp_path)
    runs(of, NOW - timedelta(seconds=42), late_p99_ms=1.5)

    checks = found(of, "Program")

    assert checks["Program"].found == "It is running; it said so 42 s ago."
    assert checks["On time"].state == "green"


def test_a_program_that_is_silent_for_two_minutes_is_amber_and_nothing_else_is_claimed(tmp_path: Path):
    of = at_noon(tmp_path)
    assert found(of, "Program")["Program"].cause == "It was never seen."
    runs(of, NOW - timedelta(seconds=121), late_p99_ms=500, open_calls=2)

    checks = found(of, "Program")
    runs(of, NOW, stopped=True)
    stopped = found(of, "Program")

    assert list(checks) == list(stopped) == ["Program"]
    assert stopped["Program"].state == "amber"
    assert (checks["Program"].state, checks["Program"].found) == ("amber", "It is not running.")
    assert "Calls now" not in found(of, "Limits")


@pytest.mark.parametrize(
    ("late_ms", "state"), [(19.0, "green"), (300.0, "amber"), (600.0, "red"), (None, "green")]
)
def test_a_loop_that_is_late_is_told(tmp_path: Path, late_ms: float | None, state: str):
    of = at_noon(tmp_path)
    runs(of, NOW, late_p99_ms=late_ms)

    assert states(of, "Program")["On time"] == state


# --- the disk ----------------------------------------------------------------------


def test_a_new_house_is_in_order(tmp_path: Path):
    assert set(states(patient(tmp_path, **PHONE), "Storage").values()) == {"green"}


@pytest.mark.parametrize(("free_mib", "state"), [(5000, "green"), (500, "amber"), (100, "red")])
def test_a_disk_that_fills_up_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mib: int, state: str
):
    of = patient(tmp_path)
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    # The bounds move, not the disk: as far from what is free as the real ones from so little.
    monkeypatch.setattr(storage, "LITTLE", free * 1024 // free_mib)
    monkeypatch.setattr(storage, "TOO_LITTLE", free * 200 // free_mib)

    assert states(of, "Storage")["Room on the disk"] == state


def test_what_others_may_read_is_told_with_the_command_that_mends_it(tmp_path: Path):
    of = patient(tmp_path)
    tmp_path.chmod(0o755)
    of.settings.database.chmod(0o644)

    check = found(of, "Storage")["Who may read it"]

    assert check.state == "amber"
    assert check.action == f"Type: chmod go= {tmp_path} {of.settings.database}"
    os.system(check.action.removeprefix("Type: "))
    assert states(of, "Storage")["Who may read it"] == "green"


def test_an_env_file_that_others_may_read_is_told(tmp_path: Path):
    of = patient(tmp_path / "instance")
    env_file = tmp_path / ".env"
    env_file.write_text("OPENAI_API_KEY=sk-canary")
    env_file.chmod(0o644)
    of = Patient(of.settings, of.store, of.google, env_file=env_file)

    check = found(of, "Storage")["Who may read it"]

    assert check.action == f"Type: chmod go= {env_file}"
    assert "canary" not in str(check)


def test_a_damaged_database_is_red(tmp_path: Path):
    of = patient(tmp_path)
    of.store.write(lambda db: db.execute("CREATE TABLE t (x UNIQUE)") and None)
    of.store.write(lambda db: db.execute("INSERT INTO t VALUES (1), (2), (3)") and None)
    # An index that does not know its table's rows: what a disk that lied leaves behind.
    of.store.write(lambda db: db.execute("PRAGMA writable_schema = ON") and None)
    of.store.write(_cut_the_index)

    check = found(of, "Storage")["Database"]

    assert check.state == "red"
    assert check.cause.startswith("SQLite says: ")


def _cut_the_index(db: object) -> None:
    db.execute("PRAGMA writable_schema = ON")  # type: ignore[attr-defined]
    db.execute("UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'calls')"  # type: ignore[attr-defined]
               " WHERE name = 'sqlite_autoindex_t_1'")  # fmt: skip


def test_a_big_database_is_known_by_what_the_program_wrote_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    of = at_noon(tmp_path)
    monkeypatch.setattr(storage, "QUICK", 1)

    never = states(of, "Storage")["Database"]
    of.store.write(program.note, program.INTEGRITY, {"said": "ok"}, NOW - timedelta(hours=30))
    lately = states(of, "Storage")["Database"]
    of.store.write(program.note, program.INTEGRITY, {"said": "ok"}, NOW - timedelta(days=3))
    long_ago = states(of, "Storage")["Database"]
    of.store.write(program.note, program.INTEGRITY, {"said": "row 7 missing"}, NOW)
    damaged = found(of, "Storage")["Database"]

    assert (never, lately, long_ago, damaged.state) == ("amber", "green", "amber", "red")
    assert "row 7 missing" in damaged.cause


def test_a_log_that_nobody_empties_is_amber(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    of = patient(tmp_path)
    monkeypatch.setattr(storage, "LONG_LOG", 0)
    with closing(open_database(of.settings.database)):  # whoever closes it last empties it
        of.store.write(preferences.set, "timezone", "UTC")

        assert states(of, "Storage")["Write-ahead log"] == "amber"


def test_recordings_that_cannot_be_written_are_red(tmp_path: Path):
    (tmp_path / "recordings").write_text("a file where the folder should be")

    check = found(patient(tmp_path), "Storage")["Recordings"]

    assert check.state == "red"
    assert "Not a directory" in check.cause


def test_a_copy_is_missed_only_when_there_is_something_to_lose(tmp_path: Path):
    of = at_noon(tmp_path, **PHONE)
    assert states(of, "Storage")["Backup"] == "green"

    a_call(of, NOW - timedelta(days=8))
    missed = states(of, "Storage")["Backup"]
    of.store.write(program.note, program.BACKUP, {}, NOW - timedelta(days=2))
    made = states(of, "Storage")["Backup"]
    of.store.write(program.note, program.BACKUP, {}, NOW - timedelta(days=40))
    old = states(of, "Storage")["Backup"]

    assert (missed, made, old) == ("amber", "green", "amber")


# --- the limits --------------------------------------------------------------------


def a_call(of: Patient, at: datetime, **columns: object) -> None:
    call_sid = f"CA{at.timestamp()}"
    of.store.write(
        calls.begin, call_sid, direction="inbound", from_number=None, to_number=None, forwarded_from=None,
        caller_name=None, trust="stranger", stir_verstat=None, started_at=at,
    )  # fmt: skip
    of.store.write(calls.set_columns, call_sid, **columns)
    of.store.write(calls.finish, call_sid, ended_at=at, ended_because="caller_hung_up")


@pytest.mark.parametrize(
    ("over", "running", "state"), [(1.0, 0.5, "green"), (3.0, 1.0, "amber"), (4.0, 1.5, "red")]
)
def test_money_is_todays_calls_and_those_that_run(tmp_path: Path, over: float, running: float, state: str):
    of = at_noon(tmp_path)
    a_call(of, NOW - timedelta(hours=14), cost_usd=9.0)  # yesterday, in Berlin
    a_call(of, NOW - timedelta(hours=1), cost_usd=over)
    runs(of, NOW, running_usd=running, open_calls=1)

    check = found(of, "Limits")["Money"]

    assert check.state == state
    assert check.found == f"Today's calls have cost {over + running:.2f} of 5.00 dollars."


def test_without_a_budget_there_is_none_to_reach(tmp_path: Path):
    of = at_noon(tmp_path)
    of.store.write(preferences.set, "daily_budget_usd", "0")
    a_call(of, NOW, cost_usd=900.0)

    assert states(of, "Limits")["Money"] == "green"


def test_who_was_turned_away_today_is_counted(tmp_path: Path):
    of = at_noon(tmp_path)
    a_call(of, NOW - timedelta(hours=2), voicemail_offered=True)
    a_call(of, NOW - timedelta(hours=3), voicemail_offered=True, had_stream=True)
    a_call(of, NOW - timedelta(hours=4), blocked=True)

    check = found(of, "Limits")["Turned away"]

    assert (check.state, check.found) == (
        "amber",
        "1 call was sent to plain voicemail today, 1 blocked today.",
    )


def test_as_many_calls_as_may_be_at_once_is_amber(tmp_path: Path):
    of = at_noon(tmp_path)
    runs(of, NOW, open_calls=2)
    assert states(of, "Limits")["Calls now"] == "green"
    runs(of, NOW, open_calls=3)
    assert states(of, "Limits")["Calls now"] == "amber"


# --- the sound -----------------------------------------------------------------------


def test_a_tone_comes_out_as_it_went_in(tmp_path: Path):
    assert states(patient(tmp_path), "Sound") == {"Telephone sound": "green"}
    pcm = patient(tmp_path, OPENAI_API_KEY="sk-1", REALTIME_AUDIO="pcm")
    assert states(pcm, "Sound") == {"Telephone sound": "green", "Sound for the model": "green"}


@pytest.mark.parametrize("spoil", ["softer", "higher", "silent"])
def test_a_sound_path_that_spoils_the_tone_is_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str
):
    right = sound.decode_ulaw
    wrong = {
        "softer": lambda payload: (right(payload) // 2).astype(np.int16),
        "higher": lambda payload: np.tile(right(payload)[::2], 2),
        "silent": lambda payload: np.zeros(len(payload), np.int16),
    }
    monkeypatch.setattr(sound, "decode_ulaw", wrong[spoil])

    assert states(patient(tmp_path), "Sound")["Telephone sound"] == "red"


# --- the door ------------------------------------------------------------------------


def test_a_house_with_a_phone_wants_a_password_and_a_user_of_its_own(tmp_path: Path):
    of = at_noon(tmp_path, **PHONE)
    runs(of, NOW, root=True)
    before = states(of, "Security")
    of.store.write(logins.set_password_hash, "a hash")
    runs(of, NOW, root=False)

    assert {name for name, state in before.items() if state != "green"} == {"Password", "Rights"}
    assert set(states(of, "Security").values()) == {"green"}
    assert "https alone" in found(of, "Security")["Login cookie"].found


def test_debugging_is_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    of = patient(tmp_path)
    monkeypatch.setenv("FLASK_DEBUG", "0")
    assert states(of, "Security")["Debugging"] == "green"
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert states(of, "Security")["Debugging"] == "red"


def test_recording_callers_who_are_not_told_is_amber(tmp_path: Path):
    of = patient(tmp_path)
    of.store.write(preferences.set, "disclosure", "")
    assert states(of, "Security")["Notice"] == "amber"
    of.store.write(preferences.set, "record_audio", "off")
    assert states(of, "Security")["Notice"] == "green"


def test_a_python_that_is_not_mended_any_more_is_amber():
    assert security._python(date(2026, 11, 21)).state == "green"
    assert security._python(date(2040, 1, 1)).state == "amber"


# --- what was found last -----------------------------------------------------------------


def test_what_was_found_is_kept_and_its_red_ones_are_counted(tmp_path: Path):
    of = at_noon(tmp_path)
    a_call(of, NOW, cost_usd=6.0)
    keep(of.store, examine(of, ["Limits", "PIN"]), NOW)

    assert list(kept(of.store)) == ["Limits", "PIN"]
    assert [check.name for check in kept(of.store)["PIN"][1]] == ["PIN"]
    assert open_problems(of.store) == 1

    of.store.write(preferences.set, "daily_budget_usd", "50")
    keep(of.store, examine(of, ["Limits"]), NOW + timedelta(minutes=1))

    assert open_problems(of.store) == 0
    assert kept(of.store)["PIN"][0] == NOW
