"""What the sandbox's model answers, without its socket."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from assistant.sandbox.lines import Line, shipped
from assistant.sandbox.model import mouth
from assistant.sandbox.model.brain import Brain, CallTool, Means, Part, Say, lines_in

TOOLS = Means(frozenset({"take_message", "end_call"}), parallel=False)
CALENDAR = Means(TOOLS.declared | {"find_free_times", "add_event"}, parallel=False)
OWNERS = Means(CALENDAR.declared | {"list_events", "move_event", "cancel_event"}, parallel=False)
SATURDAY = date(2026, 11, 21)


def line(line_id: str) -> Line:
    return shipped()[line_id]


def said(parts: list[Part]) -> list[str]:
    """Ids of the lines spoken and names of the tools called."""
    ids = {line.text: line_id for line_id, line in shipped().items()}
    return [ids.get(part.text, part.text) if isinstance(part, Say) else part.name for part in parts]


def test_a_message_holds_what_was_heard_before() -> None:
    brain = Brain()
    asked = brain.answer(line("message-1"), TOOLS)
    (call,) = brain.answer(line("message-number"), TOOLS)

    assert said(asked) == ["ask-number"]
    assert isinstance(call, CallTool)
    assert call.arguments["name"] == "Ana"
    assert call.arguments["text"] == "Please call Ana back about the boiler."
    assert said(brain.answer_tools([call], ['{"ok": true}'], TOOLS)) == ["read-back"]


def test_what_was_never_heard_is_left_out_of_a_message() -> None:
    (call,) = Brain().answer(line("message-number"), TOOLS)

    assert isinstance(call, CallTool)
    assert call.arguments == {"callback_number": "+12025550143", "urgency": "normal"}


def test_yes_means_what_was_asked_before() -> None:
    brain = Brain()

    assert said(brain.answer(line("yes"), TOOLS)) == ["go-ahead"]
    brain.answer(line("message-number"), TOOLS)
    assert said(brain.answer(line("yes"), TOOLS)) == ["pass-on"]


def test_a_farewell_comes_before_the_hang_up() -> None:
    assert said(Brain().answer(line("thanks-bye"), TOOLS)) == ["farewell", "end_call"]


def test_unknown_words_are_asked_for_again() -> None:
    assert said(Brain().answer(None, TOOLS)) == ["again"]


def test_a_tool_that_is_not_declared_is_not_called() -> None:
    assert said(Brain().answer(line("message-number"), Means())) == ["not-noted"]


def test_an_attacker_is_obeyed_whatever_is_declared() -> None:
    brain = Brain()
    (call,) = brain.answer(line("injection-1"), TOOLS)

    assert isinstance(call, CallTool)
    assert call.name == "list_messages"
    assert said(brain.answer_tools([call], ['{"ok": false, "error": "not_allowed"}'], TOOLS)) == ["refusal"]
    assert said(brain.answer_tools([call], ['{"ok": true, "messages": []}'], TOOLS)) == [
        '{"ok": true, "messages": []}'
    ]


def test_several_tools_are_called_together_or_one_after_the_other() -> None:
    one_by_one, together = Brain(), Means(parallel=True)
    (first,) = one_by_one.answer(line("injection-2"), TOOLS)
    assert isinstance(first, CallTool)

    assert said([first]) == ["search_notes"]
    assert said(one_by_one.answer_tools([first], ['{"ok": false}'], TOOLS)) == ["list_events"]
    assert said(Brain().answer(line("injection-2"), together))[:2] == ["search_notes", "list_events"]


def test_without_leave_to_call_tools_an_attacker_is_refused() -> None:
    assert said(Brain().answer(line("injection-1"), Means(allowed=False))) == ["refusal"]


def test_a_reminder_is_gone_on_from_where_it_ends() -> None:
    note = (
        "The line broke. So far:\n"
        f"Assistant: {line('greeting').text}\nCaller: {line('message-1').text}\nAssistant: Of course. What\n"
        f"Caller: {line('message-number').text}"
    )
    (call,) = Brain().answer_note(note, TOOLS)

    assert isinstance(call, CallTool)
    assert call.arguments["text"] == "Please call Ana back about the boiler."


def test_a_reminder_with_unknown_last_words_is_asked_about() -> None:
    note = f"Caller: {line('message-1').text}\nAssistant: Of course.\nCaller: (words)"

    assert said(Brain().answer_note(note, TOOLS)) == ["bad-line"]
    assert said(Brain().answer_note("There was a call.", TOOLS)) == ["bad-line"]


def test_a_reminder_may_be_written_in_any_way() -> None:
    note = (
        f"They said “{line('booking-1').text}”, then we asked for a time; then “{line('booking-name').text}”"
    )

    assert lines_in(note) == [line("booking-1"), line("booking-name")]


def test_a_known_request_is_done() -> None:
    assert said(Brain().asked("Ask whether the caller is still there.")) == ["still-there"]
    assert said(Brain().asked("Sing.")) == []


# --- appointments ----------------------------------------------------------------


class Talk:
    """A conversation with the brain: what it says, and the tool it wants answered."""

    def __init__(self, means: Means = CALENDAR) -> None:
        self.brain = Brain(today=SATURDAY)
        self.means = means
        self.call: CallTool | None = None

    def hear(self, line_id: str) -> list[str]:
        return self._take(self.brain.answer(line(line_id), self.means))

    def answer(self, **output: Any) -> list[str]:
        assert self.call is not None, "no tool has been called"
        return self._take(self.brain.answer_tools([self.call], [json.dumps(output)], self.means))

    def _take(self, parts: list[Part]) -> list[str]:
        calls = [part for part in parts if isinstance(part, CallTool)]
        self.call = calls[-1] if calls else None
        return [part.text if isinstance(part, Say) else part.name for part in parts]

    @property
    def wanted(self) -> dict[str, Any]:
        """The arguments of the tool that was called."""
        assert self.call is not None, "no tool has been called"
        return self.call.arguments


def free(day: str, time: str, weekday: str) -> dict[str, str]:
    return {"date": day, "time": time, "weekday": weekday, "say": "in other words"}


TUESDAY = [free("2026-11-24", "10:30", "Tuesday"), free("2026-11-24", "11:00", "Tuesday")]
OFFER = "I have Tuesday at ten thirty. Shall I put that down for you?"


def offered(talk: Talk) -> list[str]:
    """Until the name is known, and the appointment asked for."""
    talk.hear("booking-1")
    talk.answer(ok=True, suggestions=TUESDAY)
    talk.hear("yes")
    return talk.hear("booking-name")


def test_an_appointment_is_looked_for_offered_and_asked_for() -> None:
    talk = Talk()

    assert talk.hear("booking-1") == ["find_free_times"]
    assert talk.wanted == {"date": "2026-11-24", "days": 1, "part_of_day": "morning"}
    assert talk.answer(ok=True, suggestions=TUESDAY) == [OFFER]
    assert talk.hear("yes") == ["Gladly. What is your name?"]
    assert talk.hear("booking-name") == ["add_event"]
    named = {"title": "Appointment", "caller_name": "Sam"}
    assert talk.wanted == {"date": "2026-11-24", "time": "10:30", **named}
    when = {"start": "2026-11-24T10:30", "weekday": "Tuesday"}
    [said] = talk.answer(ok=True, status="requested", event_id="e1", requested=when)
    assert said.startswith("I have asked for Tuesday at ten thirty.")


@pytest.mark.parametrize("status", ["tentative", "confirmed"])
def test_what_is_booked_is_not_called_a_request(status: str) -> None:
    talk = Talk()
    offered(talk)

    when = {"start": "2026-11-24T11:00", "weekday": "Tuesday"}
    [said] = talk.answer(ok=True, status=status, event_id="e1", booked=when)
    assert said == "It is down for Tuesday at eleven. Is there anything else?"


def test_whoever_comes_second_is_offered_what_is_left() -> None:
    talk = Talk()
    offered(talk)

    left = [free("2026-11-24", "11:00", "Tuesday"), free("2026-11-24", "09:00", "Tuesday")]
    [said] = talk.answer(ok=False, error="taken", message="Taken.", free=left)
    assert said.startswith("I'm sorry, that time has just been taken. I have Tuesday at eleven.")
    assert talk.hear("yes") == ["add_event"]
    assert (talk.wanted["time"], talk.wanted["caller_name"]) == ("11:00", "Sam")
    [said] = talk.answer(ok=False, error="taken", message="Taken.", free=left[1:])
    assert "I have Tuesday at nine." in said


def test_where_nothing_is_free_a_later_day_is_offered() -> None:
    talk = Talk()
    talk.hear("booking-1")

    [said] = talk.answer(ok=True, suggestions=[], later=[free("2026-11-26", "09:00", "Thursday")])
    assert said.startswith("There is nothing free then. I have Thursday at nine.")
    talk.hear("yes")
    talk.hear("booking-name")
    assert (talk.wanted["date"], talk.wanted["time"]) == ("2026-11-26", "09:00")


@pytest.mark.parametrize(
    ("answer", "because"),
    [
        ({"ok": True, "suggestions": []}, "There is nothing free then."),
        ({"ok": False, "error": "calendar_unavailable"}, "I can't see the calendar just now."),
        ({"ok": False, "error": "timeout"}, "I can't see the calendar just now."),
    ],
)
def test_a_wish_that_cannot_be_an_appointment_becomes_a_message(answer: dict[str, Any], because: str) -> None:
    talk = Talk()
    talk.hear("booking-1")

    assert talk.answer(**answer) == [f"{because} I'll pass your wish on. What is your name?"]
    assert talk.hear("booking-name") == ["take_message"]
    assert (talk.wanted["name"], "next Tuesday in the morning" in talk.wanted["text"]) == ("Sam", True)
    assert talk.answer(ok=True) == ["I'll pass your wish on. Is there anything else?"]


def test_without_a_calendar_the_wish_is_a_message_at_once() -> None:
    talk = Talk(TOOLS)

    [said] = talk.hear("booking-1")
    assert said.endswith("I'll pass your wish on. What is your name?")
    assert talk.hear("booking-name") == ["take_message"]


@pytest.mark.parametrize(
    ("error", "because"),
    [
        ("calendar_unavailable", "I can't see the calendar just now."),
        ("unknown_outcome", "I could not make sure of that."),
    ],
)
def test_what_the_calendar_did_not_take_is_not_promised(error: str, because: str) -> None:
    talk = Talk()
    offered(talk)

    assert talk.answer(ok=False, error=error) == [
        f"{because} I'll pass your wish on. Is there anything else?"
    ]


def test_a_time_that_is_refused_becomes_a_message() -> None:
    talk = Talk()
    offered(talk)

    assert talk.answer(ok=False, error="outside_hours") == ["take_message"]
    assert talk.wanted["name"] == "Sam"


def test_the_owner_adds_hears_moves_and_cancels() -> None:
    talk = Talk(OWNERS)

    assert talk.hear("owner-add") == ["add_event"]
    assert talk.wanted == {"date": "2026-11-27", "time": "13:00", "title": "Lunch with Sam"}
    at_one = {"start": "2026-11-27T13:00", "weekday": "Friday"}
    [said] = talk.answer(ok=True, status="confirmed", event_id="e7", booked=at_one)
    assert said == "It is down for Friday at one."
    assert talk.hear("owner-what") == ["list_events"]
    events = [{"event_id": "e7", **at_one, "title": "Lunch with Sam", "status": "confirmed"}]
    assert talk.answer(ok=True, events=events) == ["You have Lunch with Sam, Friday at one."]
    assert talk.hear("owner-move") == ["move_event"]
    assert talk.wanted == {"event_id": "e7", "date": "2026-11-27", "time": "14:00"}
    at_two = {"start": "2026-11-27T14:00", "weekday": "Friday"}
    assert talk.answer(ok=True, moved=at_two) == ["It is down for Friday at two."]
    assert talk.hear("owner-cancel") == ["cancel_event"]
    assert talk.wanted == {"event_id": "e7"}
    assert talk.answer(ok=True, cancelled=False, waits_for_key="1") == ["Press one, and it is cancelled."]


def test_what_was_done_by_a_key_is_told_by_a_note() -> None:
    def told(**output: Any) -> list[str]:
        note = f"The tool has answered: {json.dumps(output)}"
        return said(Brain().answer_report(note, OWNERS))

    assert told(ok=True, cancelled={"say": "Friday"}) == ["cancelled"]
    assert told(ok=False, error="timeout") == ["refusal"]
    assert said(Brain().answer_report("The caller's level is now: owner.", OWNERS)) == []


def test_an_empty_day_is_called_empty() -> None:
    talk = Talk(OWNERS)
    talk.hear("owner-what")

    assert talk.answer(ok=True, events=[]) == ["There is nothing on."]


def test_titles_nobody_has_spoken_are_said_but_murmured() -> None:
    talk = Talk(OWNERS)
    talk.hear("owner-what")
    noon = {"start": "2026-11-27T12:00", "weekday": "Friday"}

    [said] = talk.answer(ok=True, events=[{**noon, "title": "Dentist"}, {**noon, "title": "Lunch with Sam"}])
    assert said == "You have Dentist, Friday at twelve and Lunch with Sam, Friday at twelve."
    assert not mouth.knows(said)
