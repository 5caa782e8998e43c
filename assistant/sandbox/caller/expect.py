"""Whether a call went as its script says: what the caller's side saw, and what the app kept of it.

`kept` is the call as the app exports it (the contract's keys), or None when it knows no such call.
Pure; every reason is one line for a person to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from assistant.sandbox.caller.caller import CallRecord
from assistant.sandbox.caller.playout import Heard
from assistant.sandbox.caller.script import Expected

# How far the app's account of what was heard may be from what the phone really played.
TOLERANCE_MS = 40
# The app's clock starts when it reads `start`, the phone's when it sends it.
CLOCKS_APART_MS = 200

Kept = dict[str, Any]


def reasons_against(record: CallRecord, kept: Kept | None) -> list[str]:
    """Why the call did not go as expected; empty when it did."""
    reasons = [*record.problems, *_phone_reasons(record)]
    if kept is None:
        return [*reasons, "the app knows nothing of this call"]
    return [*reasons, *_kept_reasons(record.expected, kept), *heard_reasons(record, kept)]


def _phone_reasons(record: CallRecord) -> Iterator[str]:
    """What the telephone company's side saw."""
    expected = record.expected
    for complaint in record.complaints:
        if complaint.code not in expected.complaints:
            yield f"the telephone company complains: {complaint}"
    yield from _differs("ended at the telephone company by", expected.ended_by, record.ended_by)
    yield from _differs("media streams", expected.streams, len(record.streams))
    if len(record.recordings) != expected.recordings:
        yield f"voicemails: {len(record.recordings)}, expected {expected.recordings}"
    for recording in record.recordings:
        if not recording.fetched or not recording.deleted:
            yield f"voicemail {recording.sid} was {'not deleted' if recording.fetched else 'never fetched'}"


def _kept_reasons(expected: Expected, kept: Kept) -> Iterator[str]:
    """What the app kept."""
    yield from _differs("outcome", expected.outcome, kept["outcome"])
    yield from _differs("ended_because", expected.ended_because, kept["ended_because"])
    yield from _differs("trust", expected.trust, kept["trust"])
    if expected.from_withheld and kept["from"] is not None:
        yield f"a withheld number is kept as {kept['from']}"
    yield from _tool_reasons(expected, kept["tool_runs"])
    yield from _turn_reasons(expected, _of_assistant(kept))
    text = (kept["message"] or {}).get("text") or ""
    for words in expected.message:
        if words.lower() not in text.lower():
            yield f"the message does not say {words!r}"


def _tool_reasons(expected: Expected, runs: list[Kept]) -> Iterator[str]:
    ran = tuple(run["name"] for run in runs if not run["refused"])
    refused = tuple(run["name"] for run in runs if run["refused"])
    if not _as_listed(ran, expected.tools):
        yield f"tools that ran: {_names(ran)}, expected {_names(expected.tools)}"
    if refused != expected.refused:
        yield f"tools refused: {_names(refused)}, expected {_names(expected.refused)}"
    if expected.errors is not None:
        errors = tuple(run["result"]["error"] for run in runs if not run["result"].get("ok"))
        yield from _differs("errors of the tools", _names(expected.errors), _names(errors))


def _as_listed(ran: tuple[str, ...], expected: tuple[str, ...]) -> bool:
    """Whether these tools ran; one listed as `name+` may have run several times in a row."""
    pattern = "".join(
        f"(?:{name.removesuffix('+')} ){'+' if name.endswith('+') else ''}" for name in expected
    )
    return re.fullmatch(pattern, "".join(f"{name} " for name in ran)) is not None


def _turn_reasons(expected: Expected, turns: list[Kept]) -> Iterator[str]:
    if len(turns) < expected.turns:
        yield f"the assistant spoke {len(turns)} times, expected {expected.turns} at least"
    cut = sum(turn["interrupted"] for turn in turns)
    yield from _differs("turns interrupted", expected.interrupted, cut)
    said = " ".join(turn["text"] for turn in turns).lower()
    yield from (f"the assistant never said {words!r}" for words in expected.said if words.lower() not in said)
    yield from (f"the assistant said {words!r}" for words in expected.not_said if words.lower() in said)


def heard_reasons(record: CallRecord, kept: Kept) -> Iterator[str]:
    """Where the app's account of an interrupted reply differs from what the phone really played."""
    for stretch in record.heard:
        if stretch.cut:
            accounted = sum(turn["heard_ms"] for turn in turns_within(stretch, kept))
            if abs(accounted - stretch.played_ms) > TOLERANCE_MS:
                yield f"heard_ms is {accounted} where the phone played {stretch.played_ms:.0f} ms"


def turns_within(stretch: Heard, kept: Kept) -> list[Kept]:
    """The assistant's turns that were spoken in a stretch of voice (one, or several queued together)."""
    begins, ends = stretch.started_ms - CLOCKS_APART_MS, stretch.ended_ms
    return [turn for turn in _of_assistant(kept) if begins <= turn["started_ms"] < ends]


def _of_assistant(kept: Kept) -> list[Kept]:
    return [turn for turn in kept["turns"] if turn["speaker"] == "assistant"]


def _differs(what: str, expected: object, found: object) -> Iterator[str]:
    if expected is not None and expected != found:
        yield f"{what}: {found}, expected {expected}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
