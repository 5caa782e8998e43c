"""A calendar that cannot be seen, is slow, or leaves it open whether it has written something."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from assistant.tools import add_event
from tests.tools.far_calendar import FarCalendar
from tests.tools.house import ANA, SAM, House, refused

WISH = "Would like an appointment: Tuesday, December 1, 2:00 to 2:30 PM (The roof: Ana)."


@pytest.fixture
def far(house: House) -> FarCalendar:
    """An account is linked."""
    house.link.linked = far = FarCalendar()
    return far


def wants_the_roof_done(house: House, call_sid: str = "CA1", trust: Any = "stranger") -> dict[str, Any]:
    line = house.rings(trust, call_sid=call_sid)
    return line.wants("12-01 14:00", title="The roof", caller_name="Ana")


# --- it cannot be seen -------------------------------------------------------------


@pytest.mark.parametrize("booking", ["request", "tentative", "confirmed"])
def test_the_wish_becomes_a_message_when_the_calendar_cannot_be_seen(
    house: House, far: FarCalendar, booking: str
):
    house.prefer(booking=booking)
    far.trouble = "unreachable"

    answer = wants_the_roof_done(house)

    assert refused(answer) == "calendar_unavailable"
    assert answer["message"] == "I can't see the calendar just now, I'll pass your wish on."
    assert answer["instead"] == "take_message"
    assert house.message() == {"name": "Ana", "callback_number": ANA, "text": WISH, "urgency": "normal"}
    assert (house.bookings(), house.events()) == ([], [])


def test_whoever_only_asked_for_a_time_and_hangs_up_has_left_a_message(house: House, far: FarCalendar):
    far.trouble = "unreachable"
    line = house.rings()

    asked = [line.asks("2026-12-01", days=1, part_of_day="morning") for _ in range(5)]

    assert [refused(answer) for answer in asked] == ["calendar_unavailable"] * 5  # nothing was learned
    assert asked[0]["message"] == "I can't see the calendar just now, I'll pass your wish on."
    message = house.message()
    assert message is not None
    assert message["text"] == "Would like an appointment (2026-12-01, in the morning)."


def test_the_owner_is_promised_nothing(house: House, far: FarCalendar):
    far.trouble = "unreachable"
    owner = house.rings("owner")

    answers = [owner.asks(), owner.use("list_events"), owner.use("cancel_event", event_id="e1")]

    assert [answer["message"] for answer in answers] == ["I can't see the calendar just now."] * 3
    assert house.message() is None


def test_a_wish_that_comes_true_after_all_is_no_message_any_more(house: House, far: FarCalendar):
    line = house.rings("known")
    far.trouble = "unreachable"
    line.asks("2026-12-01")
    assert refused(line.wants("12-01 14:00", title="The roof")) == "calendar_unavailable"
    assert house.message() is not None

    far.trouble = ""
    assert line.wants("12-01 14:00", title="The roof")["ok"]
    assert house.message() is None
    line.use("take_message", text="The key is under the mat.")

    message = house.message()
    assert message is not None
    assert message["text"] == "The key is under the mat."


def test_what_else_was_left_stays_when_a_wish_comes_true(house: House, far: FarCalendar):
    line = house.rings("known")
    line.use("take_message", text="The key is under the mat.")
    far.trouble = "unreachable"
    line.wants("12-01 14:00", title="The roof")

    far.trouble = ""
    line.wants("12-01 14:00", title="The roof")

    message = house.message()
    assert message is not None
    assert message["text"] == "The key is under the mat."


def test_why_it_cannot_be_seen_is_for_the_owner_alone(house: House, far: FarCalendar, caplog: Any):
    far.trouble = "unreachable"

    answers = [house.rings().asks(), wants_the_roof_done(house)]

    assert [refused(answer) for answer in answers] == ["calendar_unavailable"] * 2
    assert "example" not in str(answers)
    assert "permission is gone" in caplog.text


def test_nothing_found_and_nothing_seen_are_two_things(house: House, far: FarCalendar):
    far.trouble = "unreachable"

    for tool in ("find_free_times", "list_events"):
        answer = house.rings("owner").use(tool)

        assert refused(answer) == "calendar_unavailable"
        assert not {"spans", "events", "suggestions"} & set(answer)


def test_the_wish_is_added_to_what_the_caller_has_said_before(house: House, far: FarCalendar):
    far.trouble = "unreachable"
    line = house.rings()
    line.use(
        "take_message", text="It's raining in.", name="Ana K.", callback_number="+12025550188", urgency="high"
    )

    for _ in range(2):
        line.wants("12-01 14:00", title="The roof", caller_name="Ana")

    assert house.message() == {
        "name": "Ana",
        "callback_number": "+12025550188",
        "text": f"It's raining in. {WISH}",
        "urgency": "high",
    }


def test_a_message_taken_later_does_not_lose_the_wish(house: House, far: FarCalendar):
    far.trouble = "unreachable"
    line = house.rings()
    line.wants("12-01 14:00", title="The roof", caller_name="Ana")

    line.use("take_message", text="Please call Ana about the roof.", name="Ana")
    line.use("take_message", text=f"Please call back. {WISH}", name="Ana Kessler")

    message = house.message()
    assert message is not None
    assert (message["name"], message["text"]) == ("Ana Kessler", f"Please call back. {WISH}")


def test_each_wish_of_a_call_is_in_its_message(house: House, far: FarCalendar):
    far.trouble = "unreachable"
    line = house.rings()

    line.wants("12-01 14:00", title="The roof", caller_name="Ana")
    line.wants("12-02 09:00", title="The roof", caller_name="Ana")
    line.use("take_message", text="Either will do.")

    message = house.message()
    assert message is not None
    assert message["text"].startswith(f"Either will do. {WISH} Would like an appointment: Wednesday")


def test_changes_that_cannot_be_made_become_a_message_too(house: House, far: FarCalendar):
    line = house.rings("known")
    event_id = line.wants("12-01 14:00", title="The roof")["event_id"]
    far.trouble = "unreachable"

    moved = line.use("move_event", event_id=event_id, date="2026-12-02", time="10:00")
    cancelled = line.use("cancel_event", event_id=event_id)

    assert (refused(moved), refused(cancelled)) == ("calendar_unavailable", "calendar_unavailable")
    assert house.message() == {
        "name": None,
        "callback_number": SAM,
        "text": "Would like to move an appointment (The roof): Tuesday, December 1, 2:00 to 2:30 PM; to: "
        "Wednesday, December 2, 10:00 to 10:30 AM. "
        "Would like to cancel an appointment (The roof): Tuesday, December 1, 2:00 to 2:30 PM.",
        "urgency": "normal",
    }
    assert [(one.status, one.start) for one in house.bookings()] == [("booked", house.at("12-01 14:00"))]


def test_nothing_falls_back_to_the_embedded_calendar(house: House, far: FarCalendar):
    house.prefer(booking="confirmed")
    far.trouble = "unreachable"
    for trust in ("stranger", "known", "owner"):
        line = house.rings(trust, call_sid=f"CA{trust}")
        assert [refused(line.wants("12-01 14:00")), refused(line.asks())] == ["calendar_unavailable"] * 2

    assert house.events() == []


# --- it cannot be written, or nobody knows -------------------------------------------


@pytest.mark.parametrize("trouble", ["unwritable", "taken"])
def test_what_was_certainly_not_written_gives_its_time_up(house: House, far: FarCalendar, trouble: Any):
    far.trouble = trouble

    answer = wants_the_roof_done(house, trust="known")

    assert refused(answer) == ("taken" if trouble == "taken" else "calendar_unavailable")
    assert house.bookings() == []
    far.trouble = ""
    assert wants_the_roof_done(house, "CA2", "known")["ok"]


@pytest.mark.parametrize("trouble", ["lost answer", "lost request"])
def test_what_may_have_been_written_keeps_its_time(house: House, far: FarCalendar, trouble: Any):
    far.trouble = trouble

    answer = wants_the_roof_done(house, trust="known")

    assert refused(answer) == "unknown_outcome"
    assert "owner will confirm" in answer["promise"]
    message = house.message()
    assert message is not None
    assert message["text"] == WISH
    assert [one.status for one in house.bookings()] == ["unsure"]
    far.trouble = ""
    other = house.rings("known", "+12025550155", "CA2")
    assert refused(other.wants("12-01 14:00")) == "taken"
    assert [one.status for one in house.diary.requests()] == ["unsure"]


def test_asking_again_for_what_nobody_knows_of_makes_no_second_one(house: House, far: FarCalendar):
    far.trouble = "lost answer"
    line = house.rings("known")
    line.wants("12-01 14:00", title="The roof", caller_name="Ana")
    far.trouble = ""

    again = line.wants("12-01 14:00", title="The roof", caller_name="Ana")

    assert refused(again) == "unknown_outcome"
    assert len(far.kept) == 1
    assert len(house.bookings()) == 1
    message = house.message()
    assert message is not None
    assert message["text"] == WISH


# --- it is slow --------------------------------------------------------------------


def test_who_waits_longer_than_a_second_for_another_booking_is_told_so(house: House, far: FarCalendar):
    far.gate.clear()
    with ThreadPoolExecutor(1) as phone:
        first = phone.submit(wants_the_roof_done, house, "CA1", "known")
        assert far.knocked.wait(10)

        began = time.monotonic()
        second = house.rings("known", "+12025550155", "CA2").wants("12-03 10:00")
        waited_s = time.monotonic() - began
        asked = house.rings(call_sid="CA3").asks()
        far.gate.set()

    assert refused(second) == "calendar_unavailable"
    assert 0.9 < waited_s < 2.0
    message = house.message("CA2")
    assert message is not None
    assert "Thursday, December 3, 10:00 to 10:30 AM" in message["text"]
    assert asked["ok"]
    assert first.result(10)["ok"]
    assert len(far.kept) == 1


def test_what_waits_in_the_far_calendar_is_offered_to_nobody(house: House, far: FarCalendar):
    far.gate.clear()
    with ThreadPoolExecutor(1) as phone:
        first = phone.submit(wants_the_roof_done, house, "CA1", "known")
        assert far.knocked.wait(10)
        spans = house.rings(call_sid="CA2").asks("2026-12-01", days=1)["spans"]
        far.gate.set()
        first.result(10)

    assert [(span["start"][11:], span["end"][11:]) for span in spans] == [
        ("09:00", "14:00"),
        ("14:30", "17:00"),
    ]


def test_the_calendar_has_less_time_than_the_tool(house: House, far: FarCalendar):
    limits: list[float] = []

    @contextmanager
    def within(seconds: float) -> Iterator[None]:
        limits.append(seconds)
        yield

    line = house.rings("known", within=within)
    event_id = line.wants("12-01 14:00")["event_id"]
    line.asks()
    line.use("move_event", event_id=event_id, date="2026-12-02", time="10:00")
    line.use("cancel_event", event_id=event_id)

    assert limits == [4.0] * 4
    assert 3.0 < min(far.deadlines_s) <= max(far.deadlines_s) <= 3.5


def test_a_tool_that_takes_too_long_is_ended(house: House):
    @contextmanager
    def within(seconds: float) -> Iterator[None]:
        yield
        raise TimeoutError

    assert refused(house.rings(within=within).asks()) == "timeout"


# --- our own database --------------------------------------------------------------


@contextmanager
def locked(house: House) -> Iterator[None]:
    """Another program writes into the database, and does not come to an end."""
    other = sqlite3.connect(house.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.parametrize("booking", ["request", "confirmed"])
def test_a_database_that_cannot_be_written_in_time_is_told_honestly(
    house: House, monkeypatch: pytest.MonkeyPatch, booking: str
):
    monkeypatch.setattr(add_event, "CALENDAR_S", 0.2)
    house.prefer(booking=booking)
    line = house.rings()
    house.store.start()

    with locked(house):
        answer = line.wants("12-01 14:00", title="The roof", caller_name="Ana")
    house.store.stop()

    assert refused(answer) == "unknown_outcome"
    assert [one.status for one in house.bookings()] == ["requested" if booking == "request" else "unsure"]
    message = house.message()
    assert message is not None
    assert message["text"] == WISH


def test_a_broken_database_is_no_free_time(house: House):
    line = house.rings()
    house.store.write(lambda db: db.execute("ALTER TABLE bookings RENAME TO lost"))

    answers = [line.asks(), line.wants("12-01 14:00")]

    assert [refused(answer) for answer in answers] == ["failed"] * 2
    assert "bookings" not in str(answers)


def test_the_far_calendar_keeps_the_rules_it_is_used_to_test(house: House, far: FarCalendar):
    """It is written with the protocol in hand; the embedded calendar beside it says the same."""
    there = [house.rings("known", call_sid=f"CA{number}").wants("12-01 14:00")["ok"] for number in range(2)]
    house.link.linked = None
    house.store.write(lambda db: db.execute("DELETE FROM bookings"))
    here = [house.rings("known", call_sid=f"CB{number}").wants("12-01 14:00")["ok"] for number in range(2)]

    assert there == here == [True, False]
