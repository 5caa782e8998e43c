"""A call's row from the first webhook to the last, which may come twice, late and in any order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from assistant.errors import StoreError
from assistant.store import Store, calls, export, messages

SECOND = timedelta(seconds=1)
ACCOUNT = {"usage": {"text_in": 1}, "cost_usd": 0.25, "first_sound_ms": 40, "response_ms": [700, 800]}


def exported(store: Store, call_sid: str = "CA1") -> dict[str, Any]:
    call = store.read(export.export_call, call_sid)
    assert call is not None
    return call


def test_a_call_begins_once(store: Store, ring: Callable[..., bool]) -> None:
    assert ring("CA1")
    assert not ring("CA1", from_number="+12025550199")

    assert exported(store)["from"] == "+12025550123"
    assert store.read(calls.status_of, "CA1") == "open"
    assert store.read(calls.status_of, "CA2") == "unknown"


def test_the_first_answer_counts(store: Store, ring: Callable[..., bool], nine: datetime) -> None:
    ring()
    store.write(calls.set_answered, "CA1", nine + 4 * SECOND)
    store.write(calls.set_answered, "CA1", nine + 9 * SECOND)

    assert exported(store)["answered_at"] == "2026-11-21T09:00:04.000Z"


def test_the_first_end_counts(store: Store, ring: Callable[..., bool], nine: datetime) -> None:
    ring()
    assert store.write(
        calls.finish, "CA1", ended_at=nine + 12 * SECOND, ended_because="assistant_ended", **ACCOUNT
    )
    before = exported(store)
    for _ in range(3):
        assert not store.write(
            calls.finish, "CA1", ended_at=nine + 13 * SECOND, ended_because="caller_hung_up"
        )

    assert exported(store) == before
    assert (before["ended_because"], before["duration_s"]) == ("assistant_ended", 12.0)
    assert (before["cost_usd"], before["response_ms"], before["usage"]["text_in"]) == (0.25, [700, 800], 1)
    assert store.read(calls.status_of, "CA1") == "ended"


def test_the_assistant_knows_why_its_part_ended_even_when_it_tells_second(
    store: Store, ring: Callable[..., bool], nine: datetime
) -> None:
    ring()
    assert store.write(calls.finish, "CA1", ended_at=nine + 12 * SECOND, ended_because="caller_hung_up")
    told = {"ended_at": nine + 13 * SECOND, "ended_because": "silence", **ACCOUNT}
    assert not store.write(calls.finish, "CA1", **told)
    assert not store.write(calls.finish, "CA1", **told | {"ended_because": "time_limit"})

    call = exported(store)
    assert (call["ended_because"], call["duration_s"], call["cost_usd"]) == ("silence", 12.0, 0.25)


def test_after_a_failure_the_caller_s_own_end_is_the_call_s(
    store: Store, ring: Callable[..., bool], nine: datetime
) -> None:
    ring()
    store.write(calls.finish, "CA1", ended_at=nine + 5 * SECOND, ended_because="model_failed", **ACCOUNT)
    for seconds in (40, 50):  # the second one is a repeated webhook
        end = nine + seconds * SECOND
        assert not store.write(calls.finish, "CA1", ended_at=end, ended_because="caller_hung_up")
    store.write(calls.add_recording, "CA1", kind="voicemail", file="recordings/a.wav", seconds=30)

    call = exported(store)
    assert (call["ended_because"], call["duration_s"], call["outcome"]) == ("model_failed", 40.0, "voicemail")


def test_a_reason_set_while_the_call_runs_is_shown_at_its_end(
    store: Store, ring: Callable[..., bool], nine: datetime
) -> None:
    ring()
    store.write(calls.set_columns, "CA1", ended_because="model_failed", had_stream=True)
    assert exported(store)["ended_because"] is None
    for seconds in (40, 50):
        end = nine + seconds * SECOND
        store.write(calls.finish, "CA1", ended_at=end, ended_because="caller_hung_up")

    assert (exported(store)["ended_because"], exported(store)["duration_s"]) == ("model_failed", 40.0)


def test_what_arrives_after_the_end_may_change_what_came_of_it(
    store: Store, ring: Callable[..., bool], turn: Callable[..., Any], nine: datetime
) -> None:
    ring()
    store.write(calls.set_columns, "CA1", had_stream=True)
    store.write(calls.finish, "CA1", ended_at=nine + SECOND, ended_because="caller_hung_up")
    found = [(exported(store)["outcome"], exported(store)["summary"])]
    store.write(calls.keep_turn, "CA1", turn("item_1", "It's Ana."))
    found.append((exported(store)["outcome"], exported(store)["summary"]))
    store.write(calls.add_recording, "CA1", kind="voicemail", file="recordings/a.wav", seconds=3)
    found.append((exported(store)["outcome"], exported(store)["summary"]))
    leave_message(store, "Please call me back.", nine)
    found.append((exported(store)["outcome"], exported(store)["summary"]))

    assert found == [
        ("no_message", "Left no message."),
        ("talked", "It's Ana."),
        ("voicemail", "It's Ana."),
        ("message", "Please call me back."),
    ]


def leave_message(store: Store, text: str, at: datetime) -> None:
    store.write(
        messages.add,
        "CA1",
        name="Ana",
        callback_number="+12025550123",
        text=text,
        urgency="normal",
        created_at=at,
    )


def test_a_booking_is_an_outcome_and_a_refused_one_is_none(
    store: Store, ring: Callable[..., bool], nine: datetime
) -> None:
    booked = {"name": "add_event", "started_ms": 1, "took_ms": 2}
    asked = {"title": "Haircut", "date": "2026-12-01", "time": "14:00"}
    ring()
    store.write(calls.set_columns, "CA1", had_stream=True)
    store.write(calls.finish, "CA1", ended_at=nine + SECOND, ended_because="caller_hung_up")
    store.write(
        calls.keep_tool_run,
        "CA1",
        tool_call_id="call_1",
        arguments=asked,
        result={"ok": False, "error": "not_allowed"},
        refused=True,
        **booked,
    )
    assert exported(store)["outcome"] == "no_message"
    for _ in range(2):
        store.write(
            calls.keep_tool_run,
            "CA1",
            tool_call_id="call_2",
            arguments=asked,
            result={"ok": True, "status": "requested"},
            refused=False,
            **booked,
        )

    call = exported(store)
    assert (call["outcome"], call["summary"]) == ("booked", "Asked for: Haircut, 2026-12-01 14:00")
    assert [run["refused"] for run in call["tool_runs"]] == [True, False]


def test_the_newest_message_is_the_call_s(store: Store, ring: Callable[..., bool], nine: datetime) -> None:
    ring()
    leave_message(store, "Call me.", nine)
    leave_message(store, "Call me after five.", nine)

    assert exported(store)["message"] == {
        "name": "Ana",
        "callback_number": "+12025550123",
        "text": "Call me after five.",
        "urgency": "normal",
    }


def test_turns_are_in_speaking_order_even_when_words_arrive_late(
    store: Store, ring: Callable[..., bool], turn: Callable[..., Any]
) -> None:
    ring()
    store.write(calls.keep_turn, "CA1", turn("b", "Thank you.", position=2, speaker="assistant"))
    store.write(calls.keep_turn, "CA1", turn("a", "", position=1))
    store.write(calls.keep_turn, "CA1", turn("a", "It's Ana.", position=1))

    said = [(said["n"], said["speaker"], said["text"]) for said in exported(store)["turns"]]
    assert said == [(1, "caller", "It's Ana."), (2, "assistant", "Thank you.")]


def test_a_recording_is_kept_once(store: Store, ring: Callable[..., bool]) -> None:
    ring()
    for file in ("recordings/a.wav", "recordings/b.wav"):
        store.write(calls.add_recording, "CA1", kind="voicemail", file=file, seconds=3.5, recording_sid="RE1")
    for seconds in (1, 2):
        store.write(calls.add_recording, "CA1", kind="call", file="recordings/c.wav", seconds=seconds)

    assert exported(store)["recordings"] == [
        {"kind": "voicemail", "file": "recordings/a.wav", "seconds": 3.5},
        {"kind": "call", "file": "recordings/c.wav", "seconds": 2.0},
    ]
    assert store.read(calls.known_recordings, ["RE1", "RE2"]) == {"RE1"}


def test_what_belongs_to_no_call_is_refused(store: Store, turn: Callable[..., Any]) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.write(calls.keep_turn, "CA9", turn("a", "Hello?"))
    with pytest.raises(StoreError, match="no such fact"):
        store.write(calls.set_columns, "CA9", summary="mine")
    assert not store.write(calls.finish, "CA9", ended_at=datetime.now().astimezone(), ended_because="silence")


def test_a_call_left_open_by_a_crash_is_closed_when_we_were_last_alive(
    store: Store, ring: Callable[..., bool], nine: datetime
) -> None:
    ring("CA1")
    ring("CA2", started_at=nine + 90 * SECOND)
    ring("CA3")
    store.write(calls.finish, "CA3", ended_at=nine + SECOND, ended_because="silence")
    store.write(calls.set_columns, "CA1", had_stream=True)
    store.write(calls.set_alive, nine + 60 * SECOND)
    now = nine + timedelta(days=2)

    assert store.read(calls.last_alive) == nine + 60 * SECOND
    assert store.write(calls.close_left_open, now) == ["CA1", "CA2"]
    assert store.write(calls.close_left_open, now) == []
    assert [exported(store, sid)["duration_s"] for sid in ("CA1", "CA2")] == [60.0, 0.0]
    assert exported(store)["ended_because"] == "interrupted"

    # The telephone company tells later when the caller was really gone.
    store.write(calls.finish, "CA1", ended_at=nine + 75 * SECOND, ended_because="caller_hung_up")
    assert (exported(store)["duration_s"], exported(store)["ended_because"]) == (75.0, "interrupted")


def test_a_call_left_open_lasted_at_least_until_its_last_turn(
    store: Store, ring: Callable[..., bool], turn: Callable[..., Any], nine: datetime
) -> None:
    ring()
    store.write(calls.set_alive, nine - 30 * SECOND)
    store.write(calls.keep_turn, "CA1", turn("item_1", "It's Ana.", ended_ms=8_500))

    store.write(calls.close_left_open, nine + 90 * SECOND)

    assert exported(store)["duration_s"] == 8.5


def test_a_number_s_calls_are_counted_for_its_cap(
    store: Store, ring: Callable[..., bool], nine: datetime
) -> None:
    ring("CA1")
    ring("CA2", started_at=nine - timedelta(days=1))
    ring("CA3")
    store.write(calls.set_columns, "CA3", blocked=True)
    ring("CA4", from_number=None)
    ring("CA5", from_number=None)
    since = nine - timedelta(hours=9)

    assert store.read(calls.calls_today, "+12025550123", since) == 1
    assert store.read(calls.calls_today, None, since) == 2
    assert store.read(calls.calls_today, "+12025550199", since) == 0


def test_the_day_s_cost_is_that_of_the_calls_that_ended_in_it(
    store: Store, ring: Callable[..., bool], nine: datetime
) -> None:
    assert store.read(calls.cost_since, nine) == 0.0
    for sid, minutes in (("CA1", 10), ("CA2", 20), ("CA3", -10)):
        ring(sid, started_at=nine - timedelta(hours=1))
        end = nine + timedelta(minutes=minutes)
        store.write(calls.finish, sid, ended_at=end, ended_because="silence", usage={}, cost_usd=0.5)

    assert store.read(calls.cost_since, nine) == 1.0


def test_a_removed_call_does_not_come_back(store: Store, ring: Callable[..., bool], nine: datetime) -> None:
    ring("CA1")
    store.write(calls.remove, "CA1", nine)

    assert not ring("CA1")
    assert store.read(calls.status_of, "CA1") == "ended"
    store.write(calls.add_recording, "CA1", kind="voicemail", file="recordings/a.wav", seconds=1)
    assert store.read(export.count) == 0


def test_of_many_calls_those_that_are_kept(store: Store, ring: Callable[..., bool]) -> None:
    ring("CA1")
    ring("CA2")

    assert store.read(calls.still_there, {"CA1", "CA2", "CA9"}) == {"CA1", "CA2"}
    assert store.read(calls.still_there, []) == set()
