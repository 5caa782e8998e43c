"""Appointments in Google Calendar. What is sent and answered fits Google's own schemas (see server.py)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from assistant.calendars.events import Event, Span
from assistant.calendars.google.calendar import PAGE as ASKED_AT_ONCE
from assistant.errors import CalendarError, CalendarUnavailable, NoSuchEvent, SlotTaken, UnknownOutcome
from tests.calendars.google.parts import Linked, at, make_google, new_event, soon, span
from tests.calendars.google.server import FakeGoogle, Fault
from tests.calendars.google.shelf import PAGE

DAY = span("2026-12-01 00:00", 24 * 60)


def ids(events: list[Event]) -> list[str]:
    return [event.event_id for event in events]


# --- what is on ---------------------------------------------------------------


def test_what_is_busy_is_asked_without_titles(linked: Linked):
    linked.server.shelf.put("dentist", "2026-12-01T09:00:00+01:00", "2026-12-01T10:00:00+01:00")
    linked.server.shelf.put("other-day", "2026-12-02T09:00:00+01:00", "2026-12-02T10:00:00+01:00")

    assert linked.calendar.busy(DAY, soon()) == [span("2026-12-01 09:00", 60)]
    assert linked.server.count("list") == 0


def test_a_long_time_is_asked_in_pieces(linked: Linked):
    put = linked.server.shelf.put
    put("early", "2026-12-01T09:00:00+01:00", "2026-12-01T10:00:00+01:00")
    put("late", "2027-11-30T09:00:00+01:00", "2027-11-30T10:00:00+01:00")
    put("across", "2027-01-29T12:00:00+01:00", "2027-01-31T12:00:00+01:00")  # where two pieces meet

    year = Span(at("2026-12-01 00:00"), at("2027-12-01 00:00"))
    busy = linked.calendar.busy(year, soon())

    assert busy == [
        span("2026-12-01 09:00", 60),
        span("2027-01-29 12:00", 2880),
        span("2027-11-30 09:00", 60),
    ]
    asked = [
        Span(*map(datetime.fromisoformat, (a["timeMin"], a["timeMax"]))) for a in _bodies(linked, "freebusy")
    ]
    assert len(asked) == 7
    assert all(piece.end - piece.start <= timedelta(days=60) for piece in asked)
    assert asked[0].start == year.start
    assert asked[-1].end == year.end
    assert all(one.end == next_one.start for one, next_one in pairwise(asked))


def _bodies(linked: Linked, what: str) -> list[Any]:
    return [one.body for one in linked.server.asked if one.what == what]


@pytest.mark.parametrize(
    "answer",
    [
        b'{"calendars": {"primary": {"errors": [{"domain": "global", "reason": "notFound"}]}}}',
        b'{"calendars": {}}',
        b'{"calendars": {"primary": {"busy": []}, "other": {"busy": []}}}',
        b"{}",
        b'{"calendars": []}',
        b'{"calendars": {"primary": {"busy": [{"start": "soon"}]}}}',
    ],
)
def test_a_calendar_that_cannot_be_seen_is_not_free(linked: Linked, answer: bytes):
    linked.server.faults["freebusy"].append(Fault(status=200, body=answer))

    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.busy(DAY, soon())

    assert raised.value.why == "refused"


def test_what_is_busy_besides_one_event(linked: Linked):
    linked.server.shelf.put("mine", "2026-12-01T09:00:00+01:00", "2026-12-01T10:00:00+01:00")
    linked.server.shelf.put("other", "2026-12-01T09:30:00+01:00", "2026-12-01T10:30:00+01:00")

    assert linked.calendar.busy(DAY, soon(), without="mine") == [span("2026-12-01 09:30", 60)]


def test_events_of_every_kind(linked: Linked):
    put = linked.server.shelf.put
    times = ("2026-12-01T09:00:00+01:00", "2026-12-01T10:00:00+01:00")
    me = {"email": "owner@example.com", "self": True}
    put("plain", *times)
    put("tentative", *times, status="tentative")
    put("transparent", *times, transparency="transparent")
    put("declined", *times, attendees=[{**me, "responseStatus": "declined"}])
    put("invited", *times, attendees=[{**me, "responseStatus": "needsAction"}])
    put(
        "declined-by-another",
        *times,
        attendees=[
            {"email": "a@example.com", "responseStatus": "declined"},
            {**me, "responseStatus": "accepted"},
        ],
    )
    put("office", *times, eventType="workingLocation")
    put("birthday", "2026-12-01", "2026-12-02", eventType="birthday")
    put("focus", *times, eventType="focusTime")
    put("cancelled", *times, status="cancelled")
    put("instant", "2026-12-01T12:00:00+01:00", "2026-12-01T12:00:00+01:00")

    found = {event.event_id: event for event in linked.calendar.events(DAY, soon())}

    assert set(found) == {
        "plain", "tentative", "transparent", "invited", "declined-by-another", "birthday", "focus", "instant",
    }  # fmt: skip
    assert {name for name, event in found.items() if not event.busy} == {"transparent", "birthday"}
    assert found["tentative"].status == "tentative"
    assert not any(event.ours for event in found.values())
    busy = linked.calendar.busy(DAY, soon(), without="plain")
    assert busy == [span("2026-12-01 09:00", 60)] * 4  # and no instant


def test_whole_days_are_the_calendars(linked: Linked):
    linked.server.shelf.timezone = "America/New_York"
    linked.server.shelf.put("trip", "2026-10-31", "2026-11-02")  # the clock goes back on the 1st

    (event,) = linked.calendar.events(Span(at("2026-10-30 00:00"), at("2026-11-04 00:00")), soon())

    assert event.all_day
    assert event.span.start.isoformat() == "2026-10-31T04:00:00+00:00"
    assert event.span.end.isoformat() == "2026-11-02T05:00:00+00:00"
    assert linked.calendar.event("trip", soon()) == event


def test_more_events_than_one_page(linked: Linked):
    for number in range(2 * PAGE + 1):
        minute = number * 5
        clock = f"2026-12-01T{minute // 60:02}:{minute % 60:02}:00+01:00"
        linked.server.shelf.put(f"event{number:03}", clock, clock.replace(":00+", ":30+"))

    events = linked.calendar.events(DAY, soon())

    assert ids(events) == [f"event{number:03}" for number in range(2 * PAGE + 1)]
    pages = [one.query for one in linked.server.asked if one.what == "list"]
    assert len(pages) == 3
    assert pages[0]["maxResults"] == str(ASKED_AT_ONCE)
    assert pages[0]["singleEvents"] == "true"


def test_pages_without_an_end_are_given_up(linked: Linked):
    endless = b'{"items": [], "timeZone": "UTC", "nextPageToken": "again"}'
    linked.server.faults["list"].extend([Fault(status=200, body=endless)] * 30)

    with pytest.raises(CalendarUnavailable):
        linked.calendar.events(DAY, soon())

    assert linked.server.count("list") <= 20


def test_one_event(linked: Linked):
    linked.server.shelf.put(
        "dentist", "2026-12-01T09:00:00+01:00", "2026-12-01T10:00:00+01:00", summary="Dentist"
    )
    linked.server.shelf.put("gone", "2026-12-01", "2026-12-02", status="cancelled")

    found = linked.calendar.event("dentist", soon())

    assert found is not None
    assert found.title == "Dentist"
    assert found.link == "https://www.google.com/calendar/event?eid=dentist"
    assert linked.calendar.event("gone", soon()) is None
    assert linked.calendar.event("never-was", soon()) is None


@pytest.mark.parametrize("event_id", ["", "..", "a/b", "a?b", "ü", "a b", "x" * 1025])
def test_what_is_no_id_is_not_sent(linked: Linked, event_id: str):
    asked = len(linked.server.asked)

    assert linked.calendar.event(event_id, soon()) is None
    linked.calendar.remove(event_id, soon())
    with pytest.raises(NoSuchEvent):
        linked.calendar.move(event_id, span("2026-12-01 14:00"), "Europe/Berlin", soon())

    assert len(linked.server.asked) == asked


def test_an_event_without_a_title_and_with_a_strange_link(linked: Linked):
    linked.server.shelf.put("odd", "2026-12-01", "2026-12-02", summary="", htmlLink="javascript:alert(1)")

    (event,) = linked.calendar.events(DAY, soon())

    assert (event.title, event.link) == ("(no title)", "")


# --- adding -----------------------------------------------------------------------


def test_an_event_that_was_added_is_there(linked: Linked):
    added = linked.calendar.add(new_event(), soon())

    assert linked.calendar.events(DAY, soon()) == [added]
    assert linked.calendar.busy(DAY, soon()) == [span("2026-12-01 14:00")]
    assert (added.ours, added.call_sid, added.busy) == (True, "CA1", True)


def test_what_google_is_given(linked: Linked):
    linked.calendar.add(new_event(status="tentative"), soon())

    (asked,) = [one for one in linked.server.asked if one.what == "insert"]
    assert asked.body == {
        "id": "attempt0001",
        "summary": "Call back Bob",
        "description": "Asked for on the phone.",
        "start": {"dateTime": "2026-12-01T14:00:00+01:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-12-01T14:30:00+01:00", "timeZone": "Europe/Berlin"},
        "status": "tentative",
        "transparency": "opaque",
        "visibility": "private",
        "extendedProperties": {"private": {"afterbeep": "1", "call_sid": "CA1"}},
        "reminders": {"useDefault": True},
    }
    assert asked.query["sendUpdates"] == "none"


def test_the_calls_page_is_named_where_it_has_a_safe_address(server: FakeGoogle, tmp_path: Any):
    public = {
        "PUBLIC_URL": "https://phone.example",
        "OWNER_PHONE": "+12025550101",
        "TWILIO_NUMBER": "+12025550100",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "0" * 32,
    }
    linked = Linked(server, make_google(server, tmp_path, OPENAI_API_KEY="sk-1", **public)).link()

    linked.calendar.add(new_event(), soon())

    (body,) = _bodies(linked, "insert")
    assert body["source"] == {"title": "Afterbeep", "url": "https://phone.example/calls/CA1"}


def test_a_callers_words_are_no_markup(linked: Linked):
    linked.calendar.add(new_event(description='<a href="https://evil.example">x</a>'), soon())

    (body,) = _bodies(linked, "insert")
    assert body["description"] == '‹a href="https://evil.example"›x‹/a›'


def test_whole_days(linked: Linked):
    added = linked.calendar.add(
        new_event(span=Span(at("2026-12-01 00:00"), at("2026-12-03 00:00")), all_day=True), soon()
    )

    (body,) = _bodies(linked, "insert")
    assert (body["start"], body["end"]) == ({"date": "2026-12-01"}, {"date": "2026-12-03"})
    assert added.all_day
    assert added.span == Span(at("2026-12-01 00:00"), at("2026-12-03 00:00"))


def test_both_hours_of_the_night_the_clock_goes_back(linked: Linked):
    """02:30 is there twice; the offset says which."""
    early = Span(at("2026-10-25 00:00") + timedelta(hours=2.5), at("2026-10-25 00:00") + timedelta(hours=3))
    late = Span(early.start + timedelta(hours=1), early.end + timedelta(hours=1))

    linked.calendar.add(new_event("early0", span=early), soon())
    linked.calendar.add(new_event("later0", span=late), soon())

    starts = [body["start"]["dateTime"] for body in _bodies(linked, "insert")]
    assert starts == ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]
    assert linked.calendar.busy(span("2026-10-25 00:00", 24 * 60), soon()) == [early, late]


def test_the_same_attempt_twice_is_one_event(linked: Linked):
    first = linked.calendar.add(new_event(), soon())
    second = linked.calendar.add(new_event(title="Something else"), soon(), clear=span("2026-12-01 14:00"))

    assert first == second
    assert len(linked.server.shelf.alive()) == 1


@pytest.mark.parametrize("fault", [None, Fault(status=502)])
def test_the_same_attempt_for_another_time_moves_what_is_there(linked: Linked, fault: Fault | None):
    linked.calendar.add(new_event(), soon())
    if fault:
        linked.server.faults["insert"].append(fault)

    there = linked.calendar.add(new_event(start="2026-12-02 10:00"), soon())

    assert there.span == span("2026-12-02 10:00")
    assert [event.span for event in linked.calendar.events(span("2026-12-01 00:00", 2880), soon())] == [
        span("2026-12-02 10:00")
    ]


def test_the_same_attempt_moves_what_the_owner_made_a_whole_day(linked: Linked):
    linked.calendar.add(new_event(), soon())
    linked.calendar.move("attempt0001", span("2026-12-05 00:00", 24 * 60), "Europe/Berlin", soon())
    item = linked.server.shelf.items["attempt0001"]
    linked.server.shelf.keep({**item, "start": {"date": "2026-12-05"}, "end": {"date": "2026-12-06"}})

    there = linked.calendar.add(new_event(), soon())

    assert (there.all_day, there.span) == (False, span("2026-12-01 14:00"))


@pytest.mark.parametrize(
    ("fault", "raises"),
    [
        (Fault(status=403, reason="forbidden"), CalendarUnavailable),
        (Fault(status=410), CalendarUnavailable),
        (Fault(status=502), UnknownOutcome),
    ],
)
def test_the_same_attempt_for_another_time_cannot_be_moved(
    linked: Linked, fault: Fault, raises: type[CalendarError]
):
    linked.calendar.add(new_event(), soon())
    linked.server.faults["patch"].append(fault)

    with pytest.raises(raises):
        linked.calendar.add(new_event(start="2026-12-02 10:00"), soon())


def test_an_id_that_is_somebody_elses(linked: Linked):
    linked.server.shelf.put("attempt0001", "2026-12-01T09:00:00+01:00", "2026-12-01T10:00:00+01:00")

    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.add(new_event(), soon())

    assert raised.value.why == "refused"
    assert len(linked.server.shelf.alive()) == 1
    assert linked.server.count("patch") == 0


def test_what_was_taken_back_can_be_added_after_all(linked: Linked):
    """Google keeps the id of a deleted event for ever; the owner may still say: anyway."""
    linked.server.shelf.put("lunch", "2026-12-01T14:15:00+01:00", "2026-12-01T15:00:00+01:00")
    with pytest.raises(SlotTaken):
        linked.calendar.add(new_event(), soon(), clear=span("2026-12-01 14:00"))

    added = linked.calendar.add(new_event(), soon())
    again = linked.calendar.add(new_event(), soon())

    assert added == again
    assert [item["id"] for item in linked.server.shelf.alive()] == ["lunch", added.event_id]

    linked.calendar.remove(added.event_id, soon())
    with pytest.raises(CalendarUnavailable):
        linked.calendar.add(new_event(), soon())


def test_what_only_touches_is_not_in_the_way(linked: Linked):
    put = linked.server.shelf.put
    put("before", "2026-12-01T13:00:00+01:00", "2026-12-01T14:00:00+01:00")
    put("after", "2026-12-01T14:30:00+01:00", "2026-12-01T15:00:00+01:00")
    put("free", "2026-12-01T14:00:00+01:00", "2026-12-01T15:00:00+01:00", transparency="transparent")

    linked.calendar.add(new_event(), soon(), clear=span("2026-12-01 14:00"))

    assert len(linked.server.shelf.alive()) == 4


def test_something_was_quicker(linked: Linked):
    linked.server.shelf.put("lunch", "2026-12-01T14:15:00+01:00", "2026-12-01T15:00:00+01:00")

    with pytest.raises(SlotTaken):
        linked.calendar.add(new_event(), soon(), clear=span("2026-12-01 14:00"))

    assert [item["id"] for item in linked.server.shelf.alive()] == ["lunch"]


def test_the_room_around_an_event_is_looked_at_too(linked: Linked):
    linked.server.shelf.put("lunch", "2026-12-01T14:35:00+01:00", "2026-12-01T15:00:00+01:00")

    with pytest.raises(SlotTaken):
        linked.calendar.add(new_event(), soon(), clear=span("2026-12-01 13:50", 50))


def test_something_was_quicker_and_ours_cannot_be_taken_back(linked: Linked):
    linked.server.shelf.put("lunch", "2026-12-01T14:15:00+01:00", "2026-12-01T15:00:00+01:00")
    linked.server.faults["delete"].append(Fault(status=403, reason="forbidden"))

    with pytest.raises(UnknownOutcome):
        linked.calendar.add(new_event(), soon(), clear=span("2026-12-01 14:00"))


def test_it_cannot_be_seen_whether_something_was_quicker(linked: Linked):
    linked.server.faults["list"].extend([Fault(status=403, reason="forbidden")] * 2)

    with pytest.raises(UnknownOutcome):
        linked.calendar.add(new_event(), soon(), clear=span("2026-12-01 14:00"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(do=True, cut=True),
        Fault(do=True, status=503),
        Fault(do=True, status=502, body=b"<html>"),
        Fault(do=True, status=200, body=b"<html>"),
        Fault(do=True, status=200, body=b"[]"),
        Fault(do=True, status=200, body=b"{}"),
        Fault(do=True, status=200, body=b'{"id": "another"}'),
    ],
)
def test_an_event_that_was_added_without_an_answer_is_found(linked: Linked, fault: Fault):
    linked.server.faults["insert"].append(fault)

    added = linked.calendar.add(new_event(), soon(), clear=span("2026-12-01 14:00"))

    assert added.event_id == "attempt0001"
    assert len(linked.server.shelf.alive()) == 1


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=200, body=b"<html>")])
def test_an_event_that_is_not_there_after_no_answer_may_still_come(linked: Linked, fault: Fault):
    linked.server.faults["insert"].append(fault)

    with pytest.raises(UnknownOutcome):
        linked.calendar.add(new_event(), soon())


def test_an_insert_that_is_cut_off_each_time(linked: Linked):
    """httplib2 sends a request again when the connection closes without an answer; our id makes that safe."""
    linked.server.faults["insert"].extend([Fault(cut=True)] * 4)

    with pytest.raises(UnknownOutcome):
        linked.calendar.add(new_event(), soon())


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=200, body=b"{}")])
def test_nobody_can_say_whether_an_event_was_added(linked: Linked, fault: Fault):
    linked.server.faults["insert"].append(Fault(do=True, status=503))
    linked.server.faults["get"].extend([fault] * 2)

    with pytest.raises(UnknownOutcome) as raised:
        linked.calendar.add(new_event(), soon())

    assert "did not say whether" in str(raised.value)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault(status=400, reason="invalid"), "refused"),
        (Fault(status=403, reason="rateLimitExceeded"), "busy"),
        (Fault(status=403, reason="accessNotConfigured"), "api_off"),
        (Fault(status=429), "busy"),
    ],
)
def test_an_event_that_was_refused_is_not_looked_for(linked: Linked, fault: Fault, why: str):
    linked.server.faults["insert"].append(fault)

    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.add(new_event(), soon())

    assert raised.value.why == why
    assert linked.server.count("insert") == 1
    assert linked.server.count("get") == 0


# --- moving -----------------------------------------------------------------------


def test_moving(linked: Linked):
    linked.calendar.add(new_event(), soon())

    moved = linked.calendar.move("attempt0001", span("2026-12-02 10:00", 45), "Europe/Berlin", soon())

    assert moved.span == span("2026-12-02 10:00", 45)
    assert linked.calendar.event("attempt0001", soon()) == moved
    (asked,) = [one for one in linked.server.asked if one.what == "patch"]
    assert set(asked.body) == {"start", "end"}
    assert asked.query["sendUpdates"] == "none"
    assert asked.headers["if-match"] == '"1"'


def test_moving_onto_something_puts_it_back(linked: Linked):
    linked.calendar.add(new_event(), soon())
    linked.server.shelf.put("lunch", "2026-12-01T12:00:00+01:00", "2026-12-01T13:00:00+01:00")

    with pytest.raises(SlotTaken):
        linked.calendar.move(
            "attempt0001", span("2026-12-01 12:30"), "Europe/Berlin", soon(), clear=span("2026-12-01 12:30")
        )

    found = linked.calendar.event("attempt0001", soon())
    assert found is not None
    assert found.span == span("2026-12-01 14:00")


def test_moving_half_an_hour_is_not_in_its_own_way(linked: Linked):
    linked.calendar.add(new_event(), soon())
    later = span("2026-12-01 14:15")

    assert linked.calendar.move("attempt0001", later, "Europe/Berlin", soon(), clear=later).span == later


def test_it_cannot_be_put_back(linked: Linked):
    linked.calendar.add(new_event(), soon())
    linked.server.shelf.put("lunch", "2026-12-01T12:00:00+01:00", "2026-12-01T13:00:00+01:00")
    linked.server.faults["patch"].extend([Fault(slow_s=0.01), Fault(status=403, reason="forbidden")])

    with pytest.raises(UnknownOutcome):
        linked.calendar.move(
            "attempt0001", span("2026-12-01 12:30"), "Europe/Berlin", soon(), clear=span("2026-12-01 12:30")
        )


def test_whole_days_are_moved_as_days_or_become_a_time(linked: Linked):
    linked.server.shelf.put("trip", "2026-12-01", "2026-12-02")

    day = span("2026-12-05 00:00", 24 * 60)
    moved = linked.calendar.move("trip", day, "Europe/Berlin", soon())
    assert (moved.all_day, moved.span) == (True, day)

    moved = linked.calendar.move("trip", span("2026-12-05 14:00"), "Europe/Berlin", soon())
    assert (moved.all_day, moved.span) == (False, span("2026-12-05 14:00"))


def test_whole_days_that_became_a_time_are_put_back(linked: Linked):
    linked.server.shelf.put("trip", "2026-12-01", "2026-12-02")
    linked.server.shelf.put("lunch", "2026-12-05T14:00:00+01:00", "2026-12-05T15:00:00+01:00")
    there = span("2026-12-05 14:00")

    with pytest.raises(SlotTaken):
        linked.calendar.move("trip", there, "Europe/Berlin", soon(), clear=there)

    item = linked.server.shelf.items["trip"]
    assert (item["start"], item["end"]) == ({"date": "2026-12-01"}, {"date": "2026-12-02"})


def test_moving_what_the_owner_has_just_changed(linked: Linked):
    """Its etag is another by now: it is read again and moved all the same."""
    linked.calendar.add(new_event(), soon())
    linked.server.faults["patch"].append(Fault(status=412, reason="conditionNotMet"))

    moved = linked.calendar.move("attempt0001", span("2026-12-02 10:00"), "Europe/Berlin", soon())

    assert moved.span == span("2026-12-02 10:00")
    assert linked.server.count("patch") == 2


@pytest.mark.parametrize("status", [404, 410])
def test_moving_what_is_gone(linked: Linked, status: int):
    with pytest.raises(NoSuchEvent):
        linked.calendar.move("attempt0001", span("2026-12-02 10:00"), "Europe/Berlin", soon())

    linked.calendar.add(new_event(), soon())
    linked.server.faults["patch"].append(Fault(status=status))
    with pytest.raises(NoSuchEvent):
        linked.calendar.move("attempt0001", span("2026-12-02 10:00"), "Europe/Berlin", soon())


@pytest.mark.parametrize(
    "fault",
    [
        Fault(do=True, status=502),
        Fault(do=True, status=200, body=b"{}"),
        Fault(do=True, status=200, body=b"<p>"),
    ],
)
def test_a_move_without_an_answer_is_looked_for(linked: Linked, fault: Fault):
    linked.calendar.add(new_event(), soon())
    linked.server.faults["patch"].append(fault)
    there = span("2026-12-02 10:00")

    moved = linked.calendar.move("attempt0001", there, "Europe/Berlin", soon(), clear=there)

    assert moved.span == there


def test_a_move_that_cannot_be_found_may_still_come(linked: Linked):
    linked.calendar.add(new_event(), soon())
    linked.server.faults["patch"].append(Fault(status=502))
    with pytest.raises(UnknownOutcome):
        linked.calendar.move("attempt0001", span("2026-12-03 10:00"), "Europe/Berlin", soon())


# --- removing ---------------------------------------------------------------------


def test_removing(linked: Linked):
    linked.calendar.add(new_event(), soon())

    linked.calendar.remove("attempt0001", soon())
    linked.calendar.remove("attempt0001", soon())
    linked.calendar.remove("neverwas", soon())

    assert linked.calendar.event("attempt0001", soon()) is None
    assert linked.calendar.busy(DAY, soon()) == []
    assert all(one.query["sendUpdates"] == "none" for one in linked.server.asked if one.what == "delete")


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(do=True, status=502), Fault(do=True, cut=True)])
def test_removing_without_an_answer_is_done_again(linked: Linked, fault: Fault):
    linked.calendar.add(new_event(), soon())
    linked.server.faults["delete"].append(fault)

    linked.calendar.remove("attempt0001", soon())

    assert linked.server.shelf.alive() == []


def test_nobody_can_say_whether_it_was_removed(linked: Linked):
    linked.calendar.add(new_event(), soon())
    linked.server.faults["delete"].extend([Fault(status=503)] * 2)

    with pytest.raises(UnknownOutcome):
        linked.calendar.remove("attempt0001", soon())


# --- many at once -----------------------------------------------------------------


def at_once(count: int, attempt: Callable[[int], Any]) -> list[Any]:
    """What came of an attempt made `count` times at the same moment."""
    ready = threading.Barrier(count)

    def run(number: int) -> Any:
        ready.wait(10)
        try:
            return attempt(number)
        except CalendarError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_the_same_attempt_many_times_at_once(linked: Linked):
    calendar = linked.calendar

    came = at_once(20, lambda _: calendar.add(new_event(), soon(20)))

    assert all(isinstance(one, Event) for one in came), came
    assert len(linked.server.shelf.alive()) == 1


def test_many_attempts_at_one_time(linked: Linked):
    """Each looks again after writing: two never stay. (The diary lets them in one by one.)"""
    slot, one_by_one = span("2026-12-01 14:00"), threading.Lock()
    calendar = linked.calendar

    def attempt(number: int) -> Event:
        with one_by_one:
            return calendar.add(new_event(f"attempt{number:04}"), soon(20), clear=slot)

    came = at_once(20, attempt)

    assert sum(isinstance(one, Event) for one in came) == 1
    assert sum(isinstance(one, SlotTaken) for one in came) == 19
    assert len(linked.server.shelf.alive()) == 1


def test_many_attempts_at_one_time_from_several_programs(linked: Linked):
    slot = span("2026-12-01 14:00")

    came = at_once(
        8, lambda number: linked.calendar.add(new_event(f"attempt{number:04}"), soon(20), clear=slot)
    )

    assert sum(isinstance(one, Event) for one in came) == len(linked.server.shelf.alive()) <= 1
