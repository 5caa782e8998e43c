"""What each TwiML verb does on the simulated line.

Every function takes the leg and the verb and returns the document to go on with, or None for the next verb.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import format_datetime

from websockets.sync.client import ClientConnection

from assistant.audio import duration_ms
from assistant.sandbox.caller.documents import Verb
from assistant.sandbox.caller.far_ends import Keypad, Quiet, Recorder, Voice
from assistant.sandbox.caller.leg import Document, Leg, Perform
from assistant.sandbox.caller.line import MediaStream, StreamRefused, open_socket
from assistant.sandbox.caller.owner import ring_owner
from assistant.sandbox.caller.twilio_rest import Recording

ALL_KEYS = "1234567890*#"


def say(leg: Leg, verb: Verb) -> Document | None:
    """Read a text out."""
    leg.answer()
    leg.note(f"a voice says: {verb.text}")
    leg.stay_with(Voice(verb.text))
    return None


def play(leg: Leg, verb: Verb) -> Document | None:
    """Play a file: its length is not known here, a second stands for it."""
    leg.answer()
    leg.note(f"plays {verb.text or verb.attributes.get('digits', '')}")
    leg.stay_with(Quiet(1000))
    return None


def pause(leg: Leg, verb: Verb) -> Document | None:
    """Wait."""
    leg.stay_with(Quiet(verb.number("length", 1) * 1000))
    return None


def redirect(leg: Leg, verb: Verb) -> Document | None:
    """Go on with another document."""
    return leg.fetch(leg.absolute(verb.text))


def reject(leg: Leg, verb: Verb) -> Document | None:
    """Refuse the call unanswered; too late when it has been answered."""
    reason = verb.attributes.get("reason", "rejected")
    leg.note(f"the call is rejected ({reason})")
    leg.hang_up(status="busy" if reason == "busy" else "no-answer")
    return None


def hang_up(leg: Leg, verb: Verb) -> Document | None:
    """End the call."""
    leg.answer()
    leg.note("the telephone company hangs up")
    leg.hang_up()
    return None


def gather(leg: Leg, verb: Verb) -> Document | None:
    """Collect keys while reading out what is inside."""
    leg.answer()
    text = " ".join(child.text for child in verb.children if child.name == "Say")
    if text:
        leg.note(f"a voice says: {text}")
    keypad = Keypad(
        text,
        timeout_ms=verb.number("timeout", 5) * 1000,
        most=verb.number("numDigits", 1000),
        finish=verb.attributes.get("finishOnKey", "#"),
    )
    leg.stay_with(keypad)
    if leg.disturbed or not (keypad.keys or keypad.finished_by or verb.is_true("actionOnEmptyResult")):
        return None
    finished = {"FinishedOnKey": keypad.finished_by} if keypad.finished_by else {}
    return leg.action(verb, Digits=keypad.keys, **finished)


def record(leg: Leg, verb: Verb) -> Document | None:
    """Take a voicemail. When nothing was said the next verb follows, as if this one were not there."""
    leg.answer()
    leg.note("recording a voicemail")
    recorder = Recorder(
        beep=verb.is_true("playBeep", default=True),
        timeout_ms=verb.number("timeout", 5) * 1000,
        most_ms=verb.number("maxLength", 3600) * 1000,
        finish=verb.attributes.get("finishOnKey", ALL_KEYS),
        on_tone=leg.handset.beep,
    )
    leg.stay_with(recorder)
    if not recorder.payload:
        leg.note("nothing was recorded")
        return None
    kept = Recording(leg.call_sid, recorder.payload, math.ceil(duration_ms(recorder.payload) / 1000))
    url = leg.network.rest.add_recording(kept)
    _file_will_be_ready(leg, verb, kept, url)
    digits = "hangup" if leg.handset.hung_up else recorder.finished_by
    return leg.action(
        verb, RecordingSid=kept.sid, RecordingUrl=url, RecordingDuration=str(kept.seconds), Digits=digits
    )


def _file_will_be_ready(leg: Leg, verb: Verb, kept: Recording, url: str) -> None:
    """A moment later the file is there, and the app is told."""
    fields = {
        "AccountSid": leg.network.account_sid,
        "CallSid": leg.call_sid,
        "RecordingSid": kept.sid,
        "RecordingUrl": url,
        "RecordingStatus": "completed",
        "RecordingDuration": str(kept.seconds),
        "RecordingChannels": "1",
        "RecordingStartTime": format_datetime(kept.made_at.astimezone(UTC)),
        "RecordingSource": "RecordVerb",
        "RecordingTrack": "inbound",
        "ErrorCode": "0",
        **leg.network.sandbox_fields(),
    }
    callback = verb.attributes.get("recordingStatusCallback")
    leg.network.recording_ready(kept, leg.absolute(callback) if callback else "", fields)


def connect(leg: Leg, verb: Verb) -> Document | None:
    """Connect the caller to the app's WebSocket, until one of the two has enough."""
    leg.answer()
    noun = next((child for child in verb.children if child.name == "Stream"), None)
    if noun is None:
        return None
    url = noun.attributes.get("url", "")
    try:
        socket = open_socket(url, leg.network.webhooks.sign(url))
    except StreamRefused as refused:
        leg.complain(refused.code, str(refused))
        return leg.action(verb)
    with socket:
        _talk(leg, socket, noun)
    return None if leg.disturbed else leg.action(verb)


def _talk(leg: Leg, socket: ClientConnection, noun: Verb) -> None:
    stream = MediaStream(socket, account_sid=leg.network.account_sid, call_sid=leg.call_sid)
    leg.streams.append(stream)
    stream.start(
        {child.attributes.get("name", ""): child.attributes.get("value", "") for child in noun.children}
    )
    leg.note("the assistant's line is open")
    leg.handset.connect(stream)
    stream.run(lambda: leg.disturbed)
    leg.handset.disconnect()
    for complaint in stream.complaints:
        leg.complain(complaint.code, complaint.text)
    if stream.close_code is not None:
        leg.note(f"the assistant's line was closed ({stream.close_code} {stream.close_reason}".rstrip() + ")")


def dial(leg: Leg, verb: Verb) -> Document | None:
    """Ring the owner's phone; screened, it counts as connected only when the screening lets it."""
    if not verb.is_true("answerOnBridge"):
        leg.answer()
    outcome = ring_owner(leg, verb, OWNERS_SIDE)
    leg.note(f"the owner's phone: {outcome.words}")
    return leg.action(
        verb,
        DialCallStatus=outcome.status,
        DialCallSid=outcome.call_sid,
        DialCallDuration=str(outcome.seconds),
        DialBridged="true" if outcome.bridged else "false",
    )


OWNERS_SIDE: Mapping[str, Perform] = {"Say": say, "Play": play, "Gather": gather, "Hangup": hang_up}
VERBS: Mapping[str, Perform] = {
    **OWNERS_SIDE,
    "Pause": pause,
    "Redirect": redirect,
    "Reject": reject,
    "Record": record,
    "Connect": connect,
    "Dial": dial,
}
