"""What a webhook decides, case by case, against a real database."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.live_calls import LiveCalls
from assistant.store import Store, callers, calls
from assistant.store.schema import as_time
from assistant.web import books
from tests.web.telephone import (
    ACCOUNT,
    ANA,
    OURS,
    OWNER,
    PUBLIC_URL,
    SAM,
    Document,
    Exchange,
    sid,
    signature,
)

MakeExchange = Callable[..., Exchange]


@pytest.fixture
def make_exchange(tmp_path: Path) -> Iterator[MakeExchange]:
    made: list[Exchange] = []

    def make(**environ: str) -> Exchange:
        made.append(Exchange(tmp_path / str(len(made)), **environ))
        return made[-1]

    yield make
    for exchange in made:
        assert exchange.store.stop(10)


@pytest.fixture
def exchange(make_exchange: MakeExchange) -> Exchange:
    return make_exchange()


# --- the door ---------------------------------------------------------------------

FIELDS = {"CallSid": sid(1), "AccountSid": ACCOUNT, "From": ANA, "To": OURS, "FromCity": "", "Noveau": "é"}
PATHS = ["incoming", "screen", "screened", "after-dial", "recorded", "recording", "status"]


def test_a_signed_webhook_is_answered_as_xml(exchange: Exchange):
    document = Document(exchange.post("/voice/incoming", FIELDS))

    assert document.is_assistant
    assert document.content_type == "text/xml; charset=utf-8"


def test_the_query_string_is_signed_byte_for_byte(exchange: Exchange):
    query = "?Name=J%C3%BCrgen%20A&q=a%2Fb&q="

    assert exchange.post("/voice/incoming", FIELDS, query).status_code == 200
    signed = {"X-Twilio-Signature": signature(PUBLIC_URL + "/voice/incoming", FIELDS)}
    assert exchange.post("/voice/incoming", FIELDS, query, **signed).status_code == 403


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        signature("http://phone.example/voice/incoming", FIELDS),
        signature("https://other.example/voice/incoming", FIELDS),
        signature(PUBLIC_URL + "/voice/incoming?a=1", FIELDS),
        signature(PUBLIC_URL + "/voice/incoming", {**FIELDS, "From": SAM}),
        signature(PUBLIC_URL + "/voice/incoming", {k: v for k, v in FIELDS.items() if v}),
        signature(PUBLIC_URL + "/voice/incoming", FIELDS, "another token"),
    ],
)
def test_a_bad_signature_is_refused_and_leaves_nothing(exchange: Exchange, path: str, header: str):
    response = exchange.post(f"/voice/{path}", FIELDS, **{"X-Twilio-Signature": header})

    assert response.status_code == 403
    assert b"<" not in response.data
    assert exchange.everything_kept() == []


@pytest.mark.parametrize("path", PATHS)
def test_a_missing_signature_is_refused(exchange: Exchange, path: str):
    response = exchange.app.test_client().post(f"/voice/{path}", data=FIELDS, base_url=PUBLIC_URL)

    assert response.status_code == 403


def test_headers_choose_neither_the_address_nor_the_algorithm(exchange: Exchange):
    forwarded = {"X-Forwarded-Host": "other.example", "X-Forwarded-Proto": "http"}
    assert exchange.post("/voice/incoming", FIELDS, **forwarded).status_code == 200

    algorithm = {"X-Twilio-Webhooks-Signature-Settings": "key=x,algorithm=NONE"}
    assert exchange.post("/voice/incoming", FIELDS, **algorithm).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_another_account_is_refused(exchange: Exchange, path: str):
    for account in ("AC" + "1" * 32, ""):
        assert exchange.post(f"/voice/{path}", {**FIELDS, "AccountSid": account}).status_code == 403
    assert exchange.everything_kept() == []


@pytest.mark.parametrize("call_sid", ["", "CA1", "CA" + "g" * 32, "CA" + "1" * 33, "../" + "1" * 31])
def test_a_webhook_about_no_call_is_not_understood(exchange: Exchange, call_sid: str):
    assert exchange.post("/voice/incoming", {**FIELDS, "CallSid": call_sid}).status_code == 400
    assert exchange.everything_kept() == []


def test_signatures_are_checked_in_the_sandbox_too(make_exchange: MakeExchange):
    sandbox = make_exchange(OPENAI_API_KEY="")

    assert sandbox.parts.settings.sandbox
    assert sandbox.post("/voice/incoming", FIELDS, **{"X-Twilio-Signature": "x"}).status_code == 403


def test_without_a_telephone_nobody_can_sign(make_exchange: MakeExchange):
    """With the model's key alone there is no token, and nothing is signed with an empty one."""
    exchange = make_exchange(
        PUBLIC_URL="", OWNER_PHONE="", TWILIO_NUMBER="", TWILIO_ACCOUNT_SID="", TWILIO_AUTH_TOKEN=""
    )
    fields = {**FIELDS, "AccountSid": ""}
    url = exchange.parts.settings.url("/voice/incoming")
    signed = {"X-Twilio-Signature": signature(url, fields, "")}

    response = exchange.app.test_client().post(
        "/voice/incoming", data=fields, headers=signed, base_url=exchange.parts.settings.url("")
    )

    assert response.status_code == 403


def test_webhooks_are_posted(exchange: Exchange):
    assert exchange.app.test_client().get("/voice/incoming", base_url=PUBLIC_URL).status_code != 200


# --- what happens to a call that rings ------------------------------------------------

DIVERTED = {"StirVerstat": "TN-Validation-Passed-A-Diverted"}


@pytest.mark.parametrize(
    ("prefers", "fields", "expected"),
    [
        ({}, {}, "assistant"),
        ({}, {"From": "anonymous"}, "assistant"),
        ({}, {"From": "sip:ana@pbx.example", "To": "sip:voicemail@name.sip.twilio.com"}, "assistant"),
        ({}, {"From": ""}, "assistant"),
        ({"ring_first": "on"}, {}, "ring"),
        ({"ring_first": "on"}, {"From": "anonymous"}, "ring"),
        ({"ring_first": "on"}, {"ForwardedFrom": OWNER}, "assistant"),
        ({"ring_first": "on"}, {"ForwardedFrom": "(202) 555-0101"}, "assistant"),
        ({"ring_first": "on"}, {"ForwardedFrom": SAM}, "ring"),
        ({"ring_first": "on"}, {"ForwardedFrom": ""}, "ring"),
        ({"ring_first": "on"}, DIVERTED, "assistant"),
        ({"ring_first": "on"}, {"StirVerstat": "TN-Validation-Passed-A"}, "ring"),
        ({"ring_first": "on"}, {"From": OWNER}, "assistant"),
        ({"ring_first": "on"}, {"From": OURS}, "busy"),
        ({}, {"From": OURS}, "busy"),
    ],
)
def test_first_the_phone_or_the_assistant(
    exchange: Exchange, prefers: dict[str, str], fields: dict[str, str], expected: str
):
    exchange.prefer(**prefers)

    assert kind(exchange.rings(**fields)) == expected


def kind(document: Document) -> str:
    if document.is_assistant:
        return "assistant"
    if document.is_voicemail:
        return "voicemail"
    if document.verbs == ["Dial"]:
        return "ring"
    if document.verbs == ["Reject"]:
        return document.attribute("Reject", "reason") or "rejected"
    return " ".join(document.verbs) or "empty"


def test_a_call_has_its_row_before_it_is_answered(exchange: Exchange):
    exchange.rings(
        ForwardedFrom=OWNER, CallerName=" Ana\x07  Lee ", StirVerstat="TN-Validation-Passed-A", To=OURS
    )

    call = exchange.call()
    assert call is not None
    assert {name: call[name] for name in ("direction", "from", "to", "forwarded_from", "caller_name")} == {
        "direction": "inbound",
        "from": ANA,
        "to": OURS,
        "forwarded_from": OWNER,
        "caller_name": "Ana Lee",
    }
    assert (call["trust"], call["answered_at"], call["ended_at"], call["outcome"]) == (
        "stranger",
        None,
        None,
        None,
    )


def test_a_caller_is_called_what_the_owner_calls_them(exchange: Exchange):
    exchange.store.write(callers.set_caller, ANA, name="Ana from the gym", standing="stranger")
    exchange.rings(CallerName="WIRELESS CALLER")

    call = exchange.call()
    assert call is not None
    assert call["caller_name"] == "Ana from the gym"


@pytest.mark.parametrize(
    ("from_", "kept"),
    [
        ("+7378742833", None),
        ("sip:ana@198.51.100.7:5060", "sip:ana@198.51.100.7"),
        ("client:ana", "client:ana"),
    ],
)
def test_callers_are_kept_as_the_export_shows_them(exchange: Exchange, from_: str, kept: str | None):
    exchange.rings(From=from_)

    call = exchange.call()
    assert call is not None
    assert call["from"] == kept


def test_a_known_caller_is_trusted_unless_the_network_doubts_it(exchange: Exchange):
    exchange.keep(ANA, "known")

    exchange.rings(1)
    exchange.rings(2, StirVerstat="TN-Validation-Failed-A")

    assert [(exchange.call(n) or {})["trust"] for n in (1, 2)] == ["known", "stranger"]
    assert exchange.parts.memory.of(sid(1)).trust == "known"


def test_a_blocked_caller_is_rejected_unanswered_and_kept(exchange: Exchange):
    exchange.keep(ANA, "blocked")

    assert [kind(exchange.rings()), kind(exchange.rings())] == ["rejected", "rejected"]
    exchange.ends(status="busy")

    call = exchange.call()
    assert call is not None
    assert (call["outcome"], call["ended_because"], call["answered_at"]) == ("blocked", "rejected", None)


def test_a_sip_caller_can_be_blocked_by_address_or_number(exchange: Exchange):
    exchange.keep("sip:+12025550143@pbx.example", "blocked")
    assert kind(exchange.rings(1, From="sip:+12025550143@pbx.example:5060")) == "rejected"
    assert kind(exchange.rings(2, From=ANA)) == "assistant"

    exchange.keep(ANA, "blocked")
    assert kind(exchange.rings(3, From="sip:+12025550143@other.example")) == "rejected"


@pytest.mark.parametrize("from_", ["anonymous", "+266696687", "sip:ana@pbx.example", "12025550143", "+123"])
def test_a_number_that_cannot_be_shown_rings_as_ours(exchange: Exchange, from_: str):
    exchange.prefer(ring_first="on", ring_seconds="20")

    document = exchange.rings(From=from_)

    assert document.attribute("Dial", "callerId") == OURS
    assert document.attribute("Dial", "timeout") == "20"


def test_the_callers_own_number_is_shown_to_the_owner(exchange: Exchange):
    exchange.prefer(ring_first="on")

    assert exchange.rings().attribute("Dial", "callerId") is None


def test_our_own_call_come_back_is_busy_and_keeps_no_row(exchange: Exchange):
    exchange.prefer(ring_first="on")
    exchange.rings(1)

    assert kind(exchange.rings(2, ForwardedFrom=OWNER)) == "busy"
    assert kind(exchange.rings(2, ForwardedFrom=OWNER)) == "busy"
    exchange.ends(2, "busy")

    assert exchange.call(2) is None
    assert exchange.call(1) is not None


def test_a_caller_who_rings_again_after_hanging_up_is_no_loop(exchange: Exchange):
    exchange.prefer(ring_first="on")
    exchange.rings(1)
    exchange.ends(1, "no-answer")

    assert kind(exchange.rings(2)) == "ring"
    assert (exchange.call(1) or {})["outcome"] == "missed"


# --- caps, budget, draining -------------------------------------------------------------


def test_one_call_too_many_at_once_gets_plain_voicemail(exchange: Exchange):
    exchange.prefer(max_concurrent_calls="2", calls_per_caller_per_day="0")

    assert [kind(exchange.rings(n)) for n in (1, 2, 3)] == ["assistant", "assistant", "voicemail"]
    exchange.ends(1)
    assert kind(exchange.rings(4)) == "assistant"
    exchange.clock.now_s += 60
    assert [kind(exchange.rings(n)) for n in (5, 6, 7)] == ["assistant", "assistant", "voicemail"]


@pytest.mark.parametrize(
    ("from_", "cap", "most"),
    [(ANA, "2", 2), ("anonymous", "2", 2), (OWNER, "2", 20), (OWNER, "0", 20), (ANA, "0", 30)],
)
def test_calls_a_day_are_capped(exchange: Exchange, from_: str, cap: str, most: int):
    exchange.prefer(calls_per_caller_per_day=cap, max_concurrent_calls="1000")
    withheld = ("anonymous", "+266696687", "private")
    froms = [from_ if from_ != "anonymous" else withheld[n % 3] for n in range(most + 1)]

    kinds = [kind(exchange.rings(100 + n, From=froms[n])) for n in range(most + 1)]

    expected = "assistant" if cap == "0" and from_ == ANA else "voicemail"
    assert kinds == ["assistant"] * most + [expected]
    assert kind(exchange.rings(999, From=SAM)) == "assistant"


@pytest.mark.parametrize(
    ("budget", "spent", "running", "expected"),
    [
        ("5", 4.9, 0.0, "assistant"),
        ("5", 5.0, 0.0, "voicemail"),
        ("5", 4.0, 1.0, "voicemail"),
        ("0", 500.0, 0.0, "assistant"),
    ],
)
def test_the_days_budget_counts_running_calls(
    exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    budget: str,
    spent: float,
    running: float,
    expected: str,
):
    exchange.prefer(daily_budget_usd=budget)
    exchange.past_call(50, from_=SAM, cost_usd=spent)
    monkeypatch.setattr(exchange.parts.live_calls, "cost_usd", lambda: running)

    assert kind(exchange.rings()) == expected


def test_over_a_cap_the_owners_phone_still_rings(exchange: Exchange):
    exchange.prefer(ring_first="on", calls_per_caller_per_day="1")
    exchange.past_call(50)

    assert kind(exchange.rings()) == "ring"
    assert kind(exchange.webhook("after-dial", DialCallStatus="no-answer")) == "voicemail"


def test_while_leaving_nobody_is_rung_and_callers_leave_a_recording(exchange: Exchange):
    exchange.prefer(ring_first="on", owner_name="Sam")
    exchange.rings(1)
    exchange.parts.drain()

    assert kind(exchange.rings(2, From=SAM)) == "voicemail"
    assert kind(exchange.webhook("after-dial", 1, DialCallStatus="busy")) == "voicemail"
    assert exchange.parts.still_live() == 2
    exchange.ends(1)
    exchange.clock.now_s += 200
    assert exchange.parts.still_live() == 0


def test_a_plain_voicemail_is_answered_and_over_when_twilio_says_so(exchange: Exchange):
    exchange.parts.drain()
    exchange.rings()
    exchange.ends()

    call = exchange.call()
    assert call is not None
    assert call["answered_at"] is not None
    assert (call["outcome"], call["ended_because"]) == ("no_message", "caller_hung_up")


class LastWords(LiveCalls):
    """A call whose caller is gone, and whose last words the model is still writing down."""

    def count(self) -> int:
        return 0

    def has(self, call_sid: str) -> bool:
        return True


def test_a_stop_waits_for_the_last_words_of_a_call(exchange: Exchange):
    exchange.parts.live_calls = LastWords()
    exchange.parts.streams.add(sid(1))

    assert exchange.parts.assistants_busy() == 0
    assert exchange.parts.still_live() == 1


# --- the owner's phone ------------------------------------------------------------------


def rung(exchange: Exchange) -> Exchange:
    exchange.prefer(ring_first="on")
    assert kind(exchange.rings()) == "ring"
    return exchange


def press(exchange: Exchange, **fields: str) -> str:
    """On the owner's leg, which has a CallSid of its own."""
    screen = exchange.webhook("screen", 9, ParentCallSid=sid(1), From=ANA, To=OWNER)
    assert screen.verbs == ["Gather", "Hangup"]
    return kind(exchange.webhook("screened", 9, **{"ParentCallSid": sid(1), **fields}))


def test_the_owner_takes_the_call(exchange: Exchange):
    rung(exchange)
    assert press(exchange, Digits="1") == "empty"
    after = exchange.webhook("after-dial", DialCallStatus="completed", DialBridged="true")
    exchange.ends()

    assert kind(after) == "Hangup"
    call = exchange.call()
    assert call is not None
    assert (call["outcome"], call["ended_because"]) == ("answered_by_owner", "caller_hung_up")
    assert call["answered_at"] is not None


@pytest.mark.parametrize(
    "fields", [{"Digits": ""}, {}, {"Digits": "2"}, {"Digits": "1", "ParentCallSid": ""}]
)
def test_a_mailbox_does_not_take_the_call(exchange: Exchange, fields: dict[str, str]):
    rung(exchange)

    assert press(exchange, **fields) == "Hangup"
    after = exchange.webhook("after-dial", DialCallStatus="completed", DialBridged="true")
    assert kind(after) == "assistant"


@pytest.mark.parametrize("dial_status", ["no-answer", "busy", "failed", "canceled", "completed"])
def test_nobody_takes_the_call(exchange: Exchange, dial_status: str):
    rung(exchange)

    assert kind(exchange.webhook("after-dial", DialCallStatus=dial_status)) == "assistant"
    assert exchange.parts.dials.running() == 0


def test_pressed_but_never_connected_is_not_taken(exchange: Exchange):
    rung(exchange)
    press(exchange, Digits="1")

    after = exchange.webhook("after-dial", DialCallStatus="completed", DialBridged="false")

    assert kind(after) == "assistant"
    exchange.ends()
    assert (exchange.call() or {})["outcome"] != "answered_by_owner"


@pytest.mark.parametrize(("stream_is_open", "answer"), [(True, "Hangup"), (False, "empty")])
def test_pressed_too_late_is_not_taken(exchange: Exchange, stream_is_open: bool, answer: str):
    """The webhooks may cross: the assistant has the call by now, or is about to have it."""
    rung(exchange)
    exchange.webhook("after-dial", DialCallStatus="no-answer")
    exchange.parts.streams.update([sid(1)] * stream_is_open)

    assert press(exchange, Digits="1") == answer
    exchange.store.write(books.stream_began, sid(1), datetime.now(UTC))
    exchange.ends()
    assert (exchange.call() or {})["outcome"] == "no_message"


def test_accepting_one_call_is_not_accepting_another(exchange: Exchange):
    rung(exchange)
    press(exchange, Digits="1")
    exchange.rings(2, From=SAM)

    assert kind(exchange.webhook("after-dial", 2, From=SAM, DialCallStatus="completed")) == "assistant"


def test_a_caller_who_did_not_wait_is_not_answered(exchange: Exchange):
    rung(exchange)

    after = exchange.webhook("after-dial", CallStatus="completed", DialCallStatus="canceled")

    assert kind(after) == "empty"
    exchange.ends()
    assert (exchange.call() or {})["outcome"] == "missed"


def test_acceptance_outlives_a_restart(exchange: Exchange):
    rung(exchange)
    press(exchange, Digits="1")
    exchange.call()  # written
    exchange.forget_everything()

    after = exchange.webhook("after-dial", DialCallStatus="completed", DialBridged="true")

    assert kind(after) == "Hangup"


def test_after_a_restart_the_assistant_still_takes_the_call(exchange: Exchange):
    rung(exchange)
    exchange.forget_everything()

    assert press(exchange) == "Hangup"
    assert kind(exchange.webhook("after-dial", DialCallStatus="no-answer")) == "assistant"


# --- again and again ------------------------------------------------------------------


def test_a_repeated_webhook_gets_a_fresh_token_and_the_old_one_dies(exchange: Exchange):
    exchange.prefer(max_concurrent_calls="1", calls_per_caller_per_day="1")
    first, second = exchange.rings(), exchange.rings()

    assert first.token != second.token
    assert not exchange.parts.tokens.take(first.token, sid(1))
    assert exchange.parts.tokens.take(second.token, sid(1))


def test_a_call_that_streams_or_is_over_gets_nothing_more(exchange: Exchange):
    exchange.rings()
    exchange.parts.streams.add(sid(1))
    assert kind(exchange.rings()) == "empty"
    assert kind(exchange.webhook("after-dial")) == "empty"

    exchange.parts.streams.clear()
    exchange.ends()
    exchange.call()
    assert kind(exchange.rings()) == "empty"
    assert kind(exchange.webhook("after-dial")) == "empty"
    exchange.forget_everything()
    assert kind(exchange.rings()) == "empty"
    assert exchange.parts.tokens.waiting() == 0


def a_whole_call() -> list[tuple[str, dict[str, str]]]:
    child = {"ParentCallSid": sid(1), "CallSid": sid(9)}
    return [
        ("incoming", {}),
        ("screen", child),
        ("screened", {**child, "Digits": "1"}),
        ("after-dial", {"DialBridged": "true", "DialCallStatus": "completed"}),
        ("recorded", {"RecordingSid": sid(1, "RE"), "Digits": "hangup"}),
        ("recording", {"RecordingSid": sid(1, "RE"), "RecordingStatus": "completed"}),
        ("status", {"CallStatus": "completed"}),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_replayed_webhooks_change_nothing(exchange: Exchange, seed: int):
    exchange.prefer(ring_first="on")
    for path, fields in a_whole_call():
        exchange.webhook(path, **fields)
    before = exchange.everything_kept()

    replayed = a_whole_call() * 3
    random.Random(seed).shuffle(replayed)
    for path, fields in replayed:
        exchange.webhook(path, **fields)

    assert exchange.everything_kept() == before


# --- recordings and the end ----------------------------------------------------------------


def test_a_recording_is_thanked_for_and_never_made_again(exchange: Exchange):
    document = exchange.webhook("recorded", RecordingUrl="https://elsewhere.example/x", Digits="hangup")

    assert document.verbs == ["Say", "Hangup"]


def test_a_recording_that_is_ready_is_fetched_beside_once(exchange: Exchange):
    ready = {
        "RecordingSid": sid(7, "RE"),
        "RecordingUrl": "http://169.254.169.254/",
        "RecordingStatus": "completed",
    }

    assert exchange.webhook("recording", **ready).text == ""
    exchange.webhook("recording", **ready)

    assert exchange.fetched == [(sid(1), sid(7, "RE"))]


@pytest.mark.parametrize(
    "fields",
    [
        {"RecordingSid": sid(7, "RE"), "RecordingStatus": "in-progress"},
        {"RecordingSid": sid(7, "RE"), "RecordingStatus": "absent"},
        {"RecordingSid": "../../Calls", "RecordingStatus": "completed"},
        {"RecordingStatus": "completed"},
        {},
    ],
)
def test_nothing_is_fetched_that_is_not_there(exchange: Exchange, fields: dict[str, str]):
    exchange.webhook("recording", **fields)

    assert exchange.fetched == []


@pytest.mark.parametrize("call_status", ["ringing", "in-progress", "queued", ""])
def test_a_call_that_goes_on_is_not_ended(exchange: Exchange, call_status: str):
    exchange.rings()
    exchange.ends(status=call_status)

    assert (exchange.call() or {})["ended_at"] is None
    assert exchange.parts.tokens.waiting() == 1


def test_the_end_of_an_unknown_call_makes_no_row(exchange: Exchange):
    exchange.ends(77)

    assert exchange.everything_kept() == []


@pytest.mark.parametrize(
    ("because", "seconds_ago", "voicemail", "expected"),
    [
        ("line_lost", 1, False, "caller_hung_up"),
        ("line_lost", 60, False, "line_lost"),
        ("line_lost", 1, True, "line_lost"),
        ("model_failed", 1, False, "model_failed"),
        ("shut_down", 1, False, "shut_down"),
        ("silence", 1, False, "silence"),
    ],
)
def test_a_line_lost_and_a_caller_gone_are_one_end(
    exchange: Exchange, because: str, seconds_ago: int, voicemail: bool, expected: str
):
    exchange.rings()
    ended_at = as_time((exchange.call() or {})["started_at"]) - timedelta(seconds=seconds_ago)
    exchange.store.write(calls.finish, sid(1), ended_at=ended_at, ended_because=because, usage={})
    if voicemail:
        exchange.store.write(
            calls.add_recording, sid(1), kind="voicemail", file="recordings/x.wav", seconds=3.0
        )

    exchange.ends()

    call = exchange.call()
    assert call is not None
    assert call["ended_because"] == expected
    if expected in ("caller_hung_up", "silence"):
        assert as_time(call["ended_at"]) == ended_at.replace(microsecond=ended_at.microsecond // 1000 * 1000)


# --- trouble ----------------------------------------------------------------------------


def test_a_locked_database_keeps_nobody_waiting_and_loses_nothing(exchange: Exchange):
    exchange.prefer(ring_first="on")
    child = {"CallSid": sid(9), "ParentCallSid": sid(1)}
    with exchange.database_locked():
        took_s = [
            timed(lambda: exchange.rings()),
            timed(lambda: exchange.webhook("screened", **child, Digits="1")),
            timed(lambda: exchange.webhook("after-dial", DialBridged="true")),
            timed(lambda: exchange.rings(2, From=OWNER)),
            timed(lambda: exchange.ends()),
        ]

    assert max(took_s) < 2
    assert (exchange.call(1) or {})["outcome"] == "answered_by_owner"
    assert exchange.call(2) is not None


def timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def test_acceptance_counts_while_the_database_is_locked(exchange: Exchange):
    rung(exchange)
    with exchange.database_locked():
        press(exchange, Digits="1")
        after = exchange.webhook("after-dial", DialBridged="true")
        exchange.ends()
        again = exchange.rings()

    assert [kind(after), kind(again)] == ["Hangup", "empty"]


def test_a_broken_database_is_not_the_callers_fault(exchange: Exchange, monkeypatch: pytest.MonkeyPatch):
    exchange.prefer(ring_first="on")
    monkeypatch.setattr(exchange.parts, "store", Store(Path("/dev/null/there/is/no/database")))

    assert kind(exchange.rings()) == "voicemail"
    assert kind(exchange.webhook("after-dial")) == "voicemail"
    assert exchange.parts.still_live() == 1


# --- the sandbox's own fields ----------------------------------------------------------------

LOCAL = "http://127.0.0.1:4321"


def test_a_simulated_call_brings_its_own_rest_side(make_exchange: MakeExchange):
    sandbox = make_exchange(OPENAI_API_KEY="")
    sandbox.rings(SandboxApiUrl=LOCAL + "/", SandboxScenario="two-callers")

    call = sandbox.parts.memory.of(sid(1))
    assert (call.api_url, call.scenario) == (LOCAL, "two-callers")
    assert sandbox.parts.rest_for(sid(1)) is not sandbox.parts.rest
    assert sandbox.parts.rest_for(sid(2)) is sandbox.parts.rest


@pytest.mark.parametrize(
    "fields",
    [
        {"SandboxApiUrl": "http://phone.example"},
        {"SandboxApiUrl": "https://127.0.0.1:1"},
        {"SandboxApiUrl": "http://127.0.0.1:99999"},
        {"SandboxApiUrl": "http://127.0.0.1:1/path"},
        {"SandboxApiUrl": "http://user@127.0.0.1:1"},
        {"SandboxApiUrl": "http://127.0.0.1.evil.example"},
        {"SandboxApiUrl": "file:///etc/passwd"},
        {"SandboxScenario": "../message"},
    ],
)
def test_only_this_machine_can_be_named(make_exchange: MakeExchange, fields: dict[str, str]):
    sandbox = make_exchange(OPENAI_API_KEY="")

    assert sandbox.post("/voice/incoming", {**FIELDS, **fields}).status_code == 400


def test_outside_the_sandbox_these_fields_are_nothing(exchange: Exchange):
    exchange.rings(SandboxApiUrl="http://phone.example", SandboxScenario="../x")

    assert exchange.parts.memory.of(sid(1)).api_url == ""
    assert exchange.parts.rest_for(sid(1)) is exchange.parts.rest


# --- whatever a caller shows -------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path_factory.mktemp("fuzz"))
    exchange.prefer(ring_first="on", calls_per_caller_per_day="0", max_concurrent_calls="1000")
    yield exchange
    assert exchange.store.stop(10)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    from_=st.text(max_size=40) | st.from_regex(r"\+?[0-9 ]{3,16}", fullmatch=True),
    caller_name=st.text(max_size=40),
    forwarded_from=st.text(max_size=20),
    number=st.integers(min_value=1, max_value=2**60),
)
def test_nothing_a_caller_shows_gets_into_a_document(
    one_exchange: Exchange, from_: str, caller_name: str, forwarded_from: str, number: int
):
    fields: dict[str, Any] = {"From": from_, "CallerName": caller_name, "ForwardedFrom": forwarded_from}

    rung = one_exchange.rings(number, **fields)  # parses, or it fails here
    after = one_exchange.webhook("after-dial", number, **fields, DialCallStatus="no-answer")

    for document in (rung, after):
        spoken = re.sub(r'value="[^"]*"', "", document.text)
        assert set(re.findall(r"\+[0-9]{5,}", spoken)) <= {OWNER, OURS}
    one_exchange.ends(number)
