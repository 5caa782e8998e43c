"""The calendar: the embedded one, or the link with Google, and whether Google answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

from assistant.calendars.events import Deadline, Span
from assistant.calendars.google import Account
from assistant.calendars.google.consent import SCOPES
from assistant.calendars.google.failures import ENABLE, LINK_AGAIN, TICK, passes, without
from assistant.doctor.patient import TRY_AGAIN, Check, Patient
from assistant.errors import CalendarUnavailable, LinkError, Why
from assistant.tools.toolbox import CALENDAR_S

RECENTLY = timedelta(days=1)  # what answered since then, and does not now, will answer again
LINK_PAGE = "/calendar/link"
UPLOAD = "Upload the client secret: {page}"
FOR_A_TIME = "Google gives access for a week only while the consent screen is in testing."
PUBLISH = "Publish the app in Google's console, then link again: {page}"

ACTIONS: dict[Why, str] = {
    "relink": "Link again: {page}",
    "scope": "Link again, and tick every box at Google: {page}",
    "api_off": ENABLE,
    "network": "See whether this machine reaches the internet.",
    "timeout": TRY_AGAIN,
    "busy": TRY_AGAIN,
    "refused": f"{TRY_AGAIN} If it stays so, upload the client secret and link again: {{page}}",
}
SILENT: tuple[Why, ...] = ("network", "timeout")


def look_at_the_calendar(patient: Patient) -> Iterator[Check]:
    """The embedded one, or all that the link with Google takes, and whether Google answers."""
    account = patient.google.account()
    secret = _client_secret(patient, is_needed=account is not None)
    if account is None:
        yield Check("Calendar", "green", "The embedded calendar is in use; no Google account is linked.")
        if secret.state != "green":
            yield secret
        return
    yield secret
    if secret.state == "red" and account.broken_since is None:
        return  # the link would only say the same once more
    yield _link(patient, account)
    if not account.broken_why:
        yield _permissions(patient, account)
        yield _answer(patient, account)


def _client_secret(patient: Patient, *, is_needed: bool) -> Check:
    name, path = "Google client secret", patient.settings.google_client_secrets
    upload = patient.at(LINK_PAGE, UPLOAD)
    try:
        secret = patient.google.client()
    except LinkError as error:
        # Without a link nobody needs it yet, but somebody wanted to link.
        return Check(name, "red" if is_needed else "amber", "It cannot be used.", str(error), upload)
    if secret is None and is_needed:
        return Check(name, "red", "It is gone.", f"There is no {path}.", upload)
    return Check(name, "green", f"{path} is there." if secret else "There is none.")


def _link(patient: Patient, account: Account) -> Check:
    name = "Google link"
    if account.broken_why:
        since = account.broken_since
        found = f"It is dead since {patient.clock(since)}." if since else "It cannot be used."
        cause = without(account.broken_why, LINK_AGAIN)
        return Check(name, "red", found, cause, patient.at(LINK_PAGE, ACTIONS["relink"]))
    linked = f"{account.name or 'An account'} is linked since {patient.clock(account.linked_at)}."
    if account.dies_at is None:
        return Check(name, "green", linked)
    ends = "ended" if account.dies_at <= patient.now() else "will end"
    found = f"{linked} It {ends} on {patient.clock(account.dies_at)}."
    return Check(name, "amber", found, FOR_A_TIME, patient.at(LINK_PAGE, PUBLISH))


def _permissions(patient: Patient, account: Account) -> Check:
    name = "Google permissions"
    if missing := [words for words in SCOPES.values() if words not in account.permissions]:
        found = f"Missing: {'; '.join(missing)}."
        action = patient.at(LINK_PAGE, ACTIONS["scope"])
        return Check(name, "red", found, "Not every box was ticked.", action)
    return Check(name, "green", f"Granted: {'; '.join(account.permissions)}.")


def _answer(patient: Patient, account: Account) -> Check:
    """What a caller's question would come to now."""
    name, began, now = "Google Calendar", time.monotonic(), patient.now()
    try:
        calendar = patient.google.calendar()
        if calendar is not None:  # it may have been unlinked meanwhile
            calendar.busy(Span(now, now + timedelta(hours=1)), Deadline(CALENDAR_S))
    except CalendarUnavailable as error:
        return _no_answer(patient, account, error)
    return Check(name, "green", f"It answered after {time.monotonic() - began:.1f} s.")


def _no_answer(patient: Patient, account: Account, error: CalendarUnavailable) -> Check:
    last, passing = account.last_success_at, passes(error)
    worked = last is not None and patient.now() - last < RECENTLY
    found = "It does not answer." if error.why in SILENT else "It cannot be used."
    since = f"The last success was on {patient.clock(last)}." if last else "It has never worked."
    # What a server in trouble says is a refusal by its kind, and passes like a busy one.
    action = ACTIONS["busy" if passing and error.why == "refused" else error.why]
    return Check(
        "Google Calendar",
        "amber" if passing and worked else "red",
        f"{found} {since}",
        without(str(error), LINK_AGAIN, TICK, ENABLE),
        patient.at(LINK_PAGE, action),
    )
