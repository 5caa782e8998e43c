"""Twilio's REST side: calls are ended, redirected and listed; recordings listed, fetched and deleted.

Twilio's own client library makes the requests and reads the answers. It knows one address, its maker's,
so what it sends is carried to TWILIO_API_URL by `_Wire`, which also keeps requests to this machine away
from any proxy and limits how long one may take (the library by itself waits for ever).

The library costs 13 MiB, so it is imported by the first request, or by `load`. A connection is closed after
its request: there are a few a day, and nothing is left open when a `Rest` is dropped.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin, urlsplit

from assistant.config import is_loopback
from assistant.errors import RestError

if TYPE_CHECKING:
    import requests
    from twilio.http import HttpClient
    from twilio.http.response import Response
    from twilio.rest import Client

log = logging.getLogger(__name__)

# The status of a call that has ended.
OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
NOT_FOUND, NOT_IN_PROGRESS = 20404, 21220  # what ending a call that is over already is answered with
MOST_CALLS, MOST_RECORDINGS, PAGE = 10_000, 100, 100
MOST_MEDIA_BYTES = 64 << 20  # an hour, the longest recording Twilio makes, is 58 MB
MEDIA_S = 120.0
MOST_REDIRECTS = 5
REQUEST_S = 30.0  # one request with its answer; `timeout_s` is for each wait within it

Within = Callable[[float], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class CallFact:
    """A call as Twilio's list has it; the numbers as they came. duration_s: as it is billed."""

    call_sid: str
    from_number: str
    to_number: str
    direction: str
    status: str
    forwarded_from: str | None
    started_at: datetime
    ended_at: datetime | None
    duration_s: int


@dataclass(frozen=True, slots=True)
class RecordingFact:
    """A recording as Twilio's list has it."""

    recording_sid: str
    status: str
    duration_s: int
    source: str


def is_sid(kind: str, text: str) -> bool:
    """Whether `text` is an identifier of Twilio's, of this kind ("CA", "RE"): safe in a path."""
    return re.fullmatch(f"{kind}[0-9a-fA-F]{{32}}", text) is not None


class Rest:
    """The REST side of one account. Opens nothing until it is used.

    timeout_s: for each wait. within: see DESIGN 5; without it an answer that trickles in has no limit.
    Every method raises RestError when Twilio refuses, answers nonsense or cannot be reached. Its text
    holds no SID, number or token.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        api_url: str = "https://api.twilio.com",
        *,
        timeout_s: float = 10.0,
        within: Within = nullcontext,
    ) -> None:
        self._login = (account_sid, auth_token)
        self._wire = _Wire(api_url, timeout_s, within)
        self._made: Client | None = None

    def load(self) -> None:
        """Import what a request needs of the library: 40 ms that no call should have to wait for."""
        _ = self._client.calls

    def hang_up(self, call_sid: str) -> None:
        """End a call. One that is over already is no error."""
        _check("CA", call_sid)
        try:
            with errors_as_ours("end a call"):
                self._client.calls(call_sid).update(status="completed")
        except RestError as error:
            if error.status != 404 and error.code not in (NOT_FOUND, NOT_IN_PROGRESS):
                raise

    def update(self, call_sid: str, twiml: str) -> None:
        """Give a running call another document, in place of what it is doing."""
        _check("CA", call_sid)
        with errors_as_ours("redirect a call"):
            self._client.calls(call_sid).update(twiml=twiml)

    def calls_to(self, number: str, since: datetime) -> list[CallFact]:
        """Inbound calls to a number that began at `since` or later, newest first."""
        with errors_as_ours("list calls"):
            listed = self._client.calls.list(
                to=number, start_time_after=since.astimezone(UTC), limit=MOST_CALLS, page_size=PAGE
            )
            if len(listed) == MOST_CALLS:
                log.warning("Twilio has more than %d calls to list: the oldest are left out", MOST_CALLS)
            facts = [fact for call in listed if (fact := _call_fact(call)) is not None]
        # Twilio's page says that it filters by the day; whether it minds the hour is not written.
        return [fact for fact in facts if fact.direction == "inbound" and fact.started_at >= since]

    def recordings_of(self, call_sid: str) -> list[RecordingFact]:
        """The recordings of one call, never another's."""
        _check("CA", call_sid)
        with errors_as_ours("list a call's recordings"):
            listed = self._client.calls(call_sid).recordings.list(limit=MOST_RECORDINGS)
            return [
                RecordingFact(made.sid, str(made.status), int(made.duration or 0), str(made.source or ""))
                for made in listed
                if made.call_sid == call_sid and is_sid("RE", made.sid)
            ]

    def fetch_recording(self, recording_sid: str) -> bytes | None:
        """The recording as a WAV file; None: it is not ready yet (or there is none)."""
        _check("RE", recording_sid)
        path = f"/2010-04-01/Accounts/{self._login[0]}/Recordings/{recording_sid}.wav"
        with errors_as_ours("fetch a recording"):
            return self._wire.fetch(path, self._login)

    def delete_recording(self, recording_sid: str) -> None:
        """Delete it at Twilio. One that is gone already is no error."""
        _check("RE", recording_sid)
        try:
            with errors_as_ours("delete a recording"):
                deleted = self._client.recordings(recording_sid).delete()
        except RestError as error:
            if error.status == 404:
                return
            raise
        if not deleted:
            raise RestError("Twilio did not delete a recording")

    @property
    def _client(self) -> Client:
        if self._made is None:
            from twilio.rest import Client

            self._made = Client(*self._login, http_client=cast("HttpClient", self._wire))
        return self._made


def _check(kind: str, sid: str) -> None:
    if not is_sid(kind, sid):
        raise RestError(f"not an identifier of Twilio's: it should be {kind} and 32 hexadecimal digits")


def _call_fact(call: Any) -> CallFact | None:
    """None: nothing to be made of it (not begun yet, or not a call of the kind we know)."""
    started_at = _time(call.start_time) or _time(call.date_created)
    if started_at is None or not is_sid("CA", call.sid or ""):
        return None
    return CallFact(
        call_sid=call.sid,
        from_number=call._from or "",
        to_number=call.to or "",
        direction=str(call.direction),
        status=str(call.status),
        forwarded_from=call.forwarded_from or None,
        started_at=started_at,
        ended_at=_time(call.end_time),
        duration_s=int(call.duration or 0),
    )


def _time(read: object) -> datetime | None:
    """The library gives what it cannot read as it came."""
    return read if isinstance(read, datetime) and read.tzinfo else None


class _Wire:
    """Carries requests to where the API is. What Twilio's client library takes as its HTTP client."""

    def __init__(self, api_url: str, timeout_s: float, within: Within) -> None:
        self._within = within
        self._base = api_url.rstrip("/")
        self._on_this_machine = is_loopback(urlsplit(api_url).hostname or "")
        self._timeout_s = timeout_s

    def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """One request of the library's, to our address in place of the one it names."""
        from twilio.http.response import Response

        named = urlsplit(uri)
        url = self._base + named.path + (f"?{named.query}" if named.query else "")
        with self._within(REQUEST_S), self._session() as session:
            answer = session.request(
                method, url, params=params, data=data, headers=headers, auth=auth,
                timeout=timeout or self._timeout_s, allow_redirects=False,
            )  # fmt: skip
            return Response(answer.status_code, answer.text, answer.headers)

    def fetch(self, path: str, login: tuple[str, str]) -> bytes | None:
        """The bytes at a path of the API, wherever they are really kept; None: 404."""
        with self._within(MEDIA_S), self._session() as session:
            answer = self._follow(session, self._base + path, login)
            if answer.status_code == 404:
                return None
            if answer.status_code != 200:
                raise _refused("fetch a recording", answer.status_code)
            return _read(answer)

    def _follow(self, session: requests.Session, url: str, login: tuple[str, str]) -> requests.Response:
        """Ask, and ask again where Twilio sends us; the login goes to the API's own host alone."""
        for _ in range(MOST_REDIRECTS):
            ours = _origin(url) == _origin(self._base)
            answer = session.get(
                url, auth=login if ours else _nobody, headers={"Accept": "audio/x-wav"},
                timeout=self._timeout_s, stream=True, allow_redirects=False,
            )  # fmt: skip
            if not answer.is_redirect:
                return answer
            url = urljoin(url, answer.headers["Location"])
            if not self._may_go_to(url):
                raise RestError("Twilio sent us to an address without https to fetch a recording")
        raise RestError("Twilio sent us on too often to fetch a recording")

    def _may_go_to(self, url: str) -> bool:
        if self._on_this_machine and is_loopback(urlsplit(url).hostname or ""):
            return True
        return urlsplit(url).scheme == "https"

    def _session(self) -> requests.Session:
        import requests

        session = requests.Session()
        session.trust_env = not self._on_this_machine  # what it trusts is mostly HTTPS_PROXY
        return session


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """No login. (With None in its place, one would be looked for in the owner's .netrc.)"""
    return request


def _read(answer: requests.Response) -> bytes:
    """The body; raises RestError when it is longer than any recording."""
    body = bytearray()
    for chunk in answer.iter_content(16 << 10):
        body += chunk
        if len(body) > MOST_MEDIA_BYTES:
            raise RestError(f"a recording of more than {MOST_MEDIA_BYTES >> 20} MiB is not fetched")
    return bytes(body)


@contextmanager
def errors_as_ours(doing: str) -> Iterator[None]:
    """Whatever goes wrong at Twilio, or on the way, as a RestError.

    Not chained: the library's texts quote addresses with numbers in them, and tracebacks are logged.
    """
    import requests
    from twilio.base.exceptions import TwilioException

    try:
        yield
    except TwilioException as error:
        raise _refused(doing, *_status_and_code(error)) from None
    except (requests.RequestException, TimeoutError) as error:
        raise RestError(f"Twilio could not be reached to {doing}: {type(error).__name__}") from None
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise RestError(f"Twilio's answer cannot be read ({doing}): {type(error).__name__}") from None


def _status_and_code(error: Exception) -> tuple[int, int]:
    """What Twilio answered. The library puts it into the error in three ways."""
    answer = error.args[-1] if error.args else None
    status = getattr(error, "status", None) or getattr(answer, "status_code", None)
    return int(status or 0), int(getattr(error, "code", None) or 0)


def _refused(doing: str, status: int, code: int = 0) -> RestError:
    hint = "; check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN" if status in (401, 403) else ""
    number = f"HTTP {status}" + (f", error {code}" if code not in (0, status) else "")
    return RestError(f"Twilio refused to {doing}: {number}{hint}", code, status)
