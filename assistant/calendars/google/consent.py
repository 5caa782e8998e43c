"""OAuth: where the owner agrees, what comes back from there, how it is given up.

The two halves of a link are two requests of the owner's browser. In between, the verifier (PKCE) stays here:
who only sees the addresses cannot finish what another began. What was asked for is not always what is
given, since each permission has a box of its own at Google.

requests-oauthlib would write tokens into a log that wants everything; it is told not to.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from assistant.calendars.google.client_secret import ClientSecret
from assistant.calendars.google.failures import word
from assistant.calendars.google.tokens import Tokens
from assistant.calendars.google.wire import Within
from assistant.errors import LinkError

if TYPE_CHECKING:
    from google_auth_oauthlib.flow import Flow

log = logging.getLogger(__name__)

# What is asked for, and what Google writes beside its box.
SCOPES = {
    "https://www.googleapis.com/auth/calendar.events.owned": (
        "See, create, change, and delete events on Google calendars you own"
    ),
    "https://www.googleapis.com/auth/calendar.freebusy": "View your availability in your calendars",
}
PERMISSIONS_PAGE = "https://myaccount.google.com/permissions"
WAIT_S = 10.0  # each wait for the other side
EXCHANGE_S = 15.0
LONGEST_LIFE_S = 10 * 365 * 86_400

UNREACHABLE = "Google could not be reached to finish the link. Try again in a moment."
NONSENSE = "What should finish the link was answered in a way that cannot be understood. Try again later."
WRONG = {
    "invalid_grant": "Google did not accept the answer: it works once, for a few minutes. Press Link again.",
    "invalid_client": "Google does not know this client, or its secret is wrong: upload its file anew.",
    "unauthorized_client": "Google does not let this client do that: make one of the type Web application.",
    "redirect_uri_mismatch": "The redirect URI in Google's console is not the one on this page.",
    "missing_token": NONSENSE,  # a page in place of an answer, say
}

_insecure = threading.Lock()


@dataclass(frozen=True, slots=True)
class Asked:
    """Where the owner is sent, and what has to be known when they come back."""

    url: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Granted:
    """What the owner gave. dies_at: when it ends, if Google said so."""

    tokens: Tokens
    scopes: tuple[str, ...]
    dies_at: datetime | None


class TooLittle(LinkError):
    """The owner gave less than it takes. token: what opens that much, or ""."""

    def __init__(self, message: str, token: str) -> None:
        super().__init__(message)
        self.token = token


def ask(secret: ClientSecret, redirect_uri: str, account: str = "") -> Asked:
    """Where to send the owner. account: the one to suggest."""
    flow = _flow(secret, redirect_uri)
    hint = {"login_hint": account} if "@" in account else {}
    with _plain_http(secret):
        # Without the consent there would be no refresh token the second time.
        url, state = flow.authorization_url(access_type="offline", prompt="consent", **hint)
    return Asked(url, state, flow.code_verifier)


def exchange(
    secret: ClientSecret, redirect_uri: str, verifier: str, code: str, within: Within = nullcontext
) -> Granted:
    """What the code that the owner's browser brought is worth. Raises LinkError, TooLittle."""
    flow = _flow(secret, redirect_uri, code_verifier=verifier, autogenerate_code_verifier=False)
    flow.oauth2session.scope = None  # else other scopes than those asked for are an exception
    with _as_link_errors(), _plain_http(secret), within(EXCHANGE_S):
        try:
            flow.fetch_token(code=code, include_client_id=True, timeout=WAIT_S)
        finally:
            flow.oauth2session.close()
        return _granted(flow.oauth2session.token, datetime.now(UTC))


def revoke(secret: ClientSecret, token: str, within: Within = nullcontext) -> bool:
    """Give the access up. False: nobody said that it is; one that was dead already is given up."""
    import requests

    if secret.revoke_uri is None:
        return False
    try:
        with within(EXCHANGE_S), requests.Session() as session:
            session.trust_env = not secret.on_this_machine
            answer = session.post(
                secret.revoke_uri, data={"token": token}, timeout=WAIT_S, allow_redirects=False
            )
            dead = answer.status_code == 400 and answer.json().get("error") == "invalid_token"
            return answer.status_code == 200 or dead
    except (requests.RequestException, OSError, ValueError, AttributeError) as error:
        log.warning("access could not be given up: %s", type(error).__name__)
        return False


def _flow(secret: ClientSecret, redirect_uri: str, **more: Any) -> Flow:
    from google_auth_oauthlib.flow import Flow

    logging.getLogger("requests_oauthlib").setLevel(logging.INFO)
    logging.getLogger("oauthlib").setLevel(logging.INFO)
    flow: Flow = Flow.from_client_config(secret.config(), list(SCOPES), redirect_uri=redirect_uri, **more)
    flow.oauth2session.trust_env = not secret.on_this_machine  # no proxy, no .netrc
    flow.oauth2session.max_redirects = 0  # the secret goes nowhere else
    return flow


def _granted(answer: dict[str, Any], now: datetime) -> Granted:
    scope = answer.get("scope")
    scopes = scope.split() if isinstance(scope, str) else list(SCOPES) if scope is None else list(scope)
    refresh_token, access_token = answer.get("refresh_token"), answer["access_token"]
    given = next((token for token in (refresh_token, access_token) if token and isinstance(token, str)), "")
    if missing := [f"“{words}”" for name, words in SCOPES.items() if name not in scopes]:
        boxes = f"box {missing[0]} was" if len(missing) == 1 else f"boxes {' and '.join(missing)} were"
        raise TooLittle(f"Not linked: the {boxes} not ticked. Press Link again and tick every box.", given)
    if not isinstance(refresh_token, str) or not refresh_token:
        raise TooLittle(
            "Not linked: Google gave access for an hour only. Remove this program at"
            f" {PERMISSIONS_PAGE} and press Link again.",
            given,
        )
    expires_at = _later(now, answer.get("expires_in"))
    return Granted(
        Tokens(refresh_token, str(access_token), expires_at or now),
        tuple(str(name) for name in scopes),
        # Sent where the access is given for a time, which is 7 days while the consent screen is in testing:
        # developers.google.com/identity/protocols/oauth2/web-server
        _later(now, answer.get("refresh_token_expires_in")),
    )


def _later(now: datetime, seconds: object) -> datetime | None:
    try:
        count = float(seconds)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return now + timedelta(seconds=count) if 0 <= count < LONGEST_LIFE_S else None


@contextmanager
def _as_link_errors() -> Iterator[None]:
    import requests
    from oauthlib.oauth2 import OAuth2Error

    try:
        yield
    except OAuth2Error as error:
        code = word(error.error)
        log.warning("linking was refused: %s", code)
        raise LinkError(
            WRONG.get(code) or f"Google refused to link ({code or 'it did not say why'})."
        ) from None
    except (requests.TooManyRedirects, requests.JSONDecodeError) as error:
        raise LinkError(NONSENSE) from error
    except OSError as error:  # what requests raises, and TimeoutError, are kinds of it
        log.warning("linking failed: %s", type(error).__name__)
        raise LinkError(UNREACHABLE) from error
    except (Warning, ValueError, TypeError, LookupError, AttributeError) as error:
        # The libraries, and we, trip over an answer that is not what it should be.
        log.warning("linking failed: %s", type(error).__name__)
        raise LinkError(NONSENSE) from error


def _plain_http(secret: ClientSecret) -> AbstractContextManager[None]:
    """Let oauthlib speak http, if the client's addresses are ones of this machine (all else is refused)."""
    plain = any(uri.startswith("http://") for uri in (secret.auth_uri, secret.token_uri))
    return _insecure_transport() if plain else nullcontext()


@contextmanager
def _insecure_transport() -> Iterator[None]:
    """oauthlib asks the environment, of which there is but one: one at a time."""
    name = "OAUTHLIB_INSECURE_TRANSPORT"
    with _insecure:
        before = os.environ.get(name)
        os.environ[name] = "1"
        try:
            yield
        finally:
            os.environ.pop(name)
            if before is not None:
                os.environ[name] = before
