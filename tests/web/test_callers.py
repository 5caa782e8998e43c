"""Callers: their list, their page, and what can be done to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from assistant.store import appointments, export
from assistant.store import callers as kept
from tests.web.pages import PUBLIC, Pages, csrf_token, text_of

ANA = "+442079460018"
POLYGLOT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*11003}}"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path, **PUBLIC)


def send(owner: FlaskClient, path: str, **fields: str) -> TestResponse:
    """A form of these pages, sent as a browser does."""
    token = csrf_token(owner.get("/callers").text)
    return owner.post(path, data={"csrf_token": token, **fields})


def standing(pages: Pages, number: str = ANA) -> str:
    return pages.store.read(kept.kept, number)["standing"]


# --- the list ------------------------------------------------------------------------


def test_without_callers_the_page_says_what_to_do(pages: Pages) -> None:
    page = pages.owner().get("/callers").text

    assert "Nobody has called yet" in text_of(page)
    assert '<details class="card fold" id="add" open>' in page


def test_everybody_is_listed_with_a_way_to_their_page(pages: Pages) -> None:
    pages.add_call("CA1", minutes_ago=5)
    pages.add_call("CA2", minutes_ago=60)
    pages.add_call("CA3", from_number=None)
    pages.add_call("CA4", from_number="sip:ana/x?y#z@example.com")
    pages.store.write(kept.set_caller, ANA, name="Ana", standing="known")

    page = pages.owner().get("/callers").text

    words = text_of(page)
    assert "3 callers" in words
    assert "Ana Known +44 20 7946 0018 2 calls, the last one 5 minutes ago" in words
    assert f'href="/callers/{ANA}"' in page
    assert 'href="/callers/withheld"' in page
    assert 'href="/callers/sip:ana/x%3Fy%23z@example.com"' in page


def test_somebody_is_looked_for(pages: Pages) -> None:
    pages.add_call("CA1")
    pages.store.write(kept.set_caller, "+4930901820", name="Zoë", standing="blocked")
    owner = pages.owner()

    for typed, there, not_there in (
        ("zoe", "Zoë", "7946"),
        ("020 7946 0018", "7946", "Zoë"),
        ("is:blocked", "Zoë", "7946"),
    ):
        words = text_of(owner.get("/callers", query_string={"q": typed}).text)
        assert there in words.partition("Add a caller")[0]
        assert f"+44 20 {not_there}" not in words
    assert "Nobody found" in text_of(owner.get("/callers?q=nobody").text)


def test_fifty_to_a_page(pages: Pages) -> None:
    for n in range(51):
        pages.add_call(f"CA{n}", from_number=f"+4420794600{n:02}", minutes_ago=n)
    owner = pages.owner()

    assert owner.get("/callers").text.count('href="/callers/+44') == 50
    assert owner.get("/callers?page=2").text.count('href="/callers/+44') == 1
    assert owner.get("/callers?page=9").location == "/callers?page=2"
    assert owner.get("/callers?page=x").status_code == 200
    for page in ("2", "9" * 40):
        assert owner.get(f"/callers/+442079460000?page={page}").location == "/callers/+442079460000"


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("(202) 555-0123", "+12025550123"),
        ("+44 20 7946 0018", ANA),
        ("sip:ana@Example.com", "sip:ana@example.com"),
    ],
)
def test_a_caller_is_added_by_number(pages: Pages, typed: str, number: str) -> None:
    owner = pages.owner()

    answer = send(owner, "/callers/add", number=typed, name=" Ana ", standing="known")

    assert (answer.status_code, answer.location) == (303, f"/callers/{number}")
    assert pages.store.read(kept.kept, number) == {"name": "Ana", "standing": "known", "notes": ""}
    assert "Saved." in text_of(owner.get(answer.location).text)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"number": "12"}, "too short"),
        ({"number": "nonsense <b>"}, "is not a telephone number"),
        ({"number": ANA, "name": "x" * 81}, "longer than 80"),
        ({"number": "+12025550101", "standing": "blocked"}, "This is your own number"),
        ({"number": "(202) 555-0100", "standing": "blocked"}, "This is the assistant's own number"),
    ],
)
def test_what_cannot_be_added_is_told_and_nothing_typed_is_lost(
    pages: Pages, fields: dict[str, str], told: str
) -> None:
    answer = send(pages.owner(), "/callers/add", **{"name": "Ana <i>", "standing": "stranger", **fields})

    assert answer.status_code == 422
    assert told in text_of(answer.text)
    assert "<i>" not in answer.text
    assert f'value="{fields["number"].replace("<", "&lt;").replace(">", "&gt;")}"' in answer.text
    assert "has not called yet" not in text_of(answer.text)


# --- one caller ------------------------------------------------------------------------


def test_a_caller_s_page_shows_who_they_are_and_their_calls(pages: Pages) -> None:
    pages.add_call("CA1", caller_name="A MULLER")
    pages.add_message("CA1", "Please call back")
    pages.finish("CA1")
    pages.add_call("CA2", from_number="+12025550123")
    pages.store.write(kept.set_caller, ANA, name="Ana Müller", standing="known", notes="Above\nthe bakery")

    page = pages.owner().get(f"/callers/{ANA}").text

    words = text_of(page)
    assert "Ana Müller +44 20 7946 0018 · 1 call, 5 minutes ago" in words
    assert "the network says A MULLER" in words
    assert "move and cancel the appointments" in words
    assert "Please call back" in words
    assert "Above\nthe bakery</textarea>" in page
    assert f'href="tel:{ANA}"' in page
    assert 'href="/calls/CA1"' in page
    assert 'href="/calls/CA2"' not in page


def test_appointments_ahead_lead_to_the_calendar(pages: Pages) -> None:
    start = datetime(2199, 11, 21, 9, tzinfo=UTC)
    wish: dict[str, Any] = {
        "call_sid": "CA1",
        "tool_call_id": "call_1",
        "number": ANA,
        "trust": "stranger",
        "caller_name": "Ana",
        "title": "Roof <b>",
        "start": start,
        "end": start + timedelta(hours=1),
        "timezone": "UTC",
        "status": "requested",
        "calendar": "",
        "event_id": "e1",
        "clear": None,
        "now": datetime.now(UTC),
    }
    pages.store.write(appointments.hold, **wish)

    page = pages.owner().get(f"/callers/{ANA}").text

    assert 'href="/calendar?week=2199-11-18#week"' in page
    assert "Roof &lt;b&gt;" in page
    assert "waits for your answer" in page


@pytest.mark.parametrize(
    "written", ["020 7946 0018", "00442079460018", "12", "nonsense", "+1", "%00", "\u0663" * 8]
)
def test_a_number_that_is_none_is_a_page_that_says_so(pages: Pages, written: str) -> None:
    answer = pages.owner().get(f"/callers/{written}")

    assert answer.status_code == 404
    assert "not a telephone number" in text_of(answer.text)


@pytest.mark.parametrize("written", ["+44 20 7946 0018", "+44-20-7946-0018", "SIP:ana@Example.com:5060"])
def test_another_way_of_writing_leads_to_the_page(pages: Pages, written: str) -> None:
    answer = pages.owner().get(f"/callers/{written}")

    assert answer.status_code == 302
    assert answer.location in (f"/callers/{ANA}", "/callers/sip:ana@example.com")


def test_a_number_nothing_is_known_about_can_be_kept_at_once(pages: Pages) -> None:
    owner = pages.owner()
    page = owner.get(f"/callers/{ANA}").text
    assert "has not called yet" in text_of(page)

    answer = send(owner, "/callers/change", number=ANA, name="Ana", notes="Roof")

    assert (answer.status_code, answer.location) == (303, f"/callers/{ANA}")
    assert pages.store.read(kept.kept, ANA) == {"name": "Ana", "standing": "stranger", "notes": "Roof"}


def test_a_caller_whose_number_is_none_has_a_page_too(pages: Pages) -> None:
    pages.add_call("CA1", from_number="odd one")

    page = pages.owner().get("/callers/odd one").text

    assert 'href="/calls/CA1"' in page
    assert "tel:" not in page


def test_callers_without_a_number_share_a_page_and_nothing_can_be_kept_there(pages: Pages) -> None:
    pages.add_call("CA1", from_number=None)
    owner = pages.owner()

    page = owner.get("/callers/withheld").text

    assert "cannot be named, known or blocked" in text_of(page)
    assert 'href="/calls/CA1"' in page
    assert "/callers/standing" not in page
    assert send(owner, "/callers/standing", number="withheld", standing="blocked").status_code == 400


def test_what_cannot_be_kept_is_told_and_nothing_typed_is_lost(pages: Pages) -> None:
    answer = send(pages.owner(), "/callers/change", number=ANA, name="x" * 81, notes="Roof </textarea>")

    assert answer.status_code == 422
    assert "The name is longer than 80 characters." in text_of(answer.text)
    assert "x" * 81 in answer.text
    assert "Roof &lt;/textarea&gt;</textarea>" in answer.text


def test_hostile_text_is_text(pages: Pages) -> None:
    pages.add_call("CA1", caller_name=POLYGLOT, from_number=POLYGLOT)
    pages.finish("CA1")
    pages.store.write(kept.set_caller, POLYGLOT, name=POLYGLOT[:80], notes=POLYGLOT)
    owner = pages.owner()

    for page in (owner.get("/callers").text, owner.get("/callers/" + POLYGLOT.replace("/", "%2F")).text):
        assert "alert(1)" in text_of(page)
        assert "<img" not in page.partition("<main")[2]
        assert "alert(1)</script>" not in page


# --- standing ------------------------------------------------------------------------


def test_blocking_can_be_undone(pages: Pages) -> None:
    owner = pages.owner()
    pages.store.write(kept.set_caller, ANA, name="Ana", standing="known", notes="Roof")

    answer = send(owner, "/callers/standing", number=ANA, standing="blocked")
    assert (answer.status_code, answer.location) == (303, f"/callers/{ANA}")
    assert standing(pages) == "blocked"
    page = owner.get(answer.location).text
    assert "Blocked. The next call from this number is turned away." in text_of(page)
    undo = page.partition("data-fades>")[2].partition("</form>")[0]
    assert 'name="standing" value="known"' in undo

    send(owner, "/callers/standing", number=ANA, standing="known", undo="1")
    assert pages.store.read(kept.kept, ANA) == {"name": "Ana", "standing": "known", "notes": "Roof"}
    assert "Undone." in text_of(owner.get(f"/callers/{ANA}").text)


@pytest.mark.parametrize("number", ["+12025550101", "+12025550100"])
def test_the_house_s_own_numbers_are_not_blocked(pages: Pages, number: str) -> None:
    owner = pages.owner()

    answer = send(owner, "/callers/standing", number=number, standing="blocked")

    assert answer.status_code == 303
    assert standing(pages, number) == "stranger"
    page = owner.get(answer.location).text
    assert "own number" in page.partition('role="alert"')[2].partition("</p>")[0]
    assert 'value="blocked"' not in page


def test_a_blocked_number_that_became_one_s_own_can_be_unblocked(pages: Pages) -> None:
    pages.store.write(kept.set_caller, "+12025550101", standing="blocked")

    assert "Unblock" in text_of(pages.owner().get("/callers/+12025550101").text)


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/callers/standing", {"number": ANA, "standing": "owner"}, 400),
        ("/callers/standing", {"number": ANA}, 400),
        ("/callers/standing", {"number": "nonsense", "standing": "known"}, 404),
        ("/callers/change", {}, 404),
        ("/callers/forget", {"number": "nonsense", "sure": "1"}, 404),
    ],
)
def test_forms_nobody_could_have_been_shown(
    pages: Pages, path: str, fields: dict[str, str], status: int
) -> None:
    assert send(pages.owner(), path, **fields).status_code == status


def test_a_form_of_another_page_changes_nothing(pages: Pages) -> None:
    owner = pages.owner()

    assert owner.post("/callers/standing", data={"number": ANA, "standing": "blocked"}).status_code == 400
    assert pages.browser().post("/callers/standing", data={"number": ANA}).status_code in (400, 401)
    assert standing(pages) == "stranger"


# --- forgetting -----------------------------------------------------------------------


def test_forgetting_removes_everything_but_only_when_it_is_meant(pages: Pages) -> None:
    owner = pages.owner()
    pages.add_call("CA1")
    pages.add_turn("CA1", "caller", "tangerine elephant")
    pages.finish("CA1")
    pages.add_call("CA2", from_number="+12025550123")
    pages.store.write(kept.set_caller, ANA, name="Ana", notes="walrus")

    answer = send(owner, "/callers/forget", number=ANA)
    assert answer.location == f"/callers/{ANA}#forget"
    assert "tick the box first" in text_of(owner.get(f"/callers/{ANA}").text)
    assert pages.store.read(export.count) == 2

    answer = send(owner, "/callers/forget", number=ANA, sure="1")
    assert (answer.status_code, answer.location) == (303, "/callers")
    assert "Removed: 1 call, 1 turn, the caller's entry." in text_of(owner.get("/callers").text)
    assert [call["call_sid"] for call in pages.store.read(export.recent, limit=9)] == ["CA2"]
    assert pages.store.read(kept.kept, ANA) == kept.NOTHING


def test_who_is_on_the_line_is_not_forgotten(pages: Pages) -> None:
    owner = pages.owner()
    pages.add_call("CA1")

    answer = send(owner, "/callers/forget", number=ANA, sure="1")

    assert "is going on" in text_of(owner.get(answer.location).text)
    assert pages.store.read(export.count) == 1
