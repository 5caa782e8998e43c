"""Searching: what is found, and that the index is right whatever happens to the rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from assistant.store import Store, callers, calls, housekeeping, inbox, messages, preferences, search
from assistant.store.query import LONGEST, MOST_WORDS, Query, read
from assistant.store.schema import open_database
from assistant.store.tables import migrations

ANA, SAM = "+442079460018", "+12025550123"
DAY = timedelta(days=1)


@pytest.fixture
def say(store: Store, turn: Callable[..., Any]) -> Callable[..., None]:
    """Words on a call, one turn after the other: `say("CA1", "caller: hello", "assistant: good day")`."""

    def say(call_sid: str, *lines: str) -> None:
        for n, line in enumerate(lines):
            speaker, _, text = line.partition(": ")
            kept = turn(f"item_{n}", text, position=float(n), speaker=speaker)
            store.write(calls.keep_turn, call_sid, kept)

    return say


@pytest.fixture
def leave(store: Store, nine: datetime) -> Callable[..., None]:
    """A message: `leave("CA1", "call me back", name="Ana")`."""

    def leave(call_sid: str, text: str, **message: Any) -> None:
        kept = {"name": None, "callback_number": None, "urgency": "normal", "created_at": nine}
        store.write(messages.add, call_sid, text=text, **{**kept, **message})

    return leave


@pytest.fixture
def end(store: Store, nine: datetime) -> Callable[[str], None]:
    def end(call_sid: str) -> None:
        at = nine + timedelta(minutes=1)
        store.write(calls.finish, call_sid, ended_at=at, ended_because="caller_hung_up")

    return end


def look(store: Store, text: str, **options: Any) -> search.Found:
    return store.read(search.find, read(text, region="GB"), **{"limit": 50, **options})


def found(store: Store, text: str) -> list[str]:
    return [match.call["call_sid"] for match in look(store, text).matches]


def shown(match: search.Match) -> list[str]:
    """Its lines, with what was looked for in brackets."""
    return ["".join(f"[{text}]" if hit else text for text, hit in line.parts) for line in match.lines]


# --- words -------------------------------------------------------------------------


def test_all_words_have_to_be_somewhere_in_the_call_and_the_newest_comes_first(
    store: Store, ring: Callable[..., bool], say: Callable[..., None], nine: datetime
) -> None:
    for n, sid in enumerate(("CA1", "CA2", "CA3")):
        ring(sid, started_at=nine + n * DAY)
    say("CA1", "assistant: What is it about?", "caller: The roof.", "caller: On Friday, please.")
    say("CA2", "caller: The roof.")
    say("CA3", "caller: Friday is fine for the ROOF")

    result = look(store, "roof frid")

    assert [match.call["call_sid"] for match in result.matches] == ["CA3", "CA1"]
    assert result.total == 2
    assert shown(result.matches[1]) == ["The [roof].", "On [Friday], please."]
    assert [(line.n, line.speaker, line.kind) for line in result.matches[1].lines] == [
        (2, "caller", "turn"),
        (3, "caller", "turn"),
    ]
    assert found(store, "roof frid now") == []
    assert found(store, "frid roof") == []  # only the last word may be unfinished


@pytest.mark.parametrize("typed", ["muller", "MÜLLER", "Müller", "mul", "Mu\u0308ller"])
def test_accents_and_capitals_do_not_matter(
    store: Store, ring: Callable[..., bool], say: Callable[..., None], typed: str
) -> None:
    ring("CA1")
    say("CA1", "caller: My name is Müller.")

    (match,) = look(store, typed).matches

    assert shown(match) == ["My name is [Müller]."]


def test_a_phrase_is_found_in_its_order(
    store: Store, ring: Callable[..., bool], say: Callable[..., None]
) -> None:
    ring("CA1")
    say("CA1", "caller: Call me back tomorrow, it's urgent")

    assert found(store, '"call me back"') == found(store, "“me back”") == ["CA1"]
    assert found(store, '"back me call"') == []
    assert found(store, "it's") == ["CA1"]


def test_words_after_a_minus_leave_calls_out(
    store: Store, ring: Callable[..., bool], say: Callable[..., None]
) -> None:
    ring("CA1", from_number=None)
    ring("CA2", from_number=ANA)
    say("CA1", "caller: the roof")
    say("CA2", "caller: the roof", "caller: on friday")
    store.write(callers.set_caller, ANA, name="Ana")

    assert found(store, "roof -friday") == ["CA1"]
    assert found(store, "roof -from:ana") == ["CA1"]
    assert found(store, "-friday") == ["CA1"]
    assert found(store, "-from:withheld") == ["CA2"]


def test_at_most_three_lines_of_a_call_are_shown(
    store: Store, ring: Callable[..., bool], say: Callable[..., None]
) -> None:
    ring("CA1")
    say("CA1", *(f"caller: roof number {n}" for n in range(7)), "assistant: good")

    (match,) = look(store, "roof").matches

    assert [line.n for line in match.lines] == [1, 2, 3]
    assert match.more == 4


def test_of_a_long_line_the_part_with_the_word_is_shown(
    store: Store, ring: Callable[..., bool], say: Callable[..., None]
) -> None:
    ring("CA1")
    say("CA1", f"caller: {'before ' * 100}roof {'after ' * 100}")

    (match,) = look(store, "roof").matches

    (text,) = shown(match)
    assert text.startswith("…")
    assert "[roof]" in text
    assert text.endswith("…")
    assert len(text) < 300


def test_said_by_the_caller_or_the_assistant(
    store: Store, ring: Callable[..., bool], say: Callable[..., None]
) -> None:
    ring("CA1")
    ring("CA2")
    say("CA1", "caller: the roof", "assistant: I see")
    say("CA2", "assistant: the roof?", "caller: yes")

    assert found(store, "roof said:caller") == ["CA1"]
    assert found(store, "said:assistant roof") == found(store, "-said:caller roof") == ["CA2"]
    (match,) = look(store, "yes said:caller").matches
    assert shown(match) == ["[yes]"]


# --- people and numbers ----------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "020 7946 0018",
        "+44 20 7946-0018",
        "+442079460018",
        "0044 20 79460018",
        "+44 (0)20 7946 0018",
        "02079460018",
        '"020 7946 0018"',
        "(020) 7946",
        "0018",
        "018",
        "from:02079460018",
        "from:0018",
    ],
)
def test_a_number_is_found_in_any_way_of_writing(store: Store, ring: Callable[..., bool], typed: str) -> None:
    ring("CA1", from_number=ANA)
    ring("CA2", from_number=SAM)
    ring("CA3", from_number=None)

    assert found(store, typed) == ["CA1"]


@pytest.mark.parametrize("typed", ["020 7946 0018", "+442079460018", "2079460018"])
def test_a_number_that_was_left_or_said_is_found_too(
    store: Store, ring: Callable[..., bool], say: Callable[..., None], leave: Callable[..., None], typed: str
) -> None:
    ring("CA1")
    leave("CA1", "Please ring me", callback_number="(020) 7946-0018")
    ring("CA2")
    say("CA2", "caller: It is 020 7946 0018.")

    assert found(store, typed) == ["CA2", "CA1"]


def test_names_of_the_network_the_owner_and_the_caller_and_notes(
    store: Store, ring: Callable[..., bool], leave: Callable[..., None]
) -> None:
    ring("CA1", from_number=ANA, caller_name="A BAKER")
    ring("CA2", from_number=SAM)
    leave("CA2", "Hello", name="Mr Baker")
    store.write(callers.set_caller, ANA, name="Ana Müller", notes="Lives above the bakery")

    assert found(store, "muller ana") == found(store, "from:müller") == ["CA1"]
    assert found(store, "baker ") == found(store, "from:baker") == ["CA2", "CA1"]
    assert found(store, "bakery") == ["CA1"]
    assert found(store, "from:bakery") == []  # what is noted about somebody is not their name
    (match,) = look(store, "bakery").matches
    assert (match.lines[0].kind, shown(match)) == ("notes", ["Lives above the [bakery]"])


def test_who_is_kept_is_found_without_any_call(store: Store) -> None:
    store.write(callers.set_caller, ANA, name="Ana Müller", standing="known", notes="The roof")
    store.write(callers.set_caller, SAM, name="Sam")

    def people(text: str) -> list[str]:
        return [one.number for one in store.read(search.people, read(text, region="GB"))]

    assert people("muller") == people("roof ana") == people("020 7946 0018") == [ANA]
    assert people("roof sam") == people("ana is:unread") == people("") == []


def test_withheld_and_sip_callers(store: Store, ring: Callable[..., bool]) -> None:
    ring("CA1", from_number=None)
    ring("CA2", from_number="sip:ana@example.com")

    assert found(store, "from:withheld") == ["CA1"]
    assert found(store, "ana@example.com") == found(store, "from:sip:ana@example.com") == ["CA2"]


# --- operators ----------------------------------------------------------------------------


def test_days_are_the_owner_s(store: Store, ring: Callable[..., bool]) -> None:
    store.write(preferences.set, "timezone", "Asia/Tokyo")
    ring("CA1", started_at=datetime.fromisoformat("2026-11-20T14:59:00+00:00"))  # 23:59 in Tokyo
    ring("CA2", started_at=datetime.fromisoformat("2026-11-20T15:00:00+00:00"))

    assert found(store, "after:2026-11-21") == ["CA2"]
    assert found(store, "before:2026-11-21") == ["CA1"]
    assert found(store, "after:2026-11 before:2026-12") == ["CA2", "CA1"]
    assert found(store, "-after:2026") == []


def test_what_a_call_has_and_is(
    store: Store,
    ring: Callable[..., bool],
    leave: Callable[..., None],
    end: Callable[[str], None],
    ask: Callable[..., Any],
) -> None:
    for sid, number in (("CA1", ANA), ("CA2", SAM), ("CA3", None)):
        ring(sid, from_number=number)
    leave("CA1", "Hello")
    ask("CA2")
    store.write(calls.add_recording, "CA3", kind="voicemail", file="recordings/CA3.wav", seconds=1)
    store.write(callers.set_caller, ANA, standing="known")
    store.write(callers.set_caller, SAM, standing="blocked")
    for sid in ("CA1", "CA2", "CA3"):
        end(sid)
    store.write(inbox.set_state, ["CA1"], "done")
    store.write(inbox.set_state, ["CA2"], "open")

    facts = ("has:message", "has:booking", "has:recording", "is:done", "is:open", "is:unread")
    assert [found(store, fact) for fact in facts] == [["CA1"], ["CA2"], ["CA3"]] * 2
    assert [found(store, f"is:{one}") for one in ("known", "blocked", "stranger")] == [
        ["CA1"],
        ["CA2"],
        ["CA3"],
    ]
    assert found(store, "has:message is:unread") == []
    assert found(store, "-has:message -is:blocked") == ["CA3"]
    assert found(store, "to:0100") == ["CA3", "CA2", "CA1"]
    assert found(store, "to:0199") == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("has:foo", "has:foo is not known. There are has:message, has:booking and has:recording."),
        ("after:yesterday", "after:yesterday is not a day."),
        ("after:2026-13", "is not a day"),
        ("before:0001-01-01", "is not a day"),
        ("to:ana", "to:ana was not understood"),
        ("from:", "from: needs something after it."),
        ("said:caller", "said:caller needs a word"),
        ("x " * (MOST_WORDS + 1), f"first {MOST_WORDS} words"),
        ("x" * (LONGEST + 1), f"first {LONGEST} characters"),
    ],
)
def test_what_could_not_be_read_is_told(typed: str, told: str) -> None:
    assert told in " ".join(read(typed).unread)


def test_a_colon_that_is_no_operator_s_is_nothing_special(
    store: Store, ring: Callable[..., bool], say: Callable[..., None]
) -> None:
    ring("CA1")
    say("CA1", "caller: at 14:30, see https://example.com")

    assert found(store, "14:30") == found(store, "https://example.com") == ["CA1"]
    assert read("14:30 https://example.com").unread == ()


HOSTILE = [
    '"',
    "*",
    '"*',
    "-",
    "--",
    "NEAR(",
    "a NEAR b",
    "AND",
    "OR NOT",
    "(",
    ")",
    "^a",
    "{name} : a",
    "a:*",
]
HOSTILE += [
    "'; DROP TABLE calls; --",
    "%",
    "_",
    "\\",
    "\x00",
    "a\x02b\x03",
    "\ud800",
    '"""',
    "+ +",
    "a" * 10_000,
]
HOSTILE += [
    '"' * 10_000,
    "(" * 10_000,
    "1 " * 5_000,
    "-" * 10_000,
    "from:" * 2_000,
    "\u0301",
    "٣٣٣٣",
    "²²²²",
    "ⅷ",
]


@pytest.mark.parametrize("typed", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_typed_is_only_words(
    store: Store, ring: Callable[..., bool], say: Callable[..., None], typed: str
) -> None:
    ring("CA1")
    say("CA1", "caller: a b \x02c\x03 near and")
    store.write(callers.set_caller, ANA, name="a")

    for text in (typed, f"a {typed}", f"from:{typed}", f'-"{typed}', f"{typed} said:caller"):
        query = read(text, region="GB")
        store.read(search.find, query, limit=50)
        store.read(search.people, query)


@given(st.text())
def test_anything_can_be_read(text: str) -> None:
    assert isinstance(read(text, region="US"), Query)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Database:
    db = open_database(tmp_path_factory.mktemp("small") / "afterbeep.db")
    db.execute(
        "INSERT INTO calls (call_sid, direction, from_number, started_at)"
        " VALUES ('CA1', 'inbound', ?, '2026')",
        (ANA,),
    )
    return db


@given(text=st.text(alphabet="ab1 \"*-+():^{}from'\x00é²٣", max_size=30))
def test_anything_can_be_looked_for(small: Database, text: str) -> None:
    query = read(text, region="GB")
    assert search.find(small, query, limit=5).total in (0, 1)
    search.people(small, query)


def test_what_was_said_is_never_markup(
    store: Store, ring: Callable[..., bool], say: Callable[..., None]
) -> None:
    ring("CA1")
    say("CA1", "caller: <b>roof</b> \x02 & \x03")

    (match,) = look(store, "roof").matches

    assert match.lines[0].parts == (("<b>", False), ("roof", True), ("</b>  & ", False))


def test_pages_are_parts_of_one_list(store: Store, ring: Callable[..., bool], nine: datetime) -> None:
    for n in range(7):
        ring(f"CA{n}", started_at=nine + n * DAY)

    first, second = look(store, "0123", limit=5), look(store, "0123", limit=5, offset=5)

    assert [match.call["call_sid"] for match in first.matches] == ["CA6", "CA5", "CA4", "CA3", "CA2"]
    assert [match.call["call_sid"] for match in second.matches] == ["CA1", "CA0"]
    assert (first.total, second.total, look(store, "0123", offset=50).total) == (7, 7, 7)


# --- the index ---------------------------------------------------------------------------------


def indexed(store: Store) -> list[str]:
    """Every word in the indexes."""

    def words(db: Database) -> list[str]:
        found = set()
        for table in ("said", "people"):
            db.execute(f"CREATE VIRTUAL TABLE temp.words_of_{table} USING fts5vocab (main, {table}, row)")
            found |= {row[0] for row in db.execute(f"SELECT term FROM words_of_{table}")}
        return sorted(found)

    with closing(open_database(store.path)) as db:
        return words(db)


def test_words_that_come_anew_replace_the_old(
    store: Store, ring: Callable[..., bool], turn: Callable[..., Any], leave: Callable[..., None]
) -> None:
    ring("CA1")
    for text, speaker in (("first", "caller"), ("second", "caller"), ("third", "assistant")):
        store.write(calls.keep_turn, "CA1", turn("a", text, speaker=speaker))
    assert indexed(store) == ["third"]
    assert found(store, "third said:assistant") == ["CA1"]
    assert found(store, "third said:caller") == []

    leave("CA1", "fourth")
    store.write(messages.take_out, "CA1", "fourth", datetime.fromisoformat("2026-11-21T09:00:00+00:00"))
    store.write(calls.set_columns, "CA1", caller_name="fifth")
    store.write(calls.set_columns, "CA1", caller_name="sixth")
    assert indexed(store) == ["sixth", "third"]


def test_a_summary_is_indexed_once_however_often_it_is_written(
    store: Store, ring: Callable[..., bool], end: Callable[[str], None], leave: Callable[..., None]
) -> None:
    ring("CA1")
    end("CA1")
    assert found(store, '"hung up before"') == ["CA1"]
    leave("CA1", "elephant")
    store.write(calls.reconsider, "CA1")

    assert indexed(store) == ["elephant"]


def test_a_caller_s_name_and_notes_follow_what_is_kept(store: Store) -> None:
    store.write(callers.set_caller, ANA, name="first", notes="second")
    store.write(callers.set_caller, ANA, name="third")
    assert indexed(store) == ["second", "third"]

    store.write(callers.set_caller, ANA, notes="")
    store.write(callers.set_caller, ANA, standing="blocked")
    assert indexed(store) == ["third"]
    store.write(callers.remove, ANA)
    assert indexed(store) == []


def test_what_was_there_before_the_search_is_found_too(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        migrations.apply(Database(old), stop_before="search")
        old.execute("PRAGMA user_version = 4")
        old.execute(
            "INSERT INTO calls (call_sid, direction, from_number, started_at, caller_name) VALUES"
            " ('CA1', 'inbound', ?, '2026-11-21T09:00:00.000Z', 'network')",
            (ANA,),
        )
        old.execute(
            "INSERT INTO turns (call_sid, item_id, position, speaker, text, heard_text, interrupted,"
            " started_ms, ended_ms, heard_ms) VALUES ('CA1', 'a', 1, 'assistant', 'spoken', '', 0, 0, 0, 0)"
        )
        old.execute(
            "INSERT INTO messages (call_sid, text, urgency, created_at) VALUES ('CA1', 'left', 'low', '2026')"
        )
        old.execute("INSERT INTO callers (number, name, standing) VALUES (?, 'kept', 'known')", (ANA,))
    store = Store(path)

    words = ("network", "spoken", "left", "kept", "spoken said:assistant")
    assert [found(store, word) for word in words] == [["CA1"]] * 5
    assert indexed(store) == ["kept", "left", "network", "spoken"]
    store.write(calls.remove, "CA1", datetime.fromisoformat("2026-11-21T09:00:00+00:00"))
    assert indexed(store) == ["kept"]


def canaries(folder: Path, *words: bytes) -> list[bytes]:
    """Those of the words that a file has. An index keeps of a word what the one before it has not."""
    content = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file()).lower()
    return [word for word in words if word in content]


@pytest.mark.parametrize("how", ["forget", "prune"])
def test_of_what_is_removed_no_word_is_left_in_the_index(
    store: Store,
    path: Path,
    ring: Callable[..., bool],
    say: Callable[..., None],
    leave: Callable[..., None],
    nine: datetime,
    how: str,
) -> None:
    for n in range(24):  # enough for the index to be in many pieces
        ring(f"CA{n}", from_number=ANA if n % 2 else SAM, started_at=nine - (100 if n % 2 else 1) * DAY)
        word = f"tangerine{n} elephant" if n % 2 else f"hello{n}"
        say(f"CA{n}", f"caller: {word}", f"assistant: {word}")
        leave(f"CA{n}", word, name=word)
        store.write(calls.set_columns, f"CA{n}", caller_name=word)
        store.write(calls.finish, f"CA{n}", ended_at=nine, ended_because="silence")
    store.write(callers.set_caller, ANA, name="walrus", notes="octopus")

    if how == "forget":
        housekeeping.forget(store, path.parent, ANA)
    else:
        housekeeping.prune(store, path.parent, now=nine)
        store.write(callers.remove, ANA)
        housekeeping.tidy(store)

    assert [word for word in indexed(store) if not word.startswith("hello")] == []
    assert canaries(path.parent, b"ngerine", b"lephant", b"alrus", b"ctopus") == []
    assert look(store, "hello1", limit=1).total == 5  # 10, 12, 14, 16, 18
    assert found(store, "elephant") == []
