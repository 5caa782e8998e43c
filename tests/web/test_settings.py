"""The settings page: what can be changed, and the sound of the first words."""

from __future__ import annotations

import io
import threading
import wave
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from assistant.audio import decode_ulaw
from assistant.errors import NotRecorded, StoreBusy
from assistant.greeting import greeting_key
from assistant.store import greetings, preferences
from assistant.web.settings import MOST_AN_HOUR, Takes
from assistant.web.settings.sections import SECTIONS
from tests.web.pages import PUBLIC, Pages, csrf_token, text_of
from tests.web.test_inbox import POLYGLOT

SWITCHES = ("ring_first", "record_audio")
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


def save(owner: FlaskClient, section_id: str, /, **values: str) -> TestResponse:
    """Send a section's form as the page shows it, with these values in it; a switch with "" is off."""
    page = owner.get("/settings").text
    form = form_of(page, section_id) | values
    sent = {name: value for name, value in form.items() if value or name not in SWITCHES}
    return owner.post(f"/settings/{section_id}", data={"csrf_token": csrf_token(page), **sent})


def form_of(page: str, section_id: str) -> dict[str, str]:
    """What the fields of a section hold, as a browser would send it."""
    reader = Fields(f"/settings/{section_id}#{section_id}")
    reader.feed(page)
    return reader.values


class Fields(HTMLParser):
    """The fields of the form with one address."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._action, self._inside, self._text = action, False, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._inside = given.get("action") == self._action
        name = given.get("name") or ""
        if not self._inside or name in ("csrf_token", "check"):
            return
        match tag, given.get("type"):
            case "input", "checkbox" | "radio":
                if "checked" in given:
                    self.values[name] = given["value"] or ""
            case "input", _:
                self.values[name] = given.get("value") or ""
            case "textarea" | "select", _:
                self._text = name
                self.values[name] = ""
            case "option", _:
                if "selected" in given:
                    self.values[self._text] = given["value"] or ""

    def handle_data(self, data: str) -> None:
        if self._text and self.get_starttag_text().startswith("<textarea"):  # type: ignore[union-attr]
            self.values[self._text] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("textarea", "select"):
            self._text = ""


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


# --- what can be changed -------------------------------------------------------


def test_every_preference_is_on_the_page_once():
    shown = [field.name for section in SECTIONS for field in section.fields]

    assert sorted(shown) == sorted(preferences.NAMES)


def test_the_page_shows_what_holds_and_saving_it_as_it_is_changes_nothing(pages: Pages):
    for name, value in {
        "greeting": 'Good <morning>, "you" & yours.',
        "timezone": "Asia/Tokyo",
        "language": "rm",  # in no list of ours
        "voice": "nova",  # nor this
        "ring_first": "on",
        "daily_budget_usd": "2.5",
        "booking": "tentative",
    }.items():
        pages.store.write(preferences.set, name, value)
    held = pages.store.read(preferences.all_preferences)
    owner = pages.owner()

    for section in SECTIONS:
        answer = save(owner, section.id)
        assert (answer.status_code, answer.location) == (303, f"/settings#{section.id}")
        assert "Nothing was changed." in text_of(owner.get("/settings").text)

    assert pages.store.read(preferences.all_preferences) == held


def test_a_change_is_kept_and_told_once_in_its_section(pages: Pages):
    owner = pages.owner()

    save(owner, "you", owner_name="  Kim\tRo ", timezone="Europe/Lisbon", language="pt")

    held = pages.store.read(preferences.load)
    assert (held.owner_name, held.timezone, held.language) == ("Kim Ro", "Europe/Lisbon", "pt")
    page = owner.get("/settings").text
    section = page.partition('id="you"')[2].partition("</section>")[0]
    assert '<p class="done" role="status">Saved. It holds from the next call on.</p>' in section
    assert "Saved." not in owner.get("/settings").text


def test_switches_go_on_and_off(pages: Pages):
    owner = pages.owner()

    save(owner, "calls", ring_first="on")
    save(owner, "privacy", record_audio="")

    held = pages.store.read(preferences.load)
    assert (held.ring_first, held.record_audio) == (True, False)
    save(owner, "calls", ring_first="")
    assert pages.store.read(preferences.load).ring_first is False


def test_line_ends_of_a_text_area_are_blanks(pages: Pages):
    save(pages.owner(), "first-words", greeting="Good day.\r\n\r\nWhat is it?", disclosure="")

    held = pages.store.read(preferences.load)
    assert held.greeting == "Good day. What is it?"
    assert held.disclosure == ""


@pytest.mark.parametrize(
    ("section_id", "name", "value", "said"),
    [
        ("you", "owner_name", "x" * 81, "That is 81 characters; 80 are the most."),
        ("you", "timezone", "Lisbon", "No such time zone; write it like Europe/Berlin."),
        ("you", "language", "German", "Choose one of these."),
        ("first-words", "greeting", "", "This cannot be empty."),
        ("first-words", "greeting", "bad \x07", "Line ends and control characters are not allowed."),
        ("first-words", "voice", "mine", "Choose one of these."),
        ("calls", "ring_seconds", "4", "Write a whole number from 5 to 60."),
        ("calls", "ring_seconds", "ten", "Write a whole number from 5 to 60."),
        ("calls", "max_call_seconds", "60.5", "Write a whole number from 10 to 3300."),
        ("calls", "daily_budget_usd", "-1", "Write a number from 0 to 100000."),
        ("appointments", "booking", "maybe", "Choose one of these."),
        ("appointments", "horizon_days", "", "Write a whole number from 1 to 365."),
        ("notifications", "notify_urls", "ntfy://a/b example.com", "Address 2 has no scheme, like ntfy://host/topic."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_field_and_nothing_is_lost_or_changed(
    pages: Pages, section_id: str, name: str, value: str, said: str
):
    owner = pages.owner()
    held = pages.store.read(preferences.all_preferences)
    others = {"persona": "Typed before.", "owner_name": "Typed before."}
    typed = {
        one: text for one, text in others.items() if one in form_of(owner.get("/settings").text, section_id)
    }

    answer = save(owner, section_id, **(typed | {name: value}))

    assert answer.status_code == 422
    assert f'<p class="wrong" id="{name}-wrong">{said}</p>' in answer.text
    assert f'aria-describedby="{name}-wrong' in answer.text
    shown = form_of(answer.text, section_id)
    assert {one: shown[one] for one in typed if one != name} == {
        one: typed[one] for one in typed if one != name
    }
    if name not in ("language", "voice", "booking"):
        assert " ".join(shown[name].split()) == value
    assert pages.store.read(preferences.all_preferences) == held


def test_an_unknown_section_or_a_form_of_another_page_changes_nothing(pages: Pages):
    owner = pages.owner()
    token = csrf_token(owner.get("/settings").text)

    assert owner.post("/settings/nothing", data={"csrf_token": token}).status_code == 404
    assert owner.post("/settings/you", data={"owner_name": "Mallory"}).status_code == 400
    assert pages.browser().post("/settings/you", data={"owner_name": "Mallory"}).status_code == 401
    assert pages.store.read(preferences.get, "owner_name") == ""


# --- working hours -------------------------------------------------------------


def test_the_hours_of_the_next_seven_days_are_shown(pages: Pages):
    pages.store.write(preferences.set, "working_hours", "mon-sun 07:30-12:00, mon-sun 13:00-24:00")

    words = read(pages)

    assert words.count("07:30 – 12:00, 13:00 – 24:00") == 7
    assert "The next seven days" in words


def test_hours_can_be_checked_before_they_are_saved(pages: Pages):
    answer = save(pages.owner(), "appointments", working_hours="mon-sun 8:00-9:00", check="1")

    words = text_of(answer.text)
    assert answer.status_code == 200
    assert words.count("08:00 – 09:00") == 7
    assert "As typed, not saved yet: the next seven days" in words
    assert form_of(answer.text, "appointments")["working_hours"] == "mon-sun 8:00-9:00"
    assert pages.store.read(preferences.get, "working_hours") == "mon-fri 09:00-17:00"


def test_the_entry_that_cannot_be_read_is_pointed_at(pages: Pages):
    answer = save(pages.owner(), "appointments", working_hours="mon 9:00-12:00, tue 9-12, 12-25 closed")

    assert answer.status_code == 422
    assert '<p class="entries">mon 9:00-12:00, <mark>tue 9-12</mark>, 12-25 closed</p>' in answer.text
    assert "Cannot read &#39;tue 9-12&#39;; write it like: mon-fri 09:00-17:00" in answer.text


# --- everything, to take away ----------------------------------------------------


def test_all_calls_can_be_taken_away_as_lines(pages: Pages):
    for n in range(3):
        sid = pages.add_call(f"CA{n}", minutes_ago=10 - n)
        pages.add_turn(sid, "caller", "Grüße ✓")
    owner = pages.owner()

    answer = owner.get("/settings/calls.jsonl")

    calls = [orjson.loads(line) for line in answer.data.splitlines()]
    assert [call["call_sid"] for call in calls] == ["CA0", "CA1", "CA2"]
    assert calls[0]["turns"][0]["text"] == "Grüße ✓"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=afterbeep-calls-")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert list(pages.instance.glob("*.export")) == []
    assert pages.browser().get("/settings/calls.jsonl").status_code == 302


def test_with_no_calls_there_is_an_empty_file(pages: Pages):
    answer = pages.owner().get("/settings/calls.jsonl")

    assert (answer.status_code, answer.data) == (200, b"")


# --- what it shows of the first words ------------------------------------------


def test_a_stranger_sees_and_presses_nothing(pages: Pages):
    keep(pages)
    stranger = pages.browser()

    assert stranger.get("/settings").location == "/login?next=/settings"
    assert stranger.get(PATH).status_code == 401
    assert stranger.post("/settings/greeting").status_code == 401
    assert recorder(pages).made == 0


def test_it_can_be_reached_from_every_page(pages: Pages):
    owner = pages.owner()

    assert '<a href="/settings"><svg' in owner.get("/").text
    assert '<a href="/settings" aria-current="page"><svg' in owner.get("/settings").text


def test_the_words_are_shown_as_they_are_spoken(pages: Pages):
    pages.store.write(preferences.set, "owner_name", "Kim")

    assert (
        "How it sounds This call is answered by an assistant and recorded."
        " Hello, you've reached Kim's assistant. How can I help?" in read(pages)
    )


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
    assert "about a cent" not in read(pages)

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

    page = press(pages.owner()).text.partition("<main")[2].partition("</main>")[0]

    assert "<script" not in page
    assert "<img src=x" not in page
    assert POLYGLOT in text_of("<main" + page)


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
