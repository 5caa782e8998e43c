"""Voicemails come home from the sandbox's Twilio, into a real database and real files."""

from __future__ import annotations

import logging
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from assistant.audio import silence, wav_header
from assistant.errors import RestError
from assistant.sandbox.caller.twilio_rest import Recording, TwilioRest
from assistant.store import Store, callers, calls, export
from assistant.telephony import recordings
from assistant.telephony.recordings import catch_up, fetch_voicemail, wav_seconds
from assistant.telephony.rest import Rest
from tests.telephony.far_end import ACCOUNT, NINE, NUMBER, TOKEN, Call, sid, web_server

CALL = sid("CA", 1)
SOUND = silence(1500)


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return tmp_path / "instance"


@pytest.fixture
def store(instance: Path) -> Store:
    return Store(instance / "afterbeep.db")


@pytest.fixture
def twilio() -> Iterator[TwilioRest]:
    with TwilioRest(ACCOUNT, TOKEN).serving() as serving:
        yield serving


@pytest.fixture
def rest(twilio: TwilioRest) -> Rest:
    return Rest(ACCOUNT, TOKEN, twilio.url)


@pytest.fixture
def waits() -> list[float]:
    """How long somebody would have waited."""
    return []


@pytest.fixture
def fetch(rest: Rest, store: Store, instance: Path, waits: list[float]) -> Callable[..., bool]:
    def fetch(recording: Recording | str, **options: Any) -> bool:
        recording_sid = recording if isinstance(recording, str) else recording.sid
        options = {"wait": waits.append, **options}
        return fetch_voicemail(rest, store, instance, CALL, recording_sid, **options)

    return fetch


@pytest.fixture
def ask(rest: Rest, store: Store, instance: Path, waits: list[float]) -> Callable[..., None]:
    """Ask Twilio what happened since nine."""

    def ask(*, live: str = "", **options: Any) -> None:
        options = {"since": NINE, "now": NINE + timedelta(hours=1), "wait": waits.append, **options}
        catch_up(rest, store, instance, NUMBER, is_live=lambda call_sid: call_sid == live, **options)

    return ask


def begin(store: Store, call_sid: str = CALL) -> None:
    store.write(
        calls.begin, call_sid, direction="inbound", from_number="+12025550143", to_number=NUMBER,
        forwarded_from=None, caller_name="Ana", trust="stranger", stir_verstat=None, started_at=NINE,
    )  # fmt: skip


def left(twilio: TwilioRest, call_sid: str = CALL, *, ready: bool = True) -> Recording:
    """A caller has left a recording with Twilio."""
    recording = Recording(call_sid, SOUND, 2, ready=ready)
    twilio.add_recording(recording)
    return recording


def shown(store: Store, call_sid: str = CALL) -> dict[str, Any]:
    call = store.read(export.export_call, call_sid)
    assert call is not None
    return call


def asked_for(twilio: TwilioRest, method: str, recording: Recording) -> int:
    return sum(line.startswith(f"{method} Recordings/{recording.sid}") for line in twilio.requests)


# --- one recording -----------------------------------------------------------


def test_a_voicemail_comes_home_and_is_then_deleted_at_twilio(store, instance, twilio, fetch):
    begin(store)
    store.write(calls.finish, CALL, ended_at=NINE + timedelta(minutes=1), ended_because="model_failed")
    recording = left(twilio)

    assert fetch(recording)

    file = f"recordings/{recording.sid}.wav"
    assert (instance / file).read_bytes() == recording.wav()
    assert stat.S_IMODE((instance / file).stat().st_mode) == 0o600
    assert [path.name for path in (instance / "recordings").iterdir()] == [f"{recording.sid}.wav"]
    call = shown(store)
    assert call["recordings"] == [{"kind": "voicemail", "file": file, "seconds": 1.5}]
    assert (call["outcome"], call["ended_because"]) == ("voicemail", "model_failed")
    assert recording.deleted


def test_one_that_is_not_ready_is_waited_for(store, twilio, fetch, waits):
    begin(store)
    recording = left(twilio, ready=False)

    def ready_after_three(seconds: float) -> None:
        waits.append(seconds)
        recording.ready = len(waits) == 3

    assert fetch(recording, wait=ready_after_three)
    assert waits == [1, 2, 4]


def test_one_that_is_never_ready_is_left_after_two_minutes(store, twilio, fetch, waits):
    begin(store)
    recording = left(twilio, ready=False)

    assert not fetch(recording)
    assert sum(waits) == 121
    assert not recording.deleted
    assert shown(store)["recordings"] == []


def test_waiting_ends_when_there_is_no_more_time(store, twilio, fetch):
    begin(store)
    leaving = threading.Event()
    leaving.set()
    recording = left(twilio, ready=False)

    assert not fetch(recording, wait=leaving.wait)
    assert recording.fetched == 1


def test_again_and_two_at_once_are_harmless(store, instance, twilio, fetch):
    begin(store)
    recording = left(twilio)
    done: list[bool] = []
    at_once = [threading.Thread(target=lambda: done.append(fetch(recording))) for _ in range(4)]
    for thread in at_once:
        thread.start()
    for thread in at_once:
        thread.join(20)

    assert fetch(recording)
    assert done == [True] * 4
    assert len(shown(store)["recordings"]) == 1
    assert [path.name for path in (instance / "recordings").iterdir()] == [f"{recording.sid}.wav"]


def test_nothing_is_deleted_before_the_row_is_committed(store, twilio, rest, fetch, monkeypatch):
    begin(store)
    recording = left(twilio)
    at_deletion: list[Any] = []
    delete = rest.delete_recording

    def look_first(recording_sid: str) -> None:
        at_deletion.append(shown(store)["recordings"])
        delete(recording_sid)

    monkeypatch.setattr(rest, "delete_recording", look_first)

    assert fetch(recording)
    assert [len(kept) for kept in at_deletion] == [1]


def test_a_file_that_cannot_be_written_leaves_it_at_twilio(store, instance, twilio, fetch):
    begin(store)
    recording = left(twilio)
    (instance / "recordings").write_text("no folder")

    assert not fetch(recording, tries=2)
    assert not recording.deleted
    assert shown(store)["recordings"] == []


def test_a_restored_database_without_its_files_gets_them_again(store, instance, twilio, fetch):
    begin(store)
    recording = left(twilio)
    file = f"recordings/{recording.sid}.wav"
    store.write(
        calls.add_recording, CALL, kind="voicemail", file=file, seconds=1.5, recording_sid=recording.sid
    )

    assert fetch(recording)
    assert (instance / file).exists()
    assert len(shown(store)["recordings"]) == 1


@pytest.mark.parametrize("wrong", ["", "RE1", "../../../tmp/" + "1" * 20, "CA" + "1" * 32])
def test_what_is_no_recording_sid_is_never_asked_for(store, twilio, fetch, wrong):
    begin(store)

    assert not fetch(wrong)
    assert twilio.requests == []


def test_a_recording_of_an_unknown_call_waits_for_the_catch_up(twilio, fetch):
    recording = left(twilio)

    assert not fetch(recording, tries=1)
    assert recording.fetched == 0


def test_a_forgotten_calls_recording_is_deleted_unheard(store, instance, twilio, fetch):
    begin(store)
    store.write(calls.remove, CALL, NINE)
    recording = left(twilio)

    assert fetch(recording)
    assert (recording.fetched, recording.deleted) == (0, True)
    assert not (instance / "recordings").exists()


def test_a_call_forgotten_while_its_recording_is_on_its_way_leaves_no_file(
    store, instance, twilio, rest, fetch, monkeypatch
):
    begin(store)
    recording = left(twilio)
    come = rest.fetch_recording

    def forgotten_meanwhile(recording_sid: str) -> bytes | None:
        store.write(calls.remove, CALL, NINE)
        return come(recording_sid)

    monkeypatch.setattr(rest, "fetch_recording", forgotten_meanwhile)

    assert fetch(recording)
    assert list((instance / "recordings").iterdir()) == []
    assert recording.deleted


def test_a_page_in_place_of_the_sound_is_not_kept(store, instance):
    begin(store)

    with web_server(lambda _: (200, {}, b"<html>sorry</html>")) as url:
        rest = Rest(ACCOUNT, TOKEN, url)
        assert not fetch_voicemail(rest, store, instance, CALL, sid("RE", 1), wait=lambda _: None, tries=2)

    assert shown(store)["recordings"] == []


def test_wrong_credentials_are_not_tried_nine_times(store, instance, twilio, waits):
    begin(store)
    stranger = Rest(ACCOUNT, "wrong", twilio.url)

    assert not fetch_voicemail(stranger, store, instance, CALL, sid("RE", 1), wait=waits.append)
    assert waits == []


# --- calls of which nobody told us -------------------------------------------


def test_a_call_that_came_while_we_were_away_gets_its_row_and_its_recording(store, twilio, ask):
    twilio.add_call(Call())
    recording = left(twilio)

    ask()

    call = shown(store)
    assert (call["from"], call["to"], call["direction"]) == ("+12025550143", NUMBER, "inbound")
    assert (call["outcome"], call["ended_because"]) == ("voicemail", "caller_hung_up")
    assert call["started_at"] == "2026-11-21T09:00:00.000Z"
    assert call["ended_at"] == "2026-11-21T09:00:30.000Z"
    assert len(call["recordings"]) == 1
    assert recording.deleted


@pytest.mark.parametrize("status", ["completed", "no-answer", "canceled", "failed"])
def test_one_without_a_recording_was_missed(store, twilio, ask, status):
    twilio.add_call(Call(status=status))

    ask()

    assert shown(store)["outcome"] == "missed"


def test_who_withheld_the_number_is_nobody_and_who_is_known_is_known(store, twilio, ask):
    store.write(callers.set_caller, "+12025550143", standing="known")
    twilio.add_call(Call())
    twilio.add_call(Call(call_sid=sid("CA", 2), from_number="+266696687"))

    ask()

    assert shown(store)["trust"] == "known"
    assert (shown(store, sid("CA", 2))["from"], shown(store, sid("CA", 2))["trust"]) == (None, "stranger")


def test_asking_again_changes_nothing(store, twilio, ask):
    twilio.add_call(Call())
    left(twilio)

    ask()
    before = shown(store)
    ask()

    assert shown(store) == before
    assert store.read(export.count) == 1


def test_an_open_call_that_is_over_at_twilio_is_finished(store, twilio, ask):
    begin(store)
    twilio.add_call(Call(ended_at=NINE + timedelta(minutes=3)))

    ask()

    assert shown(store)["ended_at"] == "2026-11-21T09:03:00.000Z"
    assert shown(store)["caller_name"] == "Ana"


def test_a_call_that_a_crash_interrupted_gets_its_real_end(store, twilio, ask):
    begin(store)
    store.write(calls.finish, CALL, ended_at=NINE, ended_because="interrupted")
    twilio.add_call(Call(ended_at=NINE + timedelta(minutes=3)))
    left(twilio)

    ask()

    call = shown(store)
    assert (call["ended_because"], call["outcome"]) == ("interrupted", "voicemail")
    assert call["ended_at"] == "2026-11-21T09:03:00.000Z"


def test_a_call_that_is_going_on_is_left_alone(store, twilio, ask):
    begin(store)
    running = sid("CA", 2)
    twilio.add_call(Call())
    twilio.add_call(Call(call_sid=running, status="in-progress", ended_at=None))
    recording = left(twilio)

    ask(live=CALL)

    assert shown(store)["ended_at"] is None
    assert store.read(calls.status_of, running) == "unknown"
    assert not recording.deleted


def test_a_long_call_counts_when_it_ended_not_when_it_began(store, twilio, ask):
    long_ago = NINE - timedelta(hours=2)
    twilio.add_call(Call(started_at=NINE - timedelta(hours=3), ended_at=NINE + timedelta(minutes=1)))
    twilio.add_call(Call(call_sid=sid("CA", 2), started_at=long_ago, ended_at=long_ago))

    ask()

    assert shown(store)["ended_at"] == "2026-11-21T09:01:00.000Z"
    assert store.read(calls.status_of, sid("CA", 2)) == "unknown"


def test_our_own_call_come_back_refused_as_busy_gets_no_row(store, twilio, ask):
    twilio.add_call(Call(status="busy"))

    ask()

    assert store.read(export.count) == 0


def test_only_calls_to_our_number_and_only_their_recordings(store, twilio, ask):
    twilio.add_call(Call())
    twilio.add_call(Call(call_sid=sid("CA", 2), to_number="+12025550177"))
    twilio.add_call(Call(call_sid=sid("CA", 3), direction="outbound-dial"))
    others = [left(twilio, sid("CA", number)) for number in (2, 3, 4)]

    ask()

    assert store.read(export.count) == 1
    assert [other.fetched for other in others] == [0, 0, 0]
    assert not any(other.deleted for other in others)


def test_a_deletion_that_failed_is_made_up_for(store, twilio, rest, fetch, ask, monkeypatch):
    begin(store)
    twilio.add_call(Call())
    recording = left(twilio)
    with monkeypatch.context() as broken:
        broken.setattr(rest, "delete_recording", _refuse)
        assert fetch(recording)
        with pytest.raises(RestError):
            ask()

    ask()

    assert recording.deleted
    assert recording.fetched == 1
    assert len(shown(store)["recordings"]) == 1


def test_one_calls_failure_does_not_stop_the_others_and_is_told(store, twilio, rest, ask, monkeypatch):
    for number in (1, 2, 3):
        twilio.add_call(Call(call_sid=sid("CA", number), started_at=NINE + timedelta(minutes=number)))
    last = left(twilio, sid("CA", 3))
    listed = rest.recordings_of
    monkeypatch.setattr(
        rest, "recordings_of", lambda call: listed(call) if call != sid("CA", 2) else _refuse(call)
    )

    with pytest.raises(RestError, match="1 of the calls"):
        ask()

    assert last.deleted
    assert [call["call_sid"] for call in store.read(_all)] == [sid("CA", number) for number in (1, 2, 3)]


def test_one_recordings_failure_does_not_stop_the_next(store, twilio, ask):
    twilio.add_call(Call())
    not_ready, ready = left(twilio, ready=False), left(twilio)

    with pytest.raises(RestError):
        ask()

    assert (not_ready.deleted, ready.deleted) == (False, True)


def test_what_fails_for_a_week_is_given_up_with_a_line_in_the_log(twilio, ask, caplog):
    twilio.add_call(Call())
    left(twilio, ready=False)

    with caplog.at_level(logging.WARNING):
        ask(now=NINE + timedelta(days=8))

    assert f"{CALL}: a recording could not be fetched: it is not ready" in caplog.text


def test_a_forgotten_call_does_not_come_back(store, twilio, ask):
    begin(store)
    store.write(calls.remove, CALL, NINE)
    twilio.add_call(Call())
    recording = left(twilio)

    ask()

    assert store.read(export.count) == 0
    assert (recording.fetched, recording.deleted) == (0, True)


def _refuse(_: str) -> Any:
    raise RestError("Twilio refused", 20500, 500)


def _all(db: Any) -> list[dict[str, Any]]:
    return list(export.export_all(db))


# --- the file ----------------------------------------------------------------


def wav(pcm_bytes: int, told: int | None = None, *, extra: bytes = b"") -> bytes:
    header = bytearray(wav_header(rate_hz=8000, channels=1, pcm_bytes=pcm_bytes))
    if told is not None:
        header[40:44] = told.to_bytes(4, "little")
    return bytes(header[:36]) + extra + bytes(header[36:]) + bytes(pcm_bytes)


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (wav(16000), 1.0),
        (wav(16000, extra=b"LIST\x03\x00\x00\x00abc\x00"), 1.0),  # other chunks are passed over
        (wav(8000, 0xFFFFFFFF), 0.5),  # written as a stream, which does not know its length
        (wav(8000, 0), 0.5),
        (wav(8000, 16000), None),  # cut short
        (wav(0), None),
        (b"", None),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"RIFF\x00\x00\x00\x00WAVEdata\x04\x00\x00\x00abcd", None),
        (b"<html>RIFF", None),
    ],
)
def test_the_length_of_a_wav(content: bytes, seconds: float | None):
    assert wav_seconds(content) == seconds


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recordings.os, "fsync", full)

    assert recordings.write_synced(str(tmp_path / "RE.wav"), b"sound") == "No space left on device"
    assert list(tmp_path.iterdir()) == []
