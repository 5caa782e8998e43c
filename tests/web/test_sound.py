"""The sound of a call: the files, parts of them, and what they look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from assistant.audio import wav_header
from assistant.store import calls
from tests.web.pages import Pages, text_of

SOUND = bytes(range(256)) * 20


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


def wav(samples: ArrayLike) -> bytes:
    """A recording at 8 kHz. samples: of shape (frames, channels), or of one channel."""
    pcm = np.asarray(samples, "<i2")
    channels = 1 if pcm.ndim == 1 else pcm.shape[1]
    return wav_header(rate_hz=8000, channels=channels, pcm_bytes=pcm.nbytes) + pcm.tobytes()


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
    assert "Left after the tone (3): the file is not there any more" in text_of(page)
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


# --- what it looks like -------------------------------------------------------------


def test_the_outline_of_a_call_has_two_lanes(pages: Pages):
    sid = pages.add_call()
    lanes = np.zeros((800, 2))
    lanes[0, 0], lanes[500, 1] = 16384, -8192
    pages.add_recording(sid, wav(lanes))

    answer = pages.owner().get(f"/calls/{sid}/peaks.json?kind=call&n=1")

    assert answer.content_type == "application/json"
    assert answer.json == {"duration": 0.1, "peaks": [[0.5, 0.0], [0.0, 0.25]]}


def test_the_outline_of_a_voicemail_has_one(pages: Pages):
    sid = pages.add_call()
    pages.add_recording(sid, wav([0] * 400), kind="voicemail")

    assert pages.owner().get(f"/calls/{sid}/peaks.json").json == {"duration": 0.05, "peaks": [[0.0]]}


def test_what_is_no_recording_looks_like_nothing(pages: Pages):
    sid = pages.add_call()
    pages.add_recording(sid, SOUND)

    assert pages.owner().get(f"/calls/{sid}/peaks.json").json == {"duration": 0.0, "peaks": []}


def test_an_outline_that_has_not_changed_is_not_sent_again(pages: Pages):
    sid = pages.add_call()
    file = pages.add_recording(sid, wav([0] * 400))
    owner, path = pages.owner(), f"/calls/{sid}/peaks.json"

    etag = owner.get(path).headers["ETag"]
    again = owner.get(path, headers={"If-None-Match": etag})
    file.write_bytes(wav([0] * 800))

    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert owner.get(path, headers={"If-None-Match": etag}).json["duration"] == 0.1


@pytest.mark.parametrize("n", ["0", "-1", "2", "x", "1.0", "٣", " 1", "1" * 5000, "99999999999999999999", ""])
@pytest.mark.parametrize("place", ["peaks.json", "audio.wav"])
def test_a_number_that_no_recording_has_is_not_found(pages: Pages, place: str, n: str):
    sid = pages.add_call()
    pages.add_recording(sid, wav([0] * 400))

    assert pages.owner().get(f"/calls/{sid}/{place}", query_string={"n": n}).status_code == 404


def test_a_running_call_can_be_listened_to_as_far_as_it_is_written(pages: Pages):
    """Its recording has no row before its end, but a file."""
    sid = pages.add_call()
    folder = pages.instance / "recordings"
    folder.mkdir()
    (folder / f"{sid}.wav").write_bytes(wav(np.zeros((8000, 2))))
    owner = pages.owner()

    assert owner.get(f"/calls/{sid}/peaks.json").json["duration"] == 1.0
    assert len(owner.get(f"/calls/{sid}/audio.wav").data) == 44 + 32_000
    assert "<audio controls" in owner.get(f"/calls/{sid}").text


def test_a_call_that_is_over_has_the_recordings_of_its_rows_alone(pages: Pages):
    sid = pages.add_call()
    pages.finish(sid)
    folder = pages.instance / "recordings"
    folder.mkdir()
    (folder / f"{sid}.wav").write_bytes(wav([0] * 400))

    assert pages.owner().get(f"/calls/{sid}/audio.wav").status_code == 404
