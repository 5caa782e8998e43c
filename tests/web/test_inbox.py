"""The list of calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.store import preferences
from assistant.web.words import Words
from tests.web.pages import PUBLIC, Pages, text_of

POLYGLOT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*11003}}"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


def test_without_calls_the_sandbox_says_how_to_make_one(pages: Pages):
    page = pages.owner().get("/").text

    assert "No calls yet" in page
    assert "make call SCENARIO=message" in page
    assert "Sandbox." in page


def test_with_a_model_there_is_no_word_of_the_sandbox(tmp_path: Path):
    page = Pages(tmp_path, OPENAI_API_KEY="sk-made-up", **PUBLIC).owner().get("/").text

    assert "Sandbox" not in page
    assert "make call" not in page


def test_a_row_says_who_what_when_and_what_came_of_it(pages: Pages):
    sid = pages.add_call(minutes_ago=5)
    pages.add_message(sid, "Please call back about Friday.")
    pages.finish(sid)

    page = pages.owner().get("/").text

    words = text_of(page)
    assert "+44 20 7946 0018" in words
    assert "Please call back about Friday." in words
    assert "Message" in words
    assert "5 minutes ago" in words
    assert "5:0" in words
    assert "1 call" in words
    assert f'href="/calls/{sid}"' in page


@pytest.mark.parametrize(
    ("columns", "who"),
    [
        ({"from_number": None}, "Withheld number"),
        ({"from_number": "sip:ana@example.org"}, "sip:ana@example.org"),
        ({"caller_name": "Ana"}, "Ana"),
        ({"from_number": "+999nonsense"}, "+999nonsense"),
    ],
)
def test_who_called(pages: Pages, columns: dict[str, str], who: str):
    pages.add_call(**columns)

    assert who in text_of(pages.owner().get("/").text)


def test_a_running_call_says_so(pages: Pages):
    pages.add_call()

    assert "On the line" in text_of(pages.owner().get("/").text)


def test_how_long_callers_wait_is_told_once_there_is_something_to_tell(pages: Pages):
    pages.add_call("CA1")
    assert "Last 30 days" not in pages.owner().get("/").text

    pages.finish("CA1", first_sound_ms=4, response_ms=[700, 1400])

    page = pages.owner().get("/").text
    assert (
        "Last 30 days: 1 call. First word: 95 % within 4 ms. Answers: half within 0.7 s, 95 % within 1.4 s."
        in text_of(page)
    )
    assert 'title="First word: from the moment' in page


def test_fifty_to_a_page_newest_first(pages: Pages):
    for n in range(51):
        pages.add_call(f"CA{n:02}", minutes_ago=n)
    owner = pages.owner()

    first, second = owner.get("/").text, owner.get("/?page=2").text

    assert first.count('<li class="call') == 50
    assert first.index("/calls/CA00") < first.index("/calls/CA49")
    assert 'href="/?page=2"' in first
    assert second.count('<li class="call') == 1
    assert "/calls/CA50" in second
    assert [owner.get(f"/?page={page}").status_code for page in ("0", "3", "-1")] == [404] * 3
    assert owner.get("/?page=x").status_code == 200


def test_what_strangers_say_is_text_and_nothing_else(pages: Pages):
    sid = pages.add_call(caller_name=POLYGLOT, from_number=POLYGLOT)
    pages.add_message(sid, POLYGLOT)
    pages.finish(sid)

    page = pages.owner().get("/").text

    assert "<script" not in page
    assert "<img src=x" not in page
    assert POLYGLOT in text_of(page)


def test_times_follow_the_owners_zone_and_language(pages: Pages):
    pages.add_call(minutes_ago=120)
    pages.store.write(preferences.set, "language", "de")
    pages.store.write(preferences.set, "timezone", "Asia/Tokyo")

    page = pages.owner().get("/").text

    assert "vor 2 Stunden" in page
    tokyo = datetime.now(UTC) - timedelta(hours=2) + timedelta(hours=9)
    assert f"{tokyo:%d.%m.%Y}, {tokyo:%H}:" in page


def test_an_unknown_language_falls_back_to_english():
    now = datetime(2026, 11, 21, 9, tzinfo=UTC)

    words = Words("Nowhere/At-All", "xx-Nothing", now)

    assert words.ago("2026-11-21T08:58:00.000Z") == "2 minutes ago"
    assert "8:58" in words.exact("2026-11-21T08:58:00.000Z")


def test_a_clock_that_was_set_back_makes_no_call_of_the_future():
    now = datetime(2026, 11, 21, 9, tzinfo=UTC)

    assert Words("UTC", "en", now).ago("2026-11-21T09:00:30.000Z") == "1 second ago"


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (5.4, "0:05"), (65, "1:05"), (3661, "1:01:01")])
def test_lengths(seconds: float, shown: str):
    assert Words.length(seconds) == shown
