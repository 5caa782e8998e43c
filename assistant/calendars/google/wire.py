"""One request to Google: its connection, its time limit, the tokens it takes.

Google's library makes requests and reads answers. It wants an object like httplib2's Http, which must not be
shared between calls and waits for ever by itself; `_OneShot` is a new one for each request, that never waits
longer than the deadline leaves. It also remembers whether the calendar was reached: a request that never left
this machine has certainly done nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from assistant.calendars.events import Deadline
from assistant.calendars.google.client_secret import ClientSecret
from assistant.calendars.google.failures import Failed, failure
from assistant.calendars.google.tokens import Tokens
from assistant.config import is_loopback
from assistant.errors import CalendarError, CalendarUnavailable, Why

if TYPE_CHECKING:
    from google.oauth2.credentials import Credentials

SOCKET_S = 3.0  # each wait of a request
PAUSE_S = (0.2, 0.5)  # before asking again
WORTH_A_TRY_S = 0.5

Within = Callable[[float], AbstractContextManager[Any]]


def load_libraries(endpoint: str) -> None:
    """Do now what the first question would otherwise do."""
    import google_auth_httplib2  # noqa: F401
    import httplib2  # noqa: F401
    from google.oauth2 import credentials  # noqa: F401

    _service(endpoint)


class Asks(Protocol):
    """What a calendar asks by."""

    @property
    def service(self) -> Any:
        """Google's library, for making requests."""
        ...

    def ask(self, request: Any, deadline: Deadline, *, again: bool = False) -> dict[str, Any]:
        """The answer to a request, at most one repetition later. Raises CalendarUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class DeadWire:
    """Of a link that is dead, or lacks its client secret: says so without asking anybody."""

    message: str
    why: Why

    @property
    def service(self) -> Any:
        raise CalendarUnavailable(self.message, self.why)

    def ask(self, request: Any, deadline: Deadline, *, again: bool = False) -> dict[str, Any]:
        raise CalendarUnavailable(self.message, self.why)


class Told(Protocol):
    """Who is told what a request brought to light."""

    def refreshed(self, tokens: Tokens) -> None:
        """These are the tokens now."""

    def answered(self) -> None:
        """It worked."""

    def troubled(self, why: str) -> None:
        """Nothing will work until the owner has done something; it is worth asking all the same."""

    def died(self, why: str) -> None:
        """Nothing will work until a new link."""


class Wire:
    """Requests of one link."""

    def __init__(
        self, endpoint: str, secret: ClientSecret, tokens: Tokens, told: Told, within: Within = nullcontext
    ) -> None:
        self._endpoint = endpoint
        self._secret = secret
        self._tokens = tokens
        self._told = told
        self._within = within
        self._dead: Failed | None = None

    @property
    def service(self) -> Any:
        return _service(self._endpoint)

    def ask(self, request: Any, deadline: Deadline, *, again: bool = False) -> dict[str, Any]:
        """again: ask once more when it failed in a way that passes, and there is time. Not for writing."""
        try:
            return self._ask(request, deadline)
        except Failed as failed:
            pause_s = random.uniform(*PAUSE_S)  # noqa: S311 - so that not all ask again at once
            if not again or not failed.passing or not _has_time(deadline, pause_s + WORTH_A_TRY_S):
                raise
        time.sleep(pause_s)
        return self._ask(request, deadline)

    def _ask(self, request: Any, deadline: Deadline) -> dict[str, Any]:
        from google_auth_httplib2 import AuthorizedHttp

        if self._dead is not None:
            raise CalendarUnavailable(str(self._dead), self._dead.why)
        one_shot = _OneShot(self._endpoint, deadline)
        credentials = _credentials(self._secret, self._tokens)
        try:
            with self._within(deadline.left_s()):
                http = AuthorizedHttp(credentials, http=one_shot)
                answer = request.execute(http=http, num_retries=0)
        except CalendarError:
            raise  # no time left
        except Exception as error:  # the libraries trip over an answer that is not what it should be
            failed = failure(error, sent=one_shot.sent)
            if failed.dead:
                self._dead = failed
                self._told.died(str(failed))
            elif failed.lasting:
                self._told.troubled(str(failed))
            raise failed from error
        finally:
            self._keep(credentials)
        self._told.answered()
        if isinstance(answer, dict):
            return answer
        if answer in ("", b""):  # to a deletion
            return {}
        raise failure(ValueError(type(answer).__name__), sent=True)

    def _keep(self, credentials: Credentials) -> None:
        """The library may have fetched a new access token on its way, also for a request that failed."""
        if not isinstance(credentials.token, str) or credentials.token == self._tokens.access_token:
            return
        expires_at = credentials.expiry and credentials.expiry.replace(tzinfo=UTC)
        self._tokens = self._tokens.refreshed(credentials.token, expires_at)
        self._told.refreshed(self._tokens)


class _OneShot:
    """What Google's libraries take for an Http. sent: the calendar was reached by the last request."""

    def __init__(self, endpoint: str, deadline: Deadline) -> None:
        self._endpoint = endpoint
        self._deadline = deadline
        self.sent = False

    def request(
        self, uri: str, method: str = "GET", *, body: Any = None, headers: Any = None, **_: Any
    ) -> Any:
        import httplib2

        self.sent = False
        http = httplib2.Http(timeout=self._deadline.left_s(SOCKET_S))
        if is_loopback(urlsplit(uri).hostname or ""):
            http.proxy_info = None
        http.follow_redirects = False  # no token follows one
        try:
            return http.request(uri, method, body, headers, connection_type=self._connection(uri))
        finally:
            http.close()

    def _connection(self, uri: str) -> type:
        import httplib2

        plain = uri.startswith("http://")
        base: Any = httplib2.HTTPConnectionWithTimeout if plain else httplib2.HTTPSConnectionWithTimeout
        one_shot = self

        class Noting(base):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                one_shot.sent = uri.startswith(one_shot._endpoint)

        return Noting


def _credentials(secret: ClientSecret, tokens: Tokens) -> Credentials:
    """As Google's library takes them. Scopes are left out: it would ask for them again at each refresh."""
    from google.oauth2.credentials import Credentials

    return Credentials(  # type: ignore[no-untyped-call]
        tokens.access_token,
        refresh_token=tokens.refresh_token,
        token_uri=secret.token_uri,
        client_id=secret.client_id,
        client_secret=secret.client_secret,
        expiry=_naive(tokens.expires_at),
    )


def _naive(at: datetime | None) -> datetime | None:
    """The library compares with a UTC time that has no zone."""
    return at and at.astimezone(UTC).replace(tzinfo=None)


def _has_time(deadline: Deadline, seconds: float) -> bool:
    try:
        return deadline.left_s() > seconds
    except CalendarUnavailable:
        return False


@lru_cache(maxsize=2)
def _service(endpoint: str) -> Any:
    """The library's description of the calendar: safe to share, as each request brings its own connection."""
    from googleapiclient.discovery import build

    return build(
        "calendar",
        "v3",
        http=_OneShot(endpoint, Deadline(0)),
        static_discovery=True,
        cache_discovery=False,
        client_options={"api_endpoint": endpoint},
    )
