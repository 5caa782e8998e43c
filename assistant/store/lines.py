"""The lines of calls in which something was found, with the words that were looked for marked.

The marking is done by FTS5 itself, in an index of a few lines in memory: whatever counts as the same word
there (accents, capitals, the beginning of a word, a phrase) is marked, and nothing else.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from sqlite_utils import Database

from assistant.store.query import Condition, Query

TOKENS = "unicode61 remove_diacritics 2"  # as both indexes in tables.py
KIND_OF = {"caller": 2, "assistant": 3}  # of a turn, in the index

MOST = 3  # lines of a call
ABOUT = ("name", "notes", "summary")  # kinds of lines that say something about a call
LONGEST = 280  # characters of a line
BEFORE = 90  # of them before the first marked word
_MARK, _END = "\x02", "\x03"

Parts = tuple[tuple[str, bool], ...]  # a text in pieces, and whether each was looked for


@dataclass(frozen=True, slots=True)
class Line:
    """A line of what is kept. `parts`: its text in pieces, and whether each is what was looked for.

    kind: turn, message, summary, name, notes or number. n: which turn of its call, from 1; 0: it is no turn.
    speaker: caller or assistant, of a turn.
    """

    kind: str
    parts: Parts
    n: int = 0
    speaker: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(text for text, _ in self.parts)


def line(kind: str, text: str | None, n: int = 0, speaker: str = "") -> Line:
    """A line in which nothing is marked yet."""
    return Line(kind, ((text or "", False),), n, speaker)


def expression(one: Condition) -> str:
    """A condition's words as FTS5 wants them: strings in quotes, in which nothing has a meaning."""
    texts = [one.value, *one.digits.spoken]
    quoted = ['"' + text.replace('"', '""') + '"' for text in texts]
    quoted[0] += " *" * one.beginning
    return f"({' OR '.join(quoted)})"


def any_of(words: Iterable[Condition]) -> str:
    """What finds the lines that have at least one of them."""
    return " OR ".join(map(expression, words))


def marked(query: Query, lines: Sequence[Line]) -> dict[int, Line]:
    """Those of the lines that have words of the query, marked and not too long, by their place in `lines`."""
    if not query.words or not lines:
        return {}
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.execute(f"CREATE VIRTUAL TABLE lines USING fts5 (text, tokenize = '{TOKENS}')")
        memory.executemany(
            "INSERT INTO lines (rowid, text) VALUES (?, ?)",
            ((place, re.sub(f"[{_MARK}{_END}]", "", one.text)) for place, one in enumerate(lines)),
        )
        found = memory.execute(
            "SELECT rowid, highlight(lines, 0, ?, ?) FROM lines WHERE lines MATCH ?",
            (_MARK, _END, any_of(query.words)),
        )
        return {place: replace(lines[place], parts=_shortened(_parts(text))) for place, text in found}


def _parts(text: str) -> Parts:
    pieces = re.split(f"{_MARK}([^{_END}]*){_END}", text)  # what was between marks is at the odd places
    return tuple((piece, place % 2 == 1) for place, piece in enumerate(pieces) if piece)


def _shortened(parts: Parts) -> Parts:
    """What is around the first marked word, of a long line."""
    if sum(len(text) for text, _ in parts) <= LONGEST:
        return parts
    first, is_hit = parts[0]
    if not is_hit and len(first) > BEFORE:
        parts = (("…" + first[-BEFORE:].partition(" ")[2], False), *parts[1:])
    short: list[tuple[str, bool]] = []
    left = LONGEST
    for text, is_hit in parts:
        if left > 0:
            short.append((text if len(text) <= left else text[:left].rpartition(" ")[0] + "…", is_hit))
        left -= len(text)
    return tuple(short)


# --- of calls ------------------------------------------------------------------------


@dataclass(slots=True)
class Lines:
    """The first lines of a call in which something was found, and how many more there are."""

    first: list[Line] = field(default_factory=list)
    more: int = 0

    def add(self, one: Line) -> None:
        if len(self.first) < MOST:
            self.first.append(one)
        else:
            self.more += 1


def lines_of(db: Database, query: Query, ns: str, calls: dict[str, dict[str, Any]]) -> dict[str, Lines]:
    """By call, the lines in which words of the query are. ns: the calls' `n`, as JSON; calls: by call_sid.

    What is known about a call or its caller is only shown where nothing was said or left that has the words.
    """
    turns = _turns(db, query, ns)
    candidates = [] if query.said else _around(db, query, calls)
    candidates += [(sid, one) for sid, lines in turns.items() for one in lines.first]
    hits = marked(query, [one for _, one in candidates])
    found: defaultdict[str, Lines] = defaultdict(Lines)
    about: defaultdict[str, Lines] = defaultdict(Lines)
    for place, (sid, one) in enumerate(candidates):
        if one.kind == "number" or place in hits:
            (about if one.kind in ABOUT else found)[sid].add(hits.get(place, one))
    for sid, lines in turns.items():
        found[sid].more += lines.more
    return {**about, **found}


def _turns(db: Database, query: Query, ns: str) -> dict[str, Lines]:
    """By call, the first turns that have words of the query; nothing is marked in them yet."""
    kinds = [KIND_OF[query.said]] if query.said else list(KIND_OF.values())
    # The calls of a page are near each other: between the first and the last of them there is little to read.
    first, last = db.execute("SELECT min(value), max(value) FROM json_each(?)", (ns,)).fetchone()
    rowids = db.execute(
        "SELECT rowid & 1073741823 FROM said WHERE said MATCH ? AND rowid BETWEEN ? << 32 AND (? + 1) << 32"
        " AND (rowid >> 30) & 3 IN (SELECT value FROM json_each(?))"
        " AND rowid >> 32 IN (SELECT value FROM json_each(?))",
        (any_of(query.words), first, last, orjson.dumps(kinds).decode(), ns),
    )
    turns = db.execute(
        "WITH numbered AS (SELECT id, call_sid, speaker, text, row_number() OVER"
        " (PARTITION BY call_sid ORDER BY position, started_ms, id) AS place FROM turns WHERE call_sid IN"
        " (SELECT call_sid FROM calls WHERE n IN (SELECT value FROM json_each(?))))"
        " SELECT call_sid, text, place, speaker FROM numbered WHERE id IN (SELECT value FROM json_each(?))"
        " ORDER BY call_sid, place",
        (ns, orjson.dumps([row[0] for row in rowids]).decode()),
    )
    found: defaultdict[str, Lines] = defaultdict(Lines)
    for sid, text, place, speaker in turns:
        found[sid].add(line("turn", text, place, speaker))
    return found


def _around(db: Database, query: Query, calls: dict[str, dict[str, Any]]) -> list[tuple[str, Line]]:
    """What there is of these calls besides turns, by call: who rang, what they left, what came of it."""
    sids = orjson.dumps(list(calls)).decode()
    notes = dict(db.execute("SELECT number, notes FROM callers WHERE notes <> ''"))
    messages = {
        row[0]: row[1:]
        for row in db.execute(
            "SELECT call_sid, text, name, callback_number FROM messages WHERE call_sid IN"
            " (SELECT value FROM json_each(?)) ORDER BY id",
            (sids,),
        )
    }
    found = []
    for sid, call in calls.items():
        text, name, callback_number = messages.get(sid, ("", "", ""))
        lines = [line("name", call["kept_name"]), line("name", call["caller_name"]), line("name", name)]
        lines += [line("number", one) for one in (call["from"], callback_number) if _is_meant(query, one)][:1]
        lines += [
            line("notes", notes.get(call["from"])),
            line("message", text),
            line("summary", call["summary"]),
        ]
        found += [(sid, one) for one in lines]
    return found


def _is_meant(query: Query, number: str | None) -> bool:
    """Whether this number is looked for."""
    plain = re.sub(r"[ ().+/-]", "", number or "").lower()
    digits = [one.digits for one in query.words]
    return any(
        any(part in plain for part in each.anywhere) or any(plain.endswith(end) for end in each.last)
        for each in digits
    )
