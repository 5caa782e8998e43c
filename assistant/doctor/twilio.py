"""Twilio: the account, the number and where it sends its calls, the money that is left."""

from __future__ import annotations

from collections.abc import Iterator

from assistant.doctor.address import is_on_this_machine
from assistant.doctor.patient import ASK_S, NOT_IN_THE_SANDBOX, TRY_AGAIN, Check, Patient
from assistant.errors import RestError
from assistant.telephony.account import TRY_AGAIN as RETRIES
from assistant.telephony.account import AccountFact, NumberFact, NumberWish, TwilioAccount

LOW, EMPTY = 5.0, 0.5
SETUP = "Let it be set for you: {page}"
SETUP_PAGE = "/setup?step=number"
CONSOLE = "See console.twilio.com."


def look_at_twilio(patient: Patient) -> Iterator[Check]:
    """All that can be asked over REST."""
    if not patient.has_phone:
        sandbox = patient.settings.sandbox
        yield Check("Twilio", "green", NOT_IN_THE_SANDBOX if sandbox else "No telephone number is set up.")
        return
    account = twilio_account(patient)
    try:
        fact = account.account()
    except RestError as error:
        yield _no_account(error)
        return
    yield _account(fact)
    yield from _number(patient, account)
    yield _balance(account)


def twilio_account(patient: Patient) -> TwilioAccount:
    """The account of the settings."""
    settings = patient.settings
    token = settings.twilio_auth_token.get_secret_value()
    return TwilioAccount(
        settings.twilio_account_sid, token, settings.twilio_api_url, timeout_s=ASK_S, within=patient.within
    )


def _no_account(error: RestError) -> Check:
    if error.status in (401, 403):
        cause = f"Twilio refuses TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN ({error.status})."
        action = "Copy both anew from the start page of console.twilio.com into `.env`, and restart."
    elif error.status:
        cause, action = f"{error}.", TRY_AGAIN
    else:
        cause, action = f"{error}.", "See whether this machine reaches the internet."
    return Check("Twilio account", "red", "It cannot be looked at.", cause, action)


def _account(fact: AccountFact) -> Check:
    if fact.status != "active":
        cause = "Twilio has switched it off; often a bill is open."
        return Check("Twilio account", "red", f"It is {fact.status}.", cause, CONSOLE)
    if fact.is_trial:
        cause = "A trial account plays an announcement before every call, and takes few callers."
        return Check(
            "Twilio account", "amber", "It is active, for trial.", cause, "Upgrade it: " + CONSOLE[4:]
        )
    return Check("Twilio account", "green", "It is active.")


def _balance(account: TwilioAccount) -> Check:
    name = "Twilio balance"
    left = account.balance()
    if left is None:
        return Check(name, "green", "This account has no balance of its own.")
    amount = f"{left.amount:.2f} {left.currency}".strip()
    if left.amount >= LOW:
        return Check(name, "green", f"{amount} are left.")
    cause = "Without any, callers do not reach you."
    action = "Pay some in, or switch on auto-recharge, at console.twilio.com, Billing."
    return Check(name, "amber" if left.amount >= EMPTY else "red", f"Only {amount} are left.", cause, action)


def _number(patient: Patient, account: TwilioAccount) -> Iterator[Check]:
    wanted = patient.settings.twilio_number
    number = account.number(wanted)
    if number is None:
        cause, action = (
            "It is not among this account's numbers.",
            "Correct TWILIO_NUMBER in `.env`, or buy it.",
        )
        yield Check("Twilio number", "red", f"{wanted} cannot be used.", cause, action)
        return
    yield Check("Twilio number", "green", f"{wanted} belongs to the account.")
    wish = NumberWish.at(patient.settings.public_url)
    yield _incoming(patient, number, wish)
    yield _status_callback(patient, number, wish)
    yield _fallback(patient, number)


def _incoming(patient: Patient, number: NumberFact, wish: NumberWish) -> Check:
    name, action = "Where calls go", patient.at(SETUP_PAGE, SETUP)
    if number.goes_elsewhere:
        cause = (
            "The number is given to an application or a trunk at Twilio, and its own addresses do not count."
        )
        return Check(name, "red", "They do not come here.", cause, action)
    if number.voice_url != wish.voice_url:
        cause = f"“A call comes in” is {_plain(number.voice_url)} and not {wish.voice_url}."
        return Check(name, "red", "They do not come here.", cause, action)
    if number.voice_method != "POST":
        cause = "“A call comes in” has to say HTTP POST."
        return Check(name, "red", f"They come by {number.voice_method}.", cause, action)
    return Check(name, "green", f"They come to {wish.voice_url}.")


def _status_callback(patient: Patient, number: NumberFact, wish: NumberWish) -> Check:
    name, action = "When a call is over", patient.at(SETUP_PAGE, SETUP)
    if number.status_callback == wish.status_callback and number.status_method == "POST":
        return Check(name, "green", "Twilio tells this program, and tries again when it does not answer.")
    if (
        number.status_method == "POST"
        and number.status_callback.partition("#")[0] + RETRIES == wish.status_callback
    ):
        cause = f"“Call status changes” has another end than {RETRIES}."
        return Check(name, "amber", "Twilio tells this program, and does not try again.", cause, action)
    now = _plain(number.status_callback)
    cause = f"“Call status changes” is {now} and not {wish.status_callback}, HTTP POST."
    return Check(name, "amber", "Twilio does not tell this program.", cause, action)


def _fallback(patient: Patient, number: NumberFact) -> Check:
    name, url = "Safety net", number.fallback_url
    action = patient.at(SETUP_PAGE, "Make the two TwiML Bins, and enter the second: {page}")
    if not url:
        cause = (
            "“Primary handler fails” is empty: when this machine is down, callers hear an error and are lost."
        )
        return Check(name, "amber", "There is none.", cause, action)
    if is_on_this_machine(patient, url):
        cause = "“Primary handler fails” is an address of this machine, which cannot answer when it is down."
        return Check(name, "amber", "There is none that would hold.", cause, action)
    return Check(name, "green", "When this machine is down, Twilio takes a recording by itself.")


def _plain(url: str) -> str:
    """An address of somebody's, as it may be printed: what follows its path can hold a secret."""
    return url.partition("?")[0][:120] or "empty"
