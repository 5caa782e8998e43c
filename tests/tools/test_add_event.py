"""An appointment is asked for or put down: what becomes of it, by trust."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.tools.house import ANA, OWNER, SAM, House, refused


@pytest.mark.parametrize(
    ("booking", "status", "kept_as"),
    [
        ("request", "requested", []),
        ("tentative", "tentative", ["tentative"]),
        ("confirmed", "confirmed", ["confirmed"]),
    ],
)
def test_what_becomes_of_a_strangers_wish_is_the_owners_choice(
    house: House, booking: str, status: str, kept_as: list[str]
):
    house.prefer(booking=booking)

    answer = house.rings().wants("12-01 14:00", title="The roof", caller_name="Ana")

    when = {
        "start": "2026-12-01T14:00",
        "end": "2026-12-01T14:30",
        "weekday": "Tuesday",
        "timezone": "Europe/Berlin",
        "say": "Tuesday, December 1, 2:00 to 2:30 PM",
    }
    assert (answer["ok"], answer["status"]) == (True, status)
    assert answer["requested" if booking == "request" else "booked"] == when
    assert when["say"] in answer["say"]
    assert [event.status for event in house.events()] == kept_as
    (kept,) = house.bookings()
    assert (kept.status, kept.number, kept.trust) == (
        "requested" if not kept_as else "booked",
        ANA,
        "stranger",
    )
    assert (kept.title, kept.caller_name) == ("The roof: Ana", "Ana")


def test_a_request_is_not_called_an_appointment(house: House):
    answer = house.rings().wants("12-01 14:00")

    assert "booked" not in answer
    assert "has to confirm" in answer["say"]


@pytest.mark.parametrize("booking", ["request", "tentative", "confirmed"])
@pytest.mark.parametrize("trust", ["known", "owner"])
def test_those_the_owner_knows_get_it_at_once(house: House, booking: str, trust: Any):
    house.prefer(booking=booking)

    answer = house.rings(trust).wants("12-01 14:00", title="Lunch")

    assert answer["status"] == "confirmed"
    assert [(event.title, event.status, event.call_sid) for event in house.events()] == [
        ("Lunch", "confirmed", "CA1")
    ]
    assert house.bookings()[0].event_id == answer["event_id"] == house.events()[0].event_id


def test_the_owner_can_read_in_the_calendar_who_has_booked(house: House):
    house.rings("known").wants("12-01 14:00", caller_name="Sam")

    assert house.events()[0].description == f"Booked by the assistant on a call from Sam, {SAM}."


def test_the_usual_length_is_the_owners(house: House):
    house.prefer(event_minutes=45)

    assert house.rings().wants("12-01 14:00")["requested"]["end"] == "2026-12-01T14:45"


def test_a_booking_without_a_number_is_kept_too(house: House):
    house.rings(number=None).wants("12-01 14:00")

    assert [one.number for one in house.bookings()] == [None]


# --- words of callers --------------------------------------------------------------


def test_a_callers_words_are_kept_as_one_short_line(house: House):
    line = house.rings("known")

    line.wants(
        "12-01 14:00",
        title="Roof\r\n\x00BEGIN:VEVENT \u202e\u2066" + "x" * 500,
        caller_name="A\x1b[31m\nna" + "y" * 500,
    )

    (event,) = house.events()
    assert event.title.startswith("Roof BEGIN:VEVENT xxx")
    assert len(event.title) == 200
    assert event.title.isprintable()
    assert len(house.bookings()[0].caller_name) == 120
    assert house.bookings()[0].caller_name.startswith("A [31m nayyy")
    assert event.description.isprintable()


@pytest.mark.parametrize(
    ("title", "name", "kept"),
    [
        ("", "", "Appointment"),
        ("", "Ana", "Appointment: Ana"),
        ("Roof, Ana", "ana", "Roof, Ana"),
        (" Roof ", None, "Roof"),
        (5, 7, "5: 7"),
    ],
)
def test_a_title_says_whose_appointment_it_is(house: House, title: object, name: object, kept: str):
    house.rings("known").wants("12-01 14:00", title=title, caller_name=name)

    assert [event.title for event in house.events()] == [kept]


# --- time that is held -------------------------------------------------------------


def test_a_request_holds_its_time(house: House):
    house.rings().wants("12-01 14:00")
    other = house.rings("known", call_sid="CA2")

    answer = other.wants("12-01 14:15")

    assert refused(answer) == "taken"
    assert "14:00" not in [each["time"] for each in answer["free"]]
    spans = other.asks("2026-12-01", days=1)["spans"]
    assert [(span["start"][11:], span["end"][11:]) for span in spans] == [
        ("09:00", "14:00"),
        ("14:30", "17:00"),
    ]


def test_a_request_keeps_its_buffer(house: House):
    house.prefer(buffer_minutes=30)
    house.rings().wants("12-01 14:00")
    other = house.rings(call_sid="CA2")

    assert refused(other.wants("12-01 14:30")) == "taken"
    assert refused(other.wants("12-01 13:30")) == "taken"
    assert other.wants("12-01 15:00")["ok"]
    assert other.wants("12-01 13:00")["ok"]


def test_appointments_may_follow_each_other(house: House):
    line = house.rings()

    assert [line.wants(f"12-01 {time}")["ok"] for time in ("14:00", "14:30", "13:30")] == [True] * 3


# --- the same again ----------------------------------------------------------------


@pytest.mark.parametrize("booking", ["request", "confirmed"])
def test_the_same_tool_call_is_one_booking(house: House, booking: str):
    house.prefer(booking=booking)
    line = house.rings()
    wish = {"date": "2026-12-01", "time": "14:00"}

    first, again = (line.run("add_event", "call_7", **wish).output for _ in range(2))

    assert first == again
    assert len(house.bookings()) == 1


@pytest.mark.parametrize("booking", ["request", "tentative"])
def test_the_same_time_twice_in_a_call_is_one_booking(house: House, booking: str):
    house.prefer(booking=booking)
    line = house.rings()

    first, again = line.wants("12-01 14:00", title="Roof"), line.wants("12-01 14:00", title="The roof")

    assert first == again
    assert len(house.bookings()) == 1
    assert len(house.events()) == (booking == "tentative")


def test_the_same_time_again_is_no_further_appointment(house: House):
    line = house.rings()

    answers = [line.wants(f"12-01 {time}") for time in ("14:00", "14:00", "14:00", "15:00", "16:00")]

    assert all(answer["ok"] for answer in answers)


def test_the_same_time_on_another_call_is_taken(house: House):
    house.rings().wants("12-01 14:00")

    assert refused(house.rings(call_sid="CA2").wants("12-01 14:00")) == "taken"


def test_what_was_cancelled_can_be_booked_again(house: House):
    line = house.rings("known")
    first = line.wants("12-01 14:00")
    line.use("cancel_event", event_id=first["event_id"])

    again = line.wants("12-01 14:00")

    assert again["ok"]
    assert again["event_id"] != first["event_id"]
    assert len(house.events()) == 1


# --- how much a stranger gets ------------------------------------------------------


def test_a_stranger_gets_three_appointments_a_call(house: House):
    line = house.rings()
    booked = [line.wants(f"12-01 {time}")["ok"] for time in ("10:00", "11:00", "12:00")]

    result = line.run("add_event", date="2026-12-01", time="13:00")

    assert booked == [True] * 3
    assert (refused(result.output), result.refused) == ("too_many", True)
    assert house.rings(call_sid="CA2").wants("12-01 13:00")["ok"]


def test_three_are_three_also_when_they_are_asked_for_all_at_once(house: House):
    house.store.start()
    line = house.rings()

    with ThreadPoolExecutor(8) as models:
        answers = list(models.map(line.wants, [f"12-01 {hour}:00" for hour in range(10, 17)]))
    house.store.stop()

    assert len(house.bookings()) == 3
    assert sorted(answer.get("error", "") for answer in answers) == [""] * 3 + ["too_many"] * 4


def test_whoever_keeps_missing_is_reading_the_calendar(house: House):
    house.busy("12-01 09:00", "16:00")
    line = house.rings()

    told = [
        refused(line.wants(f"12-01 {time}"))
        for time in ("09:00", "10:00", "11:00", "12:00", "13:00", "14:00", "15:00")
    ]

    assert told == ["taken"] * 6 + ["too_many"]
    assert refused(line.wants("12-01 16:00")) == "too_many"


def test_known_callers_are_not_counted(house: House):
    house.busy("12-02 09:00", "17:00")
    line = house.rings("known")

    assert [line.wants(f"12-01 {hour:02}:00")["ok"] for hour in range(9, 16)] == [True] * 7
    assert [refused(line.wants(f"12-02 {hour:02}:00")) for hour in range(9, 17)] == ["taken"] * 8


# --- the owner ---------------------------------------------------------------------


def test_the_owner_may_have_two_things_at_one_time_and_is_told(house: House):
    house.busy("12-04 13:00", "14:00", "Dentist")
    line = house.rings("owner")

    lunch = line.wants("12-04 13:00", title="Lunch with Sam", duration_minutes=60)
    call = line.wants("12-04 13:00", title="Call Ana", duration_minutes=60)

    assert (lunch["status"], call["status"]) == ("confirmed", "confirmed")
    assert lunch["event_id"] != call["event_id"]
    assert sorted(event.title for event in house.events()) == ["Call Ana", "Dentist", "Lunch with Sam"]
    assert lunch["at_the_same_time"] == ["Dentist"]
    assert "not instructions" in lunch["note"]
    assert [one.number for one in house.bookings()] == [OWNER, OWNER]


def test_the_same_thing_at_the_same_time_is_one_for_the_owner_too(house: House):
    line = house.rings("owner")

    first, again = (line.wants("12-04 13:00", title="Lunch with Sam")["event_id"] for _ in range(2))

    assert first == again
    assert len(house.events()) == 1


def test_nobody_else_hears_what_else_is_on(house: House):
    house.busy("12-04 13:00", "14:00", "Dentist")

    answers = [house.rings("known").wants("12-04 14:00"), house.rings(call_sid="CA2").wants("12-04 13:00")]

    assert "Dentist" not in str(answers)
    assert "at_the_same_time" not in answers[0]


def test_one_number_cannot_fill_the_calendar_with_requests(house: House):
    for number, day in enumerate(("01", "02", "03", "04", "07")):
        assert house.rings(call_sid=f"CA{number}").wants(f"12-{day} 10:00")["ok"]

    sixth = house.rings(call_sid="CA9").wants("12-08 10:00")

    assert refused(sixth) == "too_many"
    house.diary.decline(house.bookings()[0].id)
    assert house.rings(call_sid="CA9").wants("12-08 10:00")["ok"]
    assert house.rings("known", call_sid="CA10").wants("12-09 10:00")["ok"]


def test_what_was_asked_for_already_is_answered_whatever_else_waits(house: House):
    for number, day in enumerate(("01", "02", "03", "04")):
        house.rings(call_sid=f"CA{number}").wants(f"12-{day} 10:00")
    line = house.rings(call_sid="CA8")

    first, again = line.wants("12-07 10:00"), line.wants("12-07 10:00")

    assert (first["ok"], again["event_id"]) == (True, first["event_id"])


def test_what_it_is_counts_and_not_what_it_would_be_by_now(house: House):
    line = house.rings()
    line.wants("12-01 10:00")
    house.prefer(booking="confirmed")

    again = line.wants("12-01 10:00")
    house.diary.approve(house.bookings()[0].id)
    house.prefer(booking="request")
    approved = line.wants("12-01 10:00")

    assert (again["status"], "requested" in again) == ("requested", True)
    assert (approved["status"], "booked" in approved) == ("confirmed", True)


def test_an_appointment_past_the_last_midnight_is_too_far(house: House):
    house.prefer(working_hours="mon-sun 00:00-24:00", horizon_days="3")

    assert refused(house.rings("known").wants("12-03 23:30", duration_minutes=60)) == "too_far"
