"""Twilio, the model and the clock: what others say when they are asked, over real sockets."""

from __future__ import annotations

import http
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.http11 import Response

from assistant import doctor
from assistant.doctor import Patient, examine, model
from assistant.store import calls
from tests.doctor.clinic import PHONE, found, patient, states
from tests.realtime.model_server import Session, model_server
from tests.telephony.far_account import FarAccount
from tests.telephony.far_end import ACCOUNT

OURS = PHONE["PUBLIC_URL"]


@pytest.fixture
def far() -> FarAccount:
    return FarAccount()


@pytest.fixture
def of(tmp_path: Path, far: FarAccount) -> Iterator[Patient]:
    """Somebody whose Twilio is the far account."""
    with far.serving() as url:
        yield patient(tmp_path, **PHONE, TWILIO_API_URL=url)


# --- Twilio --------------------------------------------------------------------


def test_a_number_that_is_set_up_as_the_readme_says_is_green(far: FarAccount, of: Patient):
    far.point_at(OURS)

    assert set(states(of, "Twilio").values()) == {"green"}
    assert list(states(of, "Twilio")) == [
        "Twilio account",
        "Twilio number",
        "Where calls go",
        "When a call is over",
        "Safety net",
        "Twilio balance",
    ]


def test_a_number_that_was_only_bought_is_red_and_the_set_up_mends_it(far: FarAccount, of: Patient):
    checks = found(of, "Twilio")

    assert {name: check.state for name, check in checks.items()} == {
        "Twilio account": "green",
        "Twilio number": "green",
        "Where calls go": "red",
        "When a call is over": "amber",
        "Safety net": "amber",
        "Twilio balance": "green",
    }
    assert checks["Where calls go"].action == "Let it be set for you: https://phone.example/setup?step=number"
    assert "https://demo.twilio.com/welcome" in checks["Where calls go"].cause


@pytest.mark.parametrize(
    ("changed", "name", "state", "says"),
    [
        ({"voice_method": "GET"}, "Where calls go", "red", "HTTP POST"),
        ({"voice_url": OURS + "/voice/incoming/"}, "Where calls go", "red", "and not https://phone.example/"),
        ({"voice_application_sid": "AP" + "0" * 32}, "Where calls go", "red", "an application or a trunk"),
        ({"trunk_sid": "TK" + "0" * 32}, "Where calls go", "red", "an application or a trunk"),
        (
            {"status_callback": OURS + "/voice/status"},
            "When a call is over",
            "amber",
            "another end than #rc=2",
        ),
        ({"status_callback": "https://other.example/x"}, "When a call is over", "amber", "other.example"),
        ({"voice_fallback_url": ""}, "Safety net", "amber", "is empty"),
        ({"voice_fallback_url": OURS + "/voice/incoming"}, "Safety net", "amber", "of this machine"),
    ],
)
def test_each_address_that_is_wrong_is_named(
    far: FarAccount, of: Patient, changed: dict[str, Any], name: str, state: str, says: str
):
    far.point_at(OURS)
    far.number |= changed

    checks = found(of, "Twilio")

    assert [check.name for check in checks.values() if check.state != "green"] == [name]
    assert checks[name].state == state
    assert says in checks[name].cause


def test_what_follows_an_address_is_not_shown(far: FarAccount, of: Patient):
    far.number["voice_url"] = "https://other.example/hook?key=a-secret"

    assert "a-secret" not in str(found(of, "Twilio"))


def test_an_account_that_is_not_ours_is_the_only_thing_told(far: FarAccount, of: Patient):
    far.refuse[ACCOUNT] = 401

    checks = found(of, "Twilio")

    assert list(checks) == ["Twilio account"]
    assert checks["Twilio account"].state == "red"
    assert "TWILIO_AUTH_TOKEN (401)" in checks["Twilio account"].cause
    assert "0" * 32 not in str(checks)


def test_a_suspended_account_is_red_and_a_trial_is_amber(far: FarAccount, of: Patient):
    far.kind = "Trial"
    trial = found(of, "Twilio")["Twilio account"]
    far.status = "suspended"
    suspended = found(of, "Twilio")["Twilio account"]

    assert (trial.state, suspended.state) == ("amber", "red")


@pytest.mark.parametrize(("balance", "state"), [("20.5", "green"), ("4.99", "amber"), ("0.20", "red")])
def test_little_money_is_told_in_time(far: FarAccount, of: Patient, balance: str, state: str):
    far.balance = balance

    assert found(of, "Twilio")["Twilio balance"].state == state


def test_a_number_of_another_account_is_red(far: FarAccount, of: Patient):
    far.number["phone_number"] = "+12025550188"

    assert states(of, "Twilio")["Twilio number"] == "red"


def test_what_fails_half_way_leaves_what_was_seen(far: FarAccount, of: Patient):
    far.refuse["IncomingPhoneNumbers"] = 500

    checks = found(of, "Twilio")

    assert {name: check.state for name, check in checks.items()} == {
        "Twilio account": "green",
        "Twilio": "red",
    }
    assert "HTTP 500" in checks["Twilio"].cause


def test_without_a_number_there_is_nothing_to_ask(tmp_path: Path):
    assert found(patient(tmp_path), "Twilio")["Twilio"].found == "Not needed in the sandbox."
    keyed = patient(tmp_path, OPENAI_API_KEY="sk-1")
    assert found(keyed, "Twilio")["Twilio"].found == "No telephone number is set up."


# --- the model -----------------------------------------------------------------


def at_model(tmp_path: Path, url: str, **environ: str) -> Patient:
    return patient(tmp_path, OPENAI_API_KEY="sk-canary", OPENAI_BASE_URL=url, **environ)


def test_a_key_that_is_accepted_is_green_and_nothing_is_said(tmp_path: Path):
    heard: list[str] = []

    def agrees(session: Session) -> None:
        session.agree()
        heard.extend(json.loads(message)["type"] for message in session.connection)

    with model_server(agrees) as server:
        check = found(at_model(tmp_path, server.base_url), "Model")["OpenAI"]
        code = server.closes.get(timeout=10)

    assert check.state == "green"
    assert "gpt-realtime-2.1 is there after" in check.found
    assert (heard, code) == ([], 1000)


@pytest.mark.parametrize(
    ("status", "code", "cause", "action"),
    [
        (401, "invalid_api_key", "The key is not accepted.", "Make a key at platform.openai.com"),
        (403, "", "may not use this model", "Set REALTIME_MODEL"),
        (404, "model_not_found", "no such model", "Set REALTIME_MODEL"),
        (429, "insufficient_quota", "no credit left", "Add credit"),
        (429, "rate_limit_exceeded", "Too much was asked", "Add credit"),
        (500, "", "The model refused the connection: 500", "Look again in a minute."),
    ],
)
def test_what_a_refusal_means(tmp_path: Path, status: int, code: str, cause: str, action: str):
    body = json.dumps({"error": {"code": code, "message": "You sent sk-canary"}})

    def refuses(connection: Any, request: Any) -> Response:
        return connection.respond(http.HTTPStatus(status), body)

    with model_server(Session.until_closed, answer=refuses) as server:
        check = found(at_model(tmp_path, server.base_url), "Model")["OpenAI"]

    assert check.state == "red"
    assert cause in check.cause
    assert check.action.startswith(action)
    assert "canary" not in str(check)


def test_a_model_that_says_nothing_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(model, "ASK_S", 0.3)

    with model_server(Session.until_closed) as server:
        check = found(at_model(tmp_path, server.base_url), "Model")["OpenAI"]

    assert check.state == "red"
    assert "not ready within" in check.cause


def test_a_model_that_will_be_switched_off_is_amber(tmp_path: Path):
    with model_server(lambda session: session.agree() and session.until_closed()) as server:
        of = at_model(tmp_path, server.base_url, REALTIME_MODEL="gpt-realtime")
        soon = Patient(of.settings, of.store, of.google, now=lambda: datetime(2026, 12, 1, tzinfo=UTC))
        early = Patient(of.settings, of.store, of.google, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))

        assert found(soon, "Model")["REALTIME_MODEL"].found == "gpt-realtime is switched off on 2027-01-20."
        assert "REALTIME_MODEL" not in found(early, "Model")


def test_a_call_that_the_model_failed_is_amber_until_another_goes_well(tmp_path: Path):
    with model_server(lambda session: session.agree() and session.until_closed()) as server:
        of = at_model(tmp_path, server.base_url)
        _call(of, "CA1", "model_failed")
        failed = found(of, "Model")["The model in calls"]
        _call(of, "CA2", "assistant_ended")
        well = found(of, "Model")["The model in calls"]

    assert (failed.state, well.state) == ("amber", "green")
    assert well.found.endswith("one call has gone well since.")


def _call(of: Patient, call_sid: str, ended_because: str) -> None:
    now = datetime.now(UTC)
    of.store.write(
        calls.begin, call_sid, direction="inbound", from_number=None, to_number=None, forwarded_from=None,
        caller_name=None, trust="stranger", stir_verstat=None, started_at=now,
    )  # fmt: skip
    of.store.write(calls.set_columns, call_sid, had_stream=True)
    of.store.write(calls.finish, call_sid, ended_at=now, ended_because=ended_because)


# --- the clock -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("off_s", "state", "says"),
    [
        (0, "green", ""),
        (3, "green", ""),
        (60, "amber", "slow"),
        (-60, "amber", "fast"),
        (-3600, "red", "fast"),
    ],
)
def test_a_clock_is_held_against_another(tmp_path: Path, off_s: int, state: str, says: str):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=off_s), usegmt=True)

    with dated(date) as url:
        check = found(patient(tmp_path, OPENAI_API_KEY="sk-1", OPENAI_BASE_URL=url), "Clock")["Clock"]

    assert check.state == state
    assert says in check.found


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_another_clock_nothing_is_claimed(tmp_path: Path, date: str):
    with dated(date) as url:
        check = found(patient(tmp_path, OPENAI_API_KEY="sk-1", OPENAI_BASE_URL=url), "Clock")["Clock"]

    assert (check.state, check.found) == ("amber", "There is nothing to compare it with.")


# --- side by side ----------------------------------------------------------------


def test_the_slow_ones_do_not_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def slow(of: Patient) -> Iterator[Any]:
        time.sleep(0.4)
        yield doctor.Check("Slow", "green", "At last.")

    monkeypatch.setattr(doctor, "LOOKS", dict.fromkeys("abcdefgh", slow))
    began = time.monotonic()

    checks = list(examine(patient(tmp_path), "abcdefgh"))

    assert [check.organ for check in checks] == list("abcdefgh")
    assert time.monotonic() - began < 2.0


def test_who_is_too_slow_is_left_and_a_fault_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    over = threading.Event()

    def for_ever(of: Patient) -> Iterator[Any]:
        yield doctor.Check("First", "green", "Seen.")
        over.wait(20)

    def broken(of: Patient) -> Iterator[Any]:
        raise ZeroDivisionError
        yield

    monkeypatch.setattr(doctor, "LOOKS", {"Slow": for_ever, "Broken": broken})
    monkeypatch.setattr(doctor, "WHOLE_S", 0.3)

    checks = list(examine(patient(tmp_path), ["Slow", "Broken"]))
    over.set()

    assert [(check.name, check.state) for check in checks] == [
        ("First", "green"),
        ("Slow, the rest", "amber"),
        ("Broken", "red"),
    ]
    assert "ZeroDivisionError" in caplog.text


@contextmanager
def dated(date: str) -> Iterator[str]:
    """A server that answers once, with that Date."""

    def answer(listener: socket.socket) -> None:
        near, _ = listener.accept()
        with near:
            near.recv(65536)
            line = f"Date: {date}\r\n" if date else ""
            near.sendall(f"HTTP/1.1 404 Not Found\r\n{line}Content-Length: 0\r\n\r\n".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)
