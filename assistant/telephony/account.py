"""The account at Twilio: is it in order, whose is the number, where does it send its calls, what is left?

Questions, but for `point_number`, which sets where the number sends its calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assistant.errors import RestError
from assistant.telephony.rest import Rest, errors_as_ours, is_sid

INCOMING, STATUS = "/voice/incoming", "/voice/status"
# What asks Twilio to try again when this machine does not answer; it is not sent to us, and not signed.
TRY_AGAIN = "#rc=2&rp=ct,rt,5xx"


@dataclass(frozen=True, slots=True)
class AccountFact:
    """status: active, suspended or closed."""

    status: str
    is_trial: bool


@dataclass(frozen=True, slots=True)
class Balance:
    amount: float
    currency: str


@dataclass(frozen=True, slots=True)
class NumberFact:
    """Where a number sends its calls. goes_elsewhere: an application or a trunk has it instead."""

    number_sid: str
    voice_url: str
    voice_method: str
    fallback_url: str
    status_callback: str
    status_method: str
    goes_elsewhere: bool


@dataclass(frozen=True, slots=True)
class NumberWish:
    """Where a number should send its calls."""

    voice_url: str
    status_callback: str

    @classmethod
    def at(cls, public_url: str) -> NumberWish:
        """Our own addresses, below PUBLIC_URL."""
        return cls(public_url + INCOMING, public_url + STATUS + TRY_AGAIN)

    def changes(self, number: NumberFact) -> list[tuple[str, str, str]]:
        """What would be set: the field's name in Twilio's console, what it is now, what it will be."""
        rows = [
            ("A call comes in", f"{number.voice_method} {number.voice_url}", f"POST {self.voice_url}"),
            (
                "Call status changes",
                f"{number.status_method} {number.status_callback}",
                f"POST {self.status_callback}",
            ),
        ]
        if number.goes_elsewhere:
            rows.append(("Configure with", "an application or a trunk", "Webhook"))
        return [
            (field, now if " " in now.strip() else "nothing", then)
            for field, now, then in rows
            if now != then
        ]


class TwilioAccount(Rest):
    """Raises RestError like every `Rest`."""

    def account(self) -> AccountFact:
        """The account itself."""
        with errors_as_ours("show the account"):
            fetched = self._client.api.v2010.accounts(self._login[0]).fetch()
            return AccountFact(str(fetched.status), str(fetched.type) == "Trial")

    def balance(self) -> Balance | None:
        """What is left; None: this account is not told (as a part of another, it has no money)."""
        try:
            with errors_as_ours("show the balance"):
                fetched = self._client.balance.fetch()
                return Balance(float(fetched.balance or 0), str(fetched.currency or ""))
        except RestError as error:
            if error.status in (403, 404):
                return None
            raise

    def number(self, number: str) -> NumberFact | None:
        """A number of this account; None: it is not this account's."""
        with errors_as_ours("show the number"):
            listed = self._client.incoming_phone_numbers.list(phone_number=number, limit=5)
            return next((_fact(one) for one in listed if one.phone_number == number), None)

    def point_number(self, number_sid: str, wish: NumberWish) -> None:
        """Have the number send its calls to us. Its fallback stays as it is."""
        if not is_sid("PN", number_sid):
            raise RestError("not an identifier of Twilio's: it should be PN and 32 hexadecimal digits")
        with errors_as_ours("set the number"):
            # An application or a trunk would win over the addresses, so both are emptied.
            self._client.incoming_phone_numbers(number_sid).update(
                voice_url=wish.voice_url, voice_method="POST",
                status_callback=wish.status_callback, status_callback_method="POST",
                voice_application_sid="", trunk_sid="",
            )  # fmt: skip


def _fact(one: Any) -> NumberFact:
    return NumberFact(
        number_sid=str(one.sid),
        voice_url=one.voice_url or "",
        voice_method=str(one.voice_method or ""),
        fallback_url=one.voice_fallback_url or "",
        status_callback=one.status_callback or "",
        status_method=str(one.status_callback_method or ""),
        goes_elsewhere=bool(one.voice_application_sid or one.trunk_sid),
    )
