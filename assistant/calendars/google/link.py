"""The link with the owner's Google account: begun, finished, used, given up.

What pages, the doctor and the diary know of Google is this. A link that has died stays where it is and says
why; nothing else takes its place, and Google is not asked again until the owner has linked anew.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

from assistant.calendars.events import Calendar, Deadline
from assistant.calendars.google import client_secret, consent
from assistant.calendars.google.calendar import GoogleCalendar
from assistant.calendars.google.client_secret import ClientSecret
from assistant.calendars.google.failures import LINK_AGAIN
from assistant.calendars.google.notes import Notes
from assistant.calendars.google.tokens import (
    Tokens,
    Unreadable,
    seal,
    seal_tokens,
    unseal,
    unseal_tokens,
)
from assistant.calendars.google.wire import Asks, DeadWire, Wire, Within, load_libraries
from assistant.config import Settings
from assistant.errors import CalendarUnavailable, LinkError
from assistant.store import Store, google_link
from assistant.store.google_link import Link

log = logging.getLogger(__name__)

CHECK_S = 10.0
STILL_ALIVE = "The link itself is alive: uploading the file again is enough."
WAIT_FOR_THE_STORE_S = 5.0
TOO_LATE = (
    "Not linked: this answer of Google's was used already, is older than ten minutes, or belongs to another"
    " browser. Press Link again."
)


@dataclass(frozen=True, slots=True)
class Account:
    """What is linked. name: "" when Google has not told it. permissions: in Google's words.

    broken_why: why it is dead, "" when it is not; broken_since: since when, if that is known. dies_at: when
    it will be, where Google gave access for a time. trouble: why one that is alive is of no use until the
    owner has done something, as far as is known without asking.
    """

    name: str
    permissions: tuple[str, ...]
    linked_at: datetime
    last_success_at: datetime | None
    dies_at: datetime | None
    broken_since: datetime | None
    broken_why: str
    trouble: str = ""


class Google:
    """Google as the program knows it.

    key: gives SECRET_KEY's text. within: see DESIGN 5; without it an answer that trickles in has no limit.
    """

    def __init__(
        self, settings: Settings, store: Store, key: Callable[[], str], within: Within = nullcontext
    ) -> None:
        self._settings = settings
        self._store = store
        self._key = key
        self._within = within

    # --- the client secret -------------------------------------------------------

    def client(self) -> ClientSecret | None:
        """The client secret; None when there is no file. Raises LinkError when it is wrong."""
        return client_secret.load(self._settings.google_client_secrets)

    def keep_client(self, text: bytes) -> ClientSecret:
        """Keep a client secret. Raises LinkError; a wrong one changes nothing."""
        return client_secret.keep(self._settings.google_client_secrets, text)

    # --- linking -----------------------------------------------------------------

    def begin(self, redirect_uri: str) -> tuple[str, str]:
        """Where to send the owner's browser, and the state it will bring back. Raises LinkError."""
        link = self._link()
        asked = consent.ask(self._client(), redirect_uri, link.account if link else "")
        begun = google_link.Begun(seal(self._key(), asked.verifier.encode()), redirect_uri)
        self._store.write(
            google_link.begin, _hash(asked.state), begun, _now(), timeout_s=WAIT_FOR_THE_STORE_S
        )
        return asked.url, asked.state

    def give_up(self, state: str) -> None:
        """The owner came back without an answer: this state is of no use any more. Raises LinkError."""
        self._take(state)

    def finish(self, state: str, code: str) -> Account:
        """Link, in place of what was linked. Raises LinkError; what was linked then stays as it was."""
        begun = self._take(state)
        secret = self._client()
        try:
            verifier = unseal(self._key(), begun.verifier).decode()
        except Unreadable:
            raise LinkError(TOO_LATE) from None
        granted = self._exchange(secret, begun.redirect_uri, verifier, code)
        new = Link(
            account="",
            client_id=secret.client_id,
            scopes=granted.scopes,
            tokens=seal_tokens(self._key(), granted.tokens),
            linked_at=_now(),
            dies_at=granted.dies_at,
        )
        self._store.write(google_link.keep, new, timeout_s=WAIT_FOR_THE_STORE_S)
        log.info("a Google account was linked")
        return self._account(new)

    def check(self) -> Account:
        """Ask Google something small, and learn the account's name. Raises CalendarUnavailable, LinkError."""
        link = self._link()
        if link is None:
            raise LinkError("Nothing is linked.")
        name = GoogleCalendar(self._wire(link)).account_name(Deadline(CHECK_S))
        self._store.write(google_link.succeeded, link.linked_at, _now(), name, timeout_s=WAIT_FOR_THE_STORE_S)
        return self.account() or self._account(link)

    def unlink(self) -> str:
        """Give the access up and forget the link. Returns what to tell the owner."""
        link = self._link()
        if link is None:
            return "Nothing is linked."
        given_up = self._revoke(link)
        self._store.write(google_link.unlink, link.linked_at, timeout_s=WAIT_FOR_THE_STORE_S)
        log.info("the Google account was unlinked; given up at Google: %s", given_up)
        if given_up:
            return "Unlinked. Google has been told, and the access is gone."
        return (
            "Unlinked here, but Google could not be told. Remove this program by hand at"
            f" {consent.PERMISSIONS_PAGE}"
        )

    # --- using it ------------------------------------------------------------------

    def account(self) -> Account | None:
        """What is linked, and whether it is dead; asks nobody."""
        link = self._link()
        return None if link is None else self._account(link)

    def calendar(self) -> Calendar | None:
        """The owner's calendar; None: nothing is linked. That of a dead link says so and asks nobody."""
        link = self._link()
        return None if link is None else GoogleCalendar(self._wire(link), self._call_page)

    def load(self) -> None:
        """Import what a question needs of Google's libraries, so that no call has to wait for it."""
        load_libraries(self._settings.google_calendar_url)
        seal(self._key(), b"")

    def _call_page(self, call_sid: str) -> str:
        return self._settings.url(f"/calls/{call_sid}")

    def _link(self) -> Link | None:
        return self._store.read(google_link.link)

    def _client(self) -> ClientSecret:
        secret = self.client()
        if secret is None:
            raise LinkError("There is no client secret yet: upload the file from Google's console first.")
        return secret

    def _take(self, state: str) -> google_link.Begun:
        begun = self._store.write(google_link.take, _hash(state), _now(), timeout_s=WAIT_FOR_THE_STORE_S)
        if begun is None:
            raise LinkError(TOO_LATE)
        return begun

    def _exchange(self, secret: ClientSecret, redirect_uri: str, verifier: str, code: str) -> consent.Granted:
        """What the owner gave. What is too little to link is given back. Raises LinkError."""
        try:
            return consent.exchange(secret, redirect_uri, verifier, code, self._within)
        except consent.TooLittle as refused:
            # All that one account gave this program is one to Google: a link that is there could end too.
            if refused.token and self._link() is None:
                consent.revoke(secret, refused.token, self._within)
            raise

    def _account(self, link: Link) -> Account:
        broken_why, trouble = link.broken_why, link.trouble
        try:
            self._opened(link)
        except CalendarUnavailable as error:
            if error.why == "relink":
                broken_why = str(error)
            else:
                trouble = str(error)
        return Account(
            link.account,
            tuple(consent.SCOPES.get(scope, scope) for scope in link.scopes),
            link.linked_at,
            link.last_success_at,
            None if broken_why else link.dies_at,
            link.broken_since,
            broken_why,
            "" if broken_why else trouble,
        )

    def _opened(self, link: Link) -> tuple[ClientSecret, Tokens]:
        """What it takes to use the link. Raises CalendarUnavailable: "relink" when it is dead."""
        if link.broken_since is not None:
            raise CalendarUnavailable(link.broken_why, "relink")
        try:
            tokens = unseal_tokens(self._key(), link.tokens)
        except Unreadable:
            text = f"SECRET_KEY is not the one that the link was kept with. {LINK_AGAIN}"
            raise CalendarUnavailable(text, "relink") from None
        secret = self._secret_again()
        if secret.client_id != link.client_id:
            text = f"The client secret is another client's than the one that was linked. {LINK_AGAIN}"
            raise CalendarUnavailable(text, "relink")
        return secret, tokens

    def _secret_again(self) -> ClientSecret:
        """The client secret, which was there when the link was made. Raises CalendarUnavailable."""
        try:
            secret = self.client()
        except LinkError as error:
            raise CalendarUnavailable(f"{error} {STILL_ALIVE}", "refused") from error
        if secret is None:
            text = f"The client secret is gone: there is no {self._settings.google_client_secrets}."
            raise CalendarUnavailable(f"{text} {STILL_ALIVE}", "refused")
        return secret

    def _wire(self, link: Link) -> Asks:
        try:
            secret, tokens = self._opened(link)
        except CalendarUnavailable as error:
            return DeadWire(str(error), error.why)
        notes = Notes(self._store, link, self._key)
        return Wire(self._settings.google_calendar_url, secret, tokens, notes, self._within)

    def _revoke(self, link: Link) -> bool:
        try:
            secret, tokens = self._client(), unseal_tokens(self._key(), link.tokens)
        except (LinkError, Unreadable):
            return False
        return consent.revoke(secret, tokens.refresh_token, self._within)


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)
