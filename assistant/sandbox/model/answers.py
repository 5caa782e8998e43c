"""What the sandbox's model takes from a tool's answer: which kind of answer it is, and facts for later.

It reads the answers as a model would, by their words: free times, an appointment's id and when it is.
"""

from __future__ import annotations

import json
from typing import Any

from assistant.sandbox.model.times import spoken


def names_of(output: str) -> list[str]:
    """What kind of answer this is, the most exact name first; `ok` or `refused` is always the last."""
    told = _read(output)
    if told.get("ok", bool(output)) is not True:
        return [str(told.get("error", "")), "refused"]
    empty = [] in (told.get("suggestions"), told.get("events"))
    true_of_it = {
        str(told.get("status")): "status" in told,
        "key": "waits_for_key" in told,
        "cancelled": bool(told.get("cancelled")),
        "later": empty and bool(told.get("later")),
        "nothing": empty,
        "ok": True,
    }
    return [name for name, holds in true_of_it.items() if holds]


def answer_in(note: str) -> str:
    """The tool's answer a note tells of; "" when it tells of none."""
    answer = note[note.find("{") :] if "{" in note else ""
    return answer if _read(answer) else ""


def facts_in(output: str) -> dict[str, str]:
    """`date`, `time` and `when` of a free time or an appointment, `event_id`, and what `events` there are."""
    told = _read(output)
    facts: dict[str, str] = {}
    for free in _objects(told.get("suggestions") or told.get("later") or told.get("free"))[:1]:
        facts |= {name: str(free.get(name, "")) for name in ("date", "time")} | {"when": _when(free)}
    for moment in _objects([told.get(name) for name in ("requested", "booked", "moved")]):
        facts["when"] = _when(moment)
    if events := _objects(told.get("events")):
        facts["events"] = " and ".join(f"{event.get('title', '')}, {_when(event)}" for event in events)
    if told.get("event_id"):
        facts["event_id"] = str(told["event_id"])
    return facts


def _when(moment: dict[str, Any]) -> str:
    return spoken(str(moment.get("weekday", "")), str(moment.get("time") or moment.get("start", "")))


def _read(output: str) -> dict[str, Any]:
    try:
        told = json.loads(output)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _objects(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
