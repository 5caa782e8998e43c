"""What goes wrong between us and Google: the time it takes, what it is taken for, what is asked again."""

from __future__ import annotations

import json
import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assistant.calendars.events import Deadline
from assistant.calendars.google.failures import reason_of
from assistant.calendars.google.tokens import Tokens, seal_tokens, unseal_tokens
from assistant.errors import CalendarUnavailable, UnknownOutcome
from assistant.store import google_link
from tests.calendars.google.parts import KEY, Linked, alarm, make_google, new_event, soon, span
from tests.calendars.google.server import CLIENT_SECRET, FakeGoogle, Fault, error_body

DAY = span("2026-12-01 00:00", 24 * 60)


def tokens(linked: Linked) -> Tokens:
    return unseal_tokens(KEY, linked.row().tokens)


def let_expire(linked: Linked) -> None:
    """Make the access token an old one."""
    old = tokens(linked)
    late = Tokens(old.refresh_token, "ya29.old", datetime.now(UTC) - timedelta(minutes=1))
    linked.store.write(google_link.keep_tokens, linked.row().linked_at, seal_tokens(KEY, late))


# --- tokens -------------------------------------------------------------------------


def test_an_old_access_token_is_renewed_and_kept(linked: Linked):
    let_expire(linked)
    refresh_token = tokens(linked).refresh_token

    linked.calendar.busy(DAY, soon())

    kept = tokens(linked)
    assert kept.access_token in linked.server.access_tokens
    assert kept.refresh_token == refresh_token
    assert kept.expires_at is not None
    assert timedelta(minutes=59) < kept.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    linked.calendar.busy(DAY, soon())
    assert linked.server.count("token") == 2  # the link's own, and one renewal


def test_an_access_token_google_no_longer_takes_is_renewed(linked: Linked):
    linked.server.access_tokens.clear()

    linked.calendar.busy(DAY, soon())

    assert tokens(linked).access_token in linked.server.access_tokens


def test_renewing_asks_for_no_scopes(linked: Linked):
    """To ask for one that was not granted would be refused."""
    let_expire(linked)
    linked.calendar.busy(DAY, soon())

    assert "scope" not in [one for one in linked.server.asked if one.what == "token"][-1].body


def test_a_new_token_is_kept_even_when_the_question_fails(linked: Linked):
    let_expire(linked)
    linked.server.faults["freebusy"].append(Fault(status=400, reason="invalid"))

    with pytest.raises(CalendarUnavailable):
        linked.calendar.busy(DAY, soon())

    assert tokens(linked).access_token in linked.server.access_tokens


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_rapt", "unauthorized_client", "deleted_client"])
def test_a_dead_link_is_marked_at_once_and_asks_nobody(linked: Linked, code: str):
    let_expire(linked)
    linked.server.faults["token"].append(Fault(status=400, body=b'{"error": "%s"}' % code.encode()))
    calendar = linked.calendar

    with pytest.raises(CalendarUnavailable) as raised:
        calendar.busy(DAY, soon())

    assert raised.value.why == "relink"
    row = linked.row()
    assert row.broken_since is not None
    assert row.broken_why == str(raised.value)
    asked = len(linked.server.asked)
    for dead in (calendar, linked.calendar):
        for ask in (
            lambda dead=dead: dead.busy(DAY, soon()),
            lambda dead=dead: dead.busy(DAY, soon(), without="x"),
            lambda dead=dead: dead.events(DAY, soon()),
            lambda dead=dead: dead.event("x", soon()),
            lambda dead=dead: dead.add(new_event(), soon(), clear=DAY),
            lambda dead=dead: dead.move("x", DAY, "Europe/Berlin", soon()),
            lambda dead=dead: dead.remove("x", soon()),
        ):
            with pytest.raises(CalendarUnavailable) as raised:
                ask()
            assert raised.value.why == "relink"
    assert len(linked.server.asked) == asked
    assert linked.link().row().broken_since is None


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault(status=500, body=b"<html>invalid_grant</html>"), "refused"),
        (Fault(status=400, body=b"<html>invalid_grant</html>"), "refused"),
        (Fault(status=200, body=b"<html>invalid_grant</html>"), "refused"),
        (Fault(status=200, body=b"{}"), "refused"),
        (Fault(status=200, body=b"[]"), "refused"),
        (Fault(status=200, body=b'{"access_token": "x", "expires_in": "soon"}'), "refused"),
        (Fault(status=200, body=b"\xff"), "refused"),
        (Fault(status=401, body=b'{"error": "invalid_client"}'), "refused"),
        (Fault(status=400, body=b'{"error": "invalid_request"}'), "refused"),
        (Fault(status=400, body=b'{"error": {"code": 400}}'), "refused"),
        (Fault(status=503, body=b'{"error": "temporarily_unavailable"}'), "busy"),
        (Fault(cut=True), "network"),
    ],
)
def test_trouble_with_renewing_is_not_the_end_of_the_link(
    linked: Linked, fault: Fault, why: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)  # tries three times
    let_expire(linked)
    linked.server.faults["token"].extend([fault] * 8)

    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.add(new_event(), soon())

    assert raised.value.why == why
    assert linked.row().broken_since is None
    assert linked.server.count("insert") == 0


def test_what_an_old_link_learns_does_not_touch_a_new_one(linked: Linked):
    let_expire(linked)
    old = linked.calendar
    linked.link()
    before = linked.row()
    linked.server.faults["token"].append(Fault(status=400, body=b'{"error": "invalid_grant"}'))

    with pytest.raises(CalendarUnavailable):
        old.busy(DAY, soon())

    assert linked.row() == before


def test_last_success_is_written_once_a_minute_at_most(linked: Linked):
    assert linked.row().last_success_at is None

    linked.calendar.busy(DAY, soon())
    first = linked.row().last_success_at
    linked.calendar.busy(DAY, soon())

    assert first is not None
    assert linked.row().last_success_at == first
    early = first - timedelta(seconds=61)
    linked.store.write(
        lambda db: db.execute("UPDATE google_link SET last_success_at = ?", (early.isoformat(),)) and None
    )
    linked.calendar.busy(DAY, soon())
    assert linked.row().last_success_at is not None
    assert linked.row().last_success_at >= first


# --- what is answered ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "why", "words"),
    [
        (Fault(status=400, reason="timeRangeEmpty"), "refused", "timeRangeEmpty"),
        (Fault(status=403, reason="insufficientPermissions"), "scope", "Tick every box"),
        (Fault(status=403, reason="accessNotConfigured"), "api_off", "is not enabled in your project"),
        (Fault(status=403, reason="forbiddenForNonOrganizer"), "refused", "forbiddenForNonOrganizer"),
        (Fault(status=403, body=b"<html>"), "refused", "403"),
        (Fault(status=404, reason="notFound"), "refused", "notFound"),
        (Fault(status=302, body=b"https://elsewhere.example/"), "refused", "302"),
    ],
)
def test_answers_that_asking_again_does_not_change(linked: Linked, fault: Fault, why: str, words: str):
    linked.server.faults["freebusy"].append(fault)

    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.busy(DAY, soon())

    assert raised.value.why == why
    assert words in str(raised.value)
    assert linked.server.count("freebusy") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=403, reason="rateLimitExceeded"),
        Fault(status=403, reason="userRateLimitExceeded"),
        Fault(status=403, reason="quotaExceeded"),
        Fault(status=429),
        Fault(status=500),
        Fault(status=503, body=b"<html>"),
    ],
)
def test_a_question_is_asked_once_more_when_it_may_help(linked: Linked, fault: Fault):
    linked.server.faults["freebusy"].append(fault)
    assert linked.calendar.busy(DAY, soon()) == []

    linked.server.faults["freebusy"].extend([fault] * 2)
    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.busy(DAY, soon())

    assert raised.value.why == ("busy" if fault.status in (403, 429) else "refused")
    assert linked.server.count("freebusy") == 4


def test_access_that_is_refused_with_fresh_tokens(linked: Linked):
    linked.server.faults["freebusy"].extend([Fault(status=401, reason="authError")] * 3)

    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.busy(DAY, soon())

    assert raised.value.why == "relink"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=401, reason="authError"),
        Fault(status=403, reason="insufficientPermissions"),
        Fault(status=403, reason="accessNotConfigured"),
    ],
)
def test_what_lasts_is_kept_until_a_success(linked: Linked, fault: Fault):
    linked.calendar.busy(DAY, soon())  # so that this minute's success is written
    linked.server.faults["freebusy"].extend([fault] * 5)
    calendar = linked.calendar

    with pytest.raises(CalendarUnavailable) as raised:
        calendar.busy(DAY, soon())

    asked = len(linked.server.asked)
    account = linked.google.account()
    assert account is not None
    assert (account.trouble, account.broken_why) == (str(raised.value), "")
    assert len(linked.server.asked) == asked
    linked.server.faults["freebusy"].clear()
    calendar.busy(DAY, soon())
    account = linked.google.account()
    assert account is not None
    assert account.trouble == ""


@pytest.mark.parametrize("fault", [Fault(status=404), Fault(status=503), Fault(status=429), Fault(cut=True)])
def test_what_passes_or_is_one_events_is_not_kept(linked: Linked, fault: Fault):
    linked.server.faults["freebusy"].extend([fault] * 8)

    with pytest.raises(CalendarUnavailable):
        linked.calendar.busy(DAY, soon())

    assert linked.row().trouble == ""


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff\xfe", b"null", b'"x"', b"", b"{"])
def test_nonsense_is_no_empty_calendar(linked: Linked, body: bytes):
    linked.server.faults["list"].extend([Fault(status=200, body=body)] * 2)

    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.events(DAY, soon())

    assert raised.value.why == "refused"


@pytest.mark.parametrize(
    "item",
    [b"{}", b"5", b'{"id": "x", "start": {}, "end": {}}', b'{"id": "x", "start": {"date": "x"}, "end": {}}'],
)
def test_events_that_are_none(linked: Linked, item: bytes):
    page = b'{"timeZone": "Europe/Berlin", "items": [' + item + b"]}"
    linked.server.faults["list"].append(Fault(status=200, body=page))

    with pytest.raises(CalendarUnavailable):
        linked.calendar.events(DAY, soon())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"error": {"errors": [{"reason": "duplicate"}], "details": [{"reason": "OTHER"}]}}', "duplicate"),
        (b'{"error": {"details": [{"@type": "x"}, {"reason": "SERVICE_DISABLED"}]}}', "SERVICE_DISABLED"),
        (b'{"error": {"errors": [{"reason": "<b>"}]}}', ""),
        (b'{"error": {"errors": [{"reason": {}}]}}', ""),
        (b'{"error": {"errors": 5}}', ""),
        (b'{"error": "x"}', ""),
        (b"[]", ""),
        (b"<html>", ""),
    ],
)
def test_the_word_for_what_is_wrong(content: bytes, reason: str):
    assert reason_of(content) == reason


def test_a_reason_only_among_the_details(linked: Linked):
    body = error_body(403, "forbidden")
    body["error"].update(errors=[], details=[{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}])
    linked.server.faults["freebusy"].append(Fault(status=403, body=json.dumps(body).encode()))

    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.busy(DAY, soon())

    assert raised.value.why == "scope"


# --- time and sockets -----------------------------------------------------------------


def took(function: Any) -> float:
    began = time.monotonic()
    with pytest.raises((CalendarUnavailable, UnknownOutcome)):
        function()
    return time.monotonic() - began


def test_a_slow_answer_is_not_waited_for_longer_than_there_is_time(linked: Linked):
    linked.server.faults["freebusy"].extend([Fault(slow_s=30)] * 3)

    assert 0.4 < took(lambda: linked.calendar.busy(DAY, Deadline(0.5))) < 1.5


def test_a_socket_that_stalls_is_given_up_sooner_when_there_is_time_to_ask_again(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("assistant.calendars.google.wire.SOCKET_S", 0.3)
    linked.server.faults["freebusy"].append(Fault(slow_s=30))

    assert linked.calendar.busy(DAY, soon()) == []
    assert linked.server.count("freebusy") == 2


def test_with_no_time_left_nothing_is_asked(linked: Linked):
    asked = len(linked.server.asked)

    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.busy(DAY, Deadline(0))

    assert raised.value.why == "timeout"
    assert len(linked.server.asked) == asked


def test_an_answer_that_trickles_in_is_cut_by_the_time_limit(server: FakeGoogle, tmp_path: Path):
    linked = Linked(server, make_google(server, tmp_path, within=alarm)).link()
    server.faults["freebusy"].append(Fault(trickle=True))

    assert 0.4 < took(lambda: linked.calendar.busy(DAY, Deadline(0.5))) < 1.5


def test_a_slow_insert_is_looked_for_when_there_is_time(linked: Linked, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("assistant.calendars.google.wire.SOCKET_S", 0.3)
    linked.server.faults["insert"].append(Fault(do=True, slow_s=30))

    assert linked.calendar.add(new_event(), soon()).event_id == "attempt0001"


def test_a_slow_insert_with_no_time_left_is_an_unknown_outcome(linked: Linked):
    linked.server.faults["insert"].append(Fault(do=True, slow_s=30))

    began = time.monotonic()
    with pytest.raises(UnknownOutcome):
        linked.calendar.add(new_event(), Deadline(0.5))

    assert time.monotonic() - began < 1.5


def test_nothing_listens(server: FakeGoogle, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/calendar/v3"
        linked = Linked(server, make_google(server, tmp_path, GOOGLE_CALENDAR_URL=url)).link()

        with pytest.raises(CalendarUnavailable) as raised:
            linked.calendar.add(new_event(), soon())  # certainly not added, and not an unknown outcome

    assert raised.value.why == "network"
    assert linked.row().broken_since is None


def test_a_connection_that_is_not_answered_was_never_used(server: FakeGoogle, tmp_path: Path):
    """A full backlog: the connection does not come about, so nothing can have been added."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/calendar/v3"
        linked = Linked(server, make_google(server, tmp_path, GOOGLE_CALENDAR_URL=url)).link()

        with pytest.raises(CalendarUnavailable) as raised:
            linked.calendar.add(new_event(), Deadline(0.5))

    assert raised.value.why == "timeout"


def test_no_proxy_for_this_machine(linked: Linked, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")

    assert linked.calendar.busy(DAY, soon()) == []
    linked.link()
    assert "Google has been told" in linked.google.unlink()


# --- what is not said --------------------------------------------------------------------


def test_logs_that_want_everything_hold_no_secret(
    server: FakeGoogle, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    linked = Linked(server, make_google(server, tmp_path)).link()
    let_expire(linked)
    first = tokens(linked).refresh_token
    linked.calendar.add(new_event(), soon(), clear=DAY)
    server.faults["freebusy"].append(Fault(status=400, body=CLIENT_SECRET.encode()))
    with pytest.raises(CalendarUnavailable) as raised:
        linked.calendar.busy(DAY, soon())
    linked.google.unlink()

    verifiers = [one.body["code_verifier"] for one in server.asked if "code_verifier" in (one.body or ())]
    given = {
        one.headers["authorization"].split()[1] for one in server.asked if "authorization" in one.headers
    }
    secrets = [CLIENT_SECRET, first, *server.codes, *verifiers, *given, "Call back Bob"]
    said = caplog.text + str(raised.value) + repr(raised.value)
    assert [secret for secret in secrets if secret in said] == []
    assert len(given) >= 1
