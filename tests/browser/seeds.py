"""A furnished house: calls of every outcome, what was said on them, their sound, a calendar, callers.

Everything goes in through the store, as the program itself puts it in. The sound of a conversation is made of
the sandbox's voices, and its turns have the times of that sound: what is pressed on the page is heard there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from assistant.audio import BYTES_PER_MS, duration_ms, silence
from assistant.sandbox.lines import shipped
from assistant.store import (
    Database,
    appointments,
    callers,
    calls,
    events,
    messages,
    open_database,
    preferences,
    step_ins,
)
from assistant.store.recordings import DIRECTORY, append
from tests.browser.plots import BLOCKED, MESSAGE, NUISANCE, PEOPLE, PLOTS, Plot, Ran, Said, Talk

DATABASE = "afterbeep.db"
ZONE = "Europe/London"
OWNED = "+12025550100"
FIRST_WORD_MS, PAUSE_MS = 400, 500
TAKES_MS = 180
MOST_SOUNDS = 12  # recordings are for the newest calls; older ones have lost theirs
CALLS = 64
APART = timedelta(hours=5, minutes=20)
USAGE = {"text_in": 900, "text_out": 120, "audio_in": 400, "audio_cached": 100, "audio_out": 300}


def sid(number: int) -> str:
    """The call of that number; 0 is the newest."""
    return f"CA{number:032x}"


GOING_ON = sid(100)


def furnish(instance: Path) -> None:
    """Fill an instance that no program runs on."""
    with closing(open_database(instance / DATABASE)) as db:
        db.execute("BEGIN IMMEDIATE")  # one commit, not hundreds
        _people(db)
        _calls(db, instance)
        _calendar(db)
        for name, value in {"owner_name": "Robin", "timezone": ZONE}.items():
            preferences.set(db, name, value)
        db.commit()


def begin_one(instance: Path) -> None:
    """A call that goes on, in an instance whose program runs: it closes at its start what was left open."""
    with closing(open_database(instance / DATABASE)) as db:
        begin(db, GOING_ON, "+442079460018", datetime.now(UTC) - timedelta(seconds=40))
        for happened in timed(MESSAGE)[:9]:
            happened.keep(db, GOING_ON)
        step_ins.keep(db, GOING_ON, step_key="key", kind="tell", text="I am on my way.", at_ms=9000)


def keep_line(db: Database, call_sid: str, text: str) -> None:
    """One more thing that the caller says."""
    late = Happened(Said("hello"), 99, 60_000, 61_000).turn()
    calls.keep_turn(db, call_sid, {**late, "text": text, "heard_text": text})


def _people(db: Database) -> None:
    for number, name, standing in PEOPLE:
        if number and name:
            callers.set_caller(db, number, name=name, standing=standing)
    callers.set_caller(db, NUISANCE, standing="blocked")
    callers.set_caller(db, "+12025550123", notes="Comes on Tuesdays. Has a key.")


def _calls(db: Database, instance: Path) -> None:
    now = datetime.now(UTC)
    (instance / DIRECTORY).mkdir(mode=0o700, exist_ok=True)
    for number, (plot, person) in enumerate(islice(zip(cycle(PLOTS), cycle(PEOPLE)), CALLS)):
        _call(db, number, plot, person[0], now - timedelta(minutes=25) - APART * number)
        if number < MOST_SOUNDS:
            _sound(db, number, plot, instance)
    _call(db, CALLS, BLOCKED, NUISANCE, now - timedelta(hours=3))
    step_ins.keep(db, sid(2), step_key="key", kind="tell", text="I am on my way.", at_ms=9000)
    # Half of them were looked at, and the oldest are done with.
    db.execute("UPDATE calls SET state = 'open' WHERE n > 6")
    db.execute("UPDATE calls SET state = 'done' WHERE n > 12 AND n % 3 = 0")


def _call(db: Database, n: int, plot: Plot, caller: str | None, started_at: datetime) -> None:
    call_sid = sid(n)
    begin(db, call_sid, caller, started_at)
    calls.set_answered(db, call_sid, started_at + timedelta(seconds=1))
    length_ms = FIRST_WORD_MS
    for happened in timed(plot.talk):
        length_ms = happened.ends_ms
        happened.keep(db, call_sid)
    if plot.message:
        name, text, urgency = plot.message
        number = caller or "+12025550143"
        messages.add(db, call_sid, name=name, callback_number=number, text=text, urgency=urgency,
                     created_at=started_at)  # fmt: skip
    had_stream = {"had_stream": True} if plot.talk else {}
    calls.set_columns(db, call_sid, **had_stream, **plot.facts)
    model = {"usage": USAGE, "cost_usd": 0.043, "first_sound_ms": 420, "response_ms": [610, 740, 580]}
    ended_at = started_at + timedelta(milliseconds=length_ms + 1500)
    calls.finish(db, call_sid, ended_at=ended_at, ended_because=plot.because, **(model if plot.talk else {}))


def begin(db: Database, call_sid: str, caller: str | None, started_at: datetime, **facts: Any) -> None:
    """A call comes in."""
    known = {number for number, _, standing in PEOPLE if standing == "known"}
    usual: dict[str, Any] = {
        "direction": "inbound",
        "from_number": caller,
        "to_number": OWNED,
        "forwarded_from": None,
        "caller_name": None,
        "trust": "known" if caller in known else "stranger",
        "stir_verstat": None,
        "started_at": started_at,
    }
    calls.begin(db, call_sid, **{**usual, **facts})


# --- what happened, and when ----------------------------------------------------------------


@dataclass(frozen=True)
class Happened:
    """One thing on the clock of a call. `n`: which in its call."""

    what: Said | Ran
    n: int
    starts_ms: int
    ends_ms: int

    def keep(self, db: Database, call_sid: str) -> None:
        """Write it down."""
        if isinstance(self.what, Said):
            calls.keep_turn(db, call_sid, self.turn())
        else:
            ran = self.what
            calls.keep_tool_run(
                db, call_sid, tool_call_id=f"tool_{self.n}", name=ran.name, arguments=ran.arguments,
                result=ran.result, refused=ran.refused, started_ms=self.starts_ms, took_ms=TAKES_MS,
            )  # fmt: skip

    def turn(self) -> dict[str, Any]:
        """What was said, as it is kept."""
        said = self.what
        assert isinstance(said, Said)
        line = shipped()[said.line]
        heard_ms = self.ends_ms - self.starts_ms
        words = line.text.split()
        heard = words[: len(words) * heard_ms // duration_ms(line.payload)] if said.cut_ms else words
        return {
            "item_id": f"item_{self.n}",
            "position": float(self.n),
            "speaker": line.speaker,
            "text": line.text,
            "heard_text": " ".join(heard),
            "interrupted": said.cut_ms is not None,
            "started_ms": self.starts_ms,
            "ended_ms": self.ends_ms,
            "heard_ms": heard_ms,
        }


@cache
def timed(talk: Talk) -> tuple[Happened, ...]:
    """A conversation, one thing after the other."""
    return tuple(_timed(talk))


def _timed(talk: Talk) -> Iterator[Happened]:
    now_ms = FIRST_WORD_MS
    for n, what in enumerate(talk, start=1):
        length_ms = (
            TAKES_MS if isinstance(what, Ran) else what.cut_ms or duration_ms(shipped()[what.line].payload)
        )
        yield Happened(what, n, now_ms, now_ms + length_ms)
        now_ms += length_ms + PAUSE_MS


def lanes(talk: Talk) -> tuple[bytes, bytes]:
    """The sound of a conversation: the caller's side and the assistant's."""
    sides = {"caller": b"", "assistant": b""}
    for happened in timed(talk):
        if isinstance(happened.what, Said):
            line = shipped()[happened.what.line]
            gap_ms = happened.starts_ms - duration_ms(sides[line.speaker])
            cut = line.payload[: (happened.ends_ms - happened.starts_ms) * BYTES_PER_MS]
            sides[line.speaker] += silence(gap_ms) + cut
    length = max(map(len, sides.values())) + PAUSE_MS * BYTES_PER_MS
    caller, assistant = (side.ljust(length, silence(1)[:1]) for side in sides.values())
    return caller, assistant


def _sound(db: Database, number: int, plot: Plot, instance: Path) -> None:
    """The recording of a call, or what was spoken after the beep."""
    if plot.talk:
        _write_sound(db, number, "call", lanes(plot.talk), instance)
    if plot.voicemail:
        _write_sound(db, number, "voicemail", lanes((Said("message-1"), Said("message-number"))), instance)


def _write_sound(db: Database, number: int, kind: str, sides: tuple[bytes, bytes], instance: Path) -> None:
    file = f"{DIRECTORY}/{sid(number)}.{kind}.wav"
    seconds = append(str(instance / file), *sides)
    calls.add_recording(db, sid(number), kind=kind, file=file, seconds=seconds)


# --- the calendar ---------------------------------------------------------------------------


def _calendar(db: Database) -> None:
    today = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    for days, hours, title in (
        (1, 0, "Dentist"),
        (1, 4, "Lunch with Sam"),
        (2, 1, "Choir"),
        (4, 2, "Survey"),
    ):
        start = today + timedelta(days=days, hours=hours)
        events.add(db, events.Entry(f"entry{days}{hours}", start, start + timedelta(hours=1), ZONE, title))
    _booking(db, 0, "+12025550123", "Sam", "requested", today + timedelta(days=3))
    _booking(db, 1, "+442079460018", "Ana", "requested", today + timedelta(days=3, hours=1))
    _booking(db, 2, None, "Lee", "booked", today + timedelta(days=3, hours=2))


def _booking(
    db: Database, n: int, number: str | None, name: str, status: appointments.Status, start: datetime
) -> None:
    appointments.hold(
        db, call_sid=sid(11 * n + 1), tool_call_id=f"booking_{n}", number=number, trust="stranger",
        caller_name=name, title=f"Appointment with {name}", start=start, end=start + timedelta(minutes=30),
        timezone=ZONE, status=status, calendar="embedded" if status == "booked" else "",
        event_id=f"booked{n}", clear=None, now=datetime.now(UTC),
    )  # fmt: skip
