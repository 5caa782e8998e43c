"""A calendar as Google keeps it: etags, cancelled events that keep their id, pages, parts of answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

PAGE = 50  # as it pleases Google: less than was asked for


class Shelf:
    """The events of one calendar. Nothing minds that two of them overlap."""

    def __init__(self, timezone: str = "Europe/Berlin", summary: str = "owner@example.com") -> None:
        self.timezone = timezone
        self.summary = summary
        self.items: dict[str, dict[str, Any]] = {}
        self._changes = 0

    def put(self, event_id: str, start: str, end: str, **more: Any) -> dict[str, Any]:
        """An event of the owner's own: dates, or times with their offset."""
        kind = "date" if len(start) == 10 else "dateTime"
        item = {"summary": event_id, "start": {kind: start}, "end": {kind: end}, **more}
        return self.keep({"id": event_id, "status": "confirmed", **item})

    def keep(self, item: dict[str, Any]) -> dict[str, Any]:
        self._changes += 1
        kept = {
            "kind": "calendar#event",
            "eventType": "default",
            "htmlLink": f"https://www.google.com/calendar/event?eid={item['id']}",
            **item,
            "etag": f'"{self._changes}"',
        }
        self.items[kept["id"]] = kept
        return kept

    def alive(self) -> list[dict[str, Any]]:
        return [item for item in self.items.values() if item["status"] != "cancelled"]

    def between(self, time_min: str | None, time_max: str | None) -> list[dict[str, Any]]:
        """What overlaps, by start."""
        found = [
            item
            for item in self.alive()
            if (time_min is None or self.at(item["end"]) > datetime.fromisoformat(time_min))
            and (time_max is None or self.at(item["start"]) < datetime.fromisoformat(time_max))
        ]
        return sorted(found, key=lambda item: self.at(item["start"]))

    def busy(self, time_min: str, time_max: str) -> list[dict[str, str]]:
        return [
            {name: self.at(item[name]).isoformat().replace("+00:00", "Z") for name in ("start", "end")}
            for item in self.between(time_min, time_max)
            if item.get("transparency") != "transparent" and not _declined(item)
        ]

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        found = self.between(query.get("timeMin"), query.get("timeMax"))
        begin = int(query.get("pageToken", 0))
        end = begin + min(PAGE, int(query.get("maxResults", 250)))
        answer = {
            "kind": "calendar#events",
            "summary": self.summary,
            "timeZone": self.timezone,
            "items": found[begin:end],
        }
        return {**answer, "nextPageToken": str(end)} if end < len(found) else answer

    def at(self, when: dict[str, str]) -> datetime:
        if "dateTime" in when:
            at = datetime.fromisoformat(when["dateTime"])
            return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(when["timeZone"]))).astimezone(UTC)
        return datetime.combine(date.fromisoformat(when["date"]), time(), ZoneInfo(self.timezone))


def _declined(item: dict[str, Any]) -> bool:
    return any(one.get("self") and one["responseStatus"] == "declined" for one in item.get("attendees", []))


def laid_over(item: Any, change: Any) -> Any:
    """What a patch makes of it: null takes away."""
    if not isinstance(item, dict) or not isinstance(change, dict):
        return change
    merged = {**item, **{key: laid_over(item.get(key), value) for key, value in change.items()}}
    return {key: value for key, value in merged.items() if value is not None}


def without_nulls(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {key: without_nulls(value) for key, value in body.items() if value is not None}


def part(answer: dict[str, Any], fields: str | None) -> dict[str, Any]:
    """The part of an answer that `fields` asks for: "a,b(c,d/e)"."""
    return answer if not fields else _part(answer, _tree(iter(re.findall(r"[A-Za-z]+|[(),/]", fields))))


def _tree(words: Iterator[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    here, name = tree, ""
    for found in words:
        if found == ")":
            break
        if found == "(":
            here[name].update(_tree(words))
        elif found == "/":
            here = here[name]
        elif found == ",":
            here = tree
        else:
            name = found
            here[name] = {}
    return tree


def _part(value: Any, tree: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_part(one, tree) for one in value]
    if not tree or not isinstance(value, dict):
        return value
    return {name: _part(value[name], below) for name, below in tree.items() if name in value}
