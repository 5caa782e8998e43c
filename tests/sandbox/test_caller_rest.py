"""The sandbox's REST side, asked by Twilio's own client library."""

from __future__ import annotations

import wave
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from assistant.audio import decode_ulaw
from assistant.sandbox.caller.far_ends import tone
from assistant.sandbox.caller.twilio_rest import Recording, TwilioRest
from tests.sandbox.fake_app import ACCOUNT, TOKEN

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Call:
    """A call that only notes what is done to it."""

    call_sid: str = "CA" + "1" * 32
    from_number: str = "+12025550143"
    to_number: str = "+12025550100"
    direction: str = "inbound"
    parent_call_sid: str | None = None
    status: str = "in-progress"
    started_at: datetime = NOON
    ended_at: datetime | None = None
    duration_s: int = 0
    replaced_by: list[dict[str, str]] = field(default_factory=list)

    def complete(self) -> None:
        self.status, self.ended_at, self.duration_s = "completed", NOON + timedelta(seconds=9), 9

    def replace(self, **document: str) -> None:
        self.replaced_by.append(document)


class Loopback(TwilioHttpClient):
    """Twilio's HTTP client, with the address of Twilio replaced."""

    def __init__(self, url: str) -> None:
        super().__init__(timeout=5, pool_connections=False)
        self._url = url

    def request(self, method, url, *args, **kwargs):  # type: ignore[no-untyped-def]
        return super().request(method, url.replace("https://api.twilio.com", self._url), *args, **kwargs)


@pytest.fixture
def rest():
    with TwilioRest(ACCOUNT, TOKEN, failing_hang_ups=1, media_not_ready=1).serving() as serving:
        yield serving


@pytest.fixture
def client(rest):
    return Client(ACCOUNT, TOKEN, http_client=Loopback(rest.url))


def test_hanging_up_and_what_the_call_is_then(rest, client):
    call = Call()
    rest.add_call(call)

    with pytest.raises(TwilioRestException) as broken:
        client.calls(call.call_sid).update(status="completed")
    assert broken.value.status == 500
    updated = client.calls(call.call_sid).update(status="completed")
    assert (updated.sid, updated.status, updated.duration) == (call.call_sid, "completed", "9")
    assert updated.end_time == NOON + timedelta(seconds=9)
    with pytest.raises(TwilioRestException) as over:
        client.calls(call.call_sid).update(status="completed")
    assert (over.value.status, over.value.code) == (404, 20404)


def test_another_document_for_a_call(rest, client):
    call = Call()
    rest.add_call(call)

    client.calls(call.call_sid).update(twiml="<Response><Hangup/></Response>")
    client.calls(call.call_sid).update(url="https://host/document")
    assert call.replaced_by == [
        {"twiml": "<Response><Hangup/></Response>", "url": ""},
        {"twiml": "", "url": "https://host/document"},
    ]
    for wrong in ({"twiml": "x" * 4001}, {"status": "ringing"}):
        with pytest.raises(TwilioRestException) as refused:
            client.calls(call.call_sid).update(**wrong)
        assert refused.value.status == 400


def test_calls_are_listed_in_pages_newest_first(rest, client):
    for number in range(7):
        rest.add_call(Call(call_sid=f"CA{number:032d}", started_at=NOON + timedelta(minutes=number)))
    rest.add_call(Call(call_sid="CA" + "f" * 32, to_number="+12025550101"))

    listed = client.calls.list(
        to="+12025550100", start_time_after=NOON + timedelta(minutes=2), page_size=2, limit=100
    )
    assert [call.sid[-1] for call in listed] == ["6", "5", "4", "3", "2"]
    assert listed[0].start_time == NOON + timedelta(minutes=6)
    assert (listed[0].from_formatted, listed[0]._from) == (None, "+12025550143")
    assert client.calls("CA" + "f" * 32).fetch().to == "+12025550101"


def test_a_recording_is_listed_fetched_when_ready_and_deleted(rest, client):
    sound = tone(440, 1500)
    recording = Recording("CA" + "1" * 32, sound, 2)
    url = rest.add_recording(recording)
    rest.add_recording(Recording("CA" + "2" * 32, sound, 2))

    [listed] = client.calls(recording.call_sid).recordings.list()
    assert (listed.sid, listed.status, listed.duration, listed.channels) == (
        recording.sid,
        "processing",
        "2",
        1,
    )
    assert [other.sid for other in client.recordings.list(call_sid=recording.call_sid)] == [recording.sid]
    assert len(client.recordings.list()) == 2
    assert requests.get(f"{url}.wav", auth=(ACCOUNT, TOKEN), timeout=5).status_code == 404
    recording.ready = True
    answer = requests.get(f"{url}.wav", auth=(ACCOUNT, TOKEN), timeout=5)
    with wave.open(BytesIO(answer.content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.readframes(file.getnframes()) == decode_ulaw(sound).tobytes()
    assert client.recordings(recording.sid).fetch().status == "completed"
    assert client.recordings(recording.sid).delete()
    assert requests.get(f"{url}.wav", auth=(ACCOUNT, TOKEN), timeout=5).status_code == 404
    assert recording.deleted


def test_media_may_be_late_even_when_the_recording_is_complete(rest):
    recording = Recording("CA" + "1" * 32, tone(440, 100), 1, ready=True)
    url = rest.add_recording(recording)

    answers = [requests.get(url, auth=(ACCOUNT, TOKEN), timeout=5).status_code for _ in range(2)]
    assert answers == [404, 200]


def test_nothing_without_the_right_login(rest):
    url = f"{rest.url}/2010-04-01/Accounts/{ACCOUNT}/Calls.json"

    assert requests.get(url, timeout=5).status_code == 401
    assert requests.get(url, auth=(ACCOUNT, "guess"), timeout=5).json()["code"] == 20003
    other = url.replace(ACCOUNT, "AC" + "9" * 32)
    assert requests.get(other, auth=(ACCOUNT, TOKEN), timeout=5).status_code == 404
