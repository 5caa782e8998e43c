"""The public address: does it lead here, do WebSockets get through, does a signature survive the way?

The program asks itself, by the way Twilio comes. Proof that it is itself who answers: the doctor makes up a
nonce, leaves its hash in the database, and asks for `/healthz/<nonce>`; the program that shares this database
answers with what can be made of the nonce alone. So it works for the command too, which is another process.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlencode, urljoin, urlsplit

from assistant.config import is_loopback
from assistant.doctor.asking import Answer, NoAnswer, ask, echo
from assistant.doctor.patient import NOT_IN_THE_SANDBOX, TRY_AGAIN, Check, Patient
from assistant.doctor.program import is_running
from assistant.errors import StoreError
from assistant.store import program
from assistant.telephony.signature import signed

PATH = "/healthz/"
STATUS = "/voice/status"
CERTIFICATE = timedelta(days=7)  # renewed long before, where renewing works

NAME, SOCKET, SIGNATURE = "Public address", "WebSockets", "Twilio's signature"
RECIPES = "Compare with “A public address” in the README."
START = "Start it with `make run`, then look again."


def proof(nonce: str) -> str:
    """What only a program that was asked for this nonce can answer."""
    return hashlib.sha256(b"afterbeep " + nonce.encode()).hexdigest()


def look_at_the_address(patient: Patient) -> Iterator[Check]:
    """Everything that has to get through from the world to here."""
    settings = patient.settings
    if patient.sandbox_only:
        yield Check(NAME, "green", NOT_IN_THE_SANDBOX)
    elif not settings.public_url:
        yield Check(NAME, "green", "PUBLIC_URL is not set, and nobody has to come from outside.")
    elif not is_running(patient):
        cause = "Afterbeep is not running, so nothing can answer there."
        yield Check(NAME, "amber", "It can be looked at only while the program runs.", cause, START)
    else:
        yield from _from_outside(patient)


def _from_outside(patient: Patient) -> Iterator[Check]:
    nonce = secrets.token_urlsafe(32)
    url = patient.settings.url(PATH + nonce)
    patient.store.write(program.expect_nonce, nonce, patient.now())
    try:
        led_here = _leads_here(patient, url, nonce)
        yield led_here
        if led_here.state != "red":
            yield _lets_sockets_through(url, nonce)
            if patient.has_phone:
                yield _leaves_signatures_alone(patient)
    finally:
        with suppress(StoreError):  # it is worth nothing in a minute anyway
            patient.store.write(program.forget_nonce, nonce)


def _leads_here(patient: Patient, url: str, nonce: str) -> Check:
    ours = patient.settings.public_url
    try:
        answer = ask(url)
    except NoAnswer as error:
        action = f"See whether the tunnel or proxy runs, and whether PUBLIC_URL is its address. {RECIPES}"
        return Check(NAME, "red", f"{ours} does not answer.", f"Asked for it: {error}.", action)
    if 300 <= answer.status < 400:
        return _redirected(ours, answer, url)
    if answer.status != 200 or not hmac.compare_digest(answer.body.strip(), proof(nonce).encode()):
        found, cause = f"{ours} does not lead to this program.", _who_else(answer)
        action = f"Point the tunnel or proxy at {patient.settings.local_url}. {RECIPES}"
        return Check(NAME, "red", found, cause, action)
    return _certificate(patient, ours, answer)


def _redirected(ours: str, answer: Answer, url: str) -> Check:
    to = urljoin(url, answer.headers.get("location", ""))
    in_a_circle = urlsplit(to)[:3] == urlsplit(url)[:3]
    where = "to itself, in a circle" if in_a_circle else f"to {_origin(to)}"
    cause = "Something in between sends everybody on; Twilio signs the first address only."
    action = f"Switch the redirect off, or set PUBLIC_URL to the address it leads to. {RECIPES}"
    return Check(NAME, "red", f"{ours} redirects {where}.", cause, action)


def _origin(url: str) -> str:
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc}"[:100]


def _who_else(answer: Answer) -> str:
    if answer.status >= 500:
        return f"The tunnel or proxy answers, and does not reach this program ({answer.status})."
    if answer.status in (401, 403):
        return f"Something in between refuses visitors ({answer.status}): a login page, or a check for bots."
    return f"Something else answers there ({answer.status})."


def _certificate(patient: Patient, ours: str, answer: Answer) -> Check:
    ends_at = answer.certificate_ends_at
    if ends_at is None:
        return Check(NAME, "green", f"{ours} leads here.")
    until = f"{ours} leads here; its certificate is good until {patient.clock(ends_at)}."
    if ends_at - patient.now() > CERTIFICATE:
        return Check(NAME, "green", until)
    cause = "Certificates are renewed long before, where renewing works."
    return Check(NAME, "amber", until, cause, "See why your tunnel or proxy does not renew its certificate.")


def _lets_sockets_through(url: str, nonce: str) -> Check:
    cause = ""
    try:
        if echo(url, nonce.encode()) != nonce.encode():
            cause = "something else came back."
    except NoAnswer as error:
        cause = f"{error}."
    if not cause:
        return Check(SOCKET, "green", "A WebSocket gets through, both ways.")
    found = "They do not get through: callers would hear the apology at once."
    action = f"Switch WebSockets on in the tunnel or proxy. {RECIPES}"
    return Check(SOCKET, "red", found, f"When one was opened, {cause}", action)


def _leaves_signatures_alone(patient: Patient) -> Check:
    """A request as Twilio would sign it, of the one kind that changes nothing: a call that is on its way."""
    settings = patient.settings
    url = settings.url(STATUS)
    form = {
        "AccountSid": settings.twilio_account_sid,
        "CallSid": "CA" + secrets.token_hex(16),
        "CallStatus": "queued",
    }
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": signed(settings.twilio_auth_token.get_secret_value(), url, form),
    }
    try:
        status = ask(url, method="POST", body=urlencode(form).encode(), headers=headers).status
    except NoAnswer as error:
        return Check(SIGNATURE, "red", "A signed request gets no answer.", f"Sent there: {error}.", TRY_AGAIN)
    if status in (200, 204):
        return Check(SIGNATURE, "green", "A signed request gets through and is believed.")
    if status == 403:
        cause = "It was changed on its way, or the running program has other settings than these."
        action = f"Restart Afterbeep; then see that the tunnel or proxy changes nothing. {RECIPES}"
    else:
        cause = f"It was answered with {status}."
        action = f"See that the tunnel or proxy lets POST requests to /voice/ through. {RECIPES}"
    return Check(SIGNATURE, "red", "A signed request is refused: so Twilio's are.", cause, action)


def is_on_this_machine(patient: Patient, url: str) -> bool:
    """Whether an address leads to this program, which cannot answer for itself when it is down."""
    host = urlsplit(url).hostname or ""
    return is_loopback(host) or host == urlsplit(patient.settings.url("")).hostname
