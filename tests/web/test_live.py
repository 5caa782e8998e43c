"""Running calls on the owner's pages: the banner, the panel, and the streams that keep them fresh."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from assistant.store import calls, logins, step_ins
from assistant.web import live
from tests.web.pages import text_of
from tests.web.running import House

HOSTILE = "<script>alert(1)</script>\r\nid: 99\rdata: no\u2028\"'"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def running_call(house: House) -> None:
    """A call with a greeting that has been said."""
    house.add_call("CA1")
    house.add_turn("CA1", "assistant", "Hello.", item_id="item_1", position=0.0)


def test_without_a_call_there_is_no_banner(house: House) -> None:
    page = house.owner().get("/").text

    assert 'id="live-banner"' in page
    assert re.search(r'<div class="on-the-line" data-mark="[^"]+" hidden>', page)
    assert "On the line" not in page


def test_a_running_call_is_told_of_on_every_page_but_its_own(house: House) -> None:
    running_call(house)
    owner = house.owner()
    with house.on_the_line():
        pages = [owner.get(path).text for path in ("/", "/settings")]
        own = owner.get("/calls/CA1").text

    for page in pages:
        assert 'href="/calls/CA1" data-call="CA1"' in page
        assert "On the line: +44 20 7946 0018 1:23 Watch" in text_of(
            page.replace('id="live-banner"', "<main>")
        )
    assert "data-call=" not in own


def test_to_nobody_but_the_owner(house: House) -> None:
    running_call(house)
    with house.on_the_line():
        assert "live-banner" not in house.browser().get("/login").text
        assert house.browser().get("/live").status_code in (302, 401)
        assert house.browser().get("/calls/CA1/live").status_code in (302, 401)


def test_the_page_of_a_running_call_has_all_that_was_said_in_order(house: House) -> None:
    running_call(house)
    house.add_turn("CA1", "assistant", "Just a moment.", item_id="item_3", position=2.0, started_ms=9000)
    house.add_turn("CA1", "caller", "It's Ana.", item_id="item_2", position=1.0, started_ms=2000)
    house.store.write(step_ins.keep, "CA1", step_key="key-00001", kind="tell", text="Wait.", at_ms=5000)
    house.store.write(
        calls.keep_tool_run, "CA1", tool_call_id="tc_1", name="list_messages", arguments={},
        result={"ok": False, "error": "not_allowed"}, refused=True, started_ms=9500, took_ms=3,
    )  # fmt: skip
    with house.on_the_line():
        page = house.owner().get("/calls/CA1").text

    lines = re.findall(r'data-line="([^"]+)"', page)
    assert lines == ["turn item_1", "turn item_2", "step 1", "turn item_3", "tool 1"]
    assert 'data-stream="/calls/CA1/live" data-after="5"' in page
    read = text_of(page)
    assert "The assistant is talking with the caller" in read
    assert "1:23" in read
    assert "$0.012 so far" in read
    assert "You Tell them: Wait." in read
    assert "Wanted to read out your messages refused : the caller is a stranger" in read


def test_a_call_that_the_assistant_has_not_is_said_to_be_so(house: House) -> None:
    running_call(house)

    assert "The assistant is not on this call just now" in text_of(house.owner().get("/calls/CA1").text)


def test_of_a_call_that_is_over_nothing_is_live(house: House) -> None:
    running_call(house)
    house.finish("CA1", usage={"text_in": 1})

    assert 'id="live"' not in house.owner().get("/calls/CA1").text


def test_the_stream_tells_what_the_page_lacks_and_then_what_comes(house: House) -> None:
    running_call(house)
    house.add_turn("CA1", "caller", "It's Ana.", item_id="item_2", position=1.0)
    with house.on_the_line() as call, house.listen(house.owner(), "/calls/CA1/live?after=1") as heard:
        first = heard.next()
        state, banner = heard.next(), heard.next()
        call.cost_usd = 0.5
        house.add_turn("CA1", "caller", "It's Ana, hello.", item_id="item_2", position=1.0)
        house.live.tell("CA1", "kept")
        then, costs = heard.next(), heard.next()

    assert (first.name, first.rev) == ("line", 2)
    assert 'data-line="turn item_2"' in first.data
    assert "It&#39;s Ana." in first.data
    assert (state.name, banner.name) == ("state", "banner")
    assert 'data-clock="83000"' in state.data
    assert "data-call" not in banner.data
    assert (then.name, then.rev) == ("line", 3)
    assert "hello" in then.data
    assert costs.name == "state"
    assert "$0.5" in costs.data


def test_a_line_of_the_stream_is_the_line_of_the_page(house: House) -> None:
    running_call(house)
    owner = house.owner()
    with house.on_the_line():
        page = owner.get("/calls/CA1").text
        with house.listen(owner, "/calls/CA1/live") as heard:
            line = heard.next()

    assert " ".join(line.data.split()) in " ".join(page.split())


@pytest.mark.parametrize(
    ("asked", "headers"),
    [("?after=2", {}), ("?after=0", {"Last-Event-ID": "2"}), ("", {"Last-Event-ID": "2"})],
)
def test_who_comes_back_is_told_from_where_they_had_got_to(
    house: House, asked: str, headers: dict[str, str]
) -> None:
    running_call(house)
    for n in (2, 3, 4):
        house.add_turn("CA1", "caller", f"Word {n}.", item_id=f"item_{n}", position=float(n))
    with (
        house.on_the_line(),
        house.listen(house.owner(), f"/calls/CA1/live{asked}", headers=headers) as heard,
    ):
        assert [heard.next().rev for _ in range(3)] == [3, 4, None]


@pytest.mark.parametrize("after", ["-1", "x", "1e3", "9" * 30, "٣", " 1"])
def test_who_says_nonsense_about_it_is_told_everything(house: House, after: str) -> None:
    running_call(house)
    headers = {"Last-Event-ID": after} if after.isascii() else {}
    with (
        house.on_the_line(),
        house.listen(house.owner(), f"/calls/CA1/live?after={after}", headers=headers) as heard,
    ):
        assert heard.next().rev == 1


def test_words_of_a_stranger_stay_words(house: House) -> None:
    house.add_call("CA1", caller_name=HOSTILE)
    house.add_turn("CA1", "caller", HOSTILE, item_id=HOSTILE, position=0.0)
    with house.on_the_line(), house.listen(house.owner(), "/calls/CA1/live") as heard:
        line, state = heard.next(), heard.next()

    assert (line.name, line.rev, state.name) == ("line", 1, "state")
    assert "<script>" not in line.data
    assert "&lt;script&gt;" in line.data
    assert "\nid: 99\ndata: no\u2028" in line.data


def test_the_stream_ends_when_all_of_the_call_is_told(house: House) -> None:
    running_call(house)
    with house.listen(house.owner(), "/calls/CA1/live") as heard, house.on_the_line() as call:
        heard.until("banner")
        house.finish("CA1")  # the telephone company's word; the assistant's last is still to come
        house.live.tell("CA1", "ended")
        house.add_turn("CA1", "assistant", "Goodbye.", item_id="item_9", position=9.0)
        house.live.tell("CA1", "kept")
        last = heard.until("line")
        call.caller_gone = True
        house.store.write(
            calls.finish, "CA1", ended_at=calls.as_time("2026-11-21T09:00:00Z"),
            ended_because="assistant_ended", usage={"text_in": 1},
        )  # fmt: skip
        house.live.tell("CA1", "ended")
        rest = heard.rest()

    assert "Goodbye." in last.data
    *before, state, over = [said for said in rest if said.name != "banner"]
    assert (state.name, over.name) == ("state", "over")
    assert {said.name for said in before} <= {"state"}  # what was told before, looked at late
    assert "The call is over" in state.data
    assert 'href="/calls/CA1"' in rest[-1].data


def test_the_stream_of_a_call_that_is_over_tells_what_is_lacking_and_ends(house: House) -> None:
    running_call(house)
    house.finish("CA1", usage={"text_in": 1})
    with house.listen(house.owner(), "/calls/CA1/live") as heard:
        assert [said.name for said in heard.rest()] == ["line", "state", "banner", "over"]


def test_a_call_that_is_deleted_meanwhile_is_over(house: House) -> None:
    running_call(house)
    with house.on_the_line(), house.listen(house.owner(), "/calls/CA1/live") as heard:
        heard.until("banner")
        house.store.write(calls.remove, "CA1", calls.as_time("2026-11-21T09:00:00Z"))
        house.live.tell("CA1", "kept")
        assert heard.rest()[-1].name == "over"


def test_there_is_no_stream_of_a_call_that_is_none(house: House) -> None:
    assert house.owner().get("/calls/CA9/live").status_code == 404


def test_a_stream_is_not_held_back_nor_kept(house: House) -> None:
    running_call(house)
    house.finish("CA1", usage={"text_in": 1})
    response = house.owner().get("/calls/CA1/live")

    assert response.mimetype == "text/event-stream"
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.text.startswith("retry: ")


def test_the_banner_comes_and_goes(house: House) -> None:
    running_call(house)
    with house.listen(house.owner(), "/live") as heard:
        before = heard.next()
        with house.on_the_line() as call:
            began = heard.next()
            call.state = "ringing_owner"
            house.live.tell("CA1", "kept")  # for those who watch that call
            house.live.tell("CA1", "state")
            rings = heard.next()
            call.caller_gone = True
            house.live.tell("CA1", "ended")
            gone = heard.next()

    assert {said.name for said in (before, began, rings, gone)} == {"banner"}
    assert ["data-call" in said.data for said in (before, began, rings, gone)] == [False, True, True, False]
    assert "Ringing your phone" in rings.data
    marks = [re.findall(r'data-mark="([^"]+)"', said.data)[0] for said in (before, began, rings, gone)]
    assert len(set(marks)) == 3
    assert marks[1] == marks[2]


def test_every_while_it_is_said_that_somebody_is_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.01)
    with house.listen(house.owner(), "/live") as heard:
        assert [heard.next().name for _ in range(3)] == ["banner", "beat", "beat"]


def test_who_was_logged_out_elsewhere_is_told_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.01)
    with house.listen(house.owner(), "/live") as heard:
        heard.until("beat")
        house.store.write(logins.delete_all)
        assert {said.name for said in heard.rest()} <= {"beat"}


def test_who_was_logged_out_is_told_no_more_however_much_is_said(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.5)
    running_call(house)
    over = threading.Event()

    def talk() -> None:
        while not over.wait(0.02):
            house.live.tell("CA1", "kept")

    with house.on_the_line(), house.listen(house.owner(), "/calls/CA1/live") as heard:
        heard.until("line")
        talking = threading.Thread(target=talk)
        talking.start()
        house.store.write(logins.delete_all)
        try:
            heard.rest()
        finally:
            over.set()
            talking.join()


def test_who_goes_away_is_not_watched_for_any_more(house: House) -> None:
    owner = house.owner()
    response = owner.get("/live", buffered=False)
    pieces = response.iter_encoded()
    next(pieces)
    assert house.live.watching() == 1

    response.close()

    assert house.live.watching() == 0


def test_all_streams_end_when_the_program_leaves(house: House) -> None:
    with house.listen(house.owner(), "/live") as heard:
        heard.until("banner")
        house.live.close()
        assert heard.rest() == []
