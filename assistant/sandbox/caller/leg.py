"""One leg of a call: it asks the app what to do and follows the documents it is given.

A verb that has an `action` hands over to the document that comes back; one that has none goes on to the
next verb; at the end of a document the call is over. Two things cut in at any time: the caller hangs up,
or the app ends or redirects the call over REST. The verbs themselves are in `verbs`.
"""

from __future__ import annotations

import json
import math
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote, urljoin

from assistant.sandbox.caller.documents import (
    NOT_WELL_FORMED,
    UNKNOWN,
    WRONG_TYPE,
    Complaint,
    Verb,
    read_document,
)
from assistant.sandbox.caller.handset import FarEnd, Handset
from assistant.sandbox.caller.line import MediaStream
from assistant.sandbox.caller.network import STATUS_CALLBACK, Happening, Network
from assistant.sandbox.caller.webhooks import WebhookFailed

# A program that sends a caller in circles is stopped here.
MOST_DOCUMENTS = 50
END_OF_DOCUMENT = "end of document"


@dataclass(frozen=True)
class Document:
    """Verbs to follow, and where they came from (what a relative URL would be relative to)."""

    verbs: list[Verb]
    url: str


class DocumentFailed(Exception):
    """The app's answer cannot be followed: the caller hears an application error, and the call is over."""


Perform = Callable[["Leg", Verb], "Document | None"]


class Leg:
    """One leg of a call. Also what the REST side shows as a call."""

    def __init__(
        self,
        network: Network,
        handset: Handset,
        verbs: Mapping[str, Perform],
        *,
        from_number: str,
        to_number: str,
        label: str = "caller",
        parent: Leg | None = None,
        more_fields: dict[str, str] | None = None,
    ) -> None:
        self.network = network
        self.handset = handset
        self.call_sid = "CA" + secrets.token_hex(16)
        self.from_number = from_number
        self.to_number = to_number
        self.label = label
        self.direction = "outbound-dial" if parent else "inbound"
        self.parent_call_sid = parent.call_sid if parent else None
        self.status = "ringing"
        self.started_at = datetime.now(UTC)
        self.answered_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.ended_by = ""  # caller, app (over REST), document (<Hangup>, <Reject>), end of document, trouble
        self.streams: list[MediaStream] = []
        self.documents: list[str] = []
        self.verbs_followed: list[str] = []
        self.complaints: list[Complaint] = []
        self._verbs = verbs
        self._more_fields = more_fields or {}
        self._completed = False
        self._replacement: tuple[str, str] | None = None  # twiml, url
        self._change = threading.Lock()
        self._base = network.app_url

    # --- what the REST side does to it ---------------------------------------

    def complete(self) -> None:
        """The app ends the call."""
        self._completed = True
        self.handset.changed()

    def replace(self, *, twiml: str = "", url: str = "") -> None:
        """The app gives the call another document."""
        with self._change:
            self._replacement = (twiml, url)
        self.handset.changed()

    @property
    def duration_s(self) -> int:
        """Whole seconds since the call was answered, as they are billed."""
        if self.answered_at is None:
            return 0
        return math.ceil(((self.ended_at or datetime.now(UTC)) - self.answered_at).total_seconds())

    # --- following documents -------------------------------------------------

    def run(self, url: str) -> None:
        """Follow the documents from this URL on until the leg is over."""
        try:
            document: Document | None = self.fetch(url)
            while document is not None:
                document = self._follow(document)
        except DocumentFailed as failed:
            self.ended_by = "trouble"
            self.note(f"an application error is read out ({failed})")
        finally:
            self._end()

    def fetch(self, url: str, **fields: str) -> Document:
        """Ask the app for a document. Raises DocumentFailed."""
        try:
            answer = self.network.webhooks.post(url, self.fields(**fields))
        except WebhookFailed as failed:
            self.complain(failed.code, str(failed))
            raise DocumentFailed(str(failed.code)) from failed
        return self._read(answer.text, answer.content_type, answer.url)

    def _read(self, text: str, content_type: str, url: str) -> Document:
        self.documents.append(text)
        verbs, complaints = read_document(text, content_type)
        for complaint in complaints:
            self.complain(complaint.code, complaint.text)
        if any(complaint.code in (NOT_WELL_FORMED, WRONG_TYPE) for complaint in complaints):
            raise DocumentFailed("not a document")
        if len(self.documents) > MOST_DOCUMENTS:
            raise DocumentFailed(f"more than {MOST_DOCUMENTS} documents")
        return Document(verbs, url)

    def _follow(self, document: Document) -> Document | None:
        self._base = document.url
        for verb in document.verbs:
            following = None if self.over else self._perform(verb)
            if self._replacement is not None and not self.over:
                return self._replaced()
            if self.over or following is not None:
                return None if self.over else following
        self.ended_by = END_OF_DOCUMENT
        return None

    def _perform(self, verb: Verb) -> Document | None:
        perform = self._verbs.get(verb.name)
        if perform is None:
            self.complain(UNKNOWN, f"<{verb.name}> is nothing this line can do")
            return None
        self.verbs_followed.append(verb.name)
        return perform(self, verb)

    def _replaced(self) -> Document:
        with self._change:
            twiml, url = self._replacement or ("", "")
            self._replacement = None
        self.note("the call is redirected over REST")
        return self.fetch(url) if url else self._read(twiml, "text/xml", self._base)

    # --- what verbs use ------------------------------------------------------

    @property
    def disturbed(self) -> bool:
        """The current verb must stop: hung up, ended or redirected."""
        return self.over or self._replacement is not None

    @property
    def over(self) -> bool:
        """Hung up by the caller, or ended by a document or over REST."""
        return self.handset.hung_up or self._completed

    @property
    def let_through(self) -> bool:
        """Screening documents that come to their end without hanging up connect the two sides."""
        return self.ended_by == END_OF_DOCUMENT

    def action(self, verb: Verb, **fields: str) -> Document | None:
        """Hand over to a verb's `action`, if it has one."""
        url = verb.attributes.get("action")
        return self.fetch(self.absolute(url), **fields) if url else None

    def stay_with(self, far_end: FarEnd) -> None:
        """Connect the phone to something until that is done or the call is disturbed."""
        self.handset.connect(far_end)
        self.handset.wait(lambda: far_end.done or self.disturbed)
        self.handset.disconnect()

    def answer(self) -> None:
        """The call is answered: from now on it is paid for."""
        if self.answered_at is None:
            self.answered_at = datetime.now(UTC)
            self.status = "in-progress"

    def hang_up(self, *, status: str = "") -> None:
        """The document ends the call."""
        self.ended_by = "document"
        self.status = status or self.status
        self._completed = True

    def absolute(self, url: str) -> str:
        """A URL of the current document, absolute."""
        return urljoin(self._base, url)

    def note(self, text: str) -> None:
        """Show what the telephone company does."""
        self.network.on_event(Happening(self.label, self.call_sid, "network", text))

    def complain(self, code: int, text: str) -> None:
        """Write a line in the debugger."""
        complaint = Complaint(code, text)
        self.complaints.append(complaint)
        self.network.on_event(Happening(self.label, self.call_sid, "trouble", str(complaint)))

    def fields(self, **more: str) -> dict[str, str]:
        """The form of a webhook about this leg."""
        status = "completed" if self.handset.hung_up else self.status
        fields = {
            "AccountSid": self.network.account_sid,
            "ApiVersion": "2010-04-01",
            "CallSid": self.call_sid,
            "CallStatus": status,
            "Direction": self.direction,
            "From": self.from_number,
            "To": self.to_number,
            "Caller": self.from_number,
            "Called": self.to_number,
            **_places(),
        }
        if self.parent_call_sid:
            fields["ParentCallSid"] = self.parent_call_sid
        else:
            fields["CallToken"] = _call_token(self.from_number, self.to_number)
        return fields | self._more_fields | self.network.sandbox_fields() | more

    # --- the end -------------------------------------------------------------

    def _end(self) -> None:
        if self.handset.hung_up:
            self.ended_by = "caller"
        self.ended_by = self.ended_by or ("app" if self._completed else "trouble")
        if self.answered_at is not None:
            self.status = "completed"
        elif self.status == "ringing":
            self.status = "no-answer"
        self.ended_at = datetime.now(UTC)
        self.handset.end()
        if self.parent_call_sid is None:
            self.network.call_back(self.network.app_url + STATUS_CALLBACK, self._last_fields())

    def _last_fields(self) -> dict[str, str]:
        now = format_datetime(datetime.now(UTC))
        fields = {
            "CallStatus": self.status,
            "CallDuration": str(self.duration_s),
            "Duration": str(math.ceil(self.duration_s / 60)),
            "Timestamp": now,
            "CallbackSource": "call-progress-events",
            "SequenceNumber": "0",
        }
        return self.fields() | fields


def _places() -> dict[str, str]:
    """Where the numbers are registered: as often as not, the fields are there and empty."""
    parties = ("From", "To", "Caller", "Called")
    places = {f"{party}{part}": "" for party in parties for part in ("City", "State", "Zip")}
    return places | {f"{party}Country": "US" for party in parties}


def _call_token(from_number: str, to_number: str) -> str:
    """A stand-in of the real one's shape: URL-encoded JSON, long, opaque."""
    token = {
        "parentCallInfoToken": secrets.token_urlsafe(120),
        "identityHeaderTokens": [from_number, to_number],
    }
    return quote(json.dumps(token))
