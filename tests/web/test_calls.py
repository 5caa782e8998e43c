"""The page of one call, and its sound."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assistant.store import calls
from assistant.web.words import Words
from tests.web.pages import Pages, text_of
from tests.web.test_inbox import POLYGLOT

SOUND = bytes(range(256)) * 20


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
    assert "Interrupted; not heard:" in words


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

    words = read(pages)

    assert "take_message 1:01, took 12 ms" in words
    assert "text Call me" in words
    assert '"time": "09:00"' in words
    assert "list_messages refused" in words
    assert "error not_allowed" in words


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

    assert "First word after 3 ms. Answers after 0.6 s, 0.8 s and 1.2 s." in words
    assert (
        "Last 30 days: 2 calls. First word: half within 3 ms, 95 % within 9 ms."
        " Answers: half within 0.6 s, 95 % within 1.4 s." in words
    )
    assert "from when the model noticed that the caller had stopped speaking" in words


def test_a_caller_who_said_nothing_waited_for_the_first_word_alone(pages: Pages):
    pages.finish(pages.add_call(), first_sound_ms=3, response_ms=[])

    words = read(pages)

    assert "First word after 3 ms. Last 30 days: 1 call. First word: 95 % within 3 ms. First word:" in words


@pytest.mark.parametrize("facts", [{}, {"usage": {}, "first_sound_ms": None, "response_ms": []}])
def test_where_the_assistant_was_not_heard_nobody_waited(pages: Pages, facts: dict[str, Any]):
    pages.finish(pages.add_call("CA2"), first_sound_ms=9, response_ms=[400])
    pages.finish(pages.add_call(), **facts)

    assert "waited" not in read(pages)


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
        ([700], "Answer after 0,7 s."),
        ([700, 12_000], "Answers after 0,7 s and 12 s."),
        ([*range(100, 1300, 100), 2_000], "13 answers: half within 0,7 s, the slowest after 2,0 s."),
    ],
)
def test_the_answers_of_a_call_in_a_sentence(response_ms: list[int], said: str):
    """In the owner's decimals; many of them as half and slowest."""
    words = Words("UTC", "de", datetime.now(UTC))

    assert words.answers(response_ms).replace("\u00a0", " ") == said


def test_a_running_call_is_a_page_too(pages: Pages):
    pages.finish(pages.add_call("CA2"), first_sound_ms=9, response_ms=[400])
    pages.add_call()

    words = read(pages)

    assert "This call is going on." in words
    assert "Nothing has been written down yet." in words
    assert "waited" not in words
    assert "Cost of the model" not in words


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

    assert "<script" not in page
    assert "<img src=x" not in page
    assert 'href="tel:' not in page
    assert "77021" not in text_of(page).replace(POLYGLOT, "")


def test_every_recording_has_a_player(pages: Pages):
    sid = pages.add_call()
    pages.add_recording(sid, SOUND)
    pages.add_recording(sid, SOUND[:100], kind="voicemail", name="RE1")
    pages.add_recording(sid, SOUND[:200], kind="voicemail", name="RE2")
    pages.add_recording(sid, SOUND, kind="voicemail", name="RE3").unlink()
    owner = pages.owner()

    page = owner.get(f"/calls/{sid}").text

    assert page.count("<audio controls") == 3
    assert "The call, both sides" in page
    path = f"/calls/{sid}/audio.wav"
    assert owner.get(path).data == SOUND
    assert owner.get(f"{path}?kind=call").data == SOUND
    assert owner.get(f"{path}?kind=voicemail").data == SOUND[:100]
    assert owner.get(f"{path}?kind=voicemail&n=2").data == SOUND[:200]
    assert [owner.get(path + query).status_code for query in ("?kind=voicemail&n=3", "?n=0", "?kind=x")] == [
        404
    ] * 3
    assert owner.get("/calls/CAnone/audio.wav").status_code == 404


def test_without_a_recording_of_the_call_the_voicemail_is_played(pages: Pages):
    sid = pages.add_call()
    pages.add_recording(sid, SOUND, kind="voicemail")

    answer = pages.owner().get(f"/calls/{sid}/audio.wav")

    assert answer.data == SOUND
    assert answer.content_type == "audio/wav"
    assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    ("asked", "status", "sound"),
    [
        ("bytes=0-9", 206, SOUND[:10]),
        ("bytes=100-", 206, SOUND[100:]),
        ("bytes=-5", 206, SOUND[-5:]),
        ("bytes=5000-99999", 206, SOUND[5000:]),
    ],
)
def test_a_player_may_ask_for_a_part(pages: Pages, asked: str, status: int, sound: bytes):
    sid = pages.add_call()
    pages.add_recording(sid, SOUND)

    answer = pages.owner().get(f"/calls/{sid}/audio.wav", headers={"Range": asked})

    assert answer.status_code == status
    assert answer.data == sound
    assert answer.headers["Content-Range"].endswith(f"/{len(SOUND)}")
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_a_part_beyond_the_end_is_416(pages: Pages):
    sid = pages.add_call()
    pages.add_recording(sid, SOUND)

    answer = pages.owner().get(f"/calls/{sid}/audio.wav", headers={"Range": "bytes=99999-"})

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(SOUND)}"


@pytest.mark.parametrize("asked", ["bytes=-99999", "bytes=0-9,20-29", "items=0-9", "bytes=9-0", "nonsense"])
def test_what_is_no_part_gets_the_whole(pages: Pages, asked: str):
    sid = pages.add_call()
    pages.add_recording(sid, SOUND)

    answer = pages.owner().get(f"/calls/{sid}/audio.wav", headers={"Range": asked})

    assert (answer.status_code, answer.data) == (200, SOUND)
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_head_and_if_range(pages: Pages):
    sid = pages.add_call()
    file = pages.add_recording(sid, SOUND)
    owner, path = pages.owner(), f"/calls/{sid}/audio.wav"

    head = owner.head(path)
    assert (head.status_code, head.data, head.content_length) == (200, b"", len(SOUND))
    etag = head.headers["ETag"]
    part = {"Range": "bytes=0-9", "If-Range": etag}
    assert owner.get(path, headers=part).status_code == 206
    assert owner.get(path, headers={"If-None-Match": etag}).status_code == 304

    file.write_bytes(SOUND + b"more")
    assert owner.get(path, headers=part).status_code == 200


def test_the_sound_of_a_running_call_is_sent_as_far_as_it_was_when_asked_for(pages: Pages):
    sid = pages.add_call()
    file = pages.add_recording(sid, SOUND)
    answer = pages.owner().get(f"/calls/{sid}/audio.wav", buffered=False)
    with file.open("ab") as growing:
        growing.write(b"x" * 100_000)

    assert answer.data == SOUND
    answer.close()


@pytest.mark.parametrize(
    "file",
    [
        *("../outside.wav", "/etc/hostname", "recordings/link.wav", "recordings"),
        *("secret_key", "recordings/../secret_key", "", "recordings/\0.wav", "recordings/" + "x" * 5000),
    ],
)
def test_a_row_that_points_outside_plays_nothing(pages: Pages, tmp_path: Path, file: str):
    sid = pages.add_call()
    outside = tmp_path.parent / "outside.wav"
    outside.write_bytes(SOUND)
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings/link.wav").symlink_to(outside)
    pages.store.write(calls.add_recording, sid, kind="call", file=file, seconds=1.0)
    owner = pages.owner()

    assert owner.get(f"/calls/{sid}/audio.wav").status_code == 404
    assert "<audio" not in owner.get(f"/calls/{sid}").text


@pytest.mark.parametrize("sid", ["..%2f..%2fsecret_key", "%00", "CA1%2faudio.wav", "' OR 1=1 --"])
def test_strange_sids_are_only_unknown_calls(pages: Pages, sid: str):
    assert pages.owner().get(f"/calls/{sid}/audio.wav").status_code == 404
    assert pages.owner().get(f"/calls/{sid}").status_code == 404
