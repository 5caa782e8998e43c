"""A call whose stream is taken away for the owner's phone, and that comes back on another one."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.parking import NOT_REACHED
from assistant.call.plan import CallPlan
from assistant.errors import RestError
from assistant.tools.toolbox import Arguments, Tool, ToolContext, ToolResult
from tests.test_bridge import SID, House, Phone, hung_up, reply


class Line(Phone):
    """A phone that can be taken from its stream. `fails`: the telephone company does not want to."""

    def __init__(self, *, fails: Exception | None = None) -> None:
        super().__init__()
        self.reasons: list[str] = []
        self.fails = fails

    def transfer(self, reason: str) -> None:
        self.reasons.append(reason)
        if self.fails:
            raise self.fails
        self.coming.put(hung_up)  # the document is another one now: the stream stops

    def says_for_ms(self, ms: int, from_ms: int = 0) -> None:
        for at in range(from_ms, from_ms + ms, 20):
            self.coming.put(lambda at_ms, at=at: ev.CallerAudio(b"\x2a" * 160, timestamp_ms=at, at_ms=at_ms))


def wish(context: ToolContext, arguments: Arguments) -> ToolResult:
    return ToolResult({"ok": True}, then=ev.ThenTransfer("It is urgent."))


RING = Tool("ring", "", Arguments, wish)
PLAN = CallPlan(opening="Hello.")


class Transfer(House):
    """A call whose model wants the owner rung at once."""

    def __init__(self, tmp_path: Any, *replies: list[ev.Event], **phone: Any) -> None:
        first = reply(1, "I'll try.", ev.ToolCall("tc_1", "ring", "{}"))
        super().__init__(tmp_path, first, *replies, tools=[RING])
        self.phone = self.bridge._phone = Line(**phone)
        self.begin()

    def is_parked(self) -> Transfer:
        self.until(lambda: self.live_calls.parked(SID))
        return self

    def comes_back(self) -> tuple[Line, threading.Thread]:
        """On a new phone; the thread ends when that stream is over."""
        phone = Line()
        adopting = threading.Thread(target=self.live_calls.adopt, args=(SID, phone), daemon=True)
        adopting.start()
        self.until(lambda: not self.live_calls.parked(SID))
        return phone, adopting

    def is_over(self) -> dict[str, Any]:
        self.until(lambda: not self.live_calls.has(SID))
        return self.over()


def test_the_stream_is_let_go_and_the_call_is_not(tmp_path):
    house = Transfer(tmp_path).is_parked()
    house.thread.join(5)

    assert not house.thread.is_alive()
    assert house.phone.reasons == ["It is urgent."]
    assert house.live_calls.has(SID)
    assert house.live_calls.count() == 0  # no stream is open
    assert not house.bridge.caller_gone
    assert house.bridge.state == "ringing_owner"


def test_a_call_that_comes_back_goes_on_in_the_same_row(tmp_path):
    house = Transfer(tmp_path, reply(2, "Nobody answers.")).is_parked()
    phone, adopting = house.comes_back()
    house.until(lambda: phone.played)
    house.until(lambda: len(house.store.read(turns_of)) == 2)
    phone.coming.put(hung_up)
    kept = house.is_over()
    adopting.join(5)

    assert NOT_REACHED in [note.text for note in house.sent(do.TellModel)]
    assert [turn["text"] for turn in kept["turns"]] == ["I'll try.", "Nobody answers."]
    assert kept["ended_because"] == "caller_hung_up"
    assert kept["turns"][1]["started_ms"] >= kept["turns"][0]["ended_ms"]
    assert not adopting.is_alive()
    assert len(house.models) == 1


def turns_of(db: Any) -> list[Any]:
    return list(db.query("SELECT * FROM turns"))


def test_the_recording_goes_on_where_the_first_stream_began(tmp_path):
    house = Transfer(tmp_path, reply(2, "Nobody answers.")).is_parked()
    house.until(lambda: house.bridge.clock() > 300)
    phone, _ = house.comes_back()
    began_ms = house.bridge.clock()
    phone.says_for_ms(400)
    phone.coming.put(hung_up)
    kept = house.is_over()

    assert kept["recordings"][0]["seconds"] * 1000 >= began_ms + 380


def test_the_owner_takes_the_call(tmp_path):
    house = Transfer(tmp_path).is_parked()
    house.live_calls.put(SID, lambda at_ms: ev.OwnerAccepted(at_ms=at_ms))
    kept = house.is_over()

    assert (kept["outcome"], kept["ended_because"]) == ("transferred", "transferred")
    assert house.models[0].closed


def test_a_caller_who_does_not_wait_ends_the_call(tmp_path):
    house = Transfer(tmp_path).is_parked()
    house.live_calls.hung_up(SID)

    assert house.is_over()["ended_because"] == "caller_hung_up"


@pytest.mark.parametrize("fault", [RestError("refused", 500), KeyError("a bug")])
def test_a_transfer_that_fails_leaves_the_caller_with_the_assistant(tmp_path, fault):
    house = Transfer(tmp_path, reply(2, "It cannot be rung."), fails=fault)
    house.until(lambda: len(house.store.read(turns_of)) == 2)
    house.hear(hung_up)
    kept = house.is_over()

    assert "could not be rung" in house.sent(do.TellModel)[-1].text
    assert kept["ended_because"] == "caller_hung_up"


def test_a_phone_that_comes_back_too_late_is_not_taken(tmp_path):
    house = Transfer(tmp_path).is_parked()
    house.live_calls.hung_up(SID)
    house.is_over()

    assert house.live_calls.adopt(SID, Line()) == "line_lost"
    assert not house.bridge.adopt(Line())


def test_a_call_can_be_transferred_again_after_it_came_back(tmp_path):
    house = Transfer(tmp_path, reply(2, "Nobody answers.")).is_parked()
    phone, adopting = house.comes_back()
    house.live_calls.put(SID, lambda at_ms: ev.OwnerRings(at_ms=at_ms))
    house.is_parked()
    adopting.join(5)
    assert not adopting.is_alive()
    assert phone.reasons == [""]
    house.live_calls.put(SID, lambda at_ms: ev.OwnerAccepted(at_ms=at_ms))

    assert house.is_over()["ended_because"] == "owner_took_over"


def test_a_stop_gives_a_parked_call_up(tmp_path):
    house = Transfer(tmp_path).is_parked()
    house.live_calls.close_all()

    assert house.is_over()["ended_because"] == "shut_down"


def test_a_call_that_waits_for_last_words_alone_takes_no_phone(tmp_path):
    house = Transfer(tmp_path).is_parked()
    house.live_calls.put(SID, lambda at_ms: ev.CallerCommitted("u9", None, at_ms=at_ms))
    house.live_calls.put(SID, lambda at_ms: ev.OwnerAccepted(at_ms=at_ms))

    house.until(lambda: not house.live_calls.parked(SID))
    assert house.live_calls.has(SID)
    assert not house.bridge.adopt(Line())
    assert house.live_calls.away(SID)
    house.live_calls.close_all()
    assert house.is_over()["ended_because"] == "transferred"


def test_a_caller_who_is_back_before_the_first_stream_was_let_go_keeps_the_call(tmp_path):
    """Whoever serves the first stream is told to go, and comes to it later."""
    house = Transfer(tmp_path, reply(2, "Nobody answers."))
    serving, serve = threading.Event(), house.bridge._inbox.serve
    phones: list[Line] = []

    def slow() -> bool:
        left = serve()
        if not phones:
            phones.append(Line())
            threading.Thread(target=house.live_calls.adopt, args=(SID, phones[0]), daemon=True).start()
            house.until(lambda: phones[0].played)
            serving.set()
        return left

    house.bridge._inbox.serve = slow  # type: ignore[method-assign]
    house.until(serving.is_set)
    house.thread.join(5)

    assert house.live_calls.has(SID)
    phones[0].coming.put(hung_up)
    assert house.is_over()["ended_because"] == "caller_hung_up"
