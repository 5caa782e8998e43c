"""The calendar page and the feed with a Google account linked: a Google on a loopback port answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from assistant.calendars.diary import Diary
from tests.calendars.google.parts import REDIRECT_URI, agree
from tests.calendars.google.server import FakeGoogle, Fault
from tests.web.pages import text_of
from tests.web.test_calendars import CalendarPages, at, of_day, press, see, told, week_of
from tests.web.test_feed import read
from tests.web.test_inbox import POLYGLOT

DAY = date(2027, 1, 6)


@pytest.fixture
def server() -> Iterator[FakeGoogle]:
    with FakeGoogle(redirect_uris=(REDIRECT_URI,)) as server:
        yield server
    assert server.problems == []


@pytest.fixture
def pages(server: FakeGoogle, tmp_path: Path) -> CalendarPages:
    pages = CalendarPages(tmp_path, GOOGLE_CALENDAR_URL=server.calendar_url)
    google = pages.app.extensions["afterbeep"].google
    google.keep_client(server.client_file())
    url, state = google.begin(REDIRECT_URI)
    google.finish(state, agree(url)["code"])
    return pages


@pytest.fixture
def owner(pages: CalendarPages) -> FlaskClient:
    return pages.owner()


def test_the_owners_events_are_there_with_a_way_to_them(server: FakeGoogle, owner: FlaskClient):
    server.shelf.put("lunch", "2027-01-06T13:00:00+01:00", "2027-01-06T14:00:00+01:00")
    server.shelf.put("trip", "2027-01-07", "2027-01-09", transparency="transparent")
    server.shelf.put("evil", "2027-01-08T10:00:00+01:00", "2027-01-08T11:00:00+01:00", summary=POLYGLOT)
    server.shelf.put("bare", "2027-01-08T12:00:00+01:00", "2027-01-08T13:00:00+01:00", summary="")

    page = see(owner, DAY)

    assert "1:00 – 2:00 PM lunch In Google Calendar Remove" in of_day(page, DAY)
    assert 'href="https://www.google.com/calendar/event?eid=lunch" rel="noopener noreferrer"' in page
    assert "all day trip does not block" in of_day(page, date(2027, 1, 7))
    assert "free for callers" in of_day(page, date(2027, 1, 7))
    assert POLYGLOT in of_day(page, date(2027, 1, 8))
    assert "<script" not in page.partition("<main")[2].partition("</main>")[0]
    assert "(no title)" in of_day(page, date(2027, 1, 8))
    assert "Google Calendar" in page
    assert "The embedded one" not in page


def test_what_is_approved_is_in_google_once(server: FakeGoogle, pages: CalendarPages, owner: FlaskClient):
    span = at(DAY, 10)
    booking = pages.ask(span)

    for _ in range(2):
        assert "In the calendar: Wed, Jan 6, 2027, 10:00 – 10:30 AM." in told(
            owner, f"requests/{booking.id}/approve", week_of(span)
        )

    assert [item["summary"] for item in server.shelf.alive()] == ["Haircut"]
    assert "Taken out of the calendar" in told(owner, f"made/{booking.id}/undo")
    assert server.shelf.alive() == []


def test_adding_and_removing_in_google(server: FakeGoogle, owner: FlaskClient):
    typed = {"title": "Lunch", "date": "2027-01-06", "time": "13:00", "minutes": "60"}
    for _ in range(2):
        assert press(owner, "events", **typed).status_code == 303
    (item,) = server.shelf.alive()
    (shown,) = re.findall(r'name="event_id" value="([^"]+)"', see(owner, DAY))
    assert shown == item["id"]

    assert "Removed from the calendar." in told(owner, "events/remove", event_id=shown)
    assert server.shelf.alive() == []
    assert press(owner, "events/remove", event_id=shown).status_code == 303


def test_what_google_never_answered_can_be_looked_for(
    server: FakeGoogle, pages: CalendarPages, owner: FlaskClient
):
    booking = pages.ask(at(DAY, 10))
    server.faults["insert"] = [Fault(do=True, cut=True)] * 3
    server.faults["get"] = [Fault(status=503)] * 9

    page = told(owner, f"requests/{booking.id}/approve", "2027-01-06")
    server.faults.clear()
    deed = "check" if "Look again" in page else "approve"

    assert "In the calendar: " in told(owner, f"requests/{booking.id}/{deed}")
    assert [item["summary"] for item in server.shelf.alive()] == ["Haircut"]


def test_a_google_that_does_not_answer_hides_nothing_we_know(
    server: FakeGoogle, pages: CalendarPages, owner: FlaskClient
):
    server.shelf.put("lunch", "2027-01-06T13:00:00+01:00", "2027-01-06T14:00:00+01:00")
    pages.ask(at(DAY, 10))
    server.faults["freebusy"] = [Fault(status=403, reason="forbidden")] * 5

    page = see(owner, DAY)

    assert "The calendar cannot be seen just now." in page
    assert of_day(page, DAY) == "Wed Jan 6 10:00 – 10:30 AM Haircut waits for you"
    assert "Link again" not in page


def test_reachable_or_not_the_same_promises_are_shown(
    server: FakeGoogle, pages: CalendarPages, owner: FlaskClient
):
    Diary(pages.store).add("Of the time before the link", at(DAY, 8))
    pages.ask(at(DAY, 10), "Booked", how="confirmed")
    pages.ask(at(DAY, 11), "Waits")
    expected = ["Of the time before the link", "Booked", "Waits"]

    def shown() -> list[str]:
        return [title for title in expected if title in of_day(see(owner, DAY), DAY)]

    assert shown() == expected
    assert [str(one["SUMMARY"]) for one in read(pages)] == expected
    server.faults["freebusy"] = [Fault(status=403, reason="forbidden")] * 9
    assert "cannot be seen" in see(owner, DAY)
    assert shown() == expected


def test_what_was_booked_before_the_link_can_be_undone_after_it(pages: CalendarPages, owner: FlaskClient):
    linked, pages.diary = pages.diary, Diary(pages.store)
    booking = pages.ask(at(DAY, 10), how="confirmed")
    pages.diary = linked

    page = see(owner, DAY)
    assert "in the embedded calendar" in text_of(page)
    assert "which is not linked" not in page

    assert "Taken out of the calendar" in told(owner, f"made/{booking.id}/undo")
    assert Diary(pages.store).events(at(DAY, 10)) == []


def test_an_access_that_was_taken_away_shows_at_once(
    server: FakeGoogle, pages: CalendarPages, owner: FlaskClient
):
    assert "cannot be seen" not in see(owner)
    server.forget_tokens()

    see(owner)  # the look that finds it out
    page = see(owner)

    assert "The link is dead" in page
    assert "Link again" in page
    assert Diary(pages.store).events(at(DAY, 10)) == []


def test_the_feed_asks_google_nothing(server: FakeGoogle, pages: CalendarPages):
    server.shelf.put("lunch", "2027-01-06T13:00:00+01:00", "2027-01-06T14:00:00+01:00")
    booking = pages.ask(at(DAY, 10), "Booked", how="confirmed")
    pages.ask(at(DAY, 11), "Waits")
    asked = len(server.asked)

    shown = read(pages)

    assert [(str(one["SUMMARY"]), str(one["STATUS"])) for one in shown] == [
        ("Booked", "CONFIRMED"),
        ("Waits", "TENTATIVE"),
    ]
    assert shown[0]["UID"] == f"{booking.event_id}@afterbeep"
    assert len(server.asked) == asked
