"""The documents of DESIGN 3, verb by verb."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.telephony import twiml


def url(path: str) -> str:
    return "https://phone.example" + path


def read(document: str) -> ElementTree.Element:
    response = ElementTree.fromstring(document.encode())
    assert response.tag == "Response"
    return response


def verbs(document: str) -> list[str]:
    return [verb.tag for verb in read(document)]


def assistants_document(token: str = "tok") -> ElementTree.Element:
    return read(twiml.assistant(url, stream_url="wss://phone.example/voice/stream", token=token))


def test_the_assistant_is_followed_by_the_apology_and_the_tone():
    connect, say, record, hangup = assistants_document()

    assert [connect.tag, say.tag, record.tag, hangup.tag] == ["Connect", "Say", "Record", "Hangup"]
    assert connect.attrib == {}  # an action would be asked of a program that may be gone
    (stream,) = connect
    assert stream.attrib == {"url": "wss://phone.example/voice/stream"}
    assert [parameter.attrib for parameter in stream] == [{"name": "token", "value": "tok"}]
    assert say.text == twiml.APOLOGY
    assert record.attrib == {
        "action": "https://phone.example/voice/recorded",
        "maxLength": "180",
        "timeout": "8",
        "recordingStatusCallback": "https://phone.example/voice/recording#rc=2&rp=ct,rt,5xx",
    }


def test_plain_voicemail_is_the_same_without_the_assistant():
    say, record, hangup = read(twiml.voicemail(url, owner_name="Ana"))

    assert [say.tag, record.tag, hangup.tag] == ["Say", "Record", "Hangup"]
    assert "Ana" in (say.text or "")
    assert record.attrib == assistants_document()[2].attrib


def test_the_owners_phone_rings_first():
    (dial,) = read(twiml.ring_owner(url, owner_phone="+12025550101", ring_seconds=15))
    (number,) = dial

    assert dial.attrib == {
        "action": "https://phone.example/voice/after-dial",
        "answerOnBridge": "true",
        "timeout": "15",
    }
    assert number.text == "+12025550101"
    assert number.attrib == {"url": "https://phone.example/voice/screen"}


def test_a_caller_id_that_cannot_be_shown_is_replaced():
    document = twiml.ring_owner(url, owner_phone="+12025550101", ring_seconds=15, caller_id="+12025550100")

    assert read(document)[0].get("callerId") == "+12025550100"


def test_the_owner_is_asked_for_a_key():
    gather, hangup = read(twiml.screen(url))

    assert gather.attrib == {
        "action": "https://phone.example/voice/screened",
        "actionOnEmptyResult": "true",
        "input": "dtmf",
        "numDigits": "1",
        "timeout": "8",
    }
    assert [child.tag for child in gather] == ["Say"]
    assert hangup.tag == "Hangup"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (twiml.thanks(), ["Say", "Hangup"]),
        (twiml.reject(), ["Reject"]),
        (twiml.reject(busy=True), ["Reject"]),
        (twiml.hang_up(), ["Hangup"]),
        (twiml.empty(), []),
    ],
)
def test_the_short_documents(document: str, expected: list[str]):
    assert verbs(document) == expected


def test_a_loop_is_told_that_we_are_busy():
    assert read(twiml.reject(busy=True))[0].attrib == {"reason": "busy"}
    assert read(twiml.reject())[0].attrib == {}


def test_english_is_spoken_whatever_the_language():
    """The texts are English; another language's voice would not be understood."""
    assert read(twiml.voicemail(url, language="en-gb"))[0].get("language") == "en-GB"
    assert read(twiml.voicemail(url, language="de"))[0].get("language") == "en-US"


@given(st.text())
def test_any_text_makes_a_document_that_parses(text: str):
    spoken = read(twiml.voicemail(url, owner_name=text))[0].text or ""

    for character in spoken:
        assert character in "\t\n\r" or character >= " "
    if text.isalnum():
        assert text in spoken
