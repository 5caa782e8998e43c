"""Twilio's REST side, asked over real sockets: the sandbox's, and one that misbehaves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from assistant.audio import silence
from assistant.errors import RestError
from assistant.sandbox.caller.twilio_rest import Recording, TwilioRest
from assistant.telephony import rest as rest_module
from assistant.telephony.rest import Rest
from tests.telephony.far_end import ACCOUNT, NINE, NUMBER, TOKEN, Answer, Asked, Call, sid, web_server

CALL, RECORDING = sid("CA", 1), sid("RE", 1)


@pytest.fixture
def twilio() -> Iterator[TwilioRest]:
    with TwilioRest(ACCOUNT, TOKEN).serving() as serving:
        yield serving


@pytest.fixture
def rest(twilio: TwilioRest) -> Rest:
    return Rest(ACCOUNT, TOKEN, twilio.url)


def json_answer(status: int, body: object) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


# --- calls -------------------------------------------------------------------


def test_hanging_up_ends_the_call_and_once_more_is_no_error(twilio: TwilioRest, rest: Rest):
    call = Call(status="in-progress", ended_at=None)
    twilio.add_call(call)

    rest.hang_up(CALL)
    rest.hang_up(CALL)
    rest.hang_up(sid("CA", 99))

    assert call.status == "completed"


def test_a_call_that_cannot_be_changed_any_more_counts_as_hung_up():
    with web_server(lambda _: json_answer(400, {"code": 21220, "message": "x", "status": 400})) as url:
        Rest(ACCOUNT, TOKEN, url).hang_up(CALL)


def test_a_hang_up_that_fails_is_told():
    with TwilioRest(ACCOUNT, TOKEN, failing_hang_ups=1).serving() as twilio:
        twilio.add_call(Call(status="in-progress", ended_at=None))

        with pytest.raises(RestError) as failed:
            Rest(ACCOUNT, TOKEN, twilio.url).hang_up(CALL)

    assert (failed.value.status, failed.value.code) == (500, 20500)


def test_a_call_gets_another_document_and_one_that_is_over_does_not(twilio: TwilioRest, rest: Rest):
    call = Call(status="in-progress", ended_at=None)
    twilio.add_call(call)

    rest.update(CALL, "<Response><Hangup/></Response>")
    assert call.replaced_by == ["<Response><Hangup/></Response>"]

    rest.hang_up(CALL)
    with pytest.raises(RestError) as over:
        rest.update(CALL, "<Response/>")
    assert (over.value.status, over.value.code) == (404, 20404)


def test_inbound_calls_are_listed_over_all_pages(
    twilio: TwilioRest, rest: Rest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rest_module, "PAGE", 2)
    for number in range(7):
        twilio.add_call(Call(call_sid=sid("CA", number), started_at=NINE + timedelta(minutes=number)))
    twilio.add_call(Call(call_sid=sid("CA", 70), to_number="+12025550101"))
    twilio.add_call(Call(call_sid=sid("CA", 71), direction="outbound-dial", started_at=NINE + timedelta(1)))

    listed = rest.calls_to(NUMBER, NINE + timedelta(minutes=2))

    assert [fact.call_sid for fact in listed] == [sid("CA", number) for number in (6, 5, 4, 3, 2)]
    newest = listed[0]
    assert (newest.from_number, newest.to_number, newest.status) == ("+12025550143", NUMBER, "completed")
    assert (newest.started_at, newest.ended_at) == (NINE + timedelta(minutes=6), NINE + timedelta(seconds=30))
    assert (newest.duration_s, newest.forwarded_from) == (30, None)


def test_a_list_without_end_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rest_module, "MOST_CALLS", 10)
    call = {"sid": CALL, "direction": "inbound", "start_time": "Sat, 21 Nov 2026 09:00:00 +0000"}
    again = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json?Page=1"

    with web_server(lambda _: json_answer(200, {"calls": [call] * 4, "next_page_uri": again})) as url:
        assert len(Rest(ACCOUNT, TOKEN, url).calls_to(NUMBER, NINE)) == 10


def test_calls_that_make_no_sense_are_left_out():
    odd = [
        {"sid": "CA/../../x", "direction": "inbound", "start_time": "Sat, 21 Nov 2026 09:00:00 +0000"},
        {"sid": CALL, "direction": "inbound", "start_time": None},
        {"sid": CALL, "direction": "inbound", "start_time": "yesterday"},
    ]

    with web_server(lambda _: json_answer(200, {"calls": odd, "next_page_uri": None})) as url:
        assert Rest(ACCOUNT, TOKEN, url).calls_to(NUMBER, NINE) == []


def test_an_address_with_a_path_is_kept_on_every_page():
    asked: list[str] = []

    def answer(request: Asked) -> Answer:
        asked.append(request.path.partition("?")[0])
        following = None if len(asked) > 1 else f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json?Page=1"
        return json_answer(200, {"calls": [], "next_page_uri": following})

    with web_server(answer) as url:
        Rest(ACCOUNT, TOKEN, url + "/proxy/").calls_to(NUMBER, NINE)

    assert asked == [f"/proxy/2010-04-01/Accounts/{ACCOUNT}/Calls.json"] * 2


# --- recordings --------------------------------------------------------------


def test_a_recording_is_listed_fetched_when_ready_and_deleted(twilio: TwilioRest, rest: Rest):
    recording = Recording(CALL, silence(1500), 2)
    twilio.add_recording(recording)
    twilio.add_recording(Recording(sid("CA", 2), silence(500), 1))

    [listed] = rest.recordings_of(CALL)
    assert listed.recording_sid == recording.sid
    assert (listed.status, listed.duration_s, listed.source) == ("processing", 2, "RecordVerb")
    assert rest.fetch_recording(recording.sid) is None

    recording.ready = True
    assert rest.fetch_recording(recording.sid) == recording.wav()

    rest.delete_recording(recording.sid)
    rest.delete_recording(recording.sid)
    assert recording.deleted


def test_another_calls_recording_in_the_list_is_not_ours():
    other = {"sid": RECORDING, "call_sid": sid("CA", 2), "status": "completed", "duration": "3"}

    with web_server(lambda _: json_answer(200, {"recordings": [other], "next_page_uri": None})) as url:
        assert Rest(ACCOUNT, TOKEN, url).recordings_of(CALL) == []


def test_media_kept_on_another_host_is_fetched_there_without_our_login():
    at_storage: list[Asked] = []

    def storage(request: Asked) -> Answer:
        at_storage.append(request)
        return 200, {}, b"the sound"

    with web_server(storage) as elsewhere:
        away = {"Location": f"{elsewhere}/sound?key=1"}
        with web_server(lambda request: (302 if request.login else 401, away, b"")) as url:
            assert Rest(ACCOUNT, TOKEN, url).fetch_recording(RECORDING) == b"the sound"

    assert [(request.path, request.login) for request in at_storage] == [("/sound?key=1", None)]


@pytest.mark.parametrize("location", ["http://storage.example/sound", "file:///etc/passwd", "/again"])
def test_media_is_not_followed_to_just_anywhere(location: str):
    with (
        web_server(lambda _: (302, {"Location": location}, b"")) as url,
        pytest.raises(RestError, match="Twilio sent us"),
    ):
        Rest(ACCOUNT, TOKEN, url).fetch_recording(RECORDING)


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Content-Length": "100"}, b"cut short"),
        (200, {}, b"much too long" * 100),
        (200, {"Content-Encoding": "gzip"}, b"no gzip"),
        (503, {}, b"later"),
    ],
)
def test_media_that_does_not_come_whole_is_an_error(answer: Answer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rest_module, "MOST_MEDIA_BYTES", 1000)

    with web_server(lambda _: answer) as url, pytest.raises(RestError):
        Rest(ACCOUNT, TOKEN, url).fetch_recording(RECORDING)


# --- what goes wrong ---------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", ["", "CA1", "CA" + "1" * 31 + "/", "RE" + "1" * 32 + "\n", "../" + "1" * 31]
)
def test_only_identifiers_of_twilios_go_into_a_path(twilio: TwilioRest, rest: Rest, wrong: str):
    for ask in (rest.hang_up, rest.recordings_of, rest.fetch_recording, rest.delete_recording):
        with pytest.raises(RestError):
            ask(wrong)
    with pytest.raises(RestError):
        rest.update(wrong, "<Response/>")

    assert twilio.requests == []


def test_a_wrong_token_is_told_with_what_to_check_and_without_secrets(twilio: TwilioRest):
    stranger = Rest(ACCOUNT, "wrong token", twilio.url)
    asks = [
        lambda: stranger.hang_up(CALL),
        lambda: stranger.calls_to(NUMBER, NINE),
        lambda: stranger.recordings_of(CALL),
        lambda: stranger.fetch_recording(RECORDING),
        lambda: stranger.delete_recording(RECORDING),
    ]

    for ask in asks:
        with pytest.raises(RestError, match="check TWILIO_ACCOUNT_SID") as refused:
            ask()
        assert refused.value.status == 401
        for secret in ("wrong token", ACCOUNT, NUMBER, CALL, RECORDING):
            assert secret not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"<html>not what we asked for"),
        (200, {}, b"[]"),
        (200, {}, b'{"calls": [7], "next_page_uri": null}'),
        (404, {}, b""),
        (302, {"Location": "/elsewhere"}, b""),
        (500, {}, b'{"type": "about:blank", "title": "Broken", "status": 500, "code": 20500}'),
    ],
)
def test_nonsense_is_an_error_of_ours(answer: Answer):
    with web_server(lambda _: answer) as url, pytest.raises(RestError):
        Rest(ACCOUNT, TOKEN, url).calls_to(NUMBER, NINE)


def test_nobody_there_is_an_error_that_names_no_number():
    with web_server(lambda _: json_answer(200, {})) as url:
        pass

    with pytest.raises(RestError, match="could not be reached") as failed:
        Rest(ACCOUNT, TOKEN, url).calls_to(NUMBER, NINE)

    assert "2025550100" not in str(failed.value)
    assert failed.value.__suppress_context__  # nor does the traceback


def test_an_answer_that_never_ends_is_given_up():
    @contextmanager
    def within(seconds: float) -> Iterator[None]:
        yield
        raise TimeoutError

    with web_server(lambda _: json_answer(200, {})) as url, pytest.raises(RestError, match="TimeoutError"):
        Rest(ACCOUNT, TOKEN, url, within=within).fetch_recording(RECORDING)


def test_this_machine_is_never_asked_through_a_proxy(
    twilio: TwilioRest, rest: Rest, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")

    assert rest.calls_to(NUMBER, NINE) == []
    assert rest.fetch_recording(RECORDING) is None


def test_the_library_is_loaded_by_the_first_request_only():
    code = (
        "import sys; from assistant.telephony import recordings, rest;"
        "rest.Rest('AC', 'token', 'http://127.0.0.1:9');"
        "print([name for name in sys.modules if name in ('twilio.rest', 'requests')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)

    assert done.stdout == "[]\n"
