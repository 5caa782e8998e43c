"""What the running program writes down, and what the doctor found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from assistant.store import Store, calls, open_database, program

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NONCE = "n" * 43


def a_store(tmp_path: Path) -> Store:
    open_database(tmp_path / "afterbeep.db").close()
    return Store(tmp_path / "afterbeep.db")


def add_call(store: Store, number: int, ended_because: str, **columns: object) -> None:
    at = NOON + timedelta(minutes=number)
    store.write(
        calls.begin, f"CA{number}", direction="inbound", from_number="+12025550143", to_number=None,
        forwarded_from=None, caller_name=None, trust="stranger", stir_verstat=None, started_at=at,
    )  # fmt: skip
    store.write(calls.set_columns, f"CA{number}", **columns)
    store.write(calls.finish, f"CA{number}", ended_at=at, ended_because=ended_because)


def test_the_last_note_of_a_name_is_the_one_that_is_read(tmp_path: Path):
    store = a_store(tmp_path)
    store.write(program.note, program.PULSE, {"open_calls": 1}, NOON)
    store.write(program.note, program.PULSE, {"open_calls": 2}, NOON + timedelta(minutes=1))

    note = store.read(program.noted, program.PULSE)

    assert note == program.Note(NOON + timedelta(minutes=1), {"open_calls": 2})
    assert store.read(program.noted, program.BACKUP) is None


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path):
    store = a_store(tmp_path)
    for value in ("", "no json", "[1]", '{"at": "soon", "facts": {}}', '{"facts": {}}'):
        store.write(
            lambda db, value=value: (
                db.execute("INSERT OR REPLACE INTO house (name, value) VALUES ('note:pulse', ?)", (value,))
                and None
            )
        )
        assert store.read(program.noted, program.PULSE) is None, value


def test_findings_are_kept_organ_by_organ(tmp_path: Path):
    store = a_store(tmp_path)
    store.write(program.keep_findings, {"Clock": [{"state": "red"}], "PIN": []}, NOON)
    store.write(program.keep_findings, {"PIN": [{"state": "green"}]}, NOON + timedelta(hours=1))

    assert store.read(program.findings) == {
        "Clock": (NOON, [{"state": "red"}]),
        "PIN": (NOON + timedelta(hours=1), [{"state": "green"}]),
    }


def test_a_nonce_is_waited_for_a_minute_and_is_nowhere_to_be_read(tmp_path: Path):
    store = a_store(tmp_path)
    store.write(program.expect_nonce, NONCE, NOON)

    assert store.read(program.expects, NONCE, NOON + timedelta(seconds=59))
    assert not store.read(program.expects, NONCE, NOON + timedelta(seconds=61))
    assert not store.read(program.expects, "m" * 43, NOON)
    kept = store.read(lambda db: [str(row) for row in db.execute("SELECT * FROM house").fetchall()])
    assert NONCE not in "".join(kept)


def test_nonces_do_not_gather(tmp_path: Path):
    store = a_store(tmp_path)
    for minute in range(0, 20, 2):
        store.write(program.expect_nonce, f"{minute:043}", NOON + timedelta(minutes=minute))
    store.write(program.forget_nonce, f"{18:043}")

    assert store.read(lambda db: db.execute("SELECT count(*) FROM house").fetchone()[0]) == 0


def test_today_is_what_was_spent_and_who_was_turned_away(tmp_path: Path):
    store = a_store(tmp_path)
    add_call(store, -24 * 60, "caller_hung_up", voicemail_offered=True, cost_usd=9.0)
    add_call(store, 1, "caller_hung_up", voicemail_offered=True)
    add_call(store, 2, "model_failed", voicemail_offered=True, had_stream=True, cost_usd=0.25)
    add_call(store, 3, "rejected", blocked=True)

    assert store.read(program.today, NOON) == program.Today(0.25, to_voicemail=1, blocked=1)


def test_the_last_failure_of_the_model_and_what_went_well_since(tmp_path: Path):
    store = a_store(tmp_path)
    assert store.read(program.last_model_failure) is None
    add_call(store, 1, "model_failed", had_stream=True)
    add_call(store, 2, "model_failed", had_stream=True)
    assert store.read(program.last_model_failure) == (NOON + timedelta(minutes=2), 0)

    add_call(store, 3, "caller_hung_up")  # the assistant had no part in it
    add_call(store, 4, "assistant_ended", had_stream=True)

    assert store.read(program.last_model_failure) == (NOON + timedelta(minutes=2), 1)
    assert store.read(program.first_call_at) == NOON + timedelta(minutes=1)
    newest = store.read(program.newest_call)
    assert newest is not None
    assert newest["call_sid"] == "CA4"


def test_a_database_that_is_whole_says_ok(tmp_path: Path):
    store = a_store(tmp_path)

    assert store.read(program.quick_check) == "ok"
    kept, known = store.read(program.version)
    assert kept == known
