"""The owner's primary calendar at Google.

Nobody at Google refuses an appointment where another one is: what must be alone is looked at again after it
was written, and taken back when something else is there. An answer that does not come says nothing about
what was done, so what was to be written is then asked for by its id; that id is ours, and the same attempt
always has the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from assistant.calendars.events import Deadline, Event, NewEvent, Span
from assistant.calendars.google import shapes
from assistant.calendars.google.failures import Failed
from assistant.calendars.google.wire import Asks
from assistant.errors import CalendarUnavailable, NoSuchEvent, SlotTaken, UnknownOutcome

PRIMARY = "primary"
LONGEST_QUESTION = timedelta(days=60)  # Google gives no more than about 90 days of free/busy at once
PAGE = 2500  # events of one answer
MOST_PAGES = 20
GONE = (404, 410)


class GoogleCalendar:
    """Calendar of assistant/calendars/events.py. call_page: the address of a call's page, or ""."""

    kind: Literal["google"] = "google"

    def __init__(self, wire: Asks, call_page: Callable[[str], str] = lambda call_sid: "") -> None:
        self._wire = wire
        self._call_page = call_page

    # --- reading ---------------------------------------------------------------

    def busy(self, span: Span, deadline: Deadline, *, without: str | None = None) -> list[Span]:
        """By free/busy, which tells no titles; only what leaves out an event needs the events themselves."""
        if without is not None:
            return [event.span for event in self._others(span, without, deadline)]
        spans = [found for piece in _pieces(span) for found in self._free_busy(piece, deadline)]
        return sorted({found for found in spans if found.start < found.end})

    def events(self, span: Span, deadline: Deadline) -> list[Event]:
        return sorted(self._listed(span, deadline), key=lambda event: (event.span, event.event_id))

    def event(self, event_id: str, deadline: Deadline) -> Event | None:
        item = self._item(event_id, deadline)
        return None if item is None else self._event(item, deadline)

    def account_name(self, deadline: Deadline) -> str:
        """The calendar's title: the account's address, unless the owner has changed it."""
        request = self._wire.service.events().list(
            calendarId=PRIMARY, maxResults=1, fields="summary,timeZone"
        )
        return str(self._wire.ask(request, deadline, again=True).get("summary") or "")

    def _free_busy(self, span: Span, deadline: Deadline) -> list[Span]:
        body = {
            "timeMin": span.start.isoformat(),
            "timeMax": span.end.isoformat(),
            "items": [{"id": PRIMARY}],
        }
        answer = self._wire.ask(self._wire.service.freebusy().query(body=body), deadline, again=True)
        with _reading():
            calendars = answer["calendars"].values()
            if len(calendars) != 1 or any(calendar.get("errors") for calendar in calendars):
                raise CalendarUnavailable("Google's calendar could not say what is free.", "refused")
            return [shapes.span_of_busy(one) for calendar in calendars for one in calendar.get("busy", [])]

    def _others(self, span: Span, event_id: str, deadline: Deadline) -> list[Event]:
        """What takes up time in `span`, except one event."""
        return [
            event
            for event in self.events(span, deadline)
            if event.busy
            and event.event_id != event_id
            and event.span.start < event.span.end
            and event.span.overlaps(span)
        ]

    def _listed(self, span: Span, deadline: Deadline) -> Iterator[Event]:
        events = self._wire.service.events()
        request = events.list(
            calendarId=PRIMARY,
            timeMin=span.start.isoformat(),
            timeMax=span.end.isoformat(),
            singleEvents=True,
            orderBy="startTime",
            maxResults=PAGE,
            fields=f"timeZone,nextPageToken,items({shapes.FIELDS})",
        )
        for _ in range(MOST_PAGES):
            page = self._wire.ask(request, deadline, again=True)
            with _reading():
                zone = shapes.zone_of(page)
                found = [
                    shapes.event_of(item, zone) for item in page.get("items", []) if shapes.is_shown(item)
                ]
                request = events.list_next(request, page)
            yield from found
            if request is None:
                return
        raise CalendarUnavailable("There is more in the calendar than can be looked through.", "refused")

    def _item(self, event_id: str, deadline: Deadline) -> dict[str, Any] | None:
        """An event as Google has it; None when it is not there, or not any more."""
        events = self._wire.service.events()
        if not shapes.is_event_id(event_id):
            return None
        request = events.get(calendarId=PRIMARY, eventId=event_id, fields=shapes.FIELDS)
        try:
            item = self._wire.ask(request, deadline, again=True)
        except Failed as failed:
            if failed.status in GONE:
                return None
            raise
        with _reading():
            if item["id"] != event_id:
                raise ValueError("another event")
            return None if shapes.is_gone(item) else item

    def _event(self, item: dict[str, Any], deadline: Deadline) -> Event:
        with _reading():
            if not shapes.is_all_day(item):
                return shapes.event_of(item, ZoneInfo("UTC"))
        # Days are the calendar's, and only a list says where that is.
        request = self._wire.service.events().list(calendarId=PRIMARY, maxResults=1, fields="timeZone")
        page = self._wire.ask(request, deadline, again=True)
        with _reading():
            return shapes.event_of(item, shapes.zone_of(page))

    # --- writing ---------------------------------------------------------------

    def add(self, new: NewEvent, deadline: Deadline, *, clear: Span | None = None) -> Event:
        item = self._insert(new, deadline)
        if clear is not None and self._is_taken(clear, item["id"], deadline):
            with _or_unknown("Something else was put there at the same moment, and ours may still be there."):
                self.remove(item["id"], deadline)
            raise SlotTaken("Something else was put into the calendar at that time, at the same moment.")
        with _or_unknown("The appointment is in the calendar, but not all of it could be read back."):
            return self._event(item, deadline)

    def move(
        self, event_id: str, span: Span, timezone: str, deadline: Deadline, *, clear: Span | None = None
    ) -> Event:
        before = self._item(event_id, deadline)
        if before is None:
            raise NoSuchEvent("The appointment is not in the calendar any more.")
        with _reading():
            body = shapes.changed_times(span, timezone, was_all_day=shapes.is_all_day(before))
        after = self._patch(before, body, deadline)
        if clear is not None and self._is_taken(clear, event_id, deadline):
            with _or_unknown("Something else was put there at the same moment, and ours may be there too."):
                self._patch(after, shapes.times_before(before), deadline)
            raise SlotTaken("Something else was put into the calendar at that time, at the same moment.")
        with _or_unknown("The appointment was moved, but not all of it could be read back."):
            return self._event(after, deadline)

    def remove(self, event_id: str, deadline: Deadline) -> None:
        try:
            self._delete(event_id, deadline)
        except Failed as failed:
            if not failed.may_have_worked:
                raise
            # To delete twice does no harm, and the second answer tells about the first.
            with _or_unknown("Google was asked to remove the appointment and did not say whether it did."):
                self._delete(event_id, deadline)

    def _delete(self, event_id: str, deadline: Deadline) -> None:
        events = self._wire.service.events()
        if not shapes.is_event_id(event_id):
            return
        try:
            self._wire.ask(events.delete(calendarId=PRIMARY, eventId=event_id, sendUpdates="none"), deadline)
        except Failed as failed:
            if failed.status not in GONE:
                raise

    def _insert(self, new: NewEvent, deadline: Deadline, *, again: bool = True) -> dict[str, Any]:
        body = shapes.body_of(new, self._call_page(new.call_sid) if new.call_sid else "")
        request = self._wire.service.events().insert(
            calendarId=PRIMARY, body=body, sendUpdates="none", fields=shapes.FIELDS
        )
        try:
            return self._written(request, new.event_id, deadline)
        except Failed as failed:
            if failed.status != 409 and not failed.may_have_worked:
                raise
            cut = failed.status != 409
        unknown = "Google was asked to add the appointment and did not say whether it did."
        with _or_unknown(unknown):
            item = self._item(new.event_id, deadline)
        if item is None and cut:
            raise UnknownOutcome(unknown)  # it may still be on its way
        if item is None and again:
            # Ours was taken out again (something was quicker, say), and keeps its id for ever.
            return self._insert(replace(new, event_id=new.event_id + "0"), deadline, again=False)
        if item is None or not shapes.is_ours(item):
            raise CalendarUnavailable("The appointment's place in the calendar is another's.", "refused")
        return self._at_its_time(item, body, deadline)

    def _at_its_time(self, item: dict[str, Any], body: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        """An event of ours that was there before: it may have been for another time then."""
        wished = shapes.times_before(body)
        with _reading():
            if shapes.is_at(item, wished):
                return item
        try:
            return self._patch(item, wished, deadline)
        except NoSuchEvent as error:
            gone = "The appointment was taken out of the calendar at the same moment."
            raise CalendarUnavailable(gone, "refused") from error

    def _patch(
        self, item: dict[str, Any], body: dict[str, Any], deadline: Deadline, *, again: bool = True
    ) -> dict[str, Any]:
        """Change an event. again: when somebody else changed it since, change what it is now."""
        gone = NoSuchEvent("The appointment is not in the calendar any more.")
        try:
            return self._patch_once(item, body, deadline)
        except Failed as failed:
            if failed.status in GONE:
                raise gone from failed
            if failed.status == 412 and again:
                if (now := self._item(item["id"], deadline)) is None:
                    raise gone from failed
                return self._patch(now, body, deadline, again=False)
            if not failed.may_have_worked:
                raise
        return self._changed_before(item["id"], body, deadline)

    def _changed_before(self, event_id: str, body: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        """The event, if a change that had no answer was made all the same."""
        unknown = "Google was asked to change the appointment and did not say whether it did."
        with _or_unknown(unknown):
            item = self._item(event_id, deadline)
            with _reading():
                there = item is not None and shapes.is_at(item, body)
        if item is None or not there:
            raise UnknownOutcome(unknown)  # it may still be on its way
        return item

    def _patch_once(self, item: dict[str, Any], body: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        request = self._wire.service.events().patch(
            calendarId=PRIMARY, eventId=item["id"], body=body, sendUpdates="none", fields=shapes.FIELDS
        )
        if item.get("etag"):
            request.headers["If-Match"] = item["etag"]
        return self._written(request, item["id"], deadline)

    def _written(self, request: Any, event_id: str, deadline: Deadline) -> dict[str, Any]:
        """The event as it was written. Another answer says nothing about what was done."""
        item = self._wire.ask(request, deadline)
        if item.get("id") != event_id:
            raise Failed("Google's calendar answered with something else.", "refused", sent=True)
        return item

    def _is_taken(self, clear: Span, event_id: str, deadline: Deadline) -> bool:
        with _or_unknown("It was written, but whether something else is at that time could not be seen."):
            return bool(self._others(clear, event_id, deadline))


def _pieces(span: Span) -> Iterator[Span]:
    start: datetime = span.start
    while start < span.end:
        end = min(span.end, start + LONGEST_QUESTION)
        yield Span(start, end)
        start = end


@contextmanager
def _reading() -> Iterator[None]:
    """An answer that is not what it should be is no calendar to be relied on."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CalendarUnavailable(
            "Google's calendar answered something that cannot be understood.", "refused"
        ) from error


@contextmanager
def _or_unknown(message: str) -> Iterator[None]:
    """After something was written: what goes wrong now leaves it unknown."""
    try:
        yield
    except (CalendarUnavailable, NoSuchEvent) as error:
        raise UnknownOutcome(f"{message} ({error})") from error
