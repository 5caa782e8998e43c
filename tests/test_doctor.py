"""What the doctor finds: with a real database, and a Google that answers on a loopback port."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.calendars.google import Google
from assistant.config import load_settings
from assistant.doctor import Check, Patient, calendar, examine
from assistant.store import Store, open_database, pins, preferences
from tests.calendars.google.parts import REDIRECT_URI, Linked, make_google
from tests.calendars.google.server import FakeGoogle, Fault

PAGE = "http://127.0.0.1:5000/calendar/link"
AGAIN = f"Link again: {PAGE}"


@pytest.fixture
def server() -> Iterator[FakeGoogle]:
    with FakeGoogle(redirect_uris=(REDIRECT_URI,)) as server:
        yield server


@pytest.fixture
def linked(server: FakeGoogle, tmp_path: Path) -> Linked:
    """An account that is linked and has answered."""
    linked = Linked(server, make_google(server, tmp_path)).link()
    linked.google.check()
    return linked


def patient(tmp_path: Path, google: Google | None = None, **environ: str) -> Patient:
    settings = load_settings({"INSTANCE_PATH": str(tmp_path), **environ}, None)
    store = Store(settings.database)
    open_database(settings.database).close()
    store.write(preferences.set, "timezone", "Europe/Berlin")
    return Patient(settings, store, google or Google(settings, store, lambda: "the text of a secret key"))


def found(of: Patient) -> dict[str, Check]:
    checks = list(examine(of, ["Calendar", "PIN"]))
    assert len({check.name for check in checks}) == len(checks)
    for check in checks:
        assert check.found
        assert bool(check.cause) == bool(check.action) == (check.state != "green"), check
    return {check.name: check for check in checks}


def states(of: Patient) -> dict[str, str]:
    return {name: check.state for name, check in found(of).items()}


# --- the calendar ----------------------------------------------------------------


def test_with_nothing_linked_the_embedded_calendar_is_well(tmp_path: Path) -> None:
    assert states(patient(tmp_path)) == {"Calendar": "green", "PIN": "green"}


def test_a_client_secret_that_is_wrong_is_told_before_anything_is_linked(tmp_path: Path) -> None:
    (tmp_path / "client_secret.json").write_text("{}")

    checks = found(patient(tmp_path))

    assert checks["Google client secret"].state == "amber"
    assert str(tmp_path) in checks["Google client secret"].cause
    assert checks["Calendar"].state == "green"


def test_a_link_that_works_is_green_all_over(linked: Linked, tmp_path: Path) -> None:
    checks = found(patient(tmp_path, linked.google))

    assert {check.state for check in checks.values()} == {"green"}
    assert list(checks) == [
        "Google client secret",
        "Google link",
        "Google permissions",
        "Google Calendar",
        "PIN",
    ]
    assert checks["Google link"].found.startswith(f"{linked.row().account} is linked since ")
    assert "View your availability" in checks["Google permissions"].found
    assert linked.server.count("freebusy") == 1


def test_a_link_made_while_the_consent_screen_is_in_testing_says_when_it_ends(
    server: FakeGoogle, tmp_path: Path
) -> None:
    server.refresh_token_expires_in = 7 * 86_400
    linked = Linked(server, make_google(server, tmp_path)).link()

    of = patient(tmp_path, linked.google)
    link = found(of)["Google link"]

    assert link.state == "amber"
    dies_at = linked.row().dies_at
    assert dies_at is not None
    assert timedelta(days=6) < dies_at - datetime.now(UTC) < timedelta(days=8)
    assert f"It will end on {of.clock(dies_at)}." in link.found
    assert "testing" in link.cause
    assert link.action == f"Publish the app in Google's console, then link again: {PAGE}"


def test_access_that_was_taken_back_is_red_at_once_and_later_says_since_when(
    linked: Linked, tmp_path: Path
) -> None:
    of = patient(tmp_path, linked.google)
    linked.server.forget_tokens()

    first = found(of)
    later = found(of)

    assert (first["Google Calendar"].state, first["Google Calendar"].action) == ("red", AGAIN)
    link = later["Google link"]
    assert (link.state, link.action) == ("red", AGAIN)
    broken_since = linked.row().broken_since
    assert broken_since is not None
    assert link.found == f"It is dead since {of.clock(broken_since)}."
    assert link.cause == "Google says that the access has expired or was taken back."
    assert "Google Calendar" not in later  # nobody asks a dead link


def test_a_link_that_another_secret_key_sealed_is_red(linked: Linked, tmp_path: Path) -> None:
    of = patient(tmp_path)  # its key is another

    link = found(of)["Google link"]

    assert (link.state, link.found, link.action) == ("red", "It cannot be used.", AGAIN)
    assert "SECRET_KEY" in link.cause


@pytest.mark.parametrize("content", [None, "not json"])
def test_a_client_secret_that_is_gone_is_one_red_check(
    linked: Linked, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "client_secret.json"
    file.unlink()
    if content:
        file.write_text(content)

    checks = found(patient(tmp_path, linked.google))

    assert [check.name for check in checks.values() if check.state == "red"] == ["Google client secret"]
    assert str(file) in checks["Google client secret"].cause
    assert checks["Google client secret"].action == f"Upload the client secret: {PAGE}"


def test_permissions_that_are_missing_are_red(linked: Linked, tmp_path: Path) -> None:
    of = patient(tmp_path, linked.google)
    scopes = "https://www.googleapis.com/auth/calendar.freebusy"
    of.store.write(lambda db: db.execute("UPDATE google_link SET scopes = ?", (scopes,)) and None)

    permissions = found(of)["Google permissions"]

    assert permissions.state == "red"
    assert "See, create, change" in permissions.found
    assert permissions.action == f"Link again, and tick every box at Google: {PAGE}"


@pytest.mark.parametrize(
    ("fault", "cause", "action"),
    [
        (
            Fault(status=403, reason="accessNotConfigured"),
            "The Google Calendar API is not enabled in your project at Google.",
            "Enable it at https://console.cloud.google.com/",
        ),
        (
            Fault(status=403, reason="insufficientPermissions"),
            "Google says that a permission is missing.",
            f"Link again, and tick every box at Google: {PAGE}",
        ),
        (Fault(status=401, reason="authError"), "Google does not accept the access any more.", AGAIN),
        (
            Fault(status=400, reason="badRequest"),
            "Google's calendar refused (400, badRequest).",
            "Look again in a minute. If it stays so, upload the client secret and link again: " + PAGE,
        ),
    ],
)
def test_what_google_refuses_is_red_with_what_to_do(
    linked: Linked, tmp_path: Path, fault: Fault, cause: str, action: str
) -> None:
    linked.server.faults["freebusy"] = [fault] * 5

    answer = found(patient(tmp_path, linked.google))["Google Calendar"]

    assert (answer.state, answer.cause) == ("red", cause)
    assert answer.action.startswith(action)
    assert answer.found.startswith("It cannot be used. The last success was on ")


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=500, body=b"<html>"), Fault(status=429)])
def test_a_google_in_trouble_is_amber_as_long_as_it_worked_today(
    linked: Linked, tmp_path: Path, fault: Fault
) -> None:
    linked.server.faults["freebusy"] = [fault] * 50
    of = patient(tmp_path, linked.google)
    last = linked.row().last_success_at
    assert last is not None

    today = found(of)["Google Calendar"]
    later = Patient(of.settings, of.store, of.google, now=lambda: last + timedelta(days=1, minutes=1))
    tomorrow = found(later)["Google Calendar"]

    assert (today.state, tomorrow.state) == ("amber", "red")
    assert {today.action, tomorrow.action} == {"Look again in a minute."}
    assert today.found.startswith("It cannot be used.")


def test_a_network_that_fails_is_amber_as_long_as_it_worked_today(linked: Linked, tmp_path: Path) -> None:
    linked.server.faults["freebusy"] = [Fault(cut=True)] * 50
    of = patient(tmp_path, linked.google)

    assert found(of)["Google Calendar"].state == "amber"
    last = linked.row().last_success_at
    assert last is not None
    tomorrow = Patient(of.settings, of.store, of.google, now=lambda: last + timedelta(days=1, minutes=1))
    answer = found(tomorrow)["Google Calendar"]
    assert answer.state == "red"
    assert f"The last success was on {of.clock(last)}." in answer.found


def test_a_network_that_never_worked_is_red(server: FakeGoogle, tmp_path: Path) -> None:
    google = Linked(server, make_google(server, tmp_path)).link().google
    server.faults["freebusy"] = [Fault(cut=True)] * 50

    answer = found(patient(tmp_path, google))["Google Calendar"]

    assert (answer.state, answer.found) == ("red", "It does not answer. It has never worked.")


def test_a_calendar_that_is_too_slow_is_given_up_in_time(
    linked: Linked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendar, "CALENDAR_S", 0.3)
    linked.server.faults["freebusy"] = [Fault(slow_s=20)] * 5

    answer = found(patient(tmp_path, linked.google))["Google Calendar"]

    assert (answer.state, answer.cause) == ("amber", "Google's calendar did not answer in time.")


# --- the PIN, and the doctor -------------------------------------------------------


PHONE = {
    "PUBLIC_URL": "https://assistant.example.org",
    "OWNER_PHONE": "+12025550101",
    "TWILIO_NUMBER": "+12025550100",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "0" * 32,
}


def test_an_owner_with_a_phone_should_have_a_pin(tmp_path: Path) -> None:
    of = patient(tmp_path, **PHONE)

    without = found(of)["PIN"]
    of.store.write(pins.set_pin_hash, "a hash")

    assert (without.state, without.action) == ("amber", "Set one with `flask pin`.")
    assert found(of)["PIN"].state == "green"


def test_the_sandbox_needs_a_pin_for_its_scenario_owner_only(tmp_path: Path) -> None:
    sandbox, served = patient(tmp_path), patient(tmp_path, OPENAI_API_KEY="sk-1")

    assert "scenario “owner” needs one: 246810" in found(sandbox)["PIN"].found
    assert found(served)["PIN"].found == "There is none, and none is needed: OWNER_PHONE is not set."


def test_what_cannot_be_looked_at_is_red_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    of = patient(tmp_path)
    of.store.write(lambda db: db.execute("DROP TABLE google_link") and None)

    assert states(of) == {"Calendar": "red", "PIN": "green"}
