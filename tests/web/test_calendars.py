"""The calendar page: the week, what callers are offered, requests, bookings, the owner's own appointments."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from assistant.calendars.bookings import Wish
from assistant.calendars.diary import Diary
from assistant.calendars.events import Deadline, Event, NewEvent, Span, event_id
from assistant.calendars.slots import Rules
from assistant.config import with_sandbox_phone
from assistant.store import appointments, calls, google_link, preferences
from assistant.store import feed as addresses
from assistant.store.appointments import Booking
from assistant.web import calendars
from assistant.web.calendars.dates import Dates
from assistant.web.calendars.week import days_of, monday_of, span_of_week
from tests.web.pages import PUBLIC, Pages, csrf_token, text_of
from tests.web.test_inbox import POLYGLOT

ZONE = ZoneInfo("Europe/Berlin")
ANA = "+442079460018"
FORWARD, BACK = date(2027, 3, 28), date(2027, 10, 31)  # the clock goes


class CalendarPages(Pages):
    """The pages with a diary: open around the clock, a year ahead, in Berlin."""

    def __init__(self, tmp_path: Path, **environ: str) -> None:
        super().__init__(tmp_path, **environ)
        self.diary: Diary = self.app.extensions["afterbeep"].diary
        self.prefer(timezone=ZONE.key, working_hours="mon-sun 00:00-24:00", horizon_days="365")

    def prefer(self, **values: str) -> None:
        for name, value in values.items():
            self.store.write(preferences.set, name, value)

    def ask(self, span: Span, title: str = "Haircut", **wish: Any) -> Booking:
        """A caller asks for an appointment, on a call of their own."""
        n = len(self.diary.requests()) + len(self.diary.made())
        sid = wish.pop("call_sid", f"CA{n}")
        if wish.pop("kept", True):
            self.add_call(sid)
        facts: dict[str, Any] = {"number": ANA, "trust": "known", "how": "requested", "caller_name": "Ana"}
        facts |= wish
        return self.diary.book(Wish(sid, "call_1", title=title, span=span, **facts), Deadline(5))

    def unsure(self, span: Span) -> Booking:
        """A booking that was sent to the calendar when the lights went out."""
        return self.store.write(
            appointments.hold, call_sid="CA99", tool_call_id="call_1", number=ANA, trust="stranger",
            caller_name="Ana", title="Haircut", start=span.start, end=span.end, timezone=ZONE.key,
            status="unsure", calendar="embedded", event_id=event_id("CA99", "call_1"), clear=None,
            now=datetime.now(UTC),
        )  # fmt: skip

    def ask_google(self, span: Span, title: str) -> Booking:
        """What was booked in Google's calendar, as it is kept here."""
        return self.store.write(
            appointments.hold, call_sid="CA98", tool_call_id="call_1", number=ANA, trust="known",
            caller_name="Ana", title=title, start=span.start, end=span.end, timezone=ZONE.key,
            status="booked", calendar="google", event_id=event_id("CA98", "call_1"), clear=None,
            now=datetime.now(UTC),
        )  # fmt: skip

    def booking(self, booking_id: int) -> Booking:
        found: Booking | None = self.store.read(appointments.booking, booking_id)
        assert found
        return found

    def titles(self, span: Span) -> list[str]:
        return [
            event.title for event in self.diary.events(span) if event.status in ("confirmed", "tentative")
        ]

    def kill_google(self) -> None:
        """An account that was linked, and whose access has died."""
        now = datetime.now(UTC)
        linked_at = now - timedelta(days=8)
        link = google_link.Link("me@example.com", "id", (), b"", linked_at, now - timedelta(days=1))
        self.store.write(google_link.keep, link)
        self.store.write(google_link.broke, linked_at, now, "Google does not accept the access any more.")


def today() -> date:
    return datetime.now(ZONE).date()


def at(day: date | int, hour: int, minute: int = 0, minutes: int = 30) -> Span:
    """So many minutes from a local time on; the day is a date or a number of days from today."""
    day = day if isinstance(day, date) else today() + timedelta(days=day)
    start = datetime.combine(day, time(hour, minute), ZONE).astimezone(UTC)
    return Span(start, start + timedelta(minutes=minutes))


def week_of(span: Span) -> str:
    return span.start.astimezone(ZONE).date().isoformat()


@pytest.fixture
def pages(tmp_path: Path) -> CalendarPages:
    return CalendarPages(tmp_path)


@pytest.fixture
def owner(pages: CalendarPages) -> FlaskClient:
    return pages.owner()


def see(owner: FlaskClient, week: str | date = "", **query: str) -> str:
    return owner.get("/calendar", query_string={"week": str(week), **query}).text


def press(owner: FlaskClient, path: str, week: str = "", **typed: str) -> TestResponse:
    """Send one of the page's forms."""
    token = csrf_token(owner.get("/calendar").text)
    return owner.post(f"/calendar/{path}", data={"csrf_token": token, "week": week, **typed})


def told(owner: FlaskClient, path: str, week: str = "", **typed: str) -> str:
    """Press a button, follow to where it leads, and read the page."""
    answer = press(owner, path, week, **typed)
    assert answer.status_code == 303, answer.text
    return text_of(owner.get(answer.location.partition("#")[0]).text)


def of_day(page: str, day: date) -> str:
    """What stands on one day, as it is read."""
    found = re.search(rf'<li class="day[^>]* id="day-{day}">(.*?)(?=<li class="day|</ol>)', page, re.DOTALL)
    assert found, day
    return text_of(f"<main {found[1]}")


# --- who may ---------------------------------------------------------------------


def test_a_stranger_sees_and_presses_nothing(pages: CalendarPages):
    booking = pages.ask(at(3, 10))
    stranger = pages.browser()

    assert stranger.get("/calendar").location == "/login?next=/calendar"
    paths = [str(rule) for rule in pages.app.url_map.iter_rules() if str(rule).startswith("/calendar/")]
    posts = [re.sub(r"<int.*?>", str(booking.id), path) for path in paths if "<secret>" not in path]
    assert len(posts) >= 9
    assert {stranger.post(path).status_code for path in posts} <= {401, 405}
    assert pages.booking(booking.id) == booking


def test_a_button_needs_the_pages_own_form(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10))

    assert owner.post(f"/calendar/requests/{booking.id}/approve").status_code == 400
    assert owner.get(f"/calendar/requests/{booking.id}/approve").status_code == 405
    assert pages.booking(booking.id).status == "requested"


def test_it_can_be_reached_from_every_page(owner: FlaskClient):
    assert '<a href="/calendar">' in owner.get("/").text
    assert '<a href="/calendar" aria-current="page">' in owner.get("/calendar").text


# --- the week --------------------------------------------------------------------


def test_a_week_around_any_of_its_days(owner: FlaskClient):
    page = see(owner, "2027-01-07")

    assert "Jan 4 – 10, 2027" in text_of(page)
    assert re.findall(r'id="day-([^"]+)"', page) == [f"2027-01-{day:02}" for day in range(4, 11)]
    assert 'rel="prev" href="/calendar?week=2026-12-28#week"' in page
    assert 'rel="next" href="/calendar?week=2027-01-11#week"' in page
    assert 'href="/calendar#week"' in page
    assert "Times are in Europe/Berlin" in page


def test_the_week_of_today_when_none_is_asked_for(owner: FlaskClient):
    page = see(owner)

    assert f'class="day today" id="day-{today()}"' in page
    assert "Today" in of_day(page, today())
    assert page.count('class="day past"') == today().weekday()


@pytest.mark.parametrize("week", ["", "nonsense", "2026-02-30", "2026-13-01", POLYGLOT])
def test_a_week_that_cannot_be_read_is_this_one(owner: FlaskClient, week: str):
    assert f'id="day-{today()}"' in see(owner, week)


@pytest.mark.parametrize("week", ["0001-01-01", "9999-12-31", "1990-01-01"])
def test_weeks_of_another_age_are_not_shown(owner: FlaskClient, week: str):
    assert owner.get(f"/calendar?week={week}").status_code == 404


def test_everything_of_a_day_in_order(pages: CalendarPages, owner: FlaskClient):
    day = date(2027, 1, 6)
    pages.prefer(working_hours="wed 09:00-12:00")
    pages.diary.add("Second", at(day, 10))
    pages.diary.add("First", at(day, 8))
    pages.ask(at(day, 11), "Third")

    assert of_day(see(owner, day), day) == (
        "Wed Jan 6 8:00 – 8:30 AM First Remove"
        " 9:00 – 10:00 AM free for callers suggested: 9:00 AM, 9:30 AM"
        " 10:00 – 10:30 AM Second Remove"
        " 10:30 – 11:00 AM free for callers suggested: 10:30 AM"
        " 11:00 – 11:30 AM Third waits for you"
        " 11:30 AM – 12:00 PM free for callers suggested: 11:30 AM"
    )


def test_what_lasts_over_midnight_is_on_both_days(pages: CalendarPages, owner: FlaskClient):
    pages.diary.add("Night train", at(date(2027, 1, 6), 22, minutes=10 * 60))

    page = see(owner, "2027-01-06")

    assert "from 10:00 PM Night train" in of_day(page, date(2027, 1, 6))
    assert "until 8:00 AM Night train" in of_day(page, date(2027, 1, 7))
    assert "Night train" not in of_day(page, date(2027, 1, 8))


def test_whole_days(pages: CalendarPages, owner: FlaskClient):
    pages.diary.add("Holiday", at(date(2027, 1, 6), 0, minutes=2 * 24 * 60), all_day=True)

    page = see(owner, "2027-01-06")

    for day in (6, 7):
        assert "all day Holiday" in of_day(page, date(2027, 1, day))
        assert "Nothing free for callers" in of_day(page, date(2027, 1, day))
    assert "Wed, Jan 6, 2027 – Thu, Jan 7, 2027" in text_of(page)
    assert "Holiday" not in of_day(page, date(2027, 1, 8))


def test_the_day_the_clock_goes_forward(pages: CalendarPages, owner: FlaskClient):
    pages.prefer(working_hours="sun 01:00-04:00")
    pages.diary.add("Run", at(FORWARD, 3))

    shown = of_day(see(owner, FORWARD), FORWARD)

    assert "The clock goes forward: a day of 23 hours." in shown
    assert "1:00 AM – 3:00 AM free for callers" in shown  # an hour: there is no two o'clock
    assert "3:00 – 3:30 AM Run" in shown


def test_the_day_the_clock_goes_back(pages: CalendarPages, owner: FlaskClient):
    pages.prefer(working_hours="sun 01:00-04:00")
    later = datetime.combine(BACK, time(2, 30), ZONE).replace(fold=1).astimezone(UTC)
    pages.diary.add("Run", Span(later, later + timedelta(minutes=15)))

    shown = of_day(see(owner, BACK), BACK)

    assert "The clock goes back: a day of 25 hours." in shown
    assert "1:00 AM – 2:30 AM CET free for callers" in shown
    assert "2:30 AM CET – 2:45 AM CET Run" in shown


@pytest.mark.parametrize("asking", ["stranger", "known"])
@pytest.mark.parametrize("week", [date(2027, 1, 4), FORWARD, BACK])
def test_free_is_exactly_what_the_tool_offers(
    pages: CalendarPages, owner: FlaskClient, asking: Any, week: date
):
    pages.prefer(working_hours="mon-sun 08:00-18:10", buffer_minutes="10")
    pages.diary.add("Something", at(week, 9, 20, minutes=45))
    monday = week - timedelta(days=week.weekday())
    offer = pages.diary.offer(asking, first=monday, days=7)
    show = calendars.page.dates(pages.store.read(preferences.load))

    page = see(owner, week, **({"as": "known"} if asking == "known" else {}))

    lines = re.findall(r'<li class="line free">(.*?)</li>', page, re.DOTALL)
    read = [text_of(f"<main {line}") for line in lines]
    assert len(read) == len(offer.spans) > 7
    for line, span in zip(read, offer.spans, strict=True):
        starts = [show.clock(start) for start in offer.starts if span.start <= start < span.end]
        told = f" suggested: {', '.join(starts)}" if starts else ""
        assert line == " ".join(f"{show.hours(span)} free for callers{told}".split())


def test_what_known_callers_hear_is_one_link_away(owner: FlaskClient):
    assert 'href="/calendar?week=2027-01-04&amp;as=known#week"' in see(owner, "2027-01-07")

    known = see(owner, "2027-01-07", **{"as": "known"})

    assert 'href="/calendar?week=2027-01-04#week"' in known
    assert 'rel="next" href="/calendar?week=2027-01-11&amp;as=known#week"' in known
    assert '<input type="hidden" name="as" value="known">' in known


def test_why_a_day_has_nothing_free(pages: CalendarPages, owner: FlaskClient):
    pages.prefer(working_hours="mon-fri 09:00-17:00", horizon_days="14")
    far = today() + timedelta(days=30)
    saturday = today() + timedelta(days=(5 - today().weekday()) % 7 or 7)

    assert "Too far ahead to be booked" in of_day(see(owner, far), far)
    assert "Closed" in of_day(see(owner, saturday), saturday)
    assert "In this week, nothing." in see(owner, far)


@pytest.mark.parametrize(
    ("language", "hours"),
    [
        ("en", "2:00 – 2:30 PM"),
        ("en-GB", "14:00–14:30"),
        ("de", "14:00–14:30"),
        ("fr-CA", "14:00–14:30"),
        ("zh-TW", "2:00 – 2:30 PM"),
        ("xx", "2:00 – 2:30 PM"),
    ],
)
def test_hours_with_the_clock_of_the_owners_language(language: str, hours: str):
    span = at(date(2027, 1, 6), 14)

    assert " ".join(Dates(ZONE.key, language, span.start).hours(span).split()) == hours


def test_the_page_is_in_english_whatever_language_is_spoken_on_the_phone(
    pages: CalendarPages, owner: FlaskClient
):
    pages.prefer(language="de", working_hours="wed 09:00-17:00")
    day = date(2027, 1, 6)
    booking = pages.ask(at(day, 10))
    pages.diary.propose(booking.id, at(day, 14).start)

    page = see(owner, day)

    assert "09:00–14:00 free for callers" in of_day(page, day)
    assert "4–10 Jan 2027" in text_of(page)
    assert "Would Wed, 6 Jan 2027, 14:00–14:30 suit you?" in text_of(page)
    assert re.search(r"Asked \d+ seconds? ago", text_of(page))
    assert "Uhr" not in unquote(page)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Berlin", FORWARD),
        ("Europe/Berlin", BACK),
        ("America/Santiago", date(2026, 9, 6)),  # there is no midnight
        ("America/Santiago", date(2027, 4, 3)),
        ("Australia/Lord_Howe", date(2026, 10, 4)),  # by half an hour
        ("Africa/Cairo", date(2027, 4, 30)),
        ("Pacific/Apia", date(2011, 12, 30)),  # a day that was left out
        ("UTC", date(2027, 3, 28)),
    ],
)
def test_a_week_has_no_gap_and_nothing_falls_out_of_it(zone: str, day: date):
    rules = replace(Rules.of(preferences.Preferences()), zone=ZoneInfo(zone))
    monday = monday_of(day)
    whole = span_of_week(monday, rules)
    step = timedelta(minutes=35)
    starts = [whole.start + n * step for n in range((whole.end - whole.start) // step)]
    events = [Event(str(start), Span(start, start + timedelta(hours=3)), "x") for start in starts]

    days = days_of(monday, rules, whole.start, events, None)

    assert [each.date for each in days] == [monday + timedelta(days=n) for n in range(7)]
    assert (days[0].span.start, days[-1].span.end) == whole
    assert all(one.span.end == next_.span.start for one, next_ in pairwise(days))
    for each in days:
        shown = [line.event for line in each.lines]
        assert shown == [event for event in events if event.span.overlaps(each.span)]
    assert {event for each in days for event in (line.event for line in each.lines)} == set(events)


# --- requests ----------------------------------------------------------------------


def test_a_request_says_who_what_when_and_on_which_call(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(date(2027, 1, 6), 10), trust="stranger")

    page = see(owner)

    words = text_of(page)
    assert "Waiting for you Ana +44 20 7946 0018 Stranger Haircut Wed, Jan 6, 2027, 10:00 – 10:30 AM" in words
    assert f'href="tel:{ANA}"' in page
    assert f'href="/calls/{booking.call_sid}"' in page
    assert f'href="#request-{booking.id}"' in see(owner, "2027-01-06")
    assert "waits for you" in of_day(see(owner, "2027-01-06"), date(2027, 1, 6))


def test_a_call_that_is_no_longer_kept_has_no_link(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10))
    pages.store.write(calls.remove, booking.call_sid, datetime.now(UTC))

    page = see(owner)

    assert f"/calls/{booking.call_sid}" not in page
    assert "a call that is no longer kept" in page


def test_without_requests_there_is_no_heading_of_them(owner: FlaskClient):
    assert "Waiting for you" not in see(owner)


def test_a_withheld_number_and_no_name(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10), number=None, caller_name="", trust="stranger")
    pages.diary.propose(booking.id, at(4, 10).start)

    page = see(owner)

    assert "No name given Withheld number" in text_of(page)
    assert "their number was withheld" in page
    assert "sms:" not in page
    assert "tel:" not in page


def test_approving_books_once_however_often_it_is_pressed(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 10)
    booking = pages.ask(span)

    answer = press(owner, f"requests/{booking.id}/approve", week_of(span))
    page = text_of(owner.get(answer.location.partition("#")[0]).text)
    again = told(owner, f"requests/{booking.id}/approve", week_of(span))

    assert answer.status_code == 303
    assert answer.location == f"/calendar?week={week_of(span)}#requests"
    assert "In the calendar: " in page
    assert "Nobody is told by itself" in page
    assert "In the calendar: " in again
    assert pages.titles(span) == ["Haircut"]
    assert "Waiting for you" not in again


def test_what_is_in_the_way_is_shown_and_can_be_overruled(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 10)
    booking = pages.ask(span)
    pages.diary.add("Fetch the car", at(3, 10, 15))

    page = told(owner, f"requests/{booking.id}/approve", week_of(span))
    assert pages.booking(booking.id).status == "requested"
    assert "Not booked." in page
    assert re.search(r"At that time there is already: \S+, \S+ \d+, 10:15 – 10:45 AM: Fetch the car", page)
    assert "Book it anyway" in page

    page = told(owner, f"requests/{booking.id}/approve", week_of(span), anyway="1")
    assert "In the calendar: " in page
    assert pages.titles(span) == ["Haircut", "Fetch the car"]


def test_what_was_in_the_way_and_is_gone_is_no_trouble(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10))

    page = see(owner, clash=str(booking.id))

    assert "At that time there is already" not in page
    assert "Book it anyway" not in page
    assert see(owner, clash="999") != ""


def test_declining_frees_the_time(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 10)
    booking = pages.ask(span)

    first = told(owner, f"requests/{booking.id}/decline")
    again = told(owner, f"requests/{booking.id}/decline")

    assert "Declined: " in first
    assert "Declined: " in again
    assert pages.booking(booking.id).status == "declined"
    assert pages.diary.events(span) == []
    assert "Declined: " in told(owner, f"requests/{booking.id}/approve")
    assert pages.titles(span) == []


def test_another_time_is_kept_until_the_caller_has_agreed(pages: CalendarPages, owner: FlaskClient):
    pages.prefer(owner_name="Robin & Co")
    wished, other = at(3, 10), at(date(2027, 1, 6), 14, 15, minutes=45)
    booking = pages.ask(wished)
    typed = {"date": "2027-01-06", "time": "14:15", "minutes": "45"}

    page = told(owner, f"requests/{booking.id}/propose", **typed)
    told(owner, f"requests/{booking.id}/propose", **typed)

    assert "is kept for them. Nobody is told by itself" in page
    assert "They agreed: book it" in page
    assert [(event.span, event.status) for event in pages.diary.events(other)] == [(other, "proposed")]
    assert pages.diary.events(wished) == []

    (address,) = re.findall(r'href="(sms:[^"]+)"', see(owner))
    number, _, query = address.replace("&amp;", "&").partition("?")
    assert unquote(number) == f"sms:{ANA}"
    (words,) = parse_qs(query)["body"]
    assert words.startswith("Hello Ana, you asked for an appointment. Would Wed, Jan 6, 2027, 2:15")
    assert words.endswith("suit you? – Robin & Co")
    assert " ".join(words.split()) in page

    page = told(owner, f"requests/{booking.id}/approve")
    assert "In the calendar: Wed, Jan 6, 2027, 2:15 – 3:00 PM." in page
    assert pages.titles(other) == ["Haircut"]


def test_a_proposal_may_be_declined(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10))
    pages.diary.propose(booking.id, at(4, 10).start)

    assert "Declined: " in told(owner, f"requests/{booking.id}/decline")
    assert pages.diary.events(at(4, 10)) == []


def test_a_proposal_that_clashes_keeps_what_was_typed(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10))
    pages.diary.add("Lunch", at(date(2027, 1, 6), 13, minutes=60))
    typed = {"date": "2027-01-06", "time": "13:15", "minutes": "45"}

    answer = press(owner, f"requests/{booking.id}/propose", **typed)

    assert answer.status_code == 409
    assert "Wed, Jan 6, 2027, 1:00 – 2:00 PM: Lunch" in text_of(answer.text)
    assert all(f'value="{value}"' in answer.text for value in typed.values())
    assert pages.booking(booking.id).status == "requested"

    told(owner, f"requests/{booking.id}/propose", **typed, anyway="1")
    assert pages.booking(booking.id).status == "proposed"


def test_nothing_is_proposed_for_yesterday(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10))
    yesterday = (today() - timedelta(days=1)).isoformat()

    answer = press(owner, f"requests/{booking.id}/propose", date=yesterday, time="10:00", minutes="30")

    assert answer.status_code == 422
    assert "is past" in text_of(answer.text)
    assert f'value="{yesterday}"' in answer.text
    assert pages.booking(booking.id) == booking


def test_an_unsure_booking_is_looked_for(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 10)
    booking = pages.unsure(span)

    page = see(owner, week_of(span))
    assert "did not say whether it has" in page
    assert "not sure" in of_day(page, span.start.astimezone(ZONE).date())
    assert "Approve" not in text_of(page)

    page = told(owner, f"requests/{booking.id}/check")
    assert "Not in the calendar: " in page
    assert pages.booking(booking.id).status == "requested"


def test_an_unsure_booking_that_is_there_is_booked(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 10)
    booking = pages.unsure(span)
    other = Diary(pages.store)
    other.calendar().add(_new(booking), Deadline(5))

    assert "In the calendar: " in told(owner, f"requests/{booking.id}/check")
    assert "In the calendar: " in told(owner, f"requests/{booking.id}/check")
    assert pages.titles(span) == ["Haircut"]


def _new(booking: Booking) -> NewEvent:
    return NewEvent(booking.event_id, Span(booking.start, booking.end), booking.title, booking.timezone)


@pytest.mark.parametrize("deed", ["decline", "propose"])
def test_of_an_unsure_booking_nothing_untrue_is_said(pages: CalendarPages, owner: FlaskClient, deed: str):
    booking = pages.unsure(at(3, 10))

    page = told(owner, f"requests/{booking.id}/{deed}", date="2027-01-06", time="14:15", minutes="45")

    assert "it is not known yet whether it is in the calendar; look again first." in page
    assert "Not in the calendar" not in page
    assert "Nobody is told" not in page
    assert pages.booking(booking.id) == booking


@pytest.mark.parametrize(
    ("status", "path", "told_them"),
    [
        (
            "requested",
            "requests/{}/approve",
            "Hello Ana, your appointment is booked: Wed, Jan 6, 2027, 10:00",
        ),
        (
            "requested",
            "requests/{}/decline",
            "Hello Ana, you asked for an appointment: Wed, Jan 6, 2027, 10:00",
        ),
        (
            "confirmed",
            "made/{}/undo",
            "Hello Ana, I am sorry, your appointment has to be cancelled: Wed, Jan 6",
        ),
    ],
)
def test_whom_to_call_and_words_for_them(
    pages: CalendarPages, owner: FlaskClient, status: str, path: str, told_them: str
):
    pages.prefer(owner_name="Robin")
    booking = pages.ask(at(date(2027, 1, 6), 10), "Haircut & <b>more</b>", how=status)

    answer = press(owner, path.format(booking.id))
    left = note(owner.get(answer.location.partition("#")[0]).text)

    assert text_of(f"<main {left}").startswith("Haircut & <b>more</b> · Ana · +44 20 7946 0018 ")
    assert "Nobody is told by itself: Call Send as a message" in text_of(f"<main {left}")
    assert f'href="tel:{ANA}"' in left
    (address,) = re.findall(r'href="(sms:[^"]+)"', left)
    (words,) = parse_qs(address.replace("&amp;", "&").partition("?")[2])["body"]
    assert words.startswith(told_them)
    assert words.endswith("– Robin")


def note(page: str) -> str:
    """What a page says of the button that was pressed."""
    (found,) = re.findall(r'<div class="note-left.*?</div>', page, re.DOTALL)
    return str(found)


def test_a_withheld_number_cannot_be_told(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10), number=None, caller_name="", trust="stranger")

    page = told(owner, f"requests/{booking.id}/approve")

    assert "Haircut · No name given · Withheld number In the calendar: " in page
    assert "their number was withheld, so you need another way" in page


def test_the_owner_need_not_be_told(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10), trust="owner", how="confirmed", caller_name="")

    page = told(owner, f"made/{booking.id}/undo")

    assert "Taken out of the calendar: " in page
    assert "Nobody is told" not in page


def test_a_note_about_what_is_forgotten_is_the_note_alone(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10))
    answer = press(owner, f"requests/{booking.id}/decline")
    pages.store.write(appointments.discard, booking.id)

    left = note(owner.get(answer.location.partition("#")[0]).text)

    assert "Declined: " in left
    assert "Ana" not in left


def test_a_clash_is_shown_at_its_request_also_among_many(pages: CalendarPages, owner: FlaskClient):
    bookings = [pages.ask(at(3, 6 + n), f"Lesson {n}") for n in range(9)]
    pages.diary.add("Fetch the car", at(3, 14, 15))

    answer = press(owner, f"requests/{bookings[8].id}/approve")
    page = owner.get(answer.location.partition("#")[0]).text

    assert answer.location.endswith(f"#request-{bookings[8].id}")
    said = text_of(f"<main {note(page)}")
    assert re.fullmatch(r"Lesson 8 · Ana · \+44 20 7946 0018 · .* 2:00 – 2:30 PM Not booked\. .*", said)
    assert re.search(r'<details class="fold" open>\s*<summary>3 more', page)
    assert page.index("3 more") < page.index("At that time there is already:")


def test_many_requests_are_folded_and_the_week_is_one_press_away(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 6)
    bookings = [pages.ask(at(3, 6 + n), f"Lesson {n}") for n in range(6)]
    assert 'href="#week"' not in see(owner)
    bookings += [pages.ask(at(3, 12 + n), f"Lesson {6 + n}") for n in range(2)]

    page = see(owner, week_of(span))

    assert "Waiting for you (8) To the week" in text_of(page)
    assert 'href="#week"' in page
    requests = page.partition('id="week"')[0]
    assert re.search(r'<details class="fold">\s*<summary>2 more', requests)
    assert requests.index("Lesson 5") < requests.index("2 more") < requests.index("Lesson 6")

    assert f'href="#request-{bookings[5].id}"' in page
    (way,) = re.findall(rf'href="([^"]*)#request-{bookings[7].id}"', page)
    opened = owner.get(way.replace("&amp;", "&")).text
    assert re.search(r'<details class="fold" open>\s*<summary>2 more', opened)
    assert f'id="day-{week_of(span)}"' in opened


def test_buttons_say_of_which_request_they_are(pages: CalendarPages, owner: FlaskClient):
    first, second = pages.ask(at(3, 10)), pages.ask(at(3, 11), how="confirmed")

    page = see(owner)

    for deed in ("Approve", "Decline"):
        (about,) = re.findall(rf'<button[^>]*aria-describedby="([^"]+)"[^>]*>\s*{deed}', page)
        assert about == f"request-{first.id}-title"
    assert f'id="request-{first.id}-title"' in page
    assert f'aria-describedby="made-{second.id}-what">Take it out' in page
    assert f'id="made-{second.id}-what"' in page


@pytest.mark.parametrize("number", [2**63, 2**70, 10**40])
@pytest.mark.parametrize(
    "path",
    [*(f"requests/{{}}/{deed}" for deed in ("approve", "decline", "propose", "check")), "made/{}/undo"],
)
def test_numbers_no_booking_can_have_are_not_found(owner: FlaskClient, number: int, path: str):
    assert press(owner, path.format(number)).status_code == 404


def test_the_largest_number_is_only_not_there(owner: FlaskClient):
    assert "There is no such appointment" in told(owner, f"requests/{2**63 - 1}/approve")


@pytest.mark.parametrize("deed", ["approve", "decline", "check"])
def test_a_request_that_is_not_there(owner: FlaskClient, deed: str):
    assert "There is no such appointment, or not any more." in told(owner, f"requests/999/{deed}")


# --- what was booked ---------------------------------------------------------------


def test_what_the_assistant_booked_can_be_undone(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 10)
    booking = pages.ask(span, how="confirmed")

    page = see(owner, week_of(span))
    assert "by the assistant" in of_day(page, span.start.astimezone(ZONE).date())
    assert f'href="/calls/{booking.call_sid}">the call</a>' in page
    assert "Takes it out of the calendar." in page

    answer = press(owner, f"made/{booking.id}/undo", week_of(span))
    assert answer.location == f"/calendar?week={week_of(span)}#made"
    page = text_of(owner.get(answer.location.partition("#")[0]).text)
    assert "Taken out of the calendar: " in page
    assert "Haircut taken out" in page
    assert pages.titles(span) == []
    assert "Taken out of the calendar: " in told(owner, f"made/{booking.id}/undo")


def test_tentative_bookings_say_so(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 10)
    pages.ask(span, how="tentative")

    assert "Haircut tentative by the assistant" in of_day(
        see(owner, week_of(span)), span.start.astimezone(ZONE).date()
    )


def test_a_long_list_is_folded(pages: CalendarPages, owner: FlaskClient):
    for n in range(9):
        pages.ask(at(3, 8 + n), f"Lesson {n}", how="confirmed")

    page = see(owner)

    assert "3 more" in page
    assert page.index("Lesson 8") < page.index("3 more") < page.index("Lesson 0")


# --- the owner's own ---------------------------------------------------------------


def test_adding_an_appointment_shows_its_week(pages: CalendarPages, owner: FlaskClient):
    answer = press(
        owner,
        "events",
        "2026-11-16",
        title="  Lunch \t with Sam",
        date="2027-01-06",
        time="13:00",
        minutes="60",
    )

    assert answer.status_code == 303
    assert answer.location == "/calendar?week=2027-01-06#week"
    page = owner.get("/calendar?week=2027-01-06").text
    assert "It is in the calendar: Wed, Jan 6, 2027, 1:00 – 2:00 PM." in text_of(page)
    assert "1:00 – 2:00 PM Lunch with Sam" in of_day(page, date(2027, 1, 6))


def test_adding_a_whole_day_of_23_hours(pages: CalendarPages, owner: FlaskClient):
    press(owner, "events", title="Marathon", date=str(FORWARD), all_day="1")

    (event,) = pages.diary.events(at(FORWARD, 12))
    assert event.all_day
    assert event.span.end - event.span.start == timedelta(hours=23)


def test_a_form_sent_twice_adds_one(pages: CalendarPages, owner: FlaskClient):
    typed = {"title": "Lunch", "date": "2027-01-06", "time": "13:00", "minutes": "60"}

    press(owner, "events", **typed)
    again = told(owner, "events", **typed)

    assert "That is already in the calendar" in again
    assert pages.titles(at(date(2027, 1, 6), 13)) == ["Lunch"]


def test_two_clicks_in_a_row_add_one(pages: CalendarPages, owner: FlaskClient):
    token = csrf_token(owner.get("/calendar").text)
    typed = {"title": "Lunch", "date": "2027-01-06", "time": "13:00", "minutes": "60", "csrf_token": token}
    cookie = owner.get_cookie("session", domain="127.0.0.1")
    assert cookie

    def click() -> int:
        browser = pages.browser()
        browser.set_cookie("session", cookie.value, domain="127.0.0.1")
        return browser.post("/calendar/events", data=typed).status_code

    with ThreadPoolExecutor(8) as clicks:
        assert {done.result() for done in [clicks.submit(click) for _ in range(8)]} == {303}

    assert pages.titles(at(date(2027, 1, 6), 13)) == ["Lunch"]


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"title": " "}, "title", "Give the appointment a title."),
        ({"title": "x" * 201}, "title", "longer than 200 characters"),
        ({"title": "a\x07b"}, "title", "cannot be shown"),
        ({"date": "6.1.2027"}, "date", "YYYY-MM-DD"),
        ({"date": "2027-02-30"}, "date", "no date 2027-02-30"),
        ({"date": "2090-01-01"}, "date", "too far away"),
        ({"date": "0001-01-01"}, "date", "no year 1"),
        ({"time": ""}, "time", "HH:MM"),
        ({"time": "9am"}, "time", "HH:MM"),
        ({"time": "25:00"}, "time", "no time 25:00"),
        ({"minutes": "soon"}, "minutes", "from 5 to 1440"),
        ({"minutes": "4"}, "minutes", "from 5 to 1440"),
        ({"minutes": "99999999999"}, "minutes", "from 5 to 1440"),
        ({"minutes": "١٥"}, "minutes", "from 5 to 1440"),
        ({"date": str(FORWARD), "time": "02:30"}, "time", "There is no 02:30 on Sun, Mar 28, 2027"),
        ({"date": str(FORWARD), "time": "02:30"}, "time", "1:59 AM is followed by 3:00 AM"),
        ({"date": str(BACK), "time": "02:30"}, "time", "shows 02:30 twice"),
    ],
)
def test_what_cannot_be_read_is_told_at_the_field(
    pages: CalendarPages, owner: FlaskClient, wrong: dict[str, str], field: str, said: str
):
    typed = {"title": "Lunch & <b>talk</b>", "date": "2027-01-06", "time": "13:00", "minutes": "60"} | wrong

    answer = press(owner, "events", "2027-01-06", **typed)

    page = answer.text
    assert answer.status_code == 422
    assert said in text_of(page)
    assert '<details class="card fold" id="add" open>' in page
    (marked,) = re.findall(
        r'<input id="add-(\w+)"[^>]*aria-invalid="true" aria-describedby="add-problem"', page
    )
    assert marked == field
    shown = {name: value for name, value in typed.items() if name not in wrong}
    assert all(f'name="{name}"' in page for name in typed)
    for name, value in shown.items():
        escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert re.search(rf'<input id="add-{name}"[^>]* value="{re.escape(escaped)}"', page), name
    assert 'id="day-2027-01-06"' in page
    assert pages.diary.events(Span(at(-400, 0).start, at(400, 0).start)) == []


@pytest.mark.parametrize(("which", "name"), [("earlier", "CEST"), ("later", "CET")])
def test_a_time_that_comes_twice_can_be_chosen(
    pages: CalendarPages, owner: FlaskClient, which: str, name: str
):
    typed = {"title": "Run", "date": str(BACK), "time": "02:30", "minutes": "15"}
    asked = text_of(press(owner, "events", **typed).text)
    assert "2:30 AM CEST the earlier 2:30 AM CET the later" in asked

    told(owner, "events", **typed, which=which)

    (event,) = pages.diary.events(at(BACK, 2, minutes=120))
    assert event.span.start.astimezone(ZONE).tzname() == name


def test_removing_an_appointment(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 10)
    event = pages.diary.add("Lunch", span)
    (shown,) = re.findall(r'name="event_id" value="([^"]+)"', see(owner, week_of(span)))
    assert shown == event.event_id

    first = told(owner, "events/remove", week_of(span), event_id=shown)
    again = told(owner, "events/remove", week_of(span), event_id=shown)

    assert "Removed from the calendar." in first
    assert "no such appointment" in again
    assert pages.titles(span) == []


def test_removing_what_was_booked_is_known_to_the_booking(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10), how="confirmed")

    told(owner, "events/remove", event_id=booking.event_id)

    assert pages.booking(booking.id).status == "cancelled"


# --- hostile text --------------------------------------------------------------------


def test_what_strangers_say_is_text_and_nothing_else(pages: CalendarPages, owner: FlaskClient):
    pages.ask(at(3, 10), POLYGLOT, caller_name=POLYGLOT)
    pages.ask(at(3, 11), POLYGLOT, caller_name=POLYGLOT, how="confirmed")
    proposed = pages.ask(at(3, 12), POLYGLOT, caller_name=POLYGLOT)
    pages.diary.propose(proposed.id, at(3, 13).start)

    for page in (see(owner), see(owner, week_of(at(3, 10)))):
        assert "<script" not in page.partition("<main")[2].partition("</main>")[0]
        assert "<img src=x" not in page
        assert POLYGLOT in text_of(page)
        assert "49}" not in page
    (address,) = re.findall(r'href="(sms:[^"]+)"', see(owner))
    assert "<" not in address
    assert POLYGLOT[:20] in unquote(address)


def test_long_titles_are_cut(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 10)
    pages.ask(span, "x" * 5000, caller_name="y" * 5000)

    page = see(owner, week_of(span))

    assert "x" * 201 not in page
    assert "y" * 81 not in page
    assert "…" in page


def test_a_link_of_the_provider_is_followed_only_to_the_web():
    show = calendars.page.dates(preferences.Preferences())

    assert show.web_address("https://www.google.com/calendar/event?eid=x")
    assert not show.web_address("javascript:alert(1)")
    assert not show.web_address("")


# --- which calendar ------------------------------------------------------------------


def test_the_embedded_calendar_says_what_it_is(owner: FlaskClient):
    page = see(owner)

    assert "The embedded one: appointments are kept on this machine" in text_of(page)
    assert 'href="/calendar/link"' in page


def test_how_bookings_are_treated_is_said_with_the_command(pages: CalendarPages, owner: FlaskClient):
    pages.prefer(
        working_hours="mon-fri 09:00-17:00", buffer_minutes="15", horizon_days="20", booking="tentative"
    )

    words = text_of(see(owner))

    assert (
        "A stranger’s booking is pencilled into the calendar at once, a known caller’s goes into"
        " the calendar at once, fixed. Offered is mon-fri 09:00-17:00,"
        " 30 minutes at a time with 15 minutes free around each appointment, from 2 hours ahead until"
    ) in words
    assert "(20 days). Change it in the settings" in words


def test_a_dead_link_hides_nothing_we_know(pages: CalendarPages, owner: FlaskClient):
    span = at(3, 10)
    pages.diary.add("Of the time before the link", at(3, 12))
    pages.ask(at(3, 14), "Booked before", how="confirmed")
    pages.ask(span, "Waits")
    pages.kill_google()
    pages.ask_google(at(3, 15), "Booked in Google")

    page = see(owner, week_of(span))

    words = text_of(page)
    assert (
        "The calendar cannot be seen just now. Google does not accept the access any more. Link again"
        in words
    )
    assert "The link is dead since" in words
    assert "me@example.com" in words
    assert "Last success 1 day ago" in words
    day = of_day(page, span.start.astimezone(ZONE).date())
    assert "10:00 – 10:30 AM Waits waits for you" in day
    assert words.count("Google does not accept the access any more") == 1
    assert "12:00 – 12:30 PM Of the time before the link" in day
    assert "2:00 – 2:30 PM Booked before by the assistant" in day
    assert "3:00 – 3:30 PM Booked in Google by the assistant" in day
    assert "free for callers" not in page
    assert "Remove" not in day


def test_with_a_dead_link_nothing_typed_is_lost(pages: CalendarPages, owner: FlaskClient):
    booking = pages.ask(at(3, 10))
    pages.kill_google()

    page = told(owner, f"requests/{booking.id}/approve")
    answer = press(owner, "events", title="Lunch", date="2027-01-06", time="13:00", minutes="60")

    assert "Google does not accept the access any more" in page
    assert pages.booking(booking.id).status == "requested"
    assert answer.status_code == 502
    assert 'value="Lunch"' in answer.text
    assert "Google does not accept the access any more" in answer.text
    embedded = Diary(pages.store)
    assert embedded.events(at(date(2027, 1, 6), 13)) == []

    typed = {"date": "2027-01-07", "time": "13:15", "minutes": "45"}
    proposed = press(owner, f"requests/{booking.id}/propose", **typed)
    assert proposed.status_code == 502
    assert all(f'value="{value}"' in proposed.text for value in typed.values())
    assert "Google does not accept" in proposed.text.partition(f'id="propose-{booking.id}-problem"')[2]
    assert pages.booking(booking.id) == booking


# --- the feed's address ----------------------------------------------------------------


def test_the_feed_is_made_renewed_and_removed(pages: CalendarPages, owner: FlaskClient):
    def addresses() -> list[str]:
        return re.findall(r"http://127\.0\.0\.1:5000(/calendar/feed/[\w-]{22,}\.ics)", see(owner))

    assert addresses() == []

    assert "This is the feed’s address now." in told(owner, "feed")
    (first,) = addresses()
    assert pages.browser().get(first).status_code == 200

    told(owner, "feed")
    (second,) = addresses()
    assert first != second
    assert pages.browser().get(first).status_code == 404
    assert pages.browser().get(second).status_code == 200

    assert "There is no feed any more." in told(owner, "feed/remove")
    told(owner, "feed/remove")
    assert addresses() == []
    assert pages.browser().get(second).status_code == 404


def test_the_feeds_address_is_the_public_one_where_there_is_one(tmp_path: Path):
    with_address, without = CalendarPages(tmp_path / "a", **PUBLIC), CalendarPages(tmp_path / "b")
    for pages in (with_address, without):
        pages.store.write(addresses.renew)

    assert "https://phone.example/calendar/feed/" in (page := see(with_address.owner()))
    assert "from this machine alone" not in page
    assert "from this machine alone" in see(without.owner())


def test_the_sandboxs_made_up_address_is_not_called_public(tmp_path: Path):
    pages = CalendarPages(tmp_path)
    parts = pages.app.extensions["afterbeep"]
    parts.settings = with_sandbox_phone(parts.settings)
    assert parts.settings.public_url
    pages.store.write(addresses.renew)

    assert "from this machine alone" in see(pages.owner())


def test_what_cuts_readers_off_is_asked_first(pages: CalendarPages, owner: FlaskClient):
    pages.store.write(addresses.renew)

    page = see(owner)

    folded_in = r'<details class="sure">\s*<summary>[^<]*</summary>\s*'
    asked = folded_in + r'<form method="post" action="/calendar/(feed[^"]*)"'
    assert re.findall(asked, page) == ["feed", "feed/remove"]
    assert page.count('action="/calendar/feed') == 2
    assert text_of(page).count("Every program that reads this address is cut off") == 2


def test_the_feed_says_what_it_holds(pages: CalendarPages, owner: FlaskClient):
    assert "let" in (here := text_of(see(owner)))
    assert "show what is in this calendar and what waits for you." in here

    pages.kill_google()

    assert "what the assistant has booked in Google, and what waits for you." in text_of(see(owner))
