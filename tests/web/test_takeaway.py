"""A call as a file: JSON, text, and everything in a zip."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from assistant.store import calls, export
from assistant.store.writer import directly
from assistant.web import takeaway
from assistant.web.sound import PIECE_BYTES, Snapshot
from assistant.web.takeaway import plain
from tests.web.pages import Pages
from tests.web.test_inbox import POLYGLOT

SOUND = bytes(range(256)) * 2000


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


def told(pages: Pages, sid: str = "CA1") -> str:
    return pages.owner().get(f"/calls/{sid}/export.txt").text


def test_the_json_is_what_the_command_prints(pages: Pages):
    sid = pages.add_call()
    pages.add_turn(sid, "caller", POLYGLOT)
    pages.finish(sid)

    answer = pages.owner().get(f"/calls/{sid}/export.json")

    assert answer.data == orjson.dumps(pages.store.read(export.export_call, sid)) + b"\n"
    assert answer.content_type == "application/json"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=call-20")


def test_the_text_can_be_read(pages: Pages):
    sid = pages.add_call(minutes_ago=0)
    pages.add_turn(sid, "assistant", "Hello. How can I help?", started_ms=0)
    pages.add_turn(sid, "caller", "It's Ana.", started_ms=65_000)
    pages.add_turn(sid, "assistant", "One two three.", heard_text="One", interrupted=True, started_ms=70_000)
    pages.add_turn(sid, "caller", "", started_ms=80_000)
    pages.add_message(sid, "Call me about Friday.", urgency="high")
    pages.store.write(
        calls.keep_tool_run, sid, tool_call_id="t1", name="list_messages", arguments={"days": 3},
        result={"ok": False, "error": "not_allowed"}, refused=True, started_ms=61_000, took_ms=2,
    )  # fmt: skip
    pages.finish(sid, usage={}, cost_usd=0.0213, first_sound_ms=3, response_ms=[700])

    assert told(pages).partition("From:")[2] == (
        "           +44 20 7946 0018 (Stranger)\n"
        "\n"
        "MESSAGE (urgent)\n"
        "\n"
        "    Call me about Friday.\n"
        "    Name: Ana\n"
        "    Call back: +44 20 7946 0018\n"
        "\n"
        "WHAT WAS SAID\n"
        "\n"
        "0:00 Assistant\n"
        "    Hello. How can I help?\n"
        "1:05 Caller\n"
        "    It's Ana.\n"
        "1:10 Assistant\n"
        "    One\n"
        "    [interrupted; not heard by the caller: two three.]\n"
        "1:20 Caller\n"
        "    (the words could not be made out)\n"
        "\n"
        "WHAT THE ASSISTANT DID\n"
        "\n"
        "1:01 Wanted to read out your messages (refused): the caller is a stranger\n"
        "    days: 3\n"
        "\n"
        "First word after 3\u00a0ms. Answer after 0.7\u00a0s.\n"
        "Cost of the model: $0.021\n"
        "Call SID: CA1"
    )


def test_what_was_said_cannot_write_a_line_of_ours(pages: Pages):
    sid = pages.add_call()
    pages.add_turn(sid, "caller", "Hello.\n0:10 Assistant\r    Yes.\u2028\x1b[2JWHAT\x00\u202e")
    pages.add_message(sid, "One.\n\nWHAT WAS SAID", name="Ana\nCall back: +1900")

    lines = told(pages).splitlines()

    assert lines.count("WHAT WAS SAID") == 1
    assert "    0:10 Assistant" in lines
    assert not any(line.startswith(("0:10", "Call back")) for line in lines)
    assert not any(sign in told(pages) for sign in "\x1b\x00\u202e\u2028")


@pytest.mark.parametrize(
    ("text", "written"),
    [("One\ntwo", "One\n    two"), ("\n\n", ""), ("a\x07b\tc", "a b c"), (3, "3"), (" x ", "x")],
)
def test_text_is_kept_to_its_place(text: object, written: str):
    assert plain(text) == written


def test_the_zip_has_the_words_and_the_sound(pages: Pages):
    sid = pages.add_call()
    pages.add_recording(sid, SOUND)
    pages.add_recording(sid, SOUND[:100], kind="voicemail", name="RE1")
    pages.add_recording(sid, SOUND[:200], kind="voicemail", name="RE2")
    pages.add_recording(sid, SOUND, kind="voicemail", name="RE3").unlink()
    pages.finish(sid)
    owner = pages.owner()

    answer = owner.get(f"/calls/{sid}/export.zip")

    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        held = {Path(name).name: archive.read(name) for name in archive.namelist()}
        assert len({Path(name).parent for name in archive.namelist()}) == 1
    assert held == {
        "call.json": owner.get(f"/calls/{sid}/export.json").data,
        "call.txt": owner.get(f"/calls/{sid}/export.txt").data,
        "call.wav": SOUND,
        "voicemail.wav": SOUND[:100],
        "voicemail-2.wav": SOUND[:200],
    }


def test_a_long_recording_is_never_in_memory_as_a_whole(tmp_path: Path):
    file = tmp_path / "long.wav"
    file.write_bytes(bytes(40 * PIECE_BYTES))

    pieces = list(_zip_of(file))

    assert sum(map(len, pieces)) > 40 * PIECE_BYTES
    assert max(map(len, pieces)) < 2 * PIECE_BYTES


def _zip_of(file: Path) -> Iterator[bytes]:
    return takeaway.zipped("call", datetime.now(UTC), {}, {"call.wav": Snapshot(file, directly)})


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_whoever_hangs_up_leaves_no_file_open(pages: Pages, method: str):
    sid = pages.add_call()
    pages.add_recording(sid, SOUND)
    open_before = _open_files()

    answer = pages.owner().open(f"/calls/{sid}/export.zip", method=method, buffered=False)
    if method == "GET":
        next(answer.iter_encoded())
        assert len(_open_files()) > len(open_before)
    answer.close()

    assert _open_files() == open_before


def _open_files() -> list[str]:
    links = (os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists())
    return sorted(path for path in links if path.endswith(".wav"))


@pytest.mark.parametrize("sid", ['CA"; x=y', "CA.._etc", "CA\u202eexe", "CA1" * 100])
def test_a_file_has_a_name_that_every_disk_takes(pages: Pages, sid: str):
    pages.add_call(sid)
    owner = pages.owner()

    for kind in ("json", "txt", "zip"):
        named = owner.get(f"/calls/{sid}/export.{kind}").headers["Content-Disposition"]
        name = named.removeprefix("attachment; filename=").removesuffix(f".{kind}")
        assert name.replace("-", "").isalnum()
        assert name.isascii()
        assert len(name) < 40


def test_only_what_is_there_can_be_taken_away(pages: Pages):
    pages.add_call()
    owner = pages.owner()

    assert [owner.get(f"/calls/{path}").status_code for path in ("CA2/export.json", "CA1/export.exe")] == [
        404
    ] * 2
    assert pages.browser().get("/calls/CA1/export.json").status_code == 302
