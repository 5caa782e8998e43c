"""The search page: whatever is typed, there is a page, and what was found is text."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from assistant.store import callers as kept
from assistant.web import search
from tests.web.pages import PUBLIC, Pages, text_of

POLYGLOT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*11003}} roof"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path, **PUBLIC)


def test_without_anything_to_look_for_the_page_says_what_can_be_typed(pages: Pages) -> None:
    page = pages.owner().get("/search")

    assert page.status_code == 200
    for typed, finds in search.EXAMPLES:
        assert finds in text_of(page.text)
        assert f'href="/search?q={quote(typed, safe=":")}"'.replace("%20", "+") in page.text


def test_what_was_found_leads_to_its_line(pages: Pages) -> None:
    pages.add_call("CA1", minutes_ago=5, caller_name="ANA MULLER")
    pages.add_turn("CA1", "assistant", "How can I help?", started_ms=0)
    pages.add_turn("CA1", "caller", "It is the roof & the door", started_ms=2000)
    pages.finish("CA1")

    page = pages.owner().get("/search?q=roof").text

    assert "1 call with roof" in text_of(page)
    assert '<a href="/calls/CA1#turn-2">' in page
    assert "It is the <mark>roof</mark> &amp; the door" in page
    assert "ANA MULLER" in text_of(page)
    assert 'href="/search">Clear</a>' in page


def test_every_example_can_be_pressed(pages: Pages) -> None:
    owner = pages.owner()
    pages.add_call()

    answers = [owner.get("/search", query_string={"q": typed}) for typed, _ in search.EXAMPLES]

    assert {answer.status_code for answer in answers} == {200}
    assert not any('id="unread"' in answer.text for answer in answers)


def test_nothing_found_says_what_was_looked_for_and_what_to_do(pages: Pages) -> None:
    page = pages.owner().get("/search?q=elephant").text

    words = text_of(page)
    assert "No call with elephant" in words
    assert "Nothing found" in words
    assert "has:message" in words


def test_what_could_not_be_read_is_told_beside_what_was_found(pages: Pages) -> None:
    pages.add_call("CA1")
    pages.add_turn("CA1", "caller", "roof")

    page = pages.owner().get("/search?q=roof+has:foo").text

    assert "has:foo is not known." in text_of(page)
    assert "/calls/CA1#turn-1" in page


@pytest.mark.parametrize(
    "typed",
    ['"', "*", "NEAR(", "-", "(", "a OR", "{x}:", "\x00\x07", "%", "a" * 10_000, '"' * 10_000, "' OR 1=1 --"],
)
def test_whatever_is_typed_is_answered_and_shown_again(pages: Pages, typed: str) -> None:
    pages.add_call("CA1")
    pages.add_turn("CA1", "caller", "a near or")

    answer = pages.owner().get("/search", query_string={"q": typed})

    assert answer.status_code == 200
    assert 'name="q" type="search"' in answer.text


def test_half_a_character_in_the_address_is_answered(pages: Pages) -> None:
    assert pages.owner().get("/search?q=%ff%fe%ed%a0%80&page=%ff").status_code == 200


def test_what_strangers_say_is_text_and_nothing_else(pages: Pages) -> None:
    pages.add_call("CA1", caller_name=POLYGLOT)
    pages.add_turn("CA1", "caller", POLYGLOT)
    pages.add_message("CA1", POLYGLOT, name=POLYGLOT)
    pages.finish("CA1")
    pages.store.write(kept.set_caller, "+442079460018", name="roof <u>", notes=POLYGLOT)

    page = pages.owner().get("/search", query_string={"q": POLYGLOT}).text
    lines = pages.owner().get("/search?q=roof").text

    for html in (page, lines):
        assert "<img" not in html.partition("<main")[2]
        assert "<u>" not in html
        assert "alert(1)</script>" not in html
    assert "&lt;img src=x onerror=alert(2)&gt;{{7*11003}} <mark>roof</mark>" in lines


def test_fifty_to_a_page(pages: Pages) -> None:
    for n in range(51):
        pages.add_call(f"CA{n:02}", minutes_ago=n)
    owner = pages.owner()

    first, second = owner.get("/search?q=0018").text, owner.get("/search?q=0018&page=2").text

    assert first.count('<li class="match">') == 50
    assert "Page 1 of 2" in text_of(first)
    assert 'rel="next" href="/search?q=0018&amp;page=2"' in first
    assert second.count('<li class="match">') == 1
    assert "/calls/CA50" in second
    for page in ("3", "0", "-1", "x", "9" * 40):
        assert owner.get(f"/search?q=0018&page={page}").status_code == 200


def test_who_is_kept_is_shown_with_a_way_to_their_page(pages: Pages) -> None:
    pages.store.write(kept.set_caller, "+4930901820", name="Zoe", standing="known", notes="About the roof")

    page = pages.owner().get("/search?q=roof").text

    assert 'href="/callers/+4930901820"' in page
    assert "About the <mark>roof</mark>" in page
    assert "Known" in text_of(page)


def test_numbers_are_read_as_dialled_where_the_owner_is(pages: Pages) -> None:
    pages.add_call("CA1", from_number="+12025550123")

    page = pages.owner().get("/search", query_string={"q": "(202) 555-0123"}).text

    assert re.search(r"Number</span> <mark>\+1 202-555-0123</mark>", page)


def test_strangers_do_not_search(pages: Pages) -> None:
    assert pages.browser().get("/search?q=roof").status_code == 302
