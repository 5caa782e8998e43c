"""The list of calls, and what is done to calls from it."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from assistant.store import Database, callers, calls, inbox, messages, preferences
from assistant.web.inbox import KINDS, SHOWN, Undos
from assistant.web.words import Words
from tests.web.pages import PUBLIC, Pages, csrf_token, text_of

POLYGLOT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*11003}}"
ANA = "+442079460018"


class House(Pages):
    """The pages, and calls that are over."""

    def call(self, call_sid: str = "CA1", *, state: str = "unread", **columns: Any) -> str:
        """A call that is over."""
        self.add_call(call_sid, **columns)
        self.finish(call_sid)
        if state != "unread":
            self.store.write(inbox.set_state, [call_sid], state)
        return call_sid

    def many_calls(self, number: int, text: str = "") -> None:
        """So many calls that are over, CA00 the newest; each with a message and a recording, where there is a
        text. In one transaction: a commit for each would take seconds."""

        def ring(db: Database) -> None:
            for n in range(number):
                sid, began = f"CA{n:02}", datetime.now(UTC) - timedelta(minutes=n + 5)
                calls.begin(
                    db,
                    sid,
                    direction="inbound",
                    from_number=ANA,
                    to_number=None,
                    forwarded_from=None,
                    caller_name=None,
                    trust="stranger",
                    stir_verstat=None,
                    started_at=began,
                )
                if text:
                    messages.add(db, sid, name="Ana", callback_number=ANA, text=text, urgency="high",
                                 created_at=began)  # fmt: skip
                    calls.add_recording(db, sid, kind="call", file=f"recordings/{sid}.wav", seconds=2.0)
                calls.finish(db, sid, ended_at=began, ended_because="caller_hung_up")

        self.store.write(ring)

    def state(self, call_sid: str) -> str:
        rows = self.store.read(inbox.page, inbox.Filter("all"), limit=100, offset=0)
        return str(next(row["state"] for row in rows if row["call_sid"] == call_sid))


@pytest.fixture
def pages(tmp_path: Path) -> House:
    return House(tmp_path)


def rows_of(page: str) -> list[str]:
    """The SIDs of the calls on a page."""
    return re.findall(r'<a class="open" href="/calls/(\w+)"', page)


def press(owner: FlaskClient, url: str = "/inbox/state", *, at: str = "/", **fields: Any) -> str:
    """Send a form from a page of the inbox; the page it leads back to."""
    token = csrf_token(owner.get("/").text)
    answer = owner.post(url, data={"csrf_token": token, "next": at, **fields})
    assert answer.status_code == 303, answer.text
    return owner.get(answer.location).text


# --- the list -----------------------------------------------------------------


def test_without_calls_the_sandbox_says_how_to_make_one(pages: House):
    page = pages.owner().get("/").text

    assert "No calls yet" in page
    assert 'href="/phone">Open the phone</a>' in page
    assert "make call SCENARIO=message" in page
    assert "Sandbox." in page


def test_with_a_model_there_is_no_word_of_the_sandbox(tmp_path: Path):
    page = House(tmp_path, OPENAI_API_KEY="sk-made-up", **PUBLIC).owner().get("/").text

    assert "No calls yet" in page
    assert "Sandbox" not in page
    assert "make call" not in page


def test_a_row_says_who_what_when_and_what_came_of_it(pages: House):
    sid = pages.add_call(minutes_ago=5)
    pages.add_message(sid, "Please call back about Friday.", urgency="high")
    pages.finish(sid)

    page = pages.owner().get("/").text

    words = text_of(page)
    assert "+44 20 7946 0018" in words
    assert "Please call back about Friday." in words
    assert "Message" in words
    assert "Urgent" in words
    assert "5 minutes ago" in words
    assert "5:0" in words
    assert "1 call" in words
    assert f'href="/calls/{sid}"' in page
    assert re.search(r'<time class="when" datetime="[\dT:.-]+Z" title="\w+ \d+, \d{4}, ', page)


def test_who_called(pages: House):
    pages.add_call("CA1", from_number=None)
    pages.add_call("CA2", from_number="sip:ana@example.org")
    pages.add_call("CA3", caller_name="Ana")
    pages.add_call("CA4", from_number=None, caller_name="Ben")
    pages.add_call("CA5", from_number="+999nonsense")

    page = pages.owner().get("/").text

    who = {
        sid: text_of("<main>" + row)
        for sid, row in zip(rows_of(page), page.split('class="open"')[1:], strict=True)
    }
    assert "Withheld number" in who["CA1"]
    assert "sip:ana@example.org" in who["CA2"]
    assert "Ana +44 20 7946 0018" in who["CA3"]
    assert "Ben Withheld number" in who["CA4"]
    assert "+999nonsense" in who["CA5"]


def test_the_owners_own_name_for_a_number_goes_before_the_networks(pages: House):
    pages.store.write(callers.set_caller, ANA, name="Aunt Ana")
    pages.call(from_number=ANA, caller_name="LONDON")

    words = text_of(pages.owner().get("/").text)

    assert "Aunt Ana +44 20 7946 0018" in words
    assert "LONDON" not in words


def test_an_unread_call_is_marked_and_says_so_in_a_word(pages: House):
    pages.call("CA1")
    pages.call("CA2", state="open", minutes_ago=9)

    page = pages.owner().get("/").text

    first, second = page.split('<li class="call')[1:]
    assert first.startswith(" unread")
    assert "Unread:" in text_of("<main" + first)
    assert not second.startswith(" unread")
    assert "Unread:" not in second
    assert "<title>(1) Inbox" in page


def test_a_running_call_is_on_top_and_cannot_be_put_away(pages: House):
    pages.add_call("CA-running", minutes_ago=50)
    pages.call("CA1")

    page = pages.owner().get("/").text

    first = page.split('<li class="call')[1]
    assert first.startswith(" running")
    assert 'href="/calls/CA-running"' in first
    assert "On the line" in first
    assert "<input" not in first
    assert "<button" not in first


def test_how_long_callers_wait_is_told_once_there_is_something_to_tell(pages: House):
    pages.add_call("CA1")
    assert "Last 30 days" not in pages.owner().get("/").text

    pages.finish("CA1", first_sound_ms=4, response_ms=[700, 1400])

    page = pages.owner().get("/").text
    assert (
        "Last 30 days: 1 call. First word: 95 % within 4 ms. Answers: half within 0.7 s, 95 % within 1.4 s."
        in text_of(page)
    )
    assert 'title="First word: from the moment' in page


def test_call_back_is_a_link_for_the_owners_phone_and_only_to_a_plain_number(pages: House):
    pages.call("CA1", from_number=ANA)
    pages.call("CA2", from_number="sip:ana@example.org")
    pages.call("CA3", from_number="+44;ext=1")

    page = pages.owner().get("/").text

    assert re.findall(r'href="tel:([^"]*)"', page) == [ANA]


def test_listening_and_blocking_are_a_link_away(pages: House):
    pages.call("CA1")
    pages.add_recording("CA1", b"RIFF")
    pages.add_recording("CA1", b"RIFF", kind="voicemail", name="left")
    pages.call("CA2", from_number=None)

    page = pages.owner().get("/").text

    assert re.findall(r'class="listen" href="([^"]*)"', page) == ["/calls/CA1/audio.wav?kind=voicemail"]
    assert re.findall(r'href="(/callers/[^"]*)">Block…', page) == ["/callers/%2B442079460018"]


def test_a_long_summary_is_cut_and_fifty_of_them_are_no_heavy_page(pages: House):
    words = "Please call me back about the leaking roof above the kitchen before the weekend. " * 6
    pages.store.write(callers.set_caller, ANA, name="Bartholomew Featherstonehaugh", standing="known")
    pages.many_calls(50, words)

    page = pages.owner().get("/").text

    assert "Please call me back" in page
    assert words[:200] not in page
    assert len(page.encode()) < 60 * 1024


def test_times_follow_the_owners_zone_and_clock(pages: House):
    pages.add_call(minutes_ago=120)
    pages.store.write(preferences.set, "language", "de")
    pages.store.write(preferences.set, "timezone", "Asia/Tokyo")

    page = pages.owner().get("/").text

    tokyo = datetime.now(UTC) - timedelta(hours=2) + timedelta(hours=9)
    assert "2 hours ago" in page
    assert re.search(rf'title="0?{tokyo.day} \w+ {tokyo.year}, {tokyo:%H}:', page)


# --- filters and pages --------------------------------------------------------


def test_fifty_to_a_page_newest_first(pages: House):
    pages.many_calls(51)
    owner = pages.owner()

    first, second = owner.get("/").text, owner.get("/?page=2").text

    assert first.count('<li class="call') == 50
    assert first.index("/calls/CA00") < first.index("/calls/CA49")
    assert 'href="/?page=2"' in first
    assert second.count('<li class="call') == 1
    assert "/calls/CA50" in second
    assert [owner.get(f"/?page={page}").status_code for page in ("0", "3", "-1", "9" * 30)] == [404] * 4
    assert owner.get("/?page=x").status_code == 200
    assert 'rel="next" href="/?show=all&amp;kind=strangers&amp;page=2"' in (
        owner.get("/?show=all&kind=strangers").text
    )


def test_filters_are_links_with_their_counts(pages: House):
    pages.call("CA1")
    pages.call("CA2", state="open")
    pages.call("CA3", state="done")
    owner = pages.owner()

    def chips(url: str) -> dict[str, str]:
        found = re.findall(r'<a href="([^"]*)"[^>]*>([\w ]+) <span class="number">(\d+)', owner.get(url).text)
        return {f"{label} {count}": html.unescape(href) for href, label, count in found}

    assert chips("/") == {
        "Inbox 2": "/",
        "Unread 1": "/?show=unread",
        "Done 1": "/?show=done",
        "All 3": "/?show=all",
        "Strangers 2": "/?kind=strangers",
    }
    assert chips("/?show=done&kind=known") == {
        "Inbox 0": "/?kind=known",
        "Unread 0": "/?show=unread&kind=known",
        "Done 0": "/?show=done&kind=known",
        "All 0": "/?show=all&kind=known",
        "Known 0": "/?show=done&kind=known",
        "Strangers 1": "/?show=done&kind=strangers",
    }


LISTED = {
    "": ["CA2", "CA1"],
    "?show=unread": ["CA2"],
    "?show=done": ["CA3"],
    "?show=all": ["CA3", "CA2", "CA1"],
    "?show=all&kind=messages": ["CA3"],
    "?show=inbox&kind=strangers": ["CA1"],
    "?kind=known": ["CA2"],
    "?show=1;DROP&kind=%00%27": ["CA2", "CA1"],
    "?show=&kind=&page=&group=": ["CA2", "CA1"],
    "?show=unread&show=done": ["CA2"],
}


def test_the_address_chooses_what_is_listed_and_what_it_misspells_is_the_inbox(pages: House):
    pages.store.write(callers.set_caller, ANA, standing="known")
    pages.call("CA1", minutes_ago=9, state="open", from_number=None)
    pages.call("CA2", minutes_ago=8, from_number=ANA)
    pages.call("CA3", minutes_ago=7, from_number=None)
    pages.add_message("CA3", "Call me.")
    pages.store.write(inbox.set_state, ["CA3"], "done")
    owner = pages.owner()

    answers = {query: owner.get(f"/{query}") for query in LISTED}

    assert {answer.status_code for answer in answers.values()} == {200}
    assert {query: rows_of(answer.text) for query, answer in answers.items()} == LISTED


def test_every_empty_list_says_what_to_do_next(pages: House):
    pages.add_call("CA1")  # running: unread, a stranger's, and not done
    owner = pages.owner()

    for state in SHOWN:
        for kind in KINDS:
            page = owner.get("/", query_string={"show": state, "kind": kind}).text
            if rows_of(page):
                continue
            empty = page.partition('class="card empty"')[2].partition("</section>")[0]
            assert "<h2>" in empty, (state, kind)
            assert "<a href=" in empty, (state, kind)

    pages.finish("CA1")
    pages.store.write(inbox.set_state, ["CA1"], "done")
    assert "All done" in owner.get("/").text
    assert "Nothing unread" in owner.get("/?show=unread").text


def test_by_caller_each_number_is_one_row_that_leads_to_its_page(pages: House):
    pages.call("CA1", from_number=ANA, minutes_ago=9, caller_name="ANA")
    pages.call("CA2", from_number=ANA, minutes_ago=8, caller_name="ANA", state="open")
    pages.call("CA3", from_number=None, minutes_ago=7, state="open")

    page = pages.owner().get("/?group=caller").text

    words = text_of(page)
    assert re.findall(r'class="open" href="([^"]*)"', page) == [
        "/callers/withheld",
        "/callers/%2B442079460018",
    ]
    assert "2 callers" in words
    assert "2 calls, 1 unread" in words
    assert 'href="/?show=done&amp;group=caller"' in page
    assert '<a href="/">list the calls</a>' in page


# --- what is done to calls ----------------------------------------------------


def test_done_leaves_the_inbox_and_can_be_undone(pages: House):
    pages.call("CA1")
    owner = pages.owner()

    page = press(owner, one="done CA1")

    assert "Marked as done." in page
    assert rows_of(page) == []
    assert rows_of(owner.get("/?show=done").text) == ["CA1"]

    undo = re.search(r'name="undo" value="([^"]*)"', page)
    assert undo, page
    assert "Undo</button>" in page
    assert rows_of(press(owner, "/inbox/undo", undo=undo[1])) == ["CA1"]
    assert pages.state("CA1") == "unread"
    assert "Undone." in press(owner, "/inbox/undo", undo=undo[1])


def test_a_call_is_made_unread_or_brought_back_from_the_list_it_is_in(pages: House):
    pages.call("CA1", state="open")
    pages.call("CA2", state="done")
    owner = pages.owner()

    assert "Marked as unread." in press(owner, one="unread CA1")
    page = press(owner, at="/?show=done", one="open CA2")

    assert (pages.state("CA1"), pages.state("CA2")) == ("unread", "open")
    assert "Nothing done yet" in page


def test_several_calls_at_once_and_only_those_ticked(pages: House):
    for n in range(4):
        pages.call(f"CA{n}", minutes_ago=n, state="open" if n % 2 else "unread")
    owner = pages.owner()

    page = press(owner, state="done", call_sid=["CA0", "CA1", "CA2", "CA2"])

    assert "3 calls marked as done." in page
    assert rows_of(page) == ["CA3"]
    undo = re.search(r'name="undo" value="([^"]*)"', page)
    assert undo, page
    press(owner, "/inbox/undo", undo=undo[1])
    assert [pages.state(f"CA{n}") for n in range(4)] == ["unread", "open", "unread", "open"]


def test_what_is_done_in_one_tab_may_be_done_again_in_another(pages: House):
    pages.call("CA1")
    one_tab, another = pages.owner(), pages.owner()

    press(one_tab, one="done CA1")
    page = press(another, one="done CA1")

    assert "Marked as done." in page
    assert pages.state("CA1") == "done"


def test_what_cannot_be_done_is_told_and_changes_nothing(pages: House):
    pages.call("CA1")
    pages.add_call("CA-running")
    owner = pages.owner()

    def told(**fields: Any) -> str:
        return text_of(press(owner, **fields))

    assert "No call was selected." in told(state="done")
    assert "That call is still going on or no longer kept: nothing was changed there." in told(one="done CA9")
    assert "That call is still going on or no longer kept" in told(one="done CA-running")
    assert "2 of these calls are still going on or" in told(state="done", call_sid=["CA8", "CA-running"])
    assert (pages.state("CA1"), pages.state("CA-running")) == ("unread", "unread")


def test_a_call_that_is_gone_does_not_keep_the_others_from_being_done(pages: House):
    pages.call("CA1")

    words = text_of(press(pages.owner(), state="done", call_sid=["CA1", "CA9"]))

    assert "That call is still going on or no longer kept" in words
    assert "Marked as done." in words
    assert pages.state("CA1") == "done"


def test_a_form_of_somebody_elses_making_changes_nothing(pages: House):
    pages.call("CA1")
    owner = pages.owner()
    token = csrf_token(owner.get("/").text)

    def answer(**fields: Any) -> int:
        return owner.post("/inbox/state", data={"csrf_token": token, **fields}).status_code

    assert answer() == 400
    assert answer(one="") == 400
    assert answer(state="deleted", call_sid="CA1") == 400
    assert answer(state="done", call_sid=[f"CA{n}" for n in range(51)]) == 400
    assert answer(one="done") == 303  # of a call without a name: there is none
    assert pages.state("CA1") == "unread"


def test_without_the_pages_token_or_a_login_nothing_is_done(pages: House):
    pages.call("CA1")

    assert pages.owner().post("/inbox/state", data={"one": "done CA1"}).status_code == 400
    assert pages.browser().post("/inbox/state", data={"one": "done CA1"}).status_code == 401
    assert pages.state("CA1") == "unread"


BACK_FROM = {
    "/?show=unread&kind=strangers": "/?show=unread&kind=strangers",
    "/?show=all&page=7": "/?show=all",
    "/?page=-3&show=nonsense": "/",
    "/calls/CA1": "/calls/CA1",
    "https://elsewhere.example/": "/",
    "//elsewhere.example/": "/",
    "": "/",
}


def test_it_leads_back_to_where_the_button_was(pages: House):
    pages.call("CA1")
    owner = pages.owner()
    token = csrf_token(owner.get("/").text)

    def back(at: str) -> str | None:
        return owner.post("/inbox/state", data={"csrf_token": token, "next": at, "one": "open CA1"}).location

    assert {at: back(at) for at in BACK_FROM} == BACK_FROM


def test_when_the_last_page_is_done_the_page_before_it_is_shown(pages: House):
    pages.many_calls(51)

    page = press(pages.owner(), at="/?page=2", one="done CA50")

    assert len(rows_of(page)) == 50


def test_an_undo_of_long_ago_is_told(pages: House):
    page = press(pages.owner(), "/inbox/undo", undo="made-up")

    assert "That is too long ago to be undone." in page


def test_only_the_last_changes_can_be_undone():
    undos = Undos()

    first = undos.keep({"CA1": "unread"}, "done")
    others = [undos.keep({"CA2": "open"}, "done") for _ in range(100)]

    assert undos.find(first) is None
    assert undos.find(others[0]) == ({"CA2": "open"}, "done")


def test_an_undo_leaves_alone_what_has_become_news_meanwhile(pages: House):
    pages.call("CA1", state="open")
    owner = pages.owner()
    undo = re.search(r'name="undo" value="([^"]*)"', press(owner, one="done CA1"))
    assert undo

    pages.add_recording("CA1", b"RIFF", kind="voicemail")
    press(owner, "/inbox/undo", undo=undo[1])

    assert pages.state("CA1") == "unread"


def test_the_keys_can_be_switched_off_and_on_where_they_are_explained(pages: House):
    owner = pages.owner()
    assert 'name="keys" value="off">Switch them off' in owner.get("/").text

    page = press(owner, "/settings/keys", keys="off")

    assert 'data-keys="off"' in page
    assert 'name="keys" value="on">Switch them on' in page


# --- hostile text ---------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?group=caller"])
def test_what_strangers_say_is_text_and_nothing_else(pages: House, query: str):
    pages.store.write(callers.set_caller, ANA, name="&\"'<b>Ana")
    sid = pages.add_call(caller_name=POLYGLOT, from_number=POLYGLOT)
    pages.add_message(sid, POLYGLOT)
    pages.finish(sid)
    pages.call("CA2", from_number=ANA)

    page = pages.owner().get(f"/{query}").text

    ours = page.partition("<main")[2].partition("</main>")[0]
    assert "<script" not in ours
    assert "<img" not in ours
    assert "<b>Ana" not in ours
    assert POLYGLOT in text_of(page)
    assert "&\"'<b>Ana" in text_of(page)
    assert 'href="tel:+442079460018"' in ours
    assert 'href="/callers/%3Cscript%3E' in ours


# --- how times are written --------------------------------------------------------


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
