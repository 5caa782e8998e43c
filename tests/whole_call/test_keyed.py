"""With keys: a call through PCM, what the program weighs, and that it keeps its secrets."""

from __future__ import annotations

import re

from assistant.sandbox.caller.expect import reasons_against
from assistant.sandbox.caller.script import known_scenarios
from assistant.sandbox.lines import shipped
from tests.whole_call.contract import breaches
from tests.whole_call.house import OWNER_PHONE, TOKEN, TWILIO_NUMBER
from tests.whole_call.keyed import API_KEY, SECRET_KEY, Keyed
from tests.whole_call.sound import assert_alike, read_recording, voices_heard
from tests.whole_call.stage import Stage

IDLE_MIB = 115
SECRETS = (API_KEY, SECRET_KEY, TOKEN)


def test_a_message_is_left_with_a_model_that_speaks_pcm(keyed: Keyed) -> None:
    report = keyed.report()
    record, kept = report.call, keyed.house.closed(report.call)

    assert report.problems == ()
    assert reasons_against(record, kept) == []
    assert breaches(kept) == []
    recording = read_recording(keyed.house.instance_path / kept["recordings"][0]["file"])
    heard = voices_heard(bytes(record.streams[0].playout.ear))
    assert_alike(recording.assistant, heard, apart_ms=200, length_ms=80)


def test_an_idle_program_is_small(keyed: Keyed) -> None:
    keyed.report()

    assert keyed.idle_mib
    assert max(keyed.idle_mib) <= IDLE_MIB


def test_no_secret_is_in_any_file(keyed: Keyed) -> None:
    keyed.report()
    files = [path for path in keyed.house.instance_path.rglob("*") if path.is_file()]

    assert keyed.house.database in files
    for path in files:
        assert not [secret for secret in SECRETS if secret.encode() in path.read_bytes()], path.name


def test_no_secret_is_on_any_page_or_in_any_document(keyed: Keyed) -> None:
    call = keyed.report().call
    with keyed.house.owner() as get:
        pages = [get(path) for path in ("/", f"/calls/{call.call_sid}", "/no-such-page", "/healthz")]

    assert [page.status_code for page in pages] == [200, 200, 404, 200]
    seen = [text for page in pages for text in (page.text, str(page.headers))] + list(call.documents)
    assert not [secret for secret in SECRETS for text in seen if secret in text]


def test_the_log_has_no_secrets_numbers_or_words(keyed: Keyed) -> None:
    call = keyed.report().call

    assert "POST /voice/incoming 200" in keyed.house.output
    assert told_by(keyed.house.output, SECRETS, [call.from_number]) == []


def test_the_log_of_nine_scenarios_has_no_secrets_numbers_or_words(stage: Stage) -> None:
    calls = [call for name in known_scenarios() for call in stage.report(name).calls]

    assert told_by(stage.house.output, [stage.token], [call.from_number for call in calls]) == []


def told_by(log: str, secrets: list[str] | tuple[str, ...], numbers: list[str]) -> list[str]:
    """What a log should have kept to itself."""
    without_sids = re.sub(r"\b[A-Z]{2}[0-9a-f]{32}\b", "", log)
    digits = [number[-7:] for number in (*numbers, OWNER_PHONE, TWILIO_NUMBER, "+12025550143")]
    words = [line.text for line in shipped().values()]
    names = ["Ana", "boiler", "invoice", "parcel", "neighbours"]
    return [
        *(secret for secret in secrets if secret in log),
        *(digit for digit in digits if digit in without_sids),
        *(text for text in words if text in log),
        *(name for name in names if re.search(rf"\b{name}\b", log, re.IGNORECASE)),
    ]
