"""What the owner decides on the page, and what becomes of it in the calendar."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from assistant.calendars import bookings
from assistant.calendars.bookings import Wish
from assistant.calendars.events import Deadline, Event, Span
from assistant.errors import CalendarUnavailable, NoSuchEvent, SlotTaken, UnknownOutcome
from assistant.store import google_link
from assistant.store.appointments import Booking
from tests.tools.far_calendar import FarCalendar
from tests.tools.house import ANA, House, refused


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "afterbeep.db")


@pytest.fixture
def far(house: House) -> FarCalendar:
    """An account is linked."""
    house.link.linked = far = FarCalendar()
    return far


def request(house: House, when: str = "12-01 14:00", call_sid: str = "CA1", **more: Any) -> Booking:
    """Ana asks for half an hour."""
    assert house.rings(call_sid=call_sid).wants(when, title="The roof", caller_name="Ana", **more)["ok"]
    return house.bookings(call_sid)[-1]


def booked(house: House, when: str = "12-01 14:00", call_sid: str = "CA9") -> Booking:
    """Sam has half an hour."""
    assert house.rings("known", call_sid=call_sid).wants(when, title="Lunch")["ok"]
    return house.bookings(call_sid)[-1]


# --- approve -----------------------------------------------------------------------


def test_a_request_that_is_approved_is_in_the_calendar(house: House):
    asked = request(house)

    done = house.diary.approve(asked.id)

    assert (done.status, done.calendar, done.event_id) == ("booked", "embedded", asked.event_id)
    (event,) = house.events()
    assert (event.event_id, event.title, event.status) == (asked.event_id, "The roof: Ana", "confirmed")
    assert (event.start, event.call_sid) == (house.at("12-01 14:00"), "CA1")
    assert event.description == f"Booked by the assistant on a call from Ana, {ANA}."
    assert house.diary.requests() == []
    assert house.diary.made() == [done]


def test_approving_twice_is_approving_once(house: House):
    asked = request(house)

    first, again = house.diary.approve(asked.id), house.diary.approve(asked.id)

    assert first == again
    assert len(house.events()) == 1


def test_a_request_in_the_way_of_something_is_approved_only_anyway(house: House):
    asked = request(house)
    house.busy("12-01 14:15", "15:00", "Dentist")

    with pytest.raises(SlotTaken):
        house.diary.approve(asked.id)
    assert [one.status for one in house.diary.requests()] == ["requested"]
    assert len(house.events()) == 1

    assert house.diary.approve(asked.id, anyway=True).status == "booked"
    assert len(house.events()) == 2


def test_a_request_in_the_way_of_another_is_a_conflict(house: House):
    first, second = request(house), request(house, "12-01 16:00", "CA2")
    house.diary.propose(second.id, house.at("12-01 14:10"), anyway=True)

    for one in (first, second):
        with pytest.raises(SlotTaken):
            house.diary.approve(one.id)


def test_the_buffer_is_no_obstacle_to_the_owner(house: House):
    asked = request(house)
    house.prefer(buffer_minutes=30)
    house.busy("12-01 14:30", "15:00")

    assert house.diary.approve(asked.id).status == "booked"


@pytest.mark.parametrize("trouble", ["unreachable", "unwritable", "taken"])
def test_a_request_waits_on_when_the_calendar_refuses(house: House, far: FarCalendar, trouble: Any):
    asked = request(house)
    far.trouble = trouble

    with pytest.raises((CalendarUnavailable, SlotTaken)):
        house.diary.approve(asked.id)

    assert house.diary.requests() == [asked]
    far.trouble = ""
    assert house.diary.approve(asked.id).calendar == "google"


@pytest.mark.parametrize("trouble", ["lost answer", "lost request"])
def test_a_request_waits_on_when_nobody_knows_and_approving_again_makes_one(
    house: House, far: FarCalendar, trouble: Any
):
    asked = request(house)
    far.trouble = trouble
    with pytest.raises(UnknownOutcome):
        house.diary.approve(asked.id)
    assert [one.status for one in house.diary.requests()] == ["unsure"]

    far.trouble = ""
    done = house.diary.approve(asked.id)

    assert (done.status, list(far.kept)) == ("booked", [asked.event_id])


@pytest.mark.parametrize("decide", ["approve", "decline", "undo", "check"])
def test_what_is_not_there_cannot_be_decided(house: House, decide: str):
    with pytest.raises(NoSuchEvent):
        getattr(house.diary, decide)(99)


def test_an_approval_that_cannot_be_written_down_is_not_sent(
    house: House, far: FarCalendar, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bookings, "SETTLE_S", 0.1)
    asked = request(house)
    house.store.start()
    other = sqlite3.connect(house.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(UnknownOutcome):
        house.diary.approve(asked.id)

    other.execute("ROLLBACK")
    other.close()
    house.store.stop()
    assert ([one.status for one in house.bookings()], far.kept) == (["unsure"], {})
    assert house.diary.check(asked.id).status == "requested"


def test_a_program_that_dies_while_approving_leaves_what_can_be_looked_for(house: House, far: FarCalendar):
    asked = request(house)

    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        far.kept[asked.event_id] = Event(asked.event_id, house.span("12-01 14:00", "14:30"), "The roof")
        raise Killed

    far.add = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        house.diary.approve(asked.id)

    assert [one.status for one in house.diary.requests()] == ["unsure"]
    house.diary.check_all()
    assert [one.status for one in house.diary.made()] == ["booked"]


@pytest.mark.parametrize(
    ("trouble", "status"), [("unreachable", "unsure"), ("unwritable", "unsure"), ("taken", "requested")]
)
def test_approving_again_what_may_be_there_does_not_call_it_gone(
    house: House, far: FarCalendar, trouble: Any, status: str
):
    """Only a calendar that was written to and looked at knows that it is not there."""
    asked = request(house)
    far.trouble = "lost answer"
    with pytest.raises(UnknownOutcome):
        house.diary.approve(asked.id)

    far.trouble = trouble
    with pytest.raises((CalendarUnavailable, SlotTaken)):
        house.diary.approve(asked.id)

    assert [one.status for one in house.diary.requests()] == [status]


# --- decline, propose --------------------------------------------------------------


def test_a_request_that_is_declined_gives_its_time_back(house: House):
    asked = request(house)

    assert house.diary.decline(asked.id).status == "declined"

    assert (house.diary.requests(), house.events()) == ([], [])
    assert house.rings(call_sid="CA2").wants("12-01 14:00")["ok"]


def test_what_is_decided_stays_decided(house: House):
    asked, other = request(house), request(house, "12-02 10:00", "CA2")
    house.diary.approve(asked.id)
    house.diary.decline(other.id)

    assert house.diary.decline(asked.id).status == "booked"
    assert house.diary.approve(other.id).status == "declined"
    assert house.diary.propose(other.id, house.at("12-03 10:00")).status == "declined"
    assert len(house.events()) == 1


def test_another_time_is_proposed_and_held(house: House):
    asked = request(house)

    proposed = house.diary.propose(asked.id, house.at("12-02 20:00"), timedelta(hours=1))

    assert (proposed.status, proposed.start, proposed.end) == (
        "proposed", house.at("12-02 20:00"), house.at("12-02 21:00"),
    )  # fmt: skip
    assert house.diary.requests() == [proposed]
    assert house.rings(call_sid="CA2").wants("12-01 14:00")["ok"]
    assert house.diary.approve(asked.id).status == "booked"
    assert [event.start for event in house.events()] == [house.at("12-02 20:00")]


def test_a_proposed_time_is_as_long_as_the_wish(house: House):
    proposed = house.diary.propose(request(house, duration_minutes=45).id, house.at("12-02 10:00"))

    assert proposed.end - proposed.start == timedelta(minutes=45)


def test_a_time_that_is_taken_is_proposed_only_anyway(house: House):
    house.busy("12-02 10:00", "11:00")
    asked = request(house)

    with pytest.raises(SlotTaken):
        house.diary.propose(asked.id, house.at("12-02 10:30"))
    assert house.diary.requests() == [asked]

    assert house.diary.propose(asked.id, house.at("12-02 10:30"), anyway=True).status == "proposed"


def test_a_little_later_is_not_in_its_own_way(house: House):
    assert house.diary.propose(request(house).id, house.at("12-01 14:15")).status == "proposed"


# --- undo, check -------------------------------------------------------------------


def test_what_the_assistant_booked_can_be_undone(house: House):
    one = booked(house)

    assert house.diary.undo(one.id).status == "cancelled"
    assert house.diary.undo(one.id).status == "cancelled"

    assert house.events() == []
    assert [made.status for made in house.diary.made()] == ["cancelled"]


def test_undoing_what_is_gone_already_is_no_error(house: House):
    one = booked(house)
    house.store.write(lambda db: db.execute("DELETE FROM events"))

    assert house.diary.undo(one.id).status == "cancelled"


def test_undo_is_not_for_requests(house: House):
    assert house.diary.undo(request(house).id).status == "requested"


def test_what_was_booked_before_the_link_holds_its_time_and_can_be_undone(house: House):
    one = booked(house)
    own = house.diary.add("Dentist", house.span("12-01 09:00", "10:00"))
    house.link.linked = far = FarCalendar()
    line = house.rings("known", call_sid="CA2")

    assert refused(line.wants("12-01 14:00")) == "taken"
    assert refused(line.wants("12-01 09:30")) == "taken"
    assert [event.event_id for event in house.diary.events(house.span("12-01 00:00", "23:00"))] == [
        own.event_id,
        one.event_id,
    ]
    house.diary.remove(own.event_id)
    assert house.diary.undo(one.id).status == "cancelled"
    assert line.wants("12-01 14:00")["ok"]
    assert (house.events(), len(far.kept)) == ([], 1)


def test_undo_says_when_the_calendar_is_not_linked_any_more(house: House, far: FarCalendar):
    one = booked(house)
    house.link.linked = None

    with pytest.raises(NoSuchEvent, match="Google Calendar, which is not linked now"):
        house.diary.undo(one.id)
    assert house.diary.booking_of(one.event_id) == one


def test_what_the_owner_does_at_google_is_put_right_when_the_week_is_looked_at(
    house: House, far: FarCalendar
):
    moved, gone, kept = (booked(house, f"12-01 {hour}:00", f"CA{hour}") for hour in (10, 12, 14))
    later = house.span("12-03 10:00", "10:30")
    far.kept[moved.event_id] = replace(far.kept[moved.event_id], span=later)
    del far.kept[gone.event_id]

    house.diary.events(house.span("12-01 00:00", "23:00"))

    after = {one.id: one for one in house.diary.made()}
    assert Span(after[moved.id].start, after[moved.id].end) == later
    assert after[gone.id].status == "cancelled"
    assert after[kept.id] == kept


def test_looking_at_a_week_puts_right_what_came_into_it(house: House, far: FarCalendar):
    moved = booked(house, "12-01 10:00")
    later = house.span("12-10 10:00", "10:30")
    far.kept[moved.event_id] = replace(far.kept[moved.event_id], span=later)

    house.diary.events(house.span("12-10 00:00", "23:00"))

    [after] = house.diary.made()
    assert Span(after.start, after.end) == later


@pytest.mark.parametrize("trouble", ["unreachable", "lost answer"])
def test_an_undo_that_did_not_work_changes_nothing(house: House, far: FarCalendar, trouble: Any):
    one = booked(house)
    far.trouble = trouble

    with pytest.raises((CalendarUnavailable, UnknownOutcome)):
        house.diary.undo(one.id)

    assert house.diary.booking_of(one.event_id) == one
    far.trouble = ""
    assert house.diary.undo(one.id).status == "cancelled"


def unsure(
    house: House, far: FarCalendar, trouble: Any, when: str = "12-01 14:00", call_sid: str = "CA9"
) -> Booking:
    far.trouble = trouble
    house.rings("known", call_sid=call_sid).wants(when, title="Lunch")
    far.trouble = ""
    (one,) = [booking for booking in house.diary.requests() if booking.call_sid == call_sid]
    assert one.status == "unsure"
    return one


def test_what_nobody_knew_of_and_is_there_is_booked(house: House, far: FarCalendar):
    one = unsure(house, far, "lost answer")

    found = house.diary.check(one.id)

    assert (found.status, found.calendar) == ("booked", "google")
    assert house.diary.check(one.id) == found


def test_what_nobody_knew_of_and_is_not_there_is_a_request_again(house: House, far: FarCalendar):
    """The caller was promised that the owner will confirm it."""
    one = unsure(house, far, "lost request")

    found = house.diary.check(one.id)

    assert (found.status, found.calendar, found.start) == ("requested", "", one.start)
    assert house.diary.requests() == [found]
    assert house.diary.approve(one.id).status == "booked"
    assert list(far.kept) == [one.event_id]


def test_everything_nobody_knew_of_is_looked_up(house: House, far: FarCalendar):
    for number, trouble in enumerate(["lost answer", "lost request", "lost answer"]):
        far.trouble = trouble  # type: ignore[assignment]
        house.rings("known", call_sid=f"CA{number}").wants(f"12-01 1{number}:00")
    far.trouble = ""

    house.diary.check_all()

    assert [house.bookings(f"CA{number}")[0].status for number in range(3)] == [
        "booked",
        "requested",
        "booked",
    ]


def test_what_cannot_be_looked_up_stays_unsure(house: House, far: FarCalendar):
    one = unsure(house, far, "lost answer")

    far.trouble = "unreachable"
    with pytest.raises(CalendarUnavailable):
        house.diary.check(one.id)
    house.link.linked = None
    with pytest.raises(CalendarUnavailable, match="not linked now"):
        house.diary.check(one.id)

    assert house.diary.requests() == [one]


def test_there_is_nothing_to_check_about_a_request(house: House):
    asked = request(house)

    assert house.diary.check(asked.id) == asked


# --- the owner's own ---------------------------------------------------------------


def test_the_owner_puts_something_down_and_takes_it_out(house: House):
    added = house.diary.add("Dentist", house.span("12-01 14:00", "15:00"))
    whole = house.diary.add("Holiday", house.span("12-02 00:00", "12-03 00:00"), all_day=True)

    assert [(event.title, event.all_day) for event in house.events()] == [
        ("Dentist", False),
        ("Holiday", True),
    ]
    line = house.rings()
    assert [line.wants(when)["error"] for when in ("12-01 14:30", "12-02 10:00")] == ["taken"] * 2

    house.diary.remove(added.event_id)
    house.diary.remove(whole.event_id)
    assert house.events() == []
    with pytest.raises(NoSuchEvent):
        house.diary.remove(added.event_id)


def test_removing_what_was_booked_cancels_it(house: House):
    one = booked(house)

    house.diary.remove(one.event_id)

    assert house.events() == []
    assert [made.status for made in house.diary.made()] == ["cancelled"]


# --- everything that is on ---------------------------------------------------------


def test_what_is_held_is_shown_beside_what_is_in_the_calendar(house: House, far: FarCalendar):
    booked(house, "12-01 09:00", "CA7")
    waits = request(house, "12-01 10:00", "CA1")
    moved = request(house, "12-01 11:00", "CA2")
    house.diary.propose(moved.id, house.at("12-01 15:00"))
    far.trouble = "lost answer"
    house.rings("known", call_sid="CA3").wants("12-01 12:00", title="Lunch")
    far.trouble = "lost request"
    house.rings("known", call_sid="CA4").wants("12-01 13:00", title="Tea")
    far.trouble = ""

    events = house.diary.events(house.span("12-01 00:00", "23:00"))

    def shown(event: Event) -> tuple[str, str, str]:
        return f"{event.span.start.astimezone(house.zone):%H:%M}", event.title, event.status

    assert [shown(event) for event in events] == [
        ("09:00", "Lunch", "confirmed"),
        ("10:00", "The roof: Ana", "requested"),
        ("12:00", "Lunch", "confirmed"),  # it is there, though nobody knows
        ("13:00", "Tea", "unsure"),
        ("15:00", "The roof: Ana", "proposed"),
    ]
    assert [event.call_sid for event in events] == ["CA7", "CA1", "CA3", "CA4", "CA2"]
    assert all(event.ours and event.busy for event in events)
    assert waits.event_id == events[1].event_id


def test_requests_come_by_start_and_what_was_made_newest_first(house: House):
    for number, when in enumerate(["12-03 10:00", "12-01 10:00", "12-02 10:00"]):
        request(house, when, f"CA{number}")
    assert [one.start.day for one in house.diary.requests()] == [1, 2, 3]

    for one in house.diary.requests():
        house.now += timedelta(minutes=1)
        house.diary.approve(one.id)

    assert [one.start.day for one in house.diary.made()] == [3, 2, 1]
    house.now += timedelta(days=91)
    assert house.diary.made() == []


# --- one at a time -----------------------------------------------------------------


def test_nothing_is_decided_about_a_request_that_is_being_written(house: House, far: FarCalendar):
    """Or it would be declined here and be in the calendar there."""
    asked = request(house)
    far.gate.clear()
    with ThreadPoolExecutor(1) as page:
        approving = page.submit(house.diary.approve, asked.id)
        assert far.knocked.wait(10)
        with pytest.raises(CalendarUnavailable) as error:
            house.diary.decline(asked.id)
        far.gate.set()

    assert error.value.why == "busy"
    assert approving.result(10).status == "booked"
    assert house.diary.decline(asked.id).status == "booked"


def test_approving_many_at_once_puts_each_in_once(house: House):
    house.store.start()
    asked = [request(house, f"12-01 {hour}:00", f"CA{hour}") for hour in range(10, 14)]
    with ThreadPoolExecutor(8) as pages:
        done = list(pages.map(house.diary.approve, [one.id for one in asked] * 2))
    house.store.stop()

    assert {one.status for one in done} == {"booked"}
    assert len(house.events()) == 4


def test_a_lock_is_given_back_whatever_goes_wrong(house: House, far: FarCalendar):
    asked = request(house)
    for trouble in ("unreachable", "unwritable", "lost request", "taken"):
        far.trouble = trouble  # type: ignore[assignment]
        with pytest.raises((CalendarUnavailable, UnknownOutcome, SlotTaken)):
            house.diary.approve(asked.id)

    far.trouble = ""
    assert house.diary.approve(asked.id).status == "booked"


# --- booking -----------------------------------------------------------------------


def wish(house: House, **more: Any) -> Wish:
    given: dict[str, Any] = {
        "call_sid": "CA1",
        "tool_call_id": "call_1",
        "number": ANA,
        "trust": "stranger",
        "title": "The roof",
        "span": house.span("12-01 14:00", "14:30"),
        "how": "confirmed",
    }
    return Wish(**(given | more))


def test_only_what_is_offered_is_booked_whatever_the_wish_says(house: House):
    for start, end in (("20:00", "20:30"), ("16:45", "17:15"), ("14:00", "23:00")):
        with pytest.raises(SlotTaken):
            house.diary.book(wish(house, span=house.span(f"12-01 {start}", end)), Deadline(4))
    for span in (house.span("11-30 09:30", "10:00"), house.span("2027-02-01 10:00", "10:30")):
        with pytest.raises(SlotTaken):
            house.diary.book(wish(house, span=span), Deadline(4))

    assert (house.bookings(), house.events()) == ([], [])
    assert house.diary.book(wish(house), Deadline(4)).status == "booked"


def test_the_calendar_is_told_what_has_to_be_free(house: House, far: FarCalendar):
    """It looks once more itself: the owner, too, puts things into it."""
    house.prefer(buffer_minutes=10)
    wide, asked = house.span("12-01 13:50", "14:40"), house.span("12-01 16:00", "16:30")
    first, second = request(house, "12-01 16:00"), request(house, "12-02 16:00", "CA2")

    house.diary.book(wish(house, call_sid="CA3"), Deadline(4))
    house.diary.move(
        house.bookings("CA3")[0].event_id, house.span("12-03 14:00", "14:30"), "known", Deadline(4)
    )
    house.diary.move(
        house.bookings("CA3")[0].event_id, house.span("12-04 14:00", "14:30"), "owner", Deadline(4)
    )
    house.diary.book(wish(house, call_sid="CA4", trust="owner"), Deadline(4))
    house.diary.approve(first.id)
    house.diary.approve(second.id, anyway=True)

    assert far.cleared == [wide, house.span("12-03 13:50", "14:40"), None, None, asked, None]


def test_no_time_left_is_no_booking(house: House):
    with pytest.raises(CalendarUnavailable):
        house.diary.book(wish(house), Deadline(0))

    assert house.bookings() == []


def test_a_bookings_id_in_the_calendar_is_the_attempts(house: House, far: FarCalendar):
    """So that asking again after a lost answer finds what is there, also when the program began anew."""
    far.trouble = "lost answer"
    with pytest.raises(UnknownOutcome):
        house.diary.book(wish(house), Deadline(4))
    far.trouble = ""

    with pytest.raises(UnknownOutcome):
        house.diary.book(wish(house), Deadline(4))

    assert list(far.kept) == [house.bookings()[0].event_id]


def test_what_was_sent_to_a_calendar_that_is_gone_can_be_given_up(house: House, far: FarCalendar):
    one = unsure(house, far, "lost answer")
    house.link.linked = None

    assert house.diary.decline(one.id).status == "declined"

    assert house.diary.requests() == []


def test_one_that_cannot_be_looked_for_keeps_no_other_from_it(house: House, far: FarCalendar):
    one = unsure(house, far, "lost answer")
    other = unsure(house, far, "lost answer", "12-02 14:00", "CA2")
    far.trouble = ""
    asked: list[str] = []
    event = far.event

    def first_fails(event_id: str, deadline: Deadline) -> Event | None:
        asked.append(event_id)
        if len(asked) == 1:
            raise CalendarUnavailable("no answer", "network")
        return event(event_id, deadline)

    far.event = first_fails  # type: ignore[method-assign]
    with pytest.raises(CalendarUnavailable):
        house.diary.check_all()

    assert asked == [one.event_id, other.event_id]
    assert [booking.id for booking in house.diary.requests()] == [one.id]


def test_what_another_accounts_calendar_may_have_is_left_alone(house: House, far: FarCalendar):
    one = booked(house)
    far.kept.clear()
    link = google_link.Link("", "client", (), b"", linked_at=house.now + timedelta(days=1))
    house.store.write(google_link.keep, link)

    house.diary.events(house.span("12-01 00:00", "23:00"))

    assert house.diary.made() == [one]
