"""What the tests of Google share."""

from __future__ import annotations

import http.client
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from assistant.calendars.events import Calendar, Deadline, NewEvent, Span
from assistant.calendars.google import Google
from assistant.calendars.google.wire import Within
from assistant.config import load_settings
from assistant.store import Store, google_link, open_database
from tests.calendars.google.server import FakeGoogle

REDIRECT_URI = "http://127.0.0.1:5000/calendar/oauth/callback"
KEY = "the text of a secret key, long enough"


def make_google(
    server: FakeGoogle, instance: Path, within: Within = nullcontext, key: str = KEY, **environ: str
) -> Google:
    """Our side, with the server's client secret in its place."""
    given = {"INSTANCE_PATH": str(instance), "GOOGLE_CALENDAR_URL": server.calendar_url, **environ}
    settings = load_settings(given, None)
    store = Store(settings.database)
    open_database(settings.database).close()
    google = Google(settings, store, lambda: key, within)
    google.keep_client(server.client_file())
    return google


class Linked:
    """An account, its calendar, and the server behind it."""

    def __init__(self, server: FakeGoogle, google: Google) -> None:
        self.server = server
        self.google = google
        self.store = google._store

    def link(self, **ticked: Any) -> Linked:
        url, state = self.google.begin(REDIRECT_URI)
        back = agree(url, **ticked)
        assert back["state"] == state
        self.google.finish(state, back["code"])
        return self

    @property
    def calendar(self) -> Calendar:
        found = self.google.calendar()
        assert found is not None
        return found

    def row(self) -> google_link.Link:
        found = self.store.read(google_link.link)
        assert found is not None
        return found


def agree(url: str, *, untick: str | tuple[str, ...] = "", cancel: bool = False) -> dict[str, str]:
    """Be the owner at Google's page: what the browser then brings back."""
    pairs = parse_qsl(urlsplit(url).query)
    host = urlsplit(url).netloc
    page = fetch(host, url)
    assert page.status == 200, page.read()
    scopes = [scope for scope in dict(pairs)["scope"].split() if not untick or not scope.endswith(untick)]
    chosen = [pair for pair in pairs if pair[0] != "scope"] + [("scope", scope) for scope in scopes]
    answer = fetch(host, f"http://{host}/agree?{urlencode([*chosen, ('agree', '' if cancel else '1')])}")
    assert answer.status == 302
    location = answer.headers["Location"]
    assert location.startswith(dict(pairs)["redirect_uri"] + "?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def fetch(host: str, url: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", url)
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def soon(seconds: float = 4.0) -> Deadline:
    return Deadline(seconds)


def at(text: str) -> datetime:
    """A time in Berlin, "2026-12-01 14:00", in UTC."""
    from zoneinfo import ZoneInfo

    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


def span(start: str, minutes: int = 30) -> Span:
    return Span(at(start), at(start) + timedelta(minutes=minutes))


def new_event(event_id: str = "attempt0001", start: str = "2026-12-01 14:00", **more: Any) -> NewEvent:
    facts: dict[str, Any] = {
        "span": span(start),
        "title": "Call back Bob",
        "timezone": "Europe/Berlin",
        "description": "Asked for on the phone.",
        "call_sid": "CA1",
        **more,
    }
    return NewEvent(event_id, **facts)


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """A time limit as the server's: raises TimeoutError in the middle of whatever is going on."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
