"""The link itself: begun, finished, kept sealed, given up."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from assistant.calendars.google import Google
from assistant.calendars.google.tokens import Unreadable, seal, unseal, unseal_tokens
from assistant.errors import CalendarUnavailable, LinkError
from assistant.store import google_link
from tests.calendars.google.parts import KEY, REDIRECT_URI, Linked, agree, alarm, make_google, soon, span
from tests.calendars.google.server import FakeGoogle, Fault

DAY = span("2026-12-01 00:00", 24 * 60)


def test_nothing_is_linked_at_first(server: FakeGoogle, tmp_path: Path):
    google = make_google(server, tmp_path)

    assert google.account() is None
    assert google.calendar() is None
    assert google.unlink() == "Nothing is linked."
    with pytest.raises(LinkError):
        google.check()


def test_linking_needs_a_client_secret(server: FakeGoogle, tmp_path: Path):
    google = make_google(server, tmp_path)
    (tmp_path / "client_secret.json").unlink()

    with pytest.raises(LinkError, match="There is no client secret yet"):
        google.begin(REDIRECT_URI)


def test_what_is_kept_of_an_account(linked: Linked):
    linked.google.check()

    account = linked.google.account()

    assert account is not None
    assert account.name == "owner@example.com"
    assert account.permissions == (
        "See, create, change, and delete events on Google calendars you own",
        "View your availability in your calendars",
    )
    assert account.dies_at is None
    assert account.broken_why == ""


@pytest.mark.parametrize(
    ("seconds", "life"),
    [(604_799, timedelta(days=7)), (0, timedelta()), (None, None), (-5, None), (1e300, None)],
)
def test_how_long_google_lets_it_live(
    server: FakeGoogle, tmp_path: Path, seconds: int | None, life: timedelta | None
):
    server.refresh_token_expires_in = seconds
    row = Linked(server, make_google(server, tmp_path)).link().row()

    if life is None:
        assert row.dies_at is None
    else:
        assert row.dies_at is not None
        assert abs(row.dies_at - datetime.now(UTC) - life) < timedelta(seconds=5)


def test_the_database_alone_opens_nothing(linked: Linked, tmp_path: Path):
    files = b"".join(path.read_bytes() for path in tmp_path.glob("afterbeep.db*"))

    given = [*linked.server.refresh_tokens, *linked.server.access_tokens]
    assert len(given) == 2
    assert not any(token.encode() in files for token in given)
    assert unseal_tokens(KEY, linked.row().tokens).refresh_token in given
    with pytest.raises(Unreadable):
        unseal("another key", linked.row().tokens)


def test_sealing_differs_each_time_and_notices_damage():
    assert seal(KEY, b"x") != seal(KEY, b"x")
    sealed = bytearray(seal(KEY, b"x"))
    sealed[20] ^= 1
    for damaged in (bytes(sealed), b"", b"nonsense", "ü".encode()):
        with pytest.raises(Unreadable):
            unseal(KEY, damaged)


def test_another_secret_key_is_told_and_nobody_is_asked(linked: Linked, tmp_path: Path):
    other = make_google(linked.server, tmp_path, key="another key altogether")
    asked = len(linked.server.asked)

    account, calendar = other.account(), other.calendar()

    assert account is not None
    assert "SECRET_KEY is not the one" in account.broken_why
    assert calendar is not None
    with pytest.raises(CalendarUnavailable) as raised:
        calendar.busy(DAY, soon())
    assert raised.value.why == "relink"
    assert len(linked.server.asked) == asked
    assert "by hand" in other.unlink()
    assert other.account() is None


def test_a_client_secret_that_is_gone_or_wrong_does_not_end_the_link(linked: Linked, tmp_path: Path):
    path = tmp_path / "client_secret.json"
    asked = len(linked.server.asked)
    for break_it in (lambda: path.write_text("{"), path.unlink):
        break_it()
        account = linked.google.account()
        assert account is not None
        assert account.broken_why == ""
        assert str(path) in account.trouble
        assert "The link itself is alive: uploading the file again is enough." in account.trouble
        with pytest.raises(CalendarUnavailable) as raised:
            linked.calendar.events(DAY, soon())
        assert str(raised.value) == account.trouble
    assert len(linked.server.asked) == asked

    linked.google.keep_client(linked.server.client_file())

    assert linked.calendar.events(DAY, soon()) == []
    account = linked.google.account()
    assert account is not None
    assert account.trouble == ""


def test_a_dead_link_has_no_end_before_it(server: FakeGoogle, tmp_path: Path):
    server.refresh_token_expires_in = 604_799
    linked = Linked(server, make_google(server, tmp_path)).link()
    linked.store.write(google_link.broke, linked.row().linked_at, datetime.now(UTC), "dead")

    account = linked.google.account()

    assert account is not None
    assert (account.broken_why, account.dies_at) == ("dead", None)


@pytest.mark.parametrize("untick", ["calendar.freebusy", "calendar.events.owned"])
def test_what_is_too_little_to_link_is_given_back(server: FakeGoogle, tmp_path: Path, untick: str):
    google = make_google(server, tmp_path)
    url, state = google.begin(REDIRECT_URI)

    with pytest.raises(LinkError, match="not ticked"):
        google.finish(state, agree(url, untick=untick)["code"])

    assert len(server.revoked) == 1
    assert server.refresh_tokens == server.access_tokens == {}


def test_access_for_an_hour_is_given_back_too(server: FakeGoogle, tmp_path: Path):
    server.gives_refresh_token = False
    google = make_google(server, tmp_path)
    url, state = google.begin(REDIRECT_URI)

    with pytest.raises(LinkError, match="an hour only"):
        google.finish(state, agree(url)["code"])

    assert server.access_tokens == {}


def test_what_cannot_be_given_back_is_told_as_what_it_is(server: FakeGoogle, tmp_path: Path):
    server.faults["revoke"].append(Fault(status=503))
    google = make_google(server, tmp_path)
    url, state = google.begin(REDIRECT_URI)

    with pytest.raises(LinkError, match="not ticked"):
        google.finish(state, agree(url, untick="calendar.freebusy")["code"])


def test_a_new_secret_of_the_same_client_leaves_the_link_alone(linked: Linked):
    linked.google.keep_client(linked.server.client_file())

    assert linked.calendar.busy(DAY, soon()) == []


def test_a_failed_link_leaves_what_was_linked(linked: Linked):
    before = linked.row()
    url, state = linked.google.begin(REDIRECT_URI)
    back = agree(url, untick="calendar.freebusy")

    with pytest.raises(LinkError):
        linked.google.finish(state, back["code"])

    assert linked.row() == before
    assert linked.server.count("revoke") == 0  # it could end the link that is there
    assert linked.calendar.busy(DAY, soon()) == []


def test_a_state_works_once_even_when_it_fails(linked: Linked):
    url, state = linked.google.begin(REDIRECT_URI)
    back = agree(url)
    linked.server.faults["token"].append(Fault(status=500))
    with pytest.raises(LinkError):
        linked.google.finish(state, back["code"])

    with pytest.raises(LinkError, match="used already"):
        linked.google.finish(state, back["code"])


def test_two_links_begun_at_once_do_not_mix(linked: Linked):
    (url, state), (other_url, other_state) = (linked.google.begin(REDIRECT_URI) for _ in range(2))
    back = agree(url)

    with pytest.raises(LinkError):
        linked.google.finish(other_state, back["code"])  # the verifier is another's
    with pytest.raises(LinkError):
        linked.google.finish(state, agree(other_url)["code"])


def test_a_code_somebody_else_got_is_of_no_use_without_the_verifier(linked: Linked):
    url, _ = linked.google.begin(REDIRECT_URI)
    stolen = agree(url)["code"]
    _, state = linked.google.begin(REDIRECT_URI)

    with pytest.raises(LinkError, match="did not accept the answer"):
        linked.google.finish(state, stolen)


def test_links_that_were_never_finished_are_forgotten(linked: Linked):
    old = datetime.now(UTC) - timedelta(minutes=11)
    begun = google_link.Begun(b"sealed", REDIRECT_URI)
    linked.store.write(google_link.begin, "a" * 64, begun, old)

    linked.google.begin(REDIRECT_URI)

    kept = linked.store.read(lambda db: [row["state_hash"] for row in db["google_states"].rows])
    assert len(kept) == 1
    assert kept != ["a" * 64]


def test_oauthlib_may_speak_http_only_while_it_is_asked(linked: Linked, monkeypatch: pytest.MonkeyPatch):
    name = "OAUTHLIB_INSECURE_TRANSPORT"
    monkeypatch.delenv(name, raising=False)
    linked.link()
    assert name not in os.environ

    monkeypatch.setenv(name, "0")
    linked.link()
    assert os.environ[name] == "0"


def test_with_googles_own_addresses_http_stays_forbidden(
    server: FakeGoogle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OAUTHLIB_INSECURE_TRANSPORT", raising=False)
    seen = []
    from google_auth_oauthlib.flow import Flow

    ask = Flow.authorization_url

    def looking(self: Flow, **more: object) -> object:
        seen.append(os.environ.get("OAUTHLIB_INSECURE_TRANSPORT"))
        return ask(self, **more)

    monkeypatch.setattr(Flow, "authorization_url", looking)
    google = make_google(server, tmp_path)
    google.keep_client(
        server.client_file(auth_uri="https://accounts.example/auth", token_uri="https://id.example/token")
    )

    url, state = google.begin("https://phone.example/calendar/oauth/callback")

    assert seen == [None]
    assert parse_qs(urlsplit(url).query)["state"] == [state]


def test_the_other_side_decides_nothing_about_where_secrets_go(linked: Linked):
    """A redirect of the token's address is not followed."""
    url, state = linked.google.begin(REDIRECT_URI)
    back = agree(url)
    elsewhere = f"{linked.server.url}/elsewhere".encode()
    linked.server.faults["token"].append(Fault(status=302, body=elsewhere))

    with pytest.raises(LinkError):
        linked.google.finish(state, back["code"])

    assert linked.server.count("elsewhere") == 0


def test_nothing_of_google_is_loaded_before_it_is_asked(tmp_path: Path):
    script = (
        "import sys, assistant.calendars.google, assistant.web.calendar_link\n"
        "from assistant.config import load_settings\n"
        "from assistant.store import Store\n"
        "from pathlib import Path\n"
        f"settings = load_settings({{'INSTANCE_PATH': {str(tmp_path)!r}}}, None)\n"
        "google = assistant.calendars.google.Google(settings, Store(settings.database), lambda: 'k')\n"
        "assert google.calendar() is None and google.account() is None\n"
        "heavy = {'googleapiclient', 'google_auth_oauthlib', 'google_auth_httplib2', 'httplib2', 'requests',"
        " 'cryptography'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")


def test_loading_ahead(linked: Linked):
    linked.google.load()

    assert {"googleapiclient.discovery", "google_auth_httplib2"} <= set(sys.modules)


def test_a_google_that_trickles(server: FakeGoogle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("assistant.calendars.google.consent.EXCHANGE_S", 0.4)
    google = make_google(server, tmp_path, within=alarm)
    url, state = google.begin(REDIRECT_URI)
    back = agree(url)
    server.faults["token"].append(Fault(trickle=True))
    began = datetime.now(UTC)

    with pytest.raises(LinkError, match="could not be reached"):
        google.finish(state, back["code"])

    assert datetime.now(UTC) - began < timedelta(seconds=3)
    linked = Linked(server, google).link()
    server.faults["revoke"].append(Fault(trickle=True))
    assert "by hand" in linked.google.unlink()


def test_a_second_google_sees_the_same_link(linked: Linked):
    """Commands work beside a running server."""
    other = Google(linked.google._settings, linked.store, lambda: KEY)

    assert other.account() == linked.google.account()
