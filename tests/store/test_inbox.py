"""Calls as the lists show them, and what the owner has dealt with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from assistant.store import Store, callers, calls, inbox, messages
from assistant.store.inbox import KINDS, SHOWN, STATES, Filter

ANA, BEN, EVE = "+12025550123", "+442079460018", "+4930901820"
EVERYTHING = [Filter(state, kind) for state, kind in product(SHOWN, KINDS)]


@pytest.fixture
def over(store: Store, ring: Callable[..., bool], nine: datetime) -> Callable[..., str]:
    """A call that is over: `over("CA1", minutes=5, state="done")` began five minutes after nine."""

    def over(call_sid: str = "CA1", *, minutes: int = 0, state: str = "unread", **facts: Any) -> str:
        began = nine + timedelta(minutes=minutes)
        blocked = facts.pop("blocked", False)
        ring(call_sid, started_at=began, **facts)
        store.write(calls.set_columns, call_sid, had_stream=True, blocked=blocked)
        ended_at = began + timedelta(seconds=90)
        store.write(calls.finish, call_sid, ended_at=ended_at, ended_because="caller_hung_up")
        store.write(inbox.set_state, [call_sid], state)
        return call_sid

    return over


@pytest.fixture
def leave_word(store: Store, nine: datetime) -> Callable[..., None]:
    """A call gets a message: `leave_word("CA1", "Please call back.", urgency="high")`."""

    def leave_word(call_sid: str, text: str = "Please call back.", *, urgency: str = "normal") -> None:
        word = {"name": "Ana", "callback_number": None, "text": text, "urgency": urgency, "created_at": nine}
        store.write(messages.add, call_sid, **word)

    return leave_word


def listed(store: Store, chosen: Filter | None = None, *, limit: int = 50, offset: int = 0) -> list[str]:
    """The SIDs of a page."""
    rows = store.read(inbox.page, chosen or Filter(), limit=limit, offset=offset)
    return [row["call_sid"] for row in rows]


def state_of(store: Store, call_sid: str) -> str:
    row = next(row for row in store.read(inbox.page, Filter("all"), limit=50, offset=0)
               if row["call_sid"] == call_sid)  # fmt: skip
    return str(row["state"])


@pytest.fixture
def all_sorts(
    store: Store, ring: Callable[..., bool], over: Callable[..., str], leave_word: Callable[..., None]
) -> None:
    """A call of every kind in every state, and one that is running."""
    store.write(callers.set_caller, ANA, name="Ana", standing="known")
    store.write(callers.set_caller, EVE, standing="blocked")
    for n, (state, number) in enumerate(product(STATES, (ANA, BEN, EVE, None))):
        sid = over(f"CA{n:02}", minutes=n, from_number=number, state=state, blocked=number == EVE)
        if n % 2:
            leave_word(sid)
    over("CA90", minutes=90, from_number=BEN, trust="owner")
    ring("CA99", from_number=BEN)


def test_the_newest_call_is_first_and_a_running_one_before_it(
    store: Store, ring: Callable[..., bool], over: Callable[..., str]
) -> None:
    ring("CA-running")
    over("CA-old", minutes=1)
    over("CA-new", minutes=2)

    assert listed(store) == ["CA-running", "CA-new", "CA-old"]
    assert listed(store, limit=2) + listed(store, limit=2, offset=2) == listed(store)


def test_a_row_has_what_fits_on_a_few_lines_and_nothing_that_was_said(
    store: Store, over: Callable[..., str], leave_word: Callable[..., None]
) -> None:
    store.write(callers.set_caller, ANA, name="Ana", standing="known")
    over("CA1", from_number=ANA, caller_name="ANA B")
    leave_word("CA1", "Call me.", urgency="high")
    leave_word("CA1", "Call me tomorrow.", urgency="low")

    assert store.read(inbox.page, Filter(), limit=50, offset=0) == [
        {
            "call_sid": "CA1",
            "from": ANA,
            "caller_name": "ANA B",
            "kept_name": "Ana",
            "standing": "known",
            "trust": "stranger",
            "started_at": "2026-11-21T09:00:00.000Z",
            "ended_at": "2026-11-21T09:01:30.000Z",
            "duration_s": 90.0,
            "outcome": "message",
            "summary": "Call me tomorrow.",
            "state": "unread",
            "urgency": "low",
            "listen": None,
            "has_voicemail": False,
        }
    ]


def test_a_running_call_has_no_length_and_nothing_came_of_it_yet(
    store: Store, ring: Callable[..., bool]
) -> None:
    ring("CA1", from_number=None)

    (row,) = store.read(inbox.page, Filter(), limit=50, offset=0)

    assert (row["from"], row["kept_name"], row["standing"]) == (None, None, "stranger")
    assert [row[name] for name in ("ended_at", "duration_s", "outcome", "summary")] == [None] * 4


@pytest.mark.parametrize(
    ("kinds", "listen"), [([], None), (["call"], "call"), (["call", "voicemail"], "voicemail")]
)
def test_what_there_is_to_hear(
    store: Store, over: Callable[..., str], kinds: list[str], listen: str | None
) -> None:
    over("CA1")
    for kind in kinds:
        store.write(calls.add_recording, "CA1", kind=kind, file=f"recordings/{kind}.wav", seconds=2.0)

    (row,) = store.read(inbox.page, Filter(), limit=50, offset=0)

    assert (row["listen"], row["has_voicemail"]) == (listen, listen == "voicemail")


@pytest.mark.usefixtures("all_sorts")
def test_states(store: Store) -> None:
    shown = {state: listed(store, Filter(state)) for state in SHOWN}

    assert len(shown["all"]) == 14
    assert sorted(shown["done"]) == ["CA08", "CA09", "CA10", "CA11"]
    assert set(shown["inbox"]) == set(shown["all"]) - set(shown["done"])
    assert sorted(shown["unread"]) == ["CA00", "CA01", "CA02", "CA03", "CA90", "CA99"]


@pytest.mark.usefixtures("all_sorts")
def test_kinds(store: Store) -> None:
    kind = {name: set(listed(store, Filter("all", name))) for name in KINDS}

    assert kind["messages"] == {"CA01", "CA03", "CA05", "CA07", "CA09", "CA11"}
    assert kind["appointments"] == set()
    assert kind["known"] == {"CA00", "CA04", "CA08", "CA90"}
    assert kind["blocked"] == {"CA02", "CA06", "CA10"}
    assert kind["strangers"] == kind[""] - kind["known"] - kind["blocked"]


def test_an_appointment_and_a_recording_left_are_found(store: Store, over: Callable[..., str]) -> None:
    over("CA1")
    over("CA2", minutes=1)
    booked = {"ok": True, "status": "booked", "booked": {"say": "Friday"}}
    store.write(calls.keep_tool_run, "CA1", tool_call_id="t1", name="add_event", arguments={}, result=booked,
                refused=False, started_ms=0, took_ms=1)  # fmt: skip
    store.write(calls.add_recording, "CA2", kind="voicemail", file="recordings/CA2.wav", seconds=3.0)

    assert listed(store, Filter("inbox", "appointments")) == ["CA1"]
    assert listed(store, Filter("inbox", "messages")) == ["CA2"]


@pytest.mark.usefixtures("all_sorts")
def test_the_counts_are_what_the_filters_list(store: Store) -> None:
    long = {chosen: len(listed(store, chosen)) for chosen in EVERYTHING}

    for chosen in EVERYTHING:
        assert store.read(inbox.counts, chosen) == {
            **{state: long[Filter(state, chosen.kind)] for state in SHOWN},
            **{kind: long[Filter(chosen.state, kind)] for kind in KINDS},
        }


def test_a_filter_that_is_none_is_a_mistake(store: Store) -> None:
    with pytest.raises(KeyError):
        store.read(inbox.page, Filter("1=1 --"), limit=1, offset=0)


@pytest.mark.usefixtures("all_sorts")
def test_by_caller_each_number_has_its_newest_call(store: Store) -> None:
    for chosen in EVERYTHING:
        expected: dict[str | None, dict[str, Any]] = {}
        for row in store.read(inbox.page, chosen, limit=50, offset=0):
            first = expected.setdefault(row["from"], {**row, "calls": 0, "unread": 0})
            first["calls"] += 1
            first["unread"] += row["state"] == "unread"

        grouped = store.read(inbox.by_caller, chosen, limit=50, offset=0)

        assert grouped == list(expected.values())
        assert store.read(inbox.count_callers, chosen) == len(grouped)
        assert store.read(inbox.by_caller, chosen, limit=1, offset=1) == grouped[1:2]


@pytest.mark.usefixtures("all_sorts")
def test_the_calls_of_one_number_and_of_all_withheld_ones(store: Store) -> None:
    def of(number: str | None, **page: int) -> list[str]:
        rows = store.read(inbox.calls_of, number, **{"limit": 50, "offset": 0, **page})
        return [row["call_sid"] for row in rows]

    assert of(ANA) == ["CA08", "CA04", "CA00"]
    assert of(ANA, limit=1, offset=1) == ["CA04"]
    assert of(None) == ["CA11", "CA07", "CA03"]
    assert of("' OR 1=1 --") == []


def test_no_list_reads_what_was_said(store: Store) -> None:
    def statements(db: Any) -> list[str]:
        seen: list[str] = []
        db.conn.set_trace_callback(seen.append)
        inbox.page(db, Filter("all", "messages"), limit=50, offset=0)
        inbox.counts(db)
        inbox.by_caller(db, Filter(), limit=50, offset=0)
        db.conn.set_trace_callback(None)
        return [sql for sql in seen if sql.startswith(("WITH", "SELECT"))]  # not the savepoints

    seen = store.read(statements)

    assert len(seen) == 3
    assert not [sql for sql in seen if "turns" in sql or "tool_runs" in sql]


def test_opening_a_call_makes_it_seen_and_leaves_what_is_done(store: Store, over: Callable[..., str]) -> None:
    over("CA1")
    over("CA2", minutes=1, state="done")

    for call_sid in ("CA1", "CA2", "CA-unknown"):
        store.write(inbox.seen, call_sid)

    assert (state_of(store, "CA1"), state_of(store, "CA2")) == ("open", "done")


def test_a_running_call_stays_news_whatever_is_done_to_it(store: Store, ring: Callable[..., bool]) -> None:
    ring("CA1")

    store.write(inbox.seen, "CA1")

    assert store.write(inbox.set_state, ["CA1"], "done") == {}
    assert state_of(store, "CA1") == "unread"


def test_a_change_tells_what_there_was_before(store: Store, over: Callable[..., str]) -> None:
    over("CA1")
    over("CA2", state="open")
    over("CA3", state="done")

    before = store.write(inbox.set_state, ["CA1", "CA2", "CA3", "CA-unknown"], "done")

    assert before == {"CA1": "unread", "CA2": "open", "CA3": "done"}
    assert store.read(inbox.counts, Filter())["done"] == 3
    assert store.write(inbox.set_state, ["CA1"], "done") == {"CA1": "done"}


def test_a_change_is_taken_back_twice_as_once(store: Store, over: Callable[..., str]) -> None:
    over("CA1")
    over("CA2", state="open")
    before = store.write(inbox.set_state, ["CA1", "CA2"], "done")

    assert store.write(inbox.take_back, before, "done") == 2
    assert store.write(inbox.take_back, before, "done") == 0

    assert (state_of(store, "CA1"), state_of(store, "CA2")) == ("unread", "open")


def test_a_late_recording_is_news_that_no_undo_takes_away(store: Store, over: Callable[..., str]) -> None:
    over("CA1", state="open")
    before = store.write(inbox.set_state, ["CA1"], "done")

    store.write(calls.add_recording, "CA1", kind="voicemail", file="recordings/CA1.wav", seconds=3.0)
    store.write(inbox.take_back, before, "done")

    assert state_of(store, "CA1") == "unread"
