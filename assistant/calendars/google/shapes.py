"""Google's events and ours. Pure.

What Google calls an event is more than an appointment: cancelled ones keep their id, a working place and a
birthday take no time, an invitation that was declined is somebody else's. Days have no zone there: they are
the calendar's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from assistant.calendars.events import Event, NewEvent, Span

Item = Mapping[str, Any]

MARK = "afterbeep"  # the private property that says an event is the assistant's
CALL = "call_sid"
FIELDS = (
    "id,etag,status,summary,start,end,transparency,eventType,htmlLink,"
    "attendees(self,responseStatus),extendedProperties/private"
)
LONGEST_DESCRIPTION = 8000
NOT_BUSY = frozenset({"workingLocation", "birthday"})
# Google shows a description as HTML, and callers' words are in it.
NO_MARKUP = str.maketrans("<>", "‹›")


def body_of(new: NewEvent, call_page: str) -> dict[str, Any]:
    """An event to be inserted. call_page: the address of its call's page, or ""."""
    private = {MARK: "1", **({CALL: new.call_sid} if new.call_sid else {})}
    body: dict[str, Any] = {
        "id": new.event_id,
        "summary": new.title,
        **times_of(new.span, new.timezone, all_day=new.all_day),
        "status": new.status,
        "transparency": "opaque",
        "visibility": "private",  # who shares the calendar sees no caller's name
        "extendedProperties": {"private": private},
        "reminders": {"useDefault": True},
    }
    if new.description:
        body["description"] = new.description.translate(NO_MARKUP)[:LONGEST_DESCRIPTION]
    if call_page.startswith("https://"):
        body["source"] = {"title": "Afterbeep", "url": call_page}
    return body


def times_of(span: Span, timezone: str, *, all_day: bool) -> dict[str, Any]:
    """`start` and `end` of an event: offset and zone, or dates."""
    return {"start": _when(span.start, timezone, all_day), "end": _when(span.end, timezone, all_day)}


def changed_times(span: Span, timezone: str, *, was_all_day: bool) -> dict[str, Any]:
    """The same for an event that is there already. One of whole days stays one as long as it can."""
    zone = ZoneInfo(timezone)
    midnights = all(at.astimezone(zone).time() == time() for at in span)
    if not was_all_day:
        return times_of(span, timezone, all_day=False)
    if midnights:
        return times_of(span, timezone, all_day=True)
    # A change is laid over what is there: without this the event would keep its dates as well.
    return {name: {**when, "date": None} for name, when in times_of(span, timezone, all_day=False).items()}


def times_before(item: Item) -> dict[str, Any]:
    """The change that gives an event the times of this one, whatever kind its own are by then."""
    nothing = {"date": None, "dateTime": None, "timeZone": None}
    return {name: {**nothing, **item[name]} for name in ("start", "end")}


def is_at(item: Item, change: Item) -> bool:
    """Whether an event has the times of a change."""
    wished = {name: {key: value for key, value in change[name].items() if value} for name in ("start", "end")}
    utc = ZoneInfo("UTC")  # days are compared with days
    return is_all_day(item) == is_all_day(wished) and span_of(item, utc) == span_of(wished, utc)


def _when(at: datetime, timezone: str, all_day: bool) -> dict[str, str]:
    local = at.astimezone(ZoneInfo(timezone))
    if all_day:
        return {"date": local.date().isoformat()}
    return {"dateTime": local.isoformat(timespec="seconds"), "timeZone": timezone}


def event_of(item: Item, zone: ZoneInfo) -> Event:
    """An event of Google's as ours. zone: the calendar's."""
    link = str(item.get("htmlLink") or "")
    return Event(
        event_id=str(item["id"]),
        span=span_of(item, zone),
        title=str(item.get("summary") or "(no title)"),
        all_day=is_all_day(item),
        busy=is_busy(item),
        status="tentative" if item.get("status") == "tentative" else "confirmed",
        ours=is_ours(item),
        call_sid=_private(item).get(CALL) if is_ours(item) else None,
        link=link if link.startswith("https://") else "",
    )


def span_of(item: Item, zone: ZoneInfo) -> Span:
    start = _moment(item["start"], zone)
    return Span(start, max(start, _moment(item["end"], zone)))


def span_of_busy(period: Mapping[str, str]) -> Span:
    """A period of a free/busy answer."""
    return Span(_aware(period["start"], ZoneInfo("UTC")), _aware(period["end"], ZoneInfo("UTC")))


def zone_of(page: Mapping[str, Any]) -> ZoneInfo:
    """The calendar's zone, which every list of events tells. Raises LookupError, ValueError."""
    return ZoneInfo(page["timeZone"])


def is_event_id(text: str) -> bool:
    """Whether it can be one: what cannot is not sent, since it becomes a part of an address."""
    return re.fullmatch(r"[A-Za-z0-9_-]{1,1024}", text) is not None


def is_all_day(item: Item) -> bool:
    return "date" in item["start"]


def is_ours(item: Item) -> bool:
    """Whether the assistant made it."""
    return _private(item).get(MARK) == "1"


def is_gone(item: Item) -> bool:
    return item.get("status") == "cancelled"


def is_busy(item: Item) -> bool:
    """Whether it takes up its time."""
    return (
        not is_gone(item)
        and item.get("transparency") != "transparent"
        and item.get("eventType") not in NOT_BUSY
        and not is_declined(item)
    )


def is_shown(item: Item) -> bool:
    """Whether it is something that is on, for the owner."""
    return not is_gone(item) and item.get("eventType") != "workingLocation" and not is_declined(item)


def is_declined(item: Item) -> bool:
    """An invitation to which the owner said no."""
    return any(
        guest.get("self") and guest.get("responseStatus") == "declined" for guest in item.get("attendees", ())
    )


def _private(item: Item) -> Mapping[str, str]:
    private: Mapping[str, str] = item.get("extendedProperties", {}).get("private", {})
    return private


def _moment(when: Mapping[str, str], zone: ZoneInfo) -> datetime:
    if "dateTime" in when:
        return _aware(when["dateTime"], zone)
    return datetime.combine(date.fromisoformat(when["date"]), time(), zone).astimezone(UTC)


def _aware(text: str, zone: ZoneInfo) -> datetime:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
