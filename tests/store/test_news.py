"""What was kept of a call since somebody last looked: all of it, and once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.store import Database, Store, callers, calls, news, step_ins
from assistant.store.schema import open_database


@pytest.fixture
def kept(store: Store, ring: Callable[..., bool], turn: Callable[..., dict[str, Any]]) -> Store:
    """A running call with two turns, a tool run and a step-in."""
    ring()
    store.write(calls.keep_turn, "CA1", turn("item_1", "Hello.", position=0.0, speaker="assistant"))
    store.write(calls.keep_turn, "CA1", turn("item_2", "It's Ana.", position=1.0, started_ms=2000))
    store.write(calls.keep_tool_run, "CA1", **run("tc_1"))
    store.write(step_ins.keep, "CA1", step_key="key-00001", kind="tell", text="Wait.", at_ms=4000)
    return store


def run(tool_call_id: str) -> dict[str, Any]:
    return {
        "tool_call_id": tool_call_id,
        "name": "find_free_times",
        "arguments": {"date": "2026-11-23"},
        "result": {"ok": True},
        "refused": False,
        "started_ms": 3000,
        "took_ms": 5,
    }


def lines(store: Store, rev: int = 0) -> list[tuple[int, str, str]]:
    found = store.read(news.since, "CA1", rev)
    assert found is not None
    return [(line["rev"], line["what"], line.get("text") or line.get("name")) for line in found.lines]


def test_everything_that_is_kept_has_the_next_number(kept: Store) -> None:
    assert lines(kept) == [
        (1, "turn", "Hello."),
        (2, "turn", "It's Ana."),
        (3, "tool", "find_free_times"),
        (4, "step", "Wait."),
    ]
    found = kept.read(news.since, "CA1", 2)
    assert found is not None
    assert [line["what"] for line in found.lines] == ["tool", "step"]
    assert found.lines[0]["arguments"] == {"date": "2026-11-23"}
    assert (found.rev, found.ended, found.accounted) == (4, False, False)


def test_a_turn_that_is_kept_anew_is_news_again(kept: Store, turn: Callable[..., dict[str, Any]]) -> None:
    kept.write(calls.keep_turn, "CA1", turn("item_1", "Hello", position=0.0, speaker="assistant"))

    assert lines(kept, 4) == [(5, "turn", "Hello")]
    assert [rev for rev, _, _ in lines(kept)] == [2, 3, 4, 5]


def test_what_comes_twice_is_news_once(kept: Store) -> None:
    kept.write(calls.keep_tool_run, "CA1", **run("tc_1"))
    assert not kept.write(step_ins.keep, "CA1", step_key="key-00001", kind="ask", text="Why?", at_ms=9000)

    assert lines(kept, 4) == []
    assert kept.read(step_ins.of_call, "CA1") == [{"id": 1, "kind": "tell", "text": "Wait.", "at_ms": 4000}]


def test_a_turn_knows_its_place_in_the_conversation(kept: Store, turn: Callable[..., dict[str, Any]]) -> None:
    kept.write(calls.keep_turn, "CA1", turn("item_3", "Who is it?", position=0.5, speaker="assistant"))

    found = kept.read(news.since, "CA1", 4)
    assert found is not None
    assert [(line["text"], line["n"]) for line in found.lines] == [("Who is it?", 2)]


def test_each_call_counts_for_itself(
    kept: Store, ring: Callable[..., bool], turn: Callable[..., Any]
) -> None:
    ring("CA2")
    kept.write(calls.keep_turn, "CA2", turn("item_1", "Hello."))

    found = kept.read(news.since, "CA2")
    assert found is not None
    assert found.rev == 1


def test_the_books_are_closed_behind_the_last_words(kept: Store, nine: datetime) -> None:
    kept.write(calls.finish, "CA1", ended_at=nine + timedelta(seconds=9), ended_because="caller_hung_up")
    hung_up = kept.read(news.since, "CA1", 4)
    kept.write(calls.finish, "CA1", ended_at=nine, ended_because="caller_hung_up", usage={"text_in": 1})
    closed = kept.read(news.since, "CA1", 4)

    assert hung_up is not None
    assert closed is not None
    assert (hung_up.ended, hung_up.accounted) == (True, False)
    assert (closed.ended, closed.accounted) == (True, True)


def test_of_a_call_that_is_gone_there_is_no_news_and_nothing_can_be_kept(kept: Store, nine: datetime) -> None:
    kept.write(calls.remove, "CA1", nine)

    assert kept.read(news.since, "CA1") is None
    assert not kept.write(step_ins.keep, "CA1", step_key="key-00002", kind="ring", text="", at_ms=1)


def test_a_caller_has_the_name_that_is_kept(kept: Store) -> None:
    kept.write(callers.set_caller, "+12025550123", name="Ana")

    assert kept.read(news.facts, ["CA1", "CA9"])["CA1"]["kept_name"] == "Ana"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    db = open_database(tmp_path_factory.mktemp("news") / "afterbeep.db")
    yield db
    db.close()


DEEDS = st.lists(st.tuples(st.sampled_from(["turn", "tool", "step"]), st.integers(0, 3)), max_size=12)


@settings(deadline=None, max_examples=50)
@given(deeds=DEEDS, data=st.data())
def test_whoever_looks_from_where_they_had_got_to_misses_nothing_and_sees_nothing_twice(
    database: Database, deeds: list[tuple[str, int]], data: st.DataObject
) -> None:
    database.execute("BEGIN")
    calls.begin(database, "CA1", direction="inbound", from_number=None, to_number=None, forwarded_from=None,
                caller_name=None, trust="stranger", stir_verstat=None,
                started_at=datetime.fromisoformat("2026-11-21T09:00:00Z"))  # fmt: skip
    page: dict[tuple[str, str], int] = {}
    rev = 0
    try:
        for count, (what, which) in enumerate(deeds):
            _keep(database, what, which, count)
            if data.draw(st.booleans()):
                rev = _look(database, page, rev)
        rev = _look(database, page, rev)
        found = news.since(database, "CA1")
    finally:
        database.execute("ROLLBACK")

    assert found is not None
    assert page == {_name(line): line["rev"] for line in found.lines}
    assert rev == found.rev


def _keep(db: Database, what: str, which: int, count: int) -> None:
    if what == "turn":
        said = {"item_id": f"i{which}", "position": which, "speaker": "caller", "text": str(count)}
        rest = {"interrupted": 0, "started_ms": 0, "ended_ms": 0, "heard_ms": 0, "heard_text": str(count)}
        calls.keep_turn(db, "CA1", said | rest)
    elif what == "tool":
        calls.keep_tool_run(db, "CA1", **run(f"tc_{which}"))
    else:
        step_ins.keep(db, "CA1", step_key=f"key-{which}", kind="ring", text="", at_ms=count)


def _look(db: Database, page: dict[tuple[str, str], int], rev: int) -> int:
    found = news.since(db, "CA1", rev)
    assert found is not None
    for line in found.lines:
        assert line["rev"] > rev
        page[_name(line)] = line["rev"]
    return found.rev


def _name(line: dict[str, Any]) -> tuple[str, str]:
    return line["what"], str(line.get("item_id") or line.get("tool_call_id") or line.get("step_key"))
