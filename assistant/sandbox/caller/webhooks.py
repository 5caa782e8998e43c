"""Twilio's requests to the app: signed forms, retries, redirects, and what counts as a failure.

Written from Twilio's description by our own hand, not with its package: the app uses the package,
and one misreading must not hide on both sides.

Source of the algorithm: Twilio's page "Security", in short: HMAC-SHA1 with the auth token over the URL
followed by each form field's name and value, names sorted; base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlencode, urljoin, urlsplit, urlunsplit

TIMEOUT_S = 15.0
MOST_REDIRECTS = 10


class WebhookFailed(Exception):
    """The app did not answer as a webhook must. `code`: as in Twilio's debugger."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Answer:
    """What the app answered. `url`: the address that answered, after redirects."""

    status: int
    content_type: str
    text: str
    url: str


@dataclass(frozen=True)
class RetryRule:
    """How often, and after which failures, a request is made again; set by the URL's fragment."""

    retries: int = 1
    after: frozenset[str] = frozenset({"ct"})

    @classmethod
    def of(cls, url: str) -> RetryRule:
        """Read `#rc=2&rp=ct,rt,5xx`."""
        settings = parse_qs(urlsplit(url).fragment)
        after = settings.get("rp", ["ct"])[0]
        return cls(int(settings.get("rc", ["1"])[0]), frozenset(after.split(",")))

    def covers(self, failure: str) -> bool:
        """`failure`: ct, rt, 4xx or 5xx."""
        return failure in self.after or "all" in self.after


def signature(auth_token: str, url: str, fields: Mapping[str, str]) -> str:
    """The X-Twilio-Signature of a form POST; with no fields, of a GET or a WebSocket handshake."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.digest(auth_token.encode(), text.encode(), hashlib.sha1)).decode()


def without_fragment(url: str) -> str:
    """The URL as it is requested and signed: what follows `#` is for Twilio alone."""
    return urlunsplit(urlsplit(url)._replace(fragment=""))


class Webhooks:
    """Posts signed forms to the app."""

    def __init__(self, auth_token: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._auth_token = auth_token
        self._timeout_s = timeout_s

    def sign(self, url: str) -> str:
        """The signature of a request without a form: a WebSocket's handshake."""
        return signature(self._auth_token, url, {})

    def post(self, url: str, fields: Mapping[str, str]) -> Answer:
        """One webhook, made again as the URL's fragment allows. Raises WebhookFailed for anything but 2xx."""
        rule = RetryRule.of(url)
        idempotency = str(uuid.uuid4())
        for retries_left in range(rule.retries, -1, -1):
            failure, answer, reason = self._once(without_fragment(url), fields, idempotency)
            if answer is not None and not failure:
                return answer
            if not retries_left or not rule.covers(failure):
                raise WebhookFailed(11200 if answer else 11205, f"{without_fragment(url)}: {reason}")
        raise AssertionError("unreachable: the last round returns or raises")

    def _once(self, url: str, fields: Mapping[str, str], key: str) -> tuple[str, Answer | None, str]:
        """One try: kind of failure ("" = none), the answer if there was one, and words for it."""
        try:
            answer = self._follow(url, fields, key)
        except TimeoutError:
            return "rt", None, f"no answer within {self._timeout_s:g} s"
        except (OSError, http.client.HTTPException) as error:
            return "ct", None, f"no connection ({error})"
        if 200 <= answer.status < 300:
            return "", answer, ""
        return f"{answer.status // 100}xx", answer, f"answered {answer.status}"

    def _follow(self, url: str, fields: Mapping[str, str], key: str) -> Answer:
        for _ in range(MOST_REDIRECTS + 1):
            answer, location = self._exchange(url, fields, key)
            if not location:
                return answer
            url = urljoin(url, location)
        raise WebhookFailed(11215, f"{url}: more than {MOST_REDIRECTS} redirects")

    def _exchange(self, url: str, fields: Mapping[str, str], key: str) -> tuple[Answer, str]:
        parts = urlsplit(url)
        connection = _connection(parts, self._timeout_s)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "Accept": "*/*",
            "User-Agent": "TwilioProxy/1.1",
            "I-Twilio-Idempotency-Token": key,
            "X-Twilio-Signature": signature(self._auth_token, url, fields),
        }
        try:
            target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            connection.request("POST", target, urlencode(fields).encode(), headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            content_type = response.getheader("Content-Type") or ""
            location = response.getheader("Location") or "" if 300 <= response.status < 400 else ""
            return Answer(response.status, content_type, text, url), location
        finally:
            connection.close()


def _connection(parts: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout_s)
