"""What is free for whom: one question, whoever asks it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from assistant.calendars.diary import Diary
from assistant.calendars.events import Deadline, Span
from assistant.errors import CalendarUnavailable
from tests.tools.far_calendar import FarCalendar
from tests.tools.house import House

TUESDAY = date(2026, 12, 1)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "afterbeep.db")


def offered(house: House, trust: Any = "known", **more: Any) -> list[str]:
    offer = house.diary.offer(trust, **{"first": TUESDAY, "days": 1, **more})
    return [
        f"{span.start.astimezone(offer.zone):%H:%M}-{span.end.astimezone(offer.zone):%H:%M}"
        for span in offer.spans
    ]


def test_the_calendar_in_use_is_the_linked_one_also_while_it_is_broken(house: House):
    assert house.diary.kind == "embedded"

    house.link.linked = FarCalendar(trouble="unreachable")

    assert house.diary.kind == "google"
    with pytest.raises(CalendarUnavailable):
        house.diary.offer("known", first=TUESDAY, days=1)


def test_a_diary_needs_no_link(house: House):
    assert Diary(house.store).kind == "embedded"


@pytest.mark.parametrize(
    ("trust", "expected"),
    [
        ("stranger", ["09:00-10:00", "11:30-17:00"]),
        ("known", ["09:00-10:05", "11:15-17:00"]),
        ("owner", ["09:00-10:05", "11:15-17:00"]),
    ],
)
def test_how_exactly_depends_on_who_asks(house: House, trust: Any, expected: list[str]):
    house.busy("12-01 10:05", "11:15")

    assert offered(house, trust) == expected


def test_the_owner_is_asked_for_no_notice_and_looks_a_year_ahead(house: House):
    house.prefer(notice_hours=48, horizon_days=1)
    far = date(2027, 11, 30)

    assert (offered(house, "known"), offered(house, "owner")) == ([], ["09:00-17:00"])
    assert offered(house, "owner", first=far) == ["09:00-17:00"]
    assert offered(house, "owner", first=far + timedelta(days=2)) == []


def test_what_lies_just_outside_the_days_counts_with_its_buffer(house: House):
    house.prefer(working_hours="mon-sun 00:00-24:00", buffer_minutes=60)
    house.busy("11-30 23:00", "23:45")
    house.busy("12-02 00:15", "01:00")

    assert offered(house) == ["00:45-23:15"]


def test_as_if_one_event_were_not_there(house: House):
    event_id = house.busy("12-01 10:00", "16:00")
    asked = house.rings().wants("12-01 16:00")["event_id"]

    assert offered(house) == ["09:00-10:00", "16:30-17:00"]
    assert offered(house, without=event_id) == ["09:00-16:00", "16:30-17:00"]
    assert offered(house, without=asked) == ["09:00-10:00", "16:00-17:00"]


def test_near_a_wish_is_its_day_and_those_after_it(house: House):
    house.busy("12-01 09:00", "17:00")
    wished = house.span("12-01 14:00", "15:00")

    offer = house.diary.near("known", wished, Deadline(4))

    days = [span.start.astimezone(house.zone).date() - TUESDAY for span in offer.spans]
    assert [each.days for each in days] == [-1, 1, 2, 3]
    assert offer.length == timedelta(hours=1)


def test_near_today_is_never_yesterday(house: House):
    offer = house.diary.near("known", house.span("11-30 14:00", "15:00"), Deadline(4))

    assert min(offer.starts) >= house.now + timedelta(hours=2)


def test_a_booking_that_is_just_being_written_is_seen_here_or_there(house: House):
    """It leaves what is held only after it is in the calendar: whoever looks there first would miss it."""

    class Late(FarCalendar):
        """While it is asked, the booking arrives, and is not held any more."""

        def busy(self, span: Span, deadline: Deadline, *, without: str | None = None) -> list[Span]:
            found = super().busy(span, deadline, without=without)
            if arriving:
                house.diary.approve(arriving.pop())
            return found

    house.rings().wants("12-01 14:00")
    arriving = [house.bookings()[0].id]
    house.link.linked = Late()

    assert offered(house) == ["09:00-14:00", "14:30-17:00"]
