"""The calendar's feed: what any calendar program reads at the secret address."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest
from flask import request
from werkzeug.test import TestResponse

from assistant.calendars.events import Event, Span
from assistant.store import feed as addresses
from assistant.web.feed import fingerprint, written
from assistant.web.guard import ROUTE_KEY
from tests.web.pages import csrf_token
from tests.web.test_calendars import BACK, FORWARD, ZONE, CalendarPages, at
from tests.web.test_inbox import POLYGLOT

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
def pages(tmp_path: Path) -> CalendarPages:
    return CalendarPages(tmp_path)


def address(pages: CalendarPages) -> str:
    secret = pages.store.read(addresses.secret) or pages.store.write(addresses.renew)
    return f"/calendar/feed/{secret}.ics"


def ask(pages: CalendarPages, **headers: str) -> TestResponse:
    """As a calendar program asks: without a login."""
    return pages.browser().get(address(pages), headers=headers)


def read(pages: CalendarPages) -> list[Any]:
    return events_of(ask(pages).data)


def events_of(body: bytes) -> list[Any]:
    return list(icalendar.Calendar.from_ical(body).walk("VEVENT"))


def event(title: str = "Lunch", span: Span | None = None, **facts: Any) -> Event:
    return Event("e1", span or at(date(2027, 1, 6), 13), title, **facts)


# --- what is in it -----------------------------------------------------------------


def test_times_are_in_utc_and_every_event_has_what_it_must(pages: CalendarPages):
    day = date(2027, 1, 6)
    added = pages.diary.add("Lunch; with, Sam", at(day, 13, minutes=60))

    answer = ask(pages)

    assert answer.status_code == 200
    assert answer.content_type == "text/calendar; charset=utf-8"
    assert b"DTSTART:20270106T120000Z\r\n" in answer.data
    assert b"DTEND:20270106T130000Z\r\n" in answer.data
    assert b"SUMMARY:Lunch\\; with\\, Sam\r\n" in answer.data
    (shown,) = events_of(answer.data)
    assert shown["UID"] == f"{added.event_id}@afterbeep"
    assert shown["STATUS"] == "CONFIRMED"
    assert abs(shown.decoded("DTSTAMP") - datetime.now(UTC)) < timedelta(minutes=1)
    whole = icalendar.Calendar.from_ical(answer.data)
    assert (whole["VERSION"], whole["METHOD"], whole["X-WR-CALNAME"]) == ("2.0", "PUBLISH", "Afterbeep")


def test_what_waits_is_tentative_and_keeps_its_uid_when_it_is_booked(pages: CalendarPages):
    booking = pages.ask(at(3, 10))
    (waiting,) = read(pages)
    pages.diary.approve(booking.id)
    (booked,) = read(pages)

    assert waiting["STATUS"] == "TENTATIVE"
    assert booked["STATUS"] == "CONFIRMED"
    assert waiting["UID"] == booked["UID"]


def test_a_month_back_and_a_year_ahead(pages: CalendarPages):
    for days, title in ((-32, "too old"), (-28, "past"), (360, "ahead"), (370, "too far")):
        pages.diary.add(title, at(days, 10))

    assert [str(shown["SUMMARY"]) for shown in read(pages)] == ["past", "ahead"]


def test_an_empty_calendar_is_a_calendar(pages: CalendarPages):
    assert read(pages) == []
    assert ask(pages).data.startswith(b"BEGIN:VCALENDAR\r\n")


@pytest.mark.parametrize("day", [date(2027, 1, 6), FORWARD, BACK])
def test_whole_days_are_dates(day: date):
    span = Span(*(datetime.combine(day + timedelta(days=n), time(), ZONE).astimezone(UTC) for n in (0, 2)))

    body = written([event("Holiday", span, all_day=True)], ZONE, NOW)

    (shown,) = events_of(body)
    assert shown.decoded("DTSTART") == day
    assert shown.decoded("DTEND") == day + timedelta(days=2)


def test_what_does_not_block_says_so():
    body = written([event(busy=False)], ZONE, NOW)

    assert events_of(body)[0]["TRANSP"] == "TRANSPARENT"


@pytest.mark.parametrize(
    "title",
    [
        POLYGLOT,
        "Lunch\r\nEND:VEVENT\r\nEND:VCALENDAR",
        "Lunch\nATTENDEE:mailto:x@example.com",
        '\\n;,:"',
        "x" * 5000,
        "\x00\x07\ud800 bell",
        "Ärzte 👩‍⚕️ 東京 \u202eevil",
        " ",
        "",
    ],
)
def test_a_title_is_text_and_nothing_else(title: str):
    body = written([event(title), event("after")], ZONE, NOW)

    shown = events_of(body)
    assert len(shown) == 2
    kept = "".join(each for each in title if each >= " " and not "\ud800" <= each <= "\udfff")
    assert "".join(str(shown[0]["SUMMARY"]).split()) == "".join((kept.strip() or "(no title)").split())
    assert "ATTENDEE" not in shown[0]
    assert all(len(line) <= 75 for line in body.split(b"\r\n"))
    body.decode("utf-8")


def test_with_google_it_is_what_is_known_here_and_asks_nobody(pages: CalendarPages):
    pages.diary.add("Of the embedded calendar", at(3, 9))
    pages.ask(at(3, 10), "Booked before the link", how="confirmed")
    pages.ask(at(3, 12), "Waits")
    pages.kill_google()
    google = pages.ask_google(at(3, 11), "Booked in Google")

    shown = read(pages)

    assert [str(one["SUMMARY"]) for one in shown] == [
        "Of the embedded calendar",
        "Booked before the link",
        "Booked in Google",
        "Waits",
    ]
    assert shown[2]["UID"] == f"{google.event_id}@afterbeep"


def test_what_is_in_a_google_that_is_not_linked_is_not_in_it(pages: CalendarPages):
    pages.ask_google(at(3, 11), "Booked in Google")
    pages.unsure(at(3, 12))

    assert [str(one["SUMMARY"]) for one in read(pages)] == ["Haircut"]


# --- being asked for ------------------------------------------------------------------


def test_a_reader_is_told_when_nothing_has_changed(pages: CalendarPages):
    pages.ask(at(3, 10))
    first = ask(pages)

    again = ask(pages, **{"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""

    pages.diary.add("Lunch", at(3, 13))
    assert ask(pages, **{"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_readers_may_keep_it_for_five_minutes(pages: CalendarPages):
    assert ask(pages).headers["Cache-Control"] == "private, max-age=300"


def test_what_it_says_is_what_its_etag_is_made_of():
    plain = fingerprint([event()], ZONE)

    assert plain == fingerprint([event()], ZONE)
    others = [
        event("Dinner"),
        event(busy=False),
        event(status="tentative"),
        event(span=at(date(2027, 1, 6), 14)),
    ]
    assert len({plain, *(fingerprint([other], ZONE) for other in others)}) == 5


def test_head_is_answered_like_get(pages: CalendarPages):
    answer = pages.browser().head(address(pages))

    assert answer.status_code == 200
    assert answer.data == b""


# --- the secret -----------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("secret", ["", "x", "x" * 43, "x" * 5000, "é", "..%2f", "%00", "None", "%ff"])
def test_a_wrong_secret_is_a_page_that_is_not_there(pages: CalendarPages, wanted: bool, secret: str):
    if wanted:
        address(pages)
    elsewhere = pages.browser().get("/static/nothing-here")

    answer = pages.browser().get(f"/calendar/feed/{secret}.ics")

    if not secret or "%2f" in secret:  # no such route: the door is closed as everywhere
        assert answer.status_code == 302
    else:
        assert (answer.status_code, answer.text) == (404, elsewhere.text)
        assert answer.content_type == elsewhere.content_type


def test_part_of_the_secret_opens_nothing(pages: CalendarPages):
    whole = address(pages).removesuffix(".ics")

    assert pages.browser().get(f"{whole[:-1]}.ics").status_code == 404
    assert pages.browser().get(f"{whole}x.ics").status_code == 404
    assert pages.browser().get(f"{whole}.ics").status_code == 200


def test_the_secret_is_long_enough_never_to_be_guessed(pages: CalendarPages):
    secret = pages.store.write(addresses.renew)

    assert len(secret) >= 43  # 256 bit
    assert secret != pages.store.write(addresses.renew)


def test_the_secret_is_in_no_line_of_the_log(pages: CalendarPages, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    path = address(pages)
    secret = path.removeprefix("/calendar/feed/").removesuffix(".ics")
    owner = pages.owner()

    with pages.browser() as reader:
        reader.get(path)
        assert request.environ[ROUTE_KEY] == "/calendar/feed/<secret>.ics"  # what the server's line has
    pages.browser().get(path + "x")
    pages.browser().post(path)
    token = csrf_token(owner.get("/calendar").text)
    owner.post("/calendar/feed", data={"csrf_token": token})

    renewed = pages.store.read(addresses.secret)
    assert renewed
    assert secret not in caplog.text
    assert renewed not in caplog.text


def test_nothing_else_of_the_calendar_is_public(pages: CalendarPages):
    stranger = pages.browser()

    assert stranger.get("/calendar").status_code == 302
    assert stranger.post("/calendar/feed").status_code == 401
    assert stranger.post("/calendar/feed/remove").status_code == 401
    assert stranger.post(address(pages)).status_code == 401
