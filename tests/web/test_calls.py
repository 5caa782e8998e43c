"""The page of one call."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assistant.store import appointments, callers, calls, one_call, step_ins
from assistant.web.words import Words
from tests.web.pages import Pages, csrf_token, text_of
from tests.web.test_inbox import POLYGLOT


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


def read(pages: Pages, call_sid: str = "CA1") -> str:
    return text_of(pages.owner().get(f"/calls/{call_sid}").text)


def test_an_unknown_call_is_not_found(pages: Pages):
    answer = pages.owner().get("/calls/CAnone")

    assert answer.status_code == 404
    assert "There is no such call." in answer.text


def test_the_message_is_on_top_with_a_number_to_call_back(pages: Pages):
    sid = pages.add_call()
    pages.add_turn(sid, "caller", "It's Ana.")
    pages.add_message(sid, "Call me about Friday.", urgency="high")
    pages.finish(sid)

    page = pages.owner().get(f"/calls/{sid}").text

    words = text_of(page)
    assert words.index("Call me about Friday.") < words.index("It's Ana.")
    assert "urgent" in words
    assert 'href="tel:+442079460018"' in page


def test_the_transcript_shows_what_was_heard_and_marks_what_was_not(pages: Pages):
    sid = pages.add_call()
    pages.add_turn(sid, "assistant", "Hello, how can I help?", started_ms=200)
    pages.add_turn(sid, "caller", "Is Sam there?", started_ms=65_000)
    pages.add_turn(
        sid, "assistant", "Sam is not here, but I can take a message.", heard_text="Sam is not here,",
        interrupted=True, started_ms=70_000,
    )  # fmt: skip

    page = pages.owner().get(f"/calls/{sid}").text

    words = text_of(page)
    assert (
        words.index("Hello, how can I help?") < words.index("Is Sam there?") < words.index("Sam is not here,")
    )
    assert "Caller 1:05" in words
    assert "<s>but I can take a message.</s>" in page
    assert "Sam is not here, Not heard by the caller: but I can take a message." in words
    assert "Interrupted: the caller did not hear the rest." in words


def test_a_failed_transcription_says_so(pages: Pages):
    pages.add_turn(pages.add_call(), "caller", "")

    assert "could not be made out" in read(pages)


@pytest.mark.parametrize(
    ("text", "heard", "unheard"),
    [
        ("One two three.", "One", "two three."),
        ("One two three.", "One…", "two three."),
        ("One two three.", "", "One two three."),
        ("One two three.", "One two three.", ""),
        ("Something else.", "One", "Something else."),
    ],
)
def test_what_was_not_heard(text: str, heard: str, unheard: str):
    assert Words.unheard({"text": text, "heard_text": heard, "interrupted": True}) == unheard
    assert Words.unheard({"text": text, "heard_text": heard, "interrupted": False}) == ""


def test_tool_runs_show_what_was_asked_answered_and_refused(pages: Pages):
    sid = pages.add_call()
    run = {"started_ms": 61_000, "took_ms": 12}
    message = {"text": "Call me", "urgency": "low"}
    refusal = {"ok": False, "error": "not_allowed", "message": "Not for this caller."}
    pages.store.write(
        calls.keep_tool_run, sid, tool_call_id="t1", name="take_message", arguments=message,
        result={"ok": True, "slots": [{"time": "09:00"}]}, refused=False, **run,
    )  # fmt: skip
    pages.store.write(
        calls.keep_tool_run, sid, tool_call_id="t2", name="list_messages", arguments={}, result=refusal,
        refused=True, **run,
    )  # fmt: skip
    pages.finish(sid)

    words = read(pages)

    assert "Took a message 1:01, took 12 ms" in words
    assert "text Call me" in words
    assert "slots • time: 09:00" in words
    assert "Wanted to read out your messages refused 1:01, took 12 ms The caller is a stranger." in words
    assert "reason not_allowed" in words
    assert "The tool is called list_messages ." in words


def test_the_facts(pages: Pages):
    sid = pages.add_call(forwarded_from="+12025550101", trust="known")
    pages.finish(sid, "silence", usage={}, cost_usd=0.0213, first_sound_ms=420, response_ms=[700, 900, 2100])

    words = read(pages)

    assert "Forwarded from +1 202-555-0101" in words
    assert "Known caller" in words
    assert "nobody spoke any more" in words
    assert "$0.021" in words


def test_how_long_this_caller_waited_and_callers_do_lately(pages: Pages):
    pages.finish(pages.add_call("CA2"), first_sound_ms=9, response_ms=[400, 500, 500, 1400])
    pages.finish(pages.add_call(), first_sound_ms=3, response_ms=[630, 840, 1170])

    words = read(pages)

    assert (
        "The caller heard the first word after 3 ms, half of the answers within 0.8 s and the slowest"
        " after 1.2 s. The model cost $0.000." in words
    )
    assert "First word 3 ms Answer 1 0.6 s Answer 2 0.8 s Answer 3 1.2 s" in words
    assert (
        "Last 30 days: 2 calls. First word: half within 3 ms, 95 % within 9 ms."
        " Answers: half within 0.6 s, 95 % within 1.4 s." in words
    )
    assert "from when the model noticed that the caller had stopped speaking" in words


def test_a_caller_who_said_nothing_waited_for_the_first_word_alone(pages: Pages):
    pages.finish(pages.add_call(), first_sound_ms=3, response_ms=[])

    words = read(pages)

    assert "The caller heard the first word after 3 ms. The model cost" in words
    assert "Last 30 days: 1 call. First word: 95 % within 3 ms. First word:" in words


@pytest.mark.parametrize("facts", [{}, {"usage": {}, "first_sound_ms": None, "response_ms": []}])
def test_where_the_assistant_was_not_heard_nobody_waited(pages: Pages, facts: dict[str, Any]):
    pages.finish(pages.add_call("CA2"), first_sound_ms=9, response_ms=[400])
    pages.finish(pages.add_call(), **facts)

    assert "first word" not in read(pages)


@pytest.mark.parametrize(
    ("ms", "shown"),
    [(0, "1 ms"), (99, "99 ms"), (100, "0.1 s"), (649, "0.6 s"), (9949, "9.9 s"), (9950, "10 s")],
)
def test_a_wait_is_shown_as_exactly_as_it_is_felt(ms: int, shown: str):
    assert Words("UTC", "en", datetime.now(UTC)).wait(ms).replace("\u00a0", " ") == shown


@pytest.mark.parametrize(
    ("response_ms", "said"),
    [
        ([], ""),
        ([700], "Answer after 0.7 s."),
        ([700, 12_000], "Answers after 0.7 s and 12 s."),
        ([*range(100, 1300, 100), 2_000], "13 answers: half within 0.7 s, the slowest after 2.0 s."),
    ],
)
def test_the_answers_of_a_call_in_a_sentence(response_ms: list[int], said: str):
    """Many of them as half and slowest."""
    words = Words("UTC", "en", datetime.now(UTC))

    assert words.answers(response_ms).replace("\u00a0", " ") == said


def test_a_running_call_is_a_page_too(pages: Pages):
    pages.finish(pages.add_call("CA2"), first_sound_ms=9, response_ms=[400])
    pages.add_call()

    words = read(pages)

    assert "The assistant is not on" in words
    assert "first word" not in words
    assert "The model cost" not in words


def test_what_strangers_say_is_text_and_nothing_else(pages: Pages):
    sid = pages.add_call(caller_name=POLYGLOT, from_number=POLYGLOT, forwarded_from=POLYGLOT)
    pages.add_turn(sid, "caller", POLYGLOT)
    pages.add_turn(sid, "assistant", POLYGLOT, heard_text="<scr", interrupted=True, started_ms=10)
    pages.add_message(sid, POLYGLOT, name=POLYGLOT, callback_number=POLYGLOT)
    pages.store.write(
        calls.keep_tool_run, sid, tool_call_id="t1", name=POLYGLOT, arguments={POLYGLOT: POLYGLOT},
        result={POLYGLOT: [POLYGLOT]}, refused=True, started_ms=0, took_ms=0,
    )  # fmt: skip
    pages.finish(sid)

    page = pages.owner().get(f"/calls/{sid}").text

    assert "<script>" not in page
    assert "<img src=x" not in page
    assert 'href="tel:' not in page
    assert "77021" not in text_of(page).replace(POLYGLOT, "")


# --- what they want, and what the owner does with it ------------------------------


def test_the_card_leads_to_the_caller_and_to_the_telephone(pages: Pages):
    sid = pages.add_call()
    pages.add_message(sid, "Call me.", callback_number="+12025550143", urgency="low")
    pages.finish(sid)

    page = pages.owner().get(f"/calls/{sid}").text

    assert 'href="/callers/%2B442079460018"' in page
    assert 'class="press" href="tel:+12025550143"' in page
    assert "no hurry" in text_of(page)


def test_a_withheld_number_can_be_looked_up_and_not_called(pages: Pages):
    sid = pages.add_call(from_number=None)
    pages.finish(sid)

    page = pages.owner().get(f"/calls/{sid}").text

    assert 'href="/callers/withheld"' in page
    assert "tel:" not in page


def test_the_name_that_is_kept_is_the_heading(pages: Pages):
    sid = pages.add_call(caller_name="WIRELESS CALLER")
    pages.store.write(callers.set_caller, "+442079460018", name="Ana", standing="known")

    page = pages.owner().get(f"/calls/{sid}").text

    assert "<h1><bdi>Ana</bdi></h1>" in page
    assert "<title>Ana" in page


@pytest.mark.parametrize(
    ("status", "told", "link"),
    [
        ("requested", "waits for your answer Answer in the calendar", "#request-1"),
        ("booked", "in the calendar See the calendar", "#made-1"),
        ("declined", "declined See the calendar", ""),
    ],
)
def test_an_appointment_says_where_it_stands(pages: Pages, status: str, told: str, link: str):
    sid = pages.add_call()
    pages.finish(sid)
    start = datetime(2026, 12, 1, 14, 0, tzinfo=UTC)
    pages.store.write(
        appointments.hold, call_sid=sid, tool_call_id="t1", number=None, trust="stranger", caller_name="Sam",
        title="Boiler", start=start, end=start + timedelta(minutes=30), timezone="UTC", status="requested",
        calendar="", event_id="e1", clear=None, now=start,
    )  # fmt: skip
    if status != "requested":
        pages.store.write(appointments.settle, 1, status=status, now=start)

    page = pages.owner().get(f"/calls/{sid}").text

    assert told in text_of(page)
    assert "Boiler" in text_of(page)
    assert "Name Sam" in text_of(page)
    assert re.search(rf'href="/calendar\?week=2026-12-0[12]{link}"', page)


def test_who_opens_a_call_has_read_it(pages: Pages):
    sid = pages.add_call()
    pages.finish(sid)

    pages.owner().get(f"/calls/{sid}")

    assert pages.store.read(one_call.look_up, sid).state == "open"


def test_a_running_call_stays_news_when_it_is_looked_at(pages: Pages):
    sid = pages.add_call()

    pages.owner().get(f"/calls/{sid}")

    assert pages.store.read(one_call.look_up, sid).state == "unread"


def test_a_call_is_put_away_and_taken_back_from_its_page(pages: Pages):
    sid = pages.add_call()
    pages.finish(sid)
    owner = pages.owner()
    page = owner.get(f"/calls/{sid}").text
    form = {"csrf_token": csrf_token(page), "call_sid": sid, "next": "/", "state": "done"}

    assert '<button class="second" name="state" value="unread">' in page
    assert owner.post("/inbox/state", data=form).headers["Location"] == "/"

    page = owner.get(f"/calls/{sid}").text
    assert '<button class="second" name="state" value="open">Not done yet</button>' in page
    assert pages.store.read(one_call.look_up, sid).state == "done"


def test_the_calls_before_and_after_are_one_step_away(pages: Pages):
    for minutes_ago, sid in ((30, "CA1"), (20, "CA2"), (10, "CA3")):
        pages.add_call(sid, minutes_ago=minutes_ago)
    owner = pages.owner()

    middle, newest = owner.get("/calls/CA2").text, owner.get("/calls/CA3").text

    assert '<a rel="prev" href="/calls/CA3">' in middle
    assert '<a rel="next" href="/calls/CA1">' in middle
    assert 'rel="prev"' not in newest


def test_how_the_owner_stepped_in_stands_between_the_lines(pages: Pages):
    sid = pages.add_call()
    pages.add_turn(sid, "caller", "Is Sam there?", started_ms=1000)
    pages.store.write(step_ins.keep, sid, step_key="k1", kind="tell", text="Back at five.", at_ms=2000)
    pages.add_turn(sid, "assistant", "Sam is back at five.", started_ms=3000)
    pages.finish(sid)

    words = read(pages)

    assert words.index("Is Sam there?") < words.index("Back at five.") < words.index("Sam is back at five.")


def test_a_line_knows_its_time_and_can_be_pressed_only_by_the_script(pages: Pages):
    sid = pages.add_call()
    pages.add_turn(sid, "caller", "Hello.", started_ms=6602)
    pages.finish(sid)

    page = pages.owner().get(f"/calls/{sid}").text

    assert 'id="turn-1" data-at="6602"' in page
    assert '<button class="at" type="button" disabled>' in page


def test_what_the_model_used_is_told_in_words(pages: Pages):
    used = {"text_in": 8198, "text_cached": 6400, "text_out": 0, "audio_in": 887, "transcription_s": 73.4}
    pages.finish(pages.add_call(), usage=used, cost_usd=0.04, first_sound_ms=3, response_ms=[])

    words = read(pages)

    assert "Text read 8,198 tokens, 6,400 of them read before" in words
    assert "Sound heard 887 tokens" in words
    assert "Speech put into words 1:13" in words
    assert "Text written" not in words


@pytest.mark.parametrize("keys", ["on", "off"])
def test_the_page_says_once_whether_single_keys_are_wanted(pages: Pages, keys: str):
    sid = pages.add_call()
    pages.add_recording(sid, b"RIFF")
    owner = pages.owner()
    owner.set_cookie("keys", keys, domain="127.0.0.1")

    assert re.findall(r'data-keys="(\w+)"', owner.get(f"/calls/{sid}").text) == [keys]


@pytest.mark.parametrize("sid", ["..%2f..%2fsecret_key", "%00", "CA1%2faudio.wav", "' OR 1=1 --"])
def test_strange_sids_are_only_unknown_calls(pages: Pages, sid: str):
    assert pages.owner().get(f"/calls/{sid}/audio.wav").status_code == 404
    assert pages.owner().get(f"/calls/{sid}").status_code == 404
