"""The media stream's messages, as Twilio's page shows them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.call.commands import ClearPlayback, PlaceMark, Play
from assistant.call.events import CallerAudio, CallerGone, CallerPressed, Event, MarkReturned
from assistant.telephony.streams import MalformedMessage, StreamStart, read, write

CALL, STREAM, ACCOUNT = "CA" + "1" * 32, "MZ" + "2" * 32, "AC" + "3" * 32
SOUND = base64.b64encode(b"\xff\x00" * 80).decode()


def start(**changes: Any) -> dict[str, Any]:
    inner = {
        "accountSid": ACCOUNT,
        "streamSid": STREAM,
        "callSid": CALL,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "tok"},
    }
    return {"event": "start", "sequenceNumber": "1", "streamSid": STREAM, "start": {**inner, **changes}}


def media(**changes: Any) -> dict[str, Any]:
    inner = {"track": "inbound", "chunk": "2", "timestamp": "5", "payload": SOUND}
    return {"event": "media", "sequenceNumber": "4", "streamSid": STREAM, "media": {**inner, **changes}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"event": "connected", "protocol": "Call", "version": "1.0.0"}, None),
        (start(), StreamStart(CALL, STREAM, ACCOUNT, {"token": "tok"})),
        (start(customParameters={}), StreamStart(CALL, STREAM, ACCOUNT, {})),
        (start(customParameters=None), StreamStart(CALL, STREAM, ACCOUNT, {})),
        (media(), CallerAudio(b"\xff\x00" * 80, 5, at_ms=7)),
        (media(timestamp=12), CallerAudio(b"\xff\x00" * 80, 12, at_ms=7)),
        (media(track="outbound"), None),
        (media(payload=""), None),
        (
            {"event": "dtmf", "streamSid": STREAM, "dtmf": {"track": "inbound_track", "digit": "1"}},
            CallerPressed("1", at_ms=7),
        ),
        ({"event": "dtmf", "dtmf": {"digit": "#"}}, CallerPressed("#", at_ms=7)),
        ({"event": "mark", "streamSid": STREAM, "mark": {"name": "2:item_7:1200"}},
         MarkReturned("2:item_7:1200", at_ms=7)),
        ({"event": "stop", "stop": {"accountSid": ACCOUNT, "callSid": CALL}},
         CallerGone(hung_up=True, at_ms=7)),
        ({"event": "something new", "more": 1}, None),
    ],
)  # fmt: skip
def test_messages_are_read(message: dict[str, Any], expected: object):
    assert read(json.dumps(message).encode(), 7) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"event": 1}',
        "\udcff",
        '{"event":"media"}',
        '{"event":"mark","mark":{}}',
        '{"event":"dtmf","dtmf":{"digit":"12"}}',
        '{"event":"dtmf","dtmf":{"digit":1}}',
        json.dumps(media(payload="not base64!")),
        json.dumps(media(payload=SOUND + "=")),
        json.dumps(media(payload=7)),
        json.dumps(media(timestamp="-5")),
        json.dumps(media(timestamp="soon")),
        json.dumps(media(timestamp=True)),
        json.dumps(media(timestamp="9" * 40)),
        json.dumps(start(callSid="CA../../x")),
        json.dumps(start(streamSid=None)),
        json.dumps(start(mediaFormat={"encoding": "audio/l16", "sampleRate": 8000, "channels": 1})),
        json.dumps(start(customParameters=["token"])),
    ],
)
def test_what_makes_no_sense_is_malformed(text: str):
    with pytest.raises(MalformedMessage):
        read(text.encode(errors="surrogateescape"), 0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["media", "mark", "dtmf", "start", "stop", "connected"]),
    json_values,
    st.dictionaries(
        st.sampled_from(["payload", "timestamp", "name", "digit", "callSid", "track"]), json_values
    ),
)
def test_no_message_is_worse_than_malformed(event: str, part: Any, fields: dict[str, Any]):
    for inner in (part, fields):
        try:
            read_as = read(json.dumps({"event": event, event: inner}).encode(), 0)
        except MalformedMessage:
            continue
        assert read_as is None or isinstance(read_as, Event | StreamStart)


def test_commands_are_written_as_text_with_the_streams_sid():
    assert [
        json.loads(write(command, STREAM))
        for command in (Play(b"\xff\x00" * 80), PlaceMark("2:item_7:1200"), ClearPlayback())
    ] == [
        {"event": "media", "streamSid": STREAM, "media": {"payload": SOUND}},
        {"event": "mark", "streamSid": STREAM, "mark": {"name": "2:item_7:1200"}},
        {"event": "clear", "streamSid": STREAM},
    ]
