"""What a failed request means, and what to do about it.

| what happened | why | the owner |
| --- | --- | --- |
| refused tokens (`invalid_grant`, the client deleted) | relink | links again; nothing is asked till then |
| 401 with fresh tokens | relink | links again |
| 403 `insufficientPermissions` | scope | links again and ticks every box |
| 403 `accessNotConfigured` | api_off | switches the Calendar API on in the console |
| 403 and 429 for too many requests | busy | |
| no connection; a connection that was lost | network | |
| no answer in time | timeout | |
| all else it said, 5xx, nonsense | refused | |

A request that was sent and has no answer to trust may have been carried out: `may_have_worked`.
"""

from __future__ import annotations

import http.client
import re
from typing import TYPE_CHECKING, Any

import orjson

from assistant.errors import CalendarUnavailable, Why

if TYPE_CHECKING:
    from googleapiclient.errors import HttpError

API_PAGE = "https://console.cloud.google.com/apis/library/calendar-json.googleapis.com"
TOO_MANY = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RATE_LIMIT_EXCEEDED"})
API_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
NO_SCOPE = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
# What the token's address says when it will never say anything else.
DEAD = {
    "invalid_grant": "Google says that the access has expired or was taken back.",
    "invalid_rapt": "Google wants you to log in again before it lets the assistant in.",
    "unauthorized_client": "Google says that the access was given to another client.",
    "deleted_client": "Google says that the OAuth client has been deleted.",
}
LINK_AGAIN = "Link again on the page “Google Calendar”."
TICK = "Tick every box at Google."
ENABLE = f"Enable it at {API_PAGE} and wait a minute or two."


PASSING: tuple[Why, ...] = ("network", "timeout", "busy")
LASTING: tuple[Why, ...] = ("relink", "scope", "api_off")


class Failed(CalendarUnavailable):
    """A request came to nothing. status: what was answered, 0 when nothing was.

    sent: the calendar itself was reached. dead: no request will ever work until the owner links again.
    """

    def __init__(self, message: str, why: Why, *, status: int = 0, sent: bool = False, dead: bool = False):
        super().__init__(message, why)
        self.status = status
        self.sent = sent
        self.dead = dead

    @property
    def may_have_worked(self) -> bool:
        """Whether what was asked for may have been done all the same."""
        return self.sent and (self.status == 0 or self.status >= 500)

    @property
    def passing(self) -> bool:
        """Whether asking again soon may help."""
        return self.why in PASSING or self.status >= 500

    @property
    def lasting(self) -> bool:
        """Whether the link is alive, and of no use until the owner has done something."""
        return self.why in LASTING and not self.dead


def passes(error: CalendarUnavailable) -> bool:
    """Whether asking again soon may help."""
    return error.passing if isinstance(error, Failed) else error.why in PASSING


def without(text: str, *advice: str) -> str:
    """What is wrong, for a place that itself says what to do."""
    for one in advice:
        text = text.replace(one, "")
    return " ".join(text.split())


def failure(error: Exception, *, sent: bool) -> Failed:
    """What an exception of Google's libraries, or of the sockets below them, means."""
    from google.auth.exceptions import RefreshError, TransportError
    from googleapiclient.errors import HttpError
    from httplib2 import HttpLib2Error

    if isinstance(error, HttpError):
        return _answered(error)
    if isinstance(error, RefreshError):
        return _not_refreshed(error)
    if isinstance(error, TimeoutError):
        return Failed("Google's calendar did not answer in time.", "timeout", sent=sent)
    if isinstance(error, OSError | HttpLib2Error | TransportError | http.client.HTTPException):
        return Failed("Google's calendar could not be reached.", "network", sent=sent)
    return Failed("Google's calendar answered something that cannot be understood.", "refused", sent=sent)


def _answered(error: HttpError) -> Failed:
    status, reason = int(error.status_code), reason_of(error.content)
    if status == 401:
        return Failed(f"Google does not accept the access any more. {LINK_AGAIN}", "relink", status=status)
    if status == 429 or (status == 403 and reason in TOO_MANY):
        return Failed("Google says that it was asked too often. It passes.", "busy", status=status)
    if status == 403 and reason in NO_SCOPE:
        text = f"Google says that a permission is missing. {LINK_AGAIN} {TICK}"
        return Failed(text, "scope", status=status)
    if status == 403 and reason in API_OFF:
        text = f"The Google Calendar API is not enabled in your project at Google. {ENABLE}"
        return Failed(text, "api_off", status=status)
    said = f"{status}, {reason}" if reason else str(status)
    return Failed(f"Google's calendar refused ({said}).", "refused", status=status, sent=status >= 500)


def _not_refreshed(error: Any) -> Failed:
    answer = error.args[1] if len(error.args) > 1 else None
    code = word(answer.get("error")) if isinstance(answer, dict) else ""
    if code in DEAD:
        return Failed(f"{DEAD[code]} {LINK_AGAIN}", "relink", dead=True)
    if code == "invalid_client":
        text = "Google does not accept the client secret any more: download the file anew and upload it."
        return Failed(text, "refused")
    if error.retryable:
        return Failed("Google's login has trouble. It passes.", "busy")
    return Failed("Google's login did not answer as it should.", "refused")


def reason_of(content: bytes) -> str:
    """The word in an error's body that says what it is; "" when there is none."""
    try:
        error = orjson.loads(content)["error"]
        listed = [*error.get("errors", []), *error.get("details", [])]
        reasons = [one["reason"] for one in listed if isinstance(one, dict) and one.get("reason")]
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return word(reasons[0]) if reasons else ""


def word(said: object) -> str:
    """A word of the other side's that may be shown; "" for anything else it may be."""
    return said if isinstance(said, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", said) else ""
