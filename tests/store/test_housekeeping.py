"""Backup, forgetting and retention: what is gone is gone from the disk."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import StoreError
from assistant.store import (
    Database,
    Store,
    appointments,
    callers,
    calls,
    events,
    export,
    housekeeping,
    logins,
    messages,
    pins,
    preferences,
)
from assistant.store.appointments import Booking
from assistant.store.events import Entry
from assistant.store.housekeeping import Removed, backup, forget, prune
from assistant.store.schema import as_text

ANA = "+12025550123"
SAM = "+12025550124"
CANARY = b"tangerine elephant"  # said by Ana, and nowhere else
DAY = timedelta(days=1)


@pytest.fixture
def a_call(
    store: Store, path: Path, ring: Callable[..., bool], turn: Callable[..., Any]
) -> Callable[..., Path]:
    """A whole call with words, a message, a tool run and a recording; returns the recording's path."""

    def a_call(
        sid: str, number: str | None, at: datetime, *, words: str = "hello", over: bool = True
    ) -> Path:
        ring(sid, from_number=number, started_at=at)
        store.write(calls.keep_turn, sid, turn("a", words))
        store.write(
            messages.add,
            sid,
            name="Ana",
            callback_number=number,
            text=words,
            urgency="normal",
            created_at=at,
        )
        store.write(
            calls.keep_tool_run,
            sid,
            tool_call_id="call_1",
            name="take_message",
            arguments={"text": words},
            result={"ok": True},
            refused=False,
            started_ms=1,
            took_ms=2,
        )
        file = path.parent / "recordings" / f"{sid}.wav"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"RIFF")
        store.write(calls.add_recording, sid, kind="call", file=f"recordings/{sid}.wav", seconds=1)
        if over:
            store.write(calls.finish, sid, ended_at=at + timedelta(minutes=1), ended_because="caller_hung_up")
        return file

    return a_call


@pytest.fixture
def book(store: Store, ask: Callable[..., Booking]) -> Callable[..., Booking]:
    """A booking that is in the embedded calendar."""

    def book(call_sid: str, at: datetime, **facts: Any) -> Booking:
        booked = ask(call_sid, at=at, status="booked", calendar="embedded", **facts)
        store.write(events.add, entry_of(booked))
        return booked

    return book


def entry_of(booking: Booking) -> Entry:
    """As the calendar has it."""
    return Entry(
        booking.event_id, booking.start, booking.end, "UTC", booking.title, call_sid=booking.call_sid
    )


def in_the_calendar(store: Store, nine: datetime) -> list[str]:
    """The ids of all events."""
    found = store.read(events.between, (nine - 9999 * DAY, nine + 9999 * DAY))
    return [entry.event_id for entry in found]


def raw(folder: Path) -> bytes:
    """Every byte in the instance."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def sids(store: Store) -> list[str]:
    return [call["call_sid"] for call in store.read(export.recent, limit=100)]


# --- backup ------------------------------------------------------------------


def test_a_copy_is_one_file_that_only_the_owner_can_read(
    store: Store, path: Path, tmp_path: Path, a_call: Callable[..., Path], nine: datetime
) -> None:
    a_call("CA1", ANA, nine)
    target = tmp_path / "copy.db"

    backup(path, target)

    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.glob("copy*")] == ["copy.db"]
    assert Store(target).read(export.export_call, "CA1") == store.read(export.export_call, "CA1")


def test_a_copy_is_made_beside_a_server_that_writes(
    store: Store, path: Path, tmp_path: Path, ring: Callable[..., bool], turn: Callable[..., Any]
) -> None:
    store.start()
    ring("CA1")
    for n in range(200):
        store.put(calls.keep_turn, "CA1", turn(str(n), "words"))
    backup(path, tmp_path / "copy.db")
    store.stop()

    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()


def test_nothing_is_overwritten(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")

    with pytest.raises(StoreError, match="not overwritten"):
        backup(path, target)
    with pytest.raises(StoreError, match="cannot be written"):
        backup(path, tmp_path / "nowhere" / "copy.db")
    assert target.read_text() == "mine"


def test_a_failed_copy_leaves_no_file(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 100)

    with pytest.raises(StoreError, match="not a database"):
        backup(path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


# --- forget ------------------------------------------------------------------


def test_a_forgotten_caller_s_words_are_nowhere_on_the_disk(
    store: Store, path: Path, a_call: Callable[..., Path], nine: datetime
) -> None:
    for n in range(40):  # enough for pages to be split, moved and freed
        a_call(f"CA{n}", ANA if n % 2 else SAM, nine, words=CANARY.decode() * 20 if n % 2 else "hello")
    store.write(callers.set_caller, ANA, name="Ana", standing="known")
    store.write(callers.set_caller, SAM, name="Sam", standing="known")
    assert CANARY in raw(path.parent)

    removed = forget(store, path.parent, ANA)

    assert removed == Removed(calls=20, turns=20, messages=20, tool_runs=20, recordings=20, caller=True)
    assert str(removed) == (
        "20 calls, 20 turns, 20 messages, 20 tool runs, 20 recordings, the caller's entry"
    )
    assert CANARY not in raw(path.parent)
    assert ANA.encode() not in raw(path.parent)
    assert len(sids(store)) == 20
    assert len(list((path.parent / "recordings").iterdir())) == 20
    assert store.read(callers.standing, SAM)["name"] == "Sam"
    assert store.read(callers.standing, ANA)["name"] is None


def test_forgetting_works_beside_a_running_server(
    path: Path, store: Store, a_call: Callable[..., Path], nine: datetime
) -> None:
    a_call("CA1", ANA, nine, words=CANARY.decode())
    store.start()
    store.write(calls.set_alive, nine)
    store.read(export.count)

    forget(Store(path), path.parent, ANA)

    assert CANARY not in raw(path.parent)
    store.write(calls.set_alive, nine + DAY)
    assert store.stop(timeout_s=10)
    assert CANARY not in raw(path.parent)


def test_sound_that_a_crash_left_without_a_row_is_forgotten_too(
    store: Store, path: Path, a_call: Callable[..., Path], nine: datetime
) -> None:
    file = a_call("CA1", ANA, nine)
    stray = file.with_name("CA1-RE1.wav.part")
    other = file.with_name("CA11.wav")
    for each in (stray, other):
        each.write_bytes(b"RIFF")

    forget(store, path.parent, ANA)

    assert not file.exists()
    assert not stray.exists()
    assert other.exists()


def test_nothing_outside_the_recordings_is_ever_removed(
    store: Store, path: Path, ring: Callable[..., bool], nine: datetime, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ring("CA1")
    store.write(calls.add_recording, "CA1", kind="call", file="../mine.txt", seconds=1)
    store.write(calls.finish, "CA1", ended_at=nine, ended_because="silence")

    forget(store, path.parent, ANA)

    assert (tmp_path / "mine.txt").exists()


def test_a_running_call_is_not_forgotten_under_its_feet(
    store: Store, path: Path, a_call: Callable[..., Path], nine: datetime
) -> None:
    a_call("CA1", ANA, nine - DAY)
    file = a_call("CA2", ANA, nine, over=False)

    with pytest.raises(StoreError, match="going on"):
        forget(store, path.parent, ANA, now=nine + timedelta(minutes=5))
    assert file.exists()
    assert sids(store) == ["CA2", "CA1"]

    # A row that old was left open by a crash.
    assert forget(store, path.parent, ANA, now=nine + DAY).calls == 2


def test_a_forgotten_caller_s_appointments_go_with_their_events(
    store: Store,
    path: Path,
    a_call: Callable[..., Path],
    ask: Callable[..., Booking],
    book: Callable[..., Booking],
    nine: datetime,
) -> None:
    a_call("CA1", ANA, nine)
    a_call("CA2", SAM, nine)
    title = CANARY.decode()
    book("CA1", nine + 10 * DAY, title=title, caller_name=title)
    book("CA0", nine + 11 * DAY, title=title)  # its call has been pruned
    ask("CA1", at=nine + 12 * DAY, tool_call_id="call_2", event_id="e2", title=title)
    sams = book("CA2", nine + 10 * DAY + DAY / 2, number=SAM)
    on_her_call = Entry("e3", nine, nine + DAY, "UTC", "Lunch", description=title, call_sid="CA1")
    the_owner_s = Entry("e4", nine, nine + DAY, "UTC", "Holiday")
    store.write(events.add, on_her_call)
    store.write(events.add, the_owner_s)

    removed = forget(store, path.parent, ANA)

    assert (removed.calls, removed.bookings, removed.events, removed.in_google) == (1, 3, 3, 0)
    assert str(removed).endswith(", 3 bookings, 3 calendar events")
    assert store.read(appointments.made, nine) == [sams]
    assert store.read(appointments.requests) == []
    assert in_the_calendar(store, nine) == ["e4", sams.event_id]
    assert CANARY not in raw(path.parent)


def test_what_stays_in_google_is_counted(
    store: Store, path: Path, ask: Callable[..., Booking], nine: datetime
) -> None:
    for n, status in enumerate(("booked", "unsure", "cancelled")):
        ask(f"CA{n}", status=status, calendar="google")
    ask("CA8", status="booked", calendar="google", number=SAM)
    ask("CA9")

    removed = forget(store, path.parent, ANA)

    assert (removed.bookings, removed.events, removed.in_google) == (4, 0, 2)
    assert [booking.number for booking in store.read(appointments.made, nine)] == [SAM]


def test_who_has_only_an_appointment_is_on_file(
    store: Store, ask: Callable[..., Booking], path: Path
) -> None:
    assert not housekeeping.is_on_file(store, "7378742833")
    ask("CA1", number="7378742833")
    assert housekeeping.is_on_file(store, "7378742833")

    forget(store, path.parent, "7378742833")
    assert not housekeeping.is_on_file(store, "7378742833")


def test_tries_at_the_pin_are_forgotten_with_their_call(
    store: Store, path: Path, a_call: Callable[..., Path], nine: datetime
) -> None:
    a_call("CA1", ANA, nine)
    store.write(pins.set_pin_hash, "$argon2id$")
    for sid in ("CA1", "CA2"):
        store.write(pins.begin_try, sid, nine)

    forget(store, path.parent, ANA)

    assert rows(store, "SELECT call_sid FROM pin_tries") == ["CA2"]
    assert store.read(pins.has_pin)


def rows(store: Store, sql: str) -> list[Any]:
    return store.read(lambda db: [row[0] for row in db.execute(sql)])


def test_forgetting_nobody_removes_nothing(store: Store, path: Path) -> None:
    assert str(forget(store, path.parent, ANA)) == "nothing"


# --- retention ---------------------------------------------------------------


def test_old_calls_go_whole_and_old_sound_goes_alone(
    store: Store, path: Path, a_call: Callable[..., Path], nine: datetime
) -> None:
    gone = a_call("CA1", ANA, nine - 91 * DAY, words=CANARY.decode())
    quiet = a_call("CA2", ANA, nine - 31 * DAY)
    kept = a_call("CA3", ANA, nine - 29 * DAY)
    open_file = a_call("CA4", ANA, nine - 100 * DAY, over=False)
    old_login = store.write(logins.add, now=nine - 40 * DAY)

    removed = prune(store, path.parent, now=nine)

    assert removed == Removed(calls=1, turns=1, messages=1, tool_runs=1, recordings=2)
    assert [file.exists() for file in (gone, quiet, kept, open_file)] == [False, False, True, True]
    assert sids(store) == ["CA3", "CA2", "CA4"]
    call = store.read(export.export_call, "CA2")
    assert call is not None
    assert (call["recordings"], call["summary"]) == ([], "hello")
    assert CANARY not in raw(path.parent)
    assert store.read(logins.get, old_login, now=nine) is None
    assert prune(store, path.parent, now=nine) == Removed()


def test_appointments_go_when_they_are_long_over(
    store: Store,
    path: Path,
    a_call: Callable[..., Path],
    ask: Callable[..., Booking],
    book: Callable[..., Booking],
    nine: datetime,
) -> None:
    a_call("CA1", ANA, nine - 300 * DAY)
    future = book("CA1", nine + DAY, now=nine - 300 * DAY)
    kept = book("CA2", nine - 89 * DAY)
    book("CA3", nine - 91 * DAY, title=CANARY.decode())
    ask("CA4", at=nine - 91 * DAY)
    ask("CA5", at=nine - 91 * DAY, status="booked", calendar="google")
    moved = book("CA6", nine - 91 * DAY)
    store.write(events.move, moved.event_id, (nine + 2 * DAY, nine + 3 * DAY), "UTC")
    store.write(events.add, Entry("e9", nine - 400 * DAY, nine - 399 * DAY, "UTC", "The owner's own"))

    removed = prune(store, path.parent, now=nine)

    assert removed == Removed(calls=1, turns=1, messages=1, tool_runs=1, recordings=1, bookings=3, events=1)
    assert sorted(rows(store, "SELECT id FROM bookings")) == [future.id, kept.id, moved.id]
    assert in_the_calendar(store, nine) == ["e9", kept.event_id, future.event_id, moved.event_id]
    assert CANARY not in raw(path.parent)
    assert prune(store, path.parent, now=nine) == Removed()


def test_links_nobody_finished_and_tries_that_do_not_count_go(
    store: Store, path: Path, nine: datetime
) -> None:
    store.write(pins.set_pin_hash, "$argon2id$")
    for hours in (25, 23):
        at = nine - timedelta(hours=hours)
        store.write(pins.begin_try, f"CA{hours}", at)
        store.write(_begin_a_link, f"state-{hours}", as_text(at))

    assert prune(store, path.parent, now=nine) == Removed()

    assert rows(store, "SELECT call_sid FROM pin_tries") == ["CA23"]
    assert rows(store, "SELECT state_hash FROM google_states") == ["state-23"]


def _begin_a_link(db: Database, state_hash: str, made_at: str) -> None:
    db.execute("INSERT INTO google_states VALUES (?, x'00', 'http://127.0.0.1/', ?)", (state_hash, made_at))


def test_nought_days_is_for_ever(
    store: Store,
    path: Path,
    a_call: Callable[..., Path],
    book: Callable[..., Booking],
    nine: datetime,
) -> None:
    book("CA1", nine - 5000 * DAY)
    store.write(preferences.set, "retention_days_text", "0")
    store.write(preferences.set, "retention_days_audio", "0")
    file = a_call("CA1", ANA, nine - 5000 * DAY)

    assert prune(store, path.parent, now=nine) == Removed()
    assert file.exists()


def test_retention_works_in_the_running_server(
    store: Store, path: Path, a_call: Callable[..., Path], nine: datetime
) -> None:
    store.start()
    a_call("CA1", ANA, nine - 91 * DAY, words=CANARY.decode())

    assert prune(store, path.parent, now=nine).calls == 1

    assert CANARY not in raw(path.parent)
    assert store.stop(timeout_s=10)


def test_sound_without_a_row_follows_the_same_retention(store: Store, path: Path, nine: datetime) -> None:
    folder = path.parent / "recordings"
    folder.mkdir(parents=True)
    (folder / "CA9.wav").write_bytes(b"RIFF")
    written = datetime.fromtimestamp((folder / "CA9.wav").stat().st_mtime).astimezone()

    prune(store, path.parent, now=written + 29 * DAY)
    assert (folder / "CA9.wav").exists()
    prune(store, path.parent, now=written + 31 * DAY)
    assert not (folder / "CA9.wav").exists()


READ_FOR_A_WHILE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM calls").fetchall()
print("reading", flush=True)
sys.stdin.readline()
"""


def test_a_reader_of_an_older_state_is_noticed(
    store: Store, path: Path, a_call: Callable[..., Path], nine: datetime
) -> None:
    a_call("CA1", ANA, nine)
    reader = subprocess.Popen(
        [sys.executable, "-c", READ_FOR_A_WHILE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "reading\n"

    assert not housekeeping.tidy(store)
    reader.communicate("\n", timeout=10)
    assert housekeeping.tidy(store)
