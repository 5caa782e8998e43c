"""The settings page: the greeting, its sound, and the button that records it."""

from __future__ import annotations

import io
import threading
import wave
from datetime import UTC, datetime
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from assistant.audio import decode_ulaw
from assistant.errors import NotRecorded, StoreBusy
from assistant.greeting import greeting_key
from assistant.store import greetings, preferences
from assistant.web.settings import MOST_AN_HOUR, Takes
from tests.web.pages import PUBLIC, Pages, csrf_token, text_of
from tests.web.test_inbox import POLYGLOT

SOUND = bytes(range(256)) * 80  # 2.56 s
WAV_BYTES = 44 + 2 * len(SOUND)
PATH = "/settings/greeting.wav"


class Recorder:
    """Stands in for the model: keeps SOUND as the greeting, or fails."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.made = 0
        self.error: Exception | None = None

    def __call__(self) -> None:
        self.made += 1
        if self.error:
            raise self.error
        keep(self.pages)


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    pages = Pages(tmp_path)
    pages.app.extensions["afterbeep"].make_greeting = Recorder(pages)
    return pages


def recorder(pages: Pages) -> Recorder:
    return pages.app.extensions["afterbeep"].make_greeting


def keep(pages: Pages, sound: bytes = SOUND) -> None:
    held = pages.store.read(preferences.load)
    key = greeting_key(pages.app.extensions["afterbeep"].settings, held)
    pages.store.write(greetings.keep, key, sound, datetime.now(UTC))


def read(pages: Pages) -> str:
    return text_of(pages.owner().get("/settings").text)


def press(owner) -> TestResponse:
    """Press the button, and follow to what it says."""
    token = csrf_token(owner.get("/settings").text)
    answer = owner.post("/settings/greeting", data={"csrf_token": token})
    assert answer.status_code == 303
    assert answer.location == "/settings#greeting"
    return owner.get("/settings")


# --- what it shows -----------------------------------------------------------


def test_a_stranger_sees_and_presses_nothing(pages: Pages):
    keep(pages)
    stranger = pages.browser()

    assert stranger.get("/settings").location == "/login?next=/settings"
    assert stranger.get(PATH).status_code == 401
    assert stranger.post("/settings/greeting").status_code == 401
    assert recorder(pages).made == 0


def test_it_can_be_reached_from_every_page(pages: Pages):
    owner = pages.owner()

    assert 'href="/settings">Settings</a>' in owner.get("/").text
    assert 'href="/settings" aria-current="page">Settings</a>' in owner.get("/settings").text


def test_the_words_are_shown_as_they_are_spoken(pages: Pages):
    pages.store.write(preferences.set, "owner_name", "Kim")

    words = read(pages)

    assert (
        "This call is answered by an assistant and recorded. Hello, you've reached Kim's assistant." in words
    )
    assert "{owner_name}" not in words


def test_before_anything_is_kept_it_says_so_and_has_nothing_to_listen_to(pages: Pages):
    page = pages.owner().get("/settings").text

    words = text_of(page)
    assert "not kept yet" in words
    assert "Record it now" in words
    assert "<audio" not in page
    assert pages.owner().get(PATH).status_code == 404


def test_a_kept_greeting_can_be_listened_to(pages: Pages):
    keep(pages)

    page = pages.owner().get("/settings").text

    words = text_of(page)
    assert "kept since" in words
    assert "1 second ago" in words
    assert "Record it again" in words
    assert f'<audio controls preload="metadata" aria-labelledby="greeting-sound" src="{PATH}">' in page


def test_other_words_or_another_voice_have_no_sound_yet(pages: Pages):
    keep(pages)
    pages.store.write(preferences.set, "greeting", "Good morning.")
    assert "not kept yet" in read(pages)

    pages.store.write(preferences.set, "greeting", preferences.Preferences().greeting)
    assert "kept since" in read(pages)

    pages.store.write(preferences.set, "voice", "cedar")
    assert "not kept yet" in read(pages)


def test_recording_without_a_notice_is_warned_of(pages: Pages):
    assert "callers are not told" not in read(pages)

    pages.store.write(preferences.set, "disclosure", "")

    assert "Calls are recorded and callers are not told" in read(pages)


def test_the_sandbox_says_whose_voice_it_is(pages: Pages, tmp_path: Path):
    assert "Voice the sandbox’s own" in read(pages)
    assert "cent" not in read(pages)

    keyed = Pages(tmp_path / "keyed", OPENAI_API_KEY="sk-1")
    keyed.store.write(preferences.set, "voice", "nova")
    words = read(keyed)
    assert "Voice coral (nova cannot be used on a call; coral speaks instead)" in words
    assert "sandbox" not in words
    assert "costs about a cent" in words


def test_what_the_sandbox_spoke_is_not_the_greeting_of_a_house_with_a_key(pages: Pages, tmp_path: Path):
    keep(pages)

    keyed = Pages(tmp_path, OPENAI_API_KEY="sk-1")

    assert "not kept yet" in read(keyed)


def test_words_of_the_owner_and_the_model_are_text_and_nothing_else(pages: Pages):
    for name in ("greeting", "disclosure", "owner_name"):
        pages.store.write(preferences.set, name, POLYGLOT[:80])
    recorder(pages).error = NotRecorded(f"the model said something else: “{POLYGLOT}”")

    page = press(pages.owner()).text

    assert "<script" not in page
    assert "<img src=x" not in page
    assert POLYGLOT in text_of(page)


# --- the button --------------------------------------------------------------


def test_the_button_records_and_says_so_once(pages: Pages):
    owner = pages.owner()

    page = press(owner).text

    words = text_of(page)
    assert recorder(pages).made == 1
    assert "Recorded. Callers hear it from the next call on." in words
    assert "kept since" in words
    assert 'class="done" role="status"' in page
    assert "Recorded." not in owner.get("/settings").text


@pytest.mark.parametrize("error", [NotRecorded("the model said nothing"), StoreBusy("the database is busy")])
def test_what_went_wrong_is_said_and_what_was_kept_stays(pages: Pages, error: Exception):
    keep(pages)
    recorder(pages).error = error

    page = press(pages.owner()).text

    assert f"Nothing was recorded: {error}" in text_of(page)
    assert 'class="problem" role="alert"' in page
    assert "kept since" in text_of(page)


def test_a_bug_does_not_lock_the_button(pages: Pages):
    owner = pages.owner()
    token = csrf_token(owner.get("/settings").text)
    recorder(pages).error = KeyError("a bug")
    assert owner.post("/settings/greeting", data={"csrf_token": token}).status_code == 500

    recorder(pages).error = None

    assert "Recorded." in text_of(press(owner).text)


def test_a_button_of_another_page_records_nothing(pages: Pages):
    owner = pages.owner()

    assert owner.post("/settings/greeting").status_code == 400
    assert owner.post("/settings/greeting", data={"csrf_token": "x"}).status_code == 400
    assert owner.get("/settings/greeting").status_code == 405
    assert recorder(pages).made == 0


def test_a_second_press_while_it_records_is_told_to_wait(pages: Pages):
    begun, may_end = threading.Event(), threading.Event()

    def slowly() -> None:
        begun.set()
        assert may_end.wait(10)

    pages.app.extensions["afterbeep"].make_greeting = slowly
    first = threading.Thread(target=press, args=(pages.owner(),))
    first.start()
    assert begun.wait(10)

    second = text_of(press(pages.owner()).text)
    may_end.set()
    first.join(10)

    assert "It is being recorded at this moment." in second
    assert "Recorded." in text_of(press(pages.owner()).text)


def test_six_times_an_hour_and_not_more(pages: Pages):
    owner = pages.owner()
    recorder(pages).error = NotRecorded("the model said nothing")  # a failure has its price too
    for _ in range(MOST_AN_HOUR):
        assert "said nothing" in press(owner).text

    page = press(owner).text

    assert "That was 6 times within an hour. Try again in 60 min." in text_of(page)
    assert recorder(pages).made == MOST_AN_HOUR


def test_an_hour_after_the_first_there_is_room_again():
    now = [1000.0]
    takes = Takes(lambda: now[0])
    for _ in range(MOST_AN_HOUR):
        assert takes.begin() is None
        takes.end()
        now[0] += 60

    assert takes.begin() == "That was 6 times within an hour. Try again in 55 min."
    now[0] = 1000.0 + 3600
    assert takes.begin() is None
    assert takes.begin() == "It is being recorded at this moment. Reload the page in a little while."


# --- the sound ---------------------------------------------------------------


def test_the_sound_is_a_wav_file_that_nobody_keeps(pages: Pages):
    keep(pages)

    answer = pages.owner().get(PATH)

    with wave.open(io.BytesIO(answer.data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        assert file.readframes(len(SOUND) + 1) == decode_ulaw(SOUND).astype("<i2").tobytes()
    assert answer.content_type == "audio/wav"
    assert answer.content_length == WAV_BYTES
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=40000-99999", slice(40000, None)),
    ],
)
def test_a_player_may_ask_for_a_part(pages: Pages, asked: str, part: slice):
    keep(pages)
    owner = pages.owner()
    whole = owner.get(PATH).data

    answer = owner.get(PATH, headers={"Range": asked})

    assert answer.status_code == 206
    assert answer.data == whole[part]
    assert answer.headers["Content-Range"].endswith(f"/{WAV_BYTES}")
    assert answer.content_length == len(answer.data)


def test_a_part_beyond_the_end_is_416(pages: Pages):
    keep(pages)

    answer = pages.owner().get(PATH, headers={"Range": "bytes=99999-"})

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{WAV_BYTES}"


@pytest.mark.parametrize("asked", ["bytes=-99999", "bytes=0-9,20-29", "items=0-9", "bytes=9-0", "nonsense"])
def test_what_is_no_part_gets_the_whole(pages: Pages, asked: str):
    keep(pages)

    answer = pages.owner().get(PATH, headers={"Range": asked})

    assert (answer.status_code, len(answer.data)) == (200, WAV_BYTES)


def test_head_and_a_greeting_recorded_anew_between_two_parts(pages: Pages):
    keep(pages)
    owner = pages.owner()

    head = owner.head(PATH)
    assert (head.status_code, head.data, head.content_length) == (200, b"", WAV_BYTES)
    part = {"Range": "bytes=0-9", "If-Range": head.headers["ETag"]}
    assert owner.get(PATH, headers=part).status_code == 206
    assert owner.get(PATH, headers={"If-None-Match": head.headers["ETag"]}).status_code == 304

    keep(pages, SOUND + b"more")
    assert owner.get(PATH, headers=part).status_code == 200


def test_behind_a_public_address_it_is_the_same(tmp_path: Path):
    pages = Pages(tmp_path, **PUBLIC, OPENAI_API_KEY="sk-1")
    pages.app.extensions["afterbeep"].make_greeting = Recorder(pages)

    assert "Recorded." in text_of(press(pages.owner()).text)
