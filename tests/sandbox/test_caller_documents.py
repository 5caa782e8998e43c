"""TwiML is read as Twilio reads it, and what it would complain about is a complaint."""

import pytest
from twilio.twiml.voice_response import Connect, Dial, Gather, VoiceResponse

from assistant.sandbox.caller.documents import read_document


def codes(text: str) -> list[int]:
    return [complaint.code for complaint in read_document(f"<Response>{text}</Response>")[1]]


def test_the_documents_this_program_needs_are_without_complaint():
    response = VoiceResponse()
    connect = Connect()
    connect.stream(url="wss://host/voice/stream").parameter(name="token", value="x" * 40)
    response.append(connect)
    response.say("Sorry. Please leave a message.")
    response.record(
        max_length=180,
        timeout=8,
        action="https://host/voice/recorded",
        recording_status_callback="https://host/voice/recording#rc=2&rp=ct,rt,5xx",
    )
    response.hangup()

    verbs, complaints = read_document(str(response))
    assert complaints == []
    assert [verb.name for verb in verbs] == ["Connect", "Say", "Record", "Hangup"]
    assert verbs[0].children[0].children[0].attributes == {"name": "token", "value": "x" * 40}
    assert verbs[2].number("timeout", 5) == 8


def test_ringing_the_owner_with_screening_is_without_complaint():
    response = VoiceResponse()
    dial = Dial(answer_on_bridge=True, action="https://host/a", timeout=15, caller_id="+12025550100")
    dial.number("+12025550101", url="https://host/voice/screen")
    response.append(dial)
    screen = VoiceResponse()
    gather = Gather(
        input="dtmf", num_digits=1, timeout=8, action="https://host/b", action_on_empty_result=True
    )
    gather.say("Press 1.")
    screen.append(gather)
    screen.hangup()

    for document in (response, screen):
        verbs, complaints = read_document(str(document))
        assert complaints == []
        assert verbs[0].children
    assert read_document(str(response))[0][0].is_true("answerOnBridge")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<Answer/>", 12200),
        ('<Say voise="x">Hello</Say>', 12200),
        ("<hangup/>", 12200),
        ("<Say></Say>", 13521),
        ('<Dial timeout="soon" action="https://h/">+12</Dial>', 12200),
        ("<Dial><Number>12 34</Number></Dial>", 12200),
        ("<Connect/>", 12200),
        ('<Connect><Stream url="https://host/s"/></Connect>', 31922),
        ('<Connect><Stream url="ws://host/s"/></Connect>', 31922),
        ('<Connect><Stream url="wss://host/s?token=1"/></Connect>', 31923),
        ('<Connect><Stream url="wss://host/s" track="both_tracks"/></Connect>', 31941),
        (
            f'<Connect><Stream url="wss://h/s"><Parameter name="a" value="{500 * "x"}"/></Stream></Connect>',
            12200,
        ),
        ('<Record action="/voice/recorded"/>', 0),
        ("<Record/>", 0),
        ("<Redirect>/voice/incoming</Redirect>", 0),
        ("<Hangup/><Say>Nobody hears this</Say>", 0),
        ("<Pause/><Reject/>", 0),
    ],
)
def test_each_mistake_has_its_complaint(text, code):
    assert codes(text) == [code]


def test_what_is_no_document_has_no_verbs():
    assert codes("<Say>\x07</Say>") == [12100]
    assert read_document("<Answer/>")[1][0].code == 12100
    assert read_document("<Response/>", "application/json")[1][0].code == 12300
    assert read_document("<Response/>", "text/xml; charset=utf-8") == ([], [])


def test_ssml_inside_a_spoken_text_is_part_of_it():
    verbs, complaints = read_document('<Response><Say>One <break time="1s"/> two</Say></Response>')
    assert complaints == []
    assert verbs[0].text == "One  two"
