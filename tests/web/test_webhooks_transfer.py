"""The owner's phone is rung for a call the assistant has: what Twilio is told at each step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.call import events as ev
from assistant.errors import RestError
from assistant.store import calls
from assistant.web.books import stream_began
from assistant.web.putting_through import ring_owner
from tests.web.telephone import ANA, OURS, OWNER, Exchange, sid

CHILD = {"ParentCallSid": sid(1), "From": ANA, "To": OWNER}
WHY = "Ana says that the boiler is leaking"


class Parked:
    """A call of the assistant's whose caller is away."""

    caller_gone = False
    parked = away = True
    cost_usd = 0.0
    state = "ringing_owner"

    def __init__(self, number: int) -> None:
        self.call_sid = sid(number)
        self.told: list[ev.Event] = []

    def clock(self) -> int:
        return 9_000

    def put(self, event: ev.Event) -> None:
        self.told.append(event)

    def run(self) -> None: ...
    def go_on(self) -> None: ...


@pytest.fixture
def exchange(tmp_path: Path) -> Any:
    exchange = Exchange(tmp_path)
    yield exchange
    exchange.store.stop()


@pytest.fixture
def parked(exchange: Exchange) -> Parked:
    """Call 1 rang, the assistant had it, and the owner's phone is being rung."""
    call = Parked(1)
    exchange.rings(CallerName="ANA LEE")
    exchange.parts.tokens.drop(sid(1))
    exchange.parts.live_calls._calls[sid(1)] = call
    assert 'answerOnBridge="false"' in ring(exchange)
    return call


def ring(exchange: Exchange, why: str = WHY) -> str:
    return ring_owner(exchange.parts, sid(1), why)


def test_the_document_rings_the_owner_screened_and_is_short_enough(exchange: Exchange):
    exchange.rings()
    document = ring(exchange)

    assert len(document) < 4_000
    assert "<Dial" in document
    assert 'timeout="15"' in document
    assert 'action="https://phone.example/voice/after-dial"' in document
    assert f'url="https://phone.example/voice/screen">{OWNER}</Number>' in document


def test_a_number_that_cannot_be_shown_is_shown_as_ours(exchange: Exchange):
    exchange.rings(From="anonymous")

    assert f'callerId="{OURS}"' in ring(exchange)


def test_the_owners_call_that_comes_back_to_us_is_a_loop(exchange: Exchange, parked: Parked):
    assert exchange.rings(2, From=ANA).verbs == ["Reject"]


def test_nobody_is_rung_when_the_program_is_about_to_leave(exchange: Exchange):
    exchange.rings()
    exchange.parts.drain()

    with pytest.raises(RestError):
        ring(exchange)


def test_the_owner_hears_who_calls_and_why_before_pressing_1(exchange: Exchange, parked: Parked):
    said = exchange.webhook("screen", 9, **CHILD).root.findtext("Gather/Say")

    assert said == f"There is a call for you, from ANA LEE. {WHY}. Press 1 to take it."
    assert [type(event) for event in parked.told] == [ev.OwnerPickedUp]


def test_without_a_name_the_number_is_read_out_digit_by_digit(exchange: Exchange):
    exchange.rings()
    ring(exchange, why="")
    said = exchange.webhook("screen", 9, **CHILD).root.findtext("Gather/Say") or ""

    assert " ".join(ANA.strip("+")) in said
    assert "You asked for this call." in said


@pytest.mark.parametrize("why", ["<Dial>+19005550100</Dial>", "a\" b='c", "x\x00y\x1b[2J", "w " * 900])
def test_whatever_a_caller_talks_the_model_into_is_only_read_out(
    exchange: Exchange, parked: Parked, why: str
):
    ring(exchange, why)
    document = exchange.webhook("screen", 9, **CHILD)

    assert document.verbs == ["Gather", "Hangup"]
    assert [verb.tag for verb in document.root.iter()] == ["Response", "Gather", "Say", "Hangup"]
    assert len(document.root.findtext("Gather/Say") or "") < 350


def test_the_owner_takes_the_call(exchange: Exchange, parked: Parked):
    accepted = exchange.webhook("screened", 9, **CHILD, Digits="1")
    del exchange.parts.live_calls._calls[sid(1)]  # what OwnerAccepted leads to
    exchange.store.write(stream_began, sid(1), calls.as_time("2026-11-21T09:00:00.000Z"))
    ended(exchange, "transferred")
    after = exchange.webhook("after-dial", DialCallStatus="completed", DialBridged="true")

    assert accepted.verbs == []
    assert type(parked.told[-1]) is ev.OwnerAccepted
    assert after.verbs == ["Hangup"]
    assert (exchange.call() or {})["outcome"] == "transferred"


def ended(exchange: Exchange, because: str) -> None:
    exchange.store.write(
        calls.finish, sid(1), ended_at=calls.as_time("2026-11-21T09:01:00.000Z"), ended_because=because,
        usage={},
    )  # fmt: skip


@pytest.mark.parametrize("status", ["no-answer", "busy", "failed", "completed", "canceled"])
def test_nobody_takes_it_and_the_caller_comes_back_to_the_assistant(
    exchange: Exchange, parked: Parked, status: str
):
    exchange.prefer(max_concurrent_calls="1", calls_per_caller_per_day="1", daily_budget_usd="0.01")
    after = exchange.webhook("after-dial", CallStatus="in-progress", DialCallStatus=status)

    assert after.is_assistant  # whatever the caps say
    assert exchange.parts.tokens.take(after.token, sid(1))


def test_a_mailbox_that_presses_nothing_does_not_take_it(exchange: Exchange, parked: Parked):
    assert exchange.webhook("screened", 9, **CHILD).verbs == ["Hangup"]
    after = exchange.webhook(
        "after-dial", CallStatus="in-progress", DialCallStatus="completed", DialBridged="true"
    )

    assert after.is_assistant


def test_a_caller_who_did_not_wait_ends_the_call(exchange: Exchange, parked: Parked):
    after = exchange.webhook("after-dial", CallStatus="completed", DialCallStatus="canceled")

    assert after.verbs == []
    assert type(parked.told[-1]) is ev.CallOver


def test_a_call_that_was_given_up_comes_back_to_the_tone(exchange: Exchange, parked: Parked):
    del exchange.parts.live_calls._calls[sid(1)]
    ended(exchange, "line_lost")
    after = exchange.webhook("after-dial", CallStatus="in-progress", DialCallStatus="no-answer")

    assert after.is_voicemail


def test_a_call_that_comes_back_after_a_restart_comes_to_the_tone(exchange: Exchange, parked: Parked):
    del exchange.parts.live_calls._calls[sid(1)]
    exchange.forget_everything()
    ended(exchange, "interrupted")
    after = exchange.webhook("after-dial", CallStatus="in-progress", DialCallStatus="no-answer")

    assert after.is_voicemail


def test_that_the_owner_took_it_outlives_a_restart(exchange: Exchange, parked: Parked):
    del exchange.parts.live_calls._calls[sid(1)]
    exchange.forget_everything()
    ended(exchange, "transferred")
    after = exchange.webhook(
        "after-dial", CallStatus="in-progress", DialCallStatus="completed", DialBridged="true"
    )

    assert after.verbs == ["Hangup"]


def test_pressed_but_never_connected_is_not_taken(exchange: Exchange, parked: Parked):
    exchange.webhook("screened", 9, **CHILD, Digits="1")
    del exchange.parts.live_calls._calls[sid(1)]
    ended(exchange, "transferred")
    after = exchange.webhook(
        "after-dial", CallStatus="in-progress", DialCallStatus="completed", DialBridged="false"
    )

    assert after.is_voicemail
    assert (exchange.call() or {})["ended_because"] == "line_lost"


def test_a_leaving_program_sends_who_comes_back_to_the_tone(exchange: Exchange, parked: Parked):
    exchange.parts.drain()
    after = exchange.webhook("after-dial", CallStatus="in-progress", DialCallStatus="no-answer")

    assert after.is_voicemail


def test_a_parked_call_is_over_when_twilio_says_so(exchange: Exchange, parked: Parked):
    exchange.ends()

    assert type(parked.told[-1]) is ev.CallOver


def test_with_the_longest_address_the_document_is_what_rest_takes(tmp_path: Path):
    """Twilio takes 4,000 characters over REST, and a name in the DNS has 253."""
    exchange = Exchange(tmp_path, PUBLIC_URL="https://" + ".".join(["x" * 60] * 4))
    exchange.parts.memory.of(sid(1)).identity = "anonymous"

    assert len(ring(exchange)) < 4_000
    exchange.store.stop()


@pytest.fixture
def given_up(parked: Parked) -> Parked:
    """The same, given up; its last words are still awaited."""
    parked.parked = False
    return parked


def test_a_caller_who_comes_back_to_a_call_that_is_being_closed_comes_to_the_tone(
    exchange: Exchange, given_up: Parked
):
    after = exchange.webhook("after-dial", CallStatus="in-progress", DialCallStatus="no-answer")

    assert after.is_voicemail


def test_a_call_that_is_being_closed_learns_when_its_caller_was_gone(exchange: Exchange, given_up: Parked):
    exchange.ends()
    ended(exchange, "transferred")

    assert (exchange.call() or {})["ended_at"] != "2026-11-21T09:01:00.000Z"


def test_a_stop_waits_for_a_parked_call_also_when_the_phone_rings_no_more(exchange: Exchange, parked: Parked):
    exchange.parts.dials.forget(sid(1))

    assert exchange.parts.still_live() == 1


def test_the_owners_talk_that_a_crash_interrupts_here_is_no_reason_for_a_tone(exchange: Exchange):
    exchange.prefer(ring_first="on")
    exchange.rings()
    exchange.webhook("screened", 9, **CHILD, Digits="1")
    exchange.store.write(lambda db: None)
    exchange.forget_everything()
    exchange.store.write(calls.close_left_open, calls.as_time("2026-11-21T09:01:00.000Z"))
    after = exchange.webhook(
        "after-dial", CallStatus="in-progress", DialCallStatus="completed", DialBridged="true"
    )

    assert after.verbs == ["Hangup"]


def test_a_dial_that_fails_before_the_streams_end_is_heard_of_leads_to_the_tone(
    exchange: Exchange, parked: Parked
):
    parked.parked = parked.away = False
    after = exchange.webhook("after-dial", CallStatus="in-progress", DialCallStatus="failed")

    assert after.is_voicemail
