"""Whole calls of the simulated caller against a tiny app, over real sockets."""

from __future__ import annotations

import base64
import threading
from contextlib import contextmanager, suppress

import pytest
import requests
from websockets.exceptions import ConnectionClosed

from assistant.audio import level
from assistant.sandbox.caller import CallRecord, CallReport, SandboxCaller
from assistant.sandbox.caller.far_ends import key_tone, tone
from assistant.sandbox.caller.script import read_scenario
from assistant.sandbox.lines import shipped
from tests.sandbox.fake_app import ACCOUNT, TOKEN, FakeApp, Stream

WAIT_FOR_END = [{"hear": "end", "within_s": 60}]
VOICEMAIL = (
    "<Say>Please leave a message.</Say>"
    '<Record maxLength="180" timeout="8" action="{url}/voice/recorded" '
    'recordingStatusCallback="{url}/voice/recording#rc=2&amp;rp=ct,rt,5xx"/><Hangup/>'
)


@pytest.fixture
def app():
    with FakeApp().running() as running:
        yield running


def caller_of(app: FakeApp, steps: list, **options) -> SandboxCaller:
    caller = options.pop("caller", {}) | {"steps": steps}
    table = {"caller": [caller], "time_limit_s": options.pop("time_limit_s", 30.0)}
    scenario = read_scenario("trial", table | options.pop("more", {}))
    return SandboxCaller(app.url, ACCOUNT, TOKEN, scenario, hurry=40, recording_ready_s=0.02, **options)


def ring(app: FakeApp, steps: list, **options) -> CallRecord:
    """Play the steps; the call must be without problems of its own."""
    report = caller_of(app, steps, **options).run()
    assert report.problems == ()
    return report.call


def document(*verbs: str) -> str:
    return f"<Response>{''.join(verbs)}</Response>"


# --- documents -------------------------------------------------------------------


def test_the_first_webhook_says_what_twilio_says(app):
    app.documents["/voice/incoming"] = document("<Reject/>")

    call = ring(app, WAIT_FOR_END, caller={"forwarded_from": "owner"})
    form = app.forms_to("/voice/incoming")[0]
    assert form["CallSid"] == call.call_sid
    assert (form["AccountSid"], form["ApiVersion"], form["Direction"]) == (ACCOUNT, "2010-04-01", "inbound")
    assert (form["CallStatus"], form["To"], form["ForwardedFrom"]) == (
        "ringing",
        "+12025550100",
        "+12025550101",
    )
    assert form["From"] == form["Caller"] == call.from_number
    assert form["FromCity"] == ""
    assert form["SandboxScenario"] == "trial"
    assert form["SandboxApiUrl"].startswith("http://127.0.0.1:")


def test_a_rejected_call_is_never_answered(app):
    app.documents["/voice/incoming"] = document('<Reject reason="busy"/>')

    call = ring(app, WAIT_FOR_END)
    last = app.wait_for("/voice/status")
    assert (call.status, call.duration_s, call.ended_by) == ("busy", 0, "document")
    assert (last["CallStatus"], last["CallDuration"], last["SequenceNumber"]) == ("busy", "0", "0")


def test_verbs_run_in_order_and_the_end_of_a_document_ends_the_call(app):
    app.documents["/voice/incoming"] = document(
        "<Say>Hello there.</Say><Pause/>", f"<Redirect>{app.url}/second</Redirect>"
    )
    app.documents["/second"] = document("<Say>Goodbye.</Say>")

    call = ring(app, WAIT_FOR_END)
    assert call.verbs == ("Say", "Pause", "Redirect", "Say")
    assert (call.ended_by, call.status) == ("end of document", "completed")
    assert app.wait_for("/voice/status")["CallStatus"] == "completed"


def test_an_answer_nobody_can_follow_is_a_complaint(app):
    app.statuses["/voice/incoming"] = [500]
    assert [str(line)[:6] for line in ring(app, WAIT_FOR_END).complaints] == ["11200:"]
    app.documents["/voice/incoming"] = "<Response><Say>open"
    assert [line.code for line in ring(app, WAIT_FOR_END).complaints] == [12100]
    app.documents["/voice/incoming"] = document("<Say loud='yes'>Hello</Say><Sing/>")
    assert [line.code for line in ring(app, WAIT_FOR_END).complaints] == [12200, 12200, 12200]


def test_documents_in_a_circle_come_to_an_end(app):
    app.documents["/voice/incoming"] = document(f"<Redirect>{app.url}/voice/incoming</Redirect>")

    assert ring(app, WAIT_FOR_END).ended_by == "trouble"


def test_keys_are_collected_while_the_question_is_read(app):
    question = "<Say>Press a key, or two, or three.</Say>"
    app.documents["/voice/incoming"] = document(
        f'<Gather numDigits="3" action="{app.url}/keys">{question}</Gather>',
        "<Say>Nothing was pressed.</Say>",
    )
    app.documents["/keys"] = document("<Hangup/>")

    ring(app, [{"be_quiet_ms": 500}, {"press": "12#"}, *WAIT_FOR_END])
    assert app.forms_to("/keys")[0]["Digits"] == "12"
    assert app.forms_to("/keys")[0]["FinishedOnKey"] == "#"
    assert ring(app, WAIT_FOR_END).verbs == ("Gather", "Say")


# --- voicemail -------------------------------------------------------------------


def test_a_voicemail_is_recorded_announced_fetched_and_deleted(app):
    app.documents["/voice/incoming"] = document(VOICEMAIL.format(url=app.url))
    app.documents["/voice/recorded"] = document("<Say>Thank you.</Say><Hangup/>")
    app.statuses["/voice/recording"] = [503]
    recorded = threading.Thread(target=fetch_and_delete, args=(app,))
    recorded.start()

    call = ring(app, [{"hear": "tone"}, {"say": "message-1"}, *WAIT_FOR_END])
    recorded.join()
    [recording] = call.recordings
    action, ready = app.forms_to("/voice/recorded")[0], app.forms_to("/voice/recording")
    assert call.verbs == ("Say", "Record", "Say", "Hangup")
    assert (action["RecordingSid"], action["Digits"]) == (recording.sid, "")
    assert int(action["RecordingDuration"]) == pytest.approx(len(recording.payload) / 8000, abs=1)
    assert recording.payload.count(shipped()["message-1"].payload[2000:4000]) == 1
    assert [form["RecordingStatus"] for form in ready] == ["completed", "completed"]  # once more after 503
    assert recording.deleted


def fetch_and_delete(app: FakeApp) -> None:
    with app.changed:
        assert app.changed.wait_for(lambda: len(app.forms_to("/voice/recording")) == 2, 20)
    url = app.forms_to("/voice/recording")[0]["RecordingUrl"]
    while requests.get(f"{url}.wav", auth=(ACCOUNT, TOKEN), timeout=5).status_code == 404:
        pass
    assert requests.delete(f"{url}.json", auth=(ACCOUNT, TOKEN), timeout=5).status_code == 204


def test_a_caller_who_hangs_up_has_left_a_voicemail_all_the_same(app, monkeypatch):
    monkeypatch.setattr("assistant.sandbox.caller.caller.RECORDINGS_WAIT_S", 0.1)
    app.documents["/voice/incoming"] = document(VOICEMAIL.format(url=app.url))

    call = ring(app, [{"hear": "tone"}, {"say": "hello"}, {"hang_up": True}])
    form = app.forms_to("/voice/recorded")[0]
    assert (form["Digits"], form["CallStatus"]) == ("hangup", "completed")
    assert call.ended_by == "caller"
    assert not call.recordings[0].deleted


def test_nothing_said_is_no_recording_and_the_next_verb_follows(app):
    app.documents["/voice/incoming"] = document(VOICEMAIL.format(url=app.url))

    call = ring(app, WAIT_FOR_END)
    assert call.verbs == ("Say", "Record", "Hangup")
    assert call.recordings == ()
    assert app.forms_to("/voice/recorded") == []


# --- the owner's phone -----------------------------------------------------------


def dialling(app: FakeApp) -> None:
    app.documents["/voice/incoming"] = document(
        f'<Dial answerOnBridge="true" timeout="5" action="{app.url}/voice/after-dial">'
        f'<Number url="{app.url}/voice/screen">+12025550101</Number></Dial>'
    )
    app.documents["/voice/screen"] = document(
        f'<Gather numDigits="1" timeout="4" actionOnEmptyResult="true" action="{app.url}/voice/screened">'
        "<Say>Call for you. Press 1 to take it.</Say></Gather><Hangup/>"
    )
    app.documents["/voice/screened"] = lambda form: document("" if form["Digits"] == "1" else "<Hangup/>")


@pytest.mark.parametrize(
    ("kind", "status", "bridged", "digits"),
    [
        ("presses-1", "completed", "true", ["1"]),
        ("voicemail", "completed", "false", [""]),
        ("hangs-up", "completed", "false", []),
        ("no-answer", "no-answer", "false", []),
        ("busy", "busy", "false", []),
    ],
)
def test_the_owners_phone(app, kind, status, bridged, digits):
    dialling(app)

    call = ring(app, WAIT_FOR_END, more={"owner": {"kind": kind}})
    form = app.forms_to("/voice/after-dial")[0]
    assert (form["DialCallStatus"], form["DialBridged"]) == (status, bridged)
    assert [form["Digits"] for form in app.forms_to("/voice/screened")] == digits
    for screen in app.forms_to("/voice/screen"):
        assert screen["ParentCallSid"] == call.call_sid
        assert (screen["CallSid"], screen["Direction"]) == (form["DialCallSid"], "outbound-dial")
    assert call.status == ("completed" if bridged == "true" else "no-answer")


def test_a_caller_who_does_not_wait_for_the_owner(app):
    dialling(app)

    call = ring(app, [{"be_quiet_ms": 2000}, {"hang_up": True}])
    form = app.forms_to("/voice/after-dial")[0]
    assert (form["CallStatus"], form["DialCallStatus"]) == ("completed", "canceled")
    assert (call.ended_by, call.status) == ("caller", "no-answer")


# --- the media stream ------------------------------------------------------------


def until_closed(stream: Stream) -> None:
    with suppress(ConnectionClosed):
        while True:
            stream.read()


def test_the_stream_speaks_twilios_format_in_real_time(app):
    streams: list[Stream] = []

    def talk(stream: Stream) -> None:
        streams.append(stream)
        for _ in range(50):
            stream.read("media")
        stream.socket.close(1000, "enough")

    app.talk = talk
    app.documents["/voice/incoming"] = app.assistant(then="<Hangup/>")
    call = ring(app, [{"be_quiet_ms": 200}, {"press": "5"}, *WAIT_FOR_END])

    [stream] = streams
    assert stream.start["start"] == {
        "accountSid": ACCOUNT,
        "streamSid": stream.stream_sid,
        "callSid": call.call_sid,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "t-1"},
    }
    numbered = [message for message in stream.messages if message["event"] != "connected"]
    assert [message["sequenceNumber"] for message in numbered] == [str(n + 1) for n in range(len(numbered))]
    media = [message["media"] for message in stream.messages if message["event"] == "media"]
    assert [piece["chunk"] for piece in media] == [str(n + 1) for n in range(50)]
    assert [piece["timestamp"] for piece in media] == [str(n * 20) for n in range(50)]
    assert all(len(base64.b64decode(piece["payload"])) == 160 for piece in media)
    [key] = [message["dtmf"] for message in stream.messages if message["event"] == "dtmf"]
    assert key == {"track": "inbound_track", "digit": "5"}
    assert call.verbs == ("Connect", "Hangup")
    assert (call.streams[0].close_code, call.streams[0].close_reason) == (1000, "enough")


def test_the_caller_is_heard_and_hears(app):
    heard: list[bytes] = []

    def talk(stream: Stream) -> None:
        stream.play(tone(300, 500))
        stream.mark("asked")
        stream.read("mark")
        while len(heard) < 200:
            heard.append(base64.b64decode(stream.read("media")["media"]["payload"]))
            if level(b"".join(heard[-15:])) < 100 and max(map(level, heard)) > 1000:
                break
        stream.play(tone(300, 300))
        stream.mark("answered")
        stream.read("mark")

    app.talk = talk
    app.documents["/voice/incoming"] = app.assistant(then="<Hangup/>")
    call = ring(app, [{"hear": "reply", "quiet_ms": 200}, {"say": "hello"}, *WAIT_FOR_END])

    assert shipped()["hello"].payload in b"".join(heard)
    assert [round(stretch.played_ms) for stretch in call.heard] == [500, 300]
    assert [spoken.line_id for spoken in call.spoken] == ["hello"]


def test_what_the_phone_played_until_a_clear_is_known_exactly(app):
    marks: list[str] = []

    def talk(stream: Stream) -> None:
        for number in range(5):
            stream.play(tone(300, 200))
            stream.mark(f"m{number}")
        marks.append(stream.read("mark")["mark"]["name"])
        marks.append(stream.read("mark")["mark"]["name"])
        stream.clear()
        marks.extend(stream.read("mark")["mark"]["name"] for _ in range(3))

    app.talk = talk
    app.documents["/voice/incoming"] = app.assistant(then="<Hangup/>")
    call = ring(app, WAIT_FOR_END)

    assert marks == ["m0", "m1", "m2", "m3", "m4"]
    playout = call.streams[0].playout
    assert [mark.by_clear for mark in playout.marks] == [False, False, True, True, True]
    [stretch] = call.heard
    assert stretch.cut
    assert 400 <= stretch.played_ms < 1000
    assert playout.heard_ms_since_mark("m1") == pytest.approx(stretch.played_ms - 400)


def test_a_caller_interrupts_in_the_middle_of_a_reply(app):
    def talk(stream: Stream) -> None:
        stream.play(tone(300, 5000))
        while level(base64.b64decode(stream.read("media")["media"]["payload"])) < 500:
            pass
        stream.clear()
        until_closed(stream)

    app.talk = talk
    app.documents["/voice/incoming"] = app.assistant()
    call = ring(app, [{"interrupt": "interrupt", "after_ms": 600}, {"hang_up": True}])

    [stretch] = call.heard
    assert stretch.cut
    assert 600 <= stretch.played_ms < 1500


def test_hanging_up_stops_the_stream_before_it_is_closed(app):
    streams: list[Stream] = []

    def talk(stream: Stream) -> None:
        streams.append(stream)
        until_closed(stream)

    app.talk = talk
    app.documents["/voice/incoming"] = app.assistant(then="<Say>Nobody hears this.</Say>")
    call = ring(app, [{"be_quiet_ms": 300}, {"hang_up": True}])

    last = streams[0].messages[-1]
    assert (last["event"], last["stop"]) == ("stop", {"accountSid": ACCOUNT, "callSid": call.call_sid})
    assert (call.verbs, call.ended_by) == (("Connect",), "caller")
    assert app.wait_for("/voice/status")["CallStatus"] == "completed"


@contextmanager
def rest_call(form, data):
    url = f"{form['SandboxApiUrl']}/2010-04-01/Accounts/{ACCOUNT}/Calls/{form['CallSid']}.json"
    yield requests.post(url, data=data, auth=(ACCOUNT, TOKEN), timeout=5)


def test_the_app_hangs_up_over_rest(app):
    def talk(stream: Stream) -> None:
        form = app.forms_to("/voice/incoming")[0]
        with rest_call(form, {"Status": "completed"}) as answer:
            assert answer.json()["sid"] == form["CallSid"]
        until_closed(stream)
        assert stream.messages[-1]["event"] == "stop"

    app.talk = talk
    app.documents["/voice/incoming"] = app.assistant(then="<Say>Nobody hears this.</Say>")
    call = ring(app, WAIT_FOR_END)

    assert (call.verbs, call.ended_by, call.status) == (("Connect",), "app", "completed")


def test_the_app_gives_the_call_another_document(app):
    def talk(stream: Stream) -> None:
        transfer = document(f'<Dial action="{app.url}/voice/after-dial"><Number>+12025550101</Number></Dial>')
        with rest_call(app.forms_to("/voice/incoming")[0], {"Twiml": transfer}) as answer:
            assert answer.status_code == 200
        until_closed(stream)

    app.talk = talk
    app.documents["/voice/incoming"] = app.assistant(then="<Say>Nobody hears this.</Say>")
    app.documents["/voice/after-dial"] = document("<Hangup/>")
    call = ring(app, WAIT_FOR_END, more={"owner": {"kind": "presses-1"}})

    assert call.verbs == ("Connect", "Dial", "Hangup")
    assert app.forms_to("/voice/after-dial")[0]["DialBridged"] == "true"


def test_a_stream_that_is_refused_leaves_the_caller_to_the_next_verb(app):
    app.refuse_stream = True
    app.documents["/voice/incoming"] = app.assistant(then="<Say>Sorry.</Say>")

    call = ring(app, WAIT_FOR_END)
    assert call.verbs == ("Connect", "Say")
    assert [line.code for line in call.complaints] == [31920]


def test_wrong_messages_are_complaints(app):
    def talk(stream: Stream) -> None:
        stream.socket.send(b"{}")
        stream.socket.send("{")
        stream.socket.send('{"event":"clear","streamSid":"MZ0"}')
        stream.send("mark", mark={})
        stream.send("media", media={"payload": "no base64!"})
        stream.send("dance")
        stream.mark("done")
        stream.read("mark")

    app.talk = talk
    app.documents["/voice/incoming"] = app.assistant(then="<Hangup/>")
    call = ring(app, WAIT_FOR_END)

    assert [line.code for line in call.complaints] == [31950, 31950, 31951, 31951, 31951, 31951]


# --- the script ------------------------------------------------------------------


def test_what_does_not_come_is_a_problem_and_the_caller_hangs_up(app):
    app.talk = until_closed
    app.documents["/voice/incoming"] = app.assistant()

    call = caller_of(app, [{"hear": "reply", "within_s": 0.3}, {"say": "hello"}]).run().call
    assert call.problems == ("hear reply: nobody spoke, or nobody stopped speaking within 0.3 s",)
    assert call.ended_by == "caller"


def test_a_key_pressed_aloud_sounds_before_it_is_told_and_after(app):
    def talk(stream: Stream) -> None:
        for _ in "1#":
            stream.read("dtmf")
        for _ in range(10):
            stream.read("media")
        streams.append(stream)

    streams: list[Stream] = []
    app.talk = talk
    app.documents["/voice/incoming"] = app.assistant(then="<Hangup/>")
    call = ring(app, [{"be_quiet_ms": 100}, {"press": "1#", "aloud": True}, *WAIT_FOR_END])

    assert call.streams[0].keys == "1#"
    before, between, after = pressed(streams[0])
    one, hash_ = key_tone("1", 100), key_tone("#", 100)
    assert before.endswith(one[:320])
    assert one[320:] in between
    assert between.endswith(hash_[:320])
    assert hash_[320:] in after


def pressed(stream: Stream) -> list[bytes]:
    """The caller's sound until the first key was told, until the second, and so on."""
    parts = [b""]
    for message in stream.messages:
        if message["event"] == "dtmf":
            parts.append(b"")
        elif message["event"] == "media":
            parts[-1] += base64.b64decode(message["media"]["payload"])
    return parts


def test_a_call_that_ends_too_early_is_a_problem(app):
    app.documents["/voice/incoming"] = document("<Hangup/>")

    assert ring(app, [{"hear": "reply"}, {"say": "hello"}]).problems == (
        "the call was over before: hear reply",
    )


def test_no_scenario_takes_longer_than_it_may(app):
    app.talk = until_closed
    app.documents["/voice/incoming"] = app.assistant()

    report: CallReport = caller_of(app, WAIT_FOR_END, time_limit_s=0.4).run()
    assert report.problems == ("it took longer than 0.4 s",)
    assert report.call.ended_by == "caller"
