"""An account at Twilio over REST, written by our own hand: the account, its balance, its number."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.telephony.far_end import ACCOUNT, NUMBER, Answer, Asked, sid, web_server

NUMBER_SID = sid("PN", 7)
FALLBACK = "https://handler.twilio.com/twiml/EH0123456789abcdef0123456789abcdef"


@dataclass
class FarAccount:
    """What the account is like now; `asked` lists what was asked of it."""

    account_sid: str = ACCOUNT
    status: str = "active"
    kind: str = "Full"
    balance: str = "20.50"
    refuse: dict[str, int] = field(default_factory=dict)  # by the path's last word: an HTTP status
    number: dict[str, Any] = field(
        default_factory=lambda: {
            "sid": NUMBER_SID,
            "phone_number": NUMBER,
            "voice_url": "https://demo.twilio.com/welcome",
            "voice_method": "GET",
            "voice_fallback_url": "",
            "voice_fallback_method": "POST",
            "status_callback": "",
            "status_callback_method": "POST",
            "voice_application_sid": "",
            "trunk_sid": None,
        }
    )
    asked: list[str] = field(default_factory=list)

    def point_at(self, public_url: str) -> None:
        """As the README says it should be."""
        self.number |= {
            "voice_url": f"{public_url}/voice/incoming",
            "voice_method": "POST",
            "voice_fallback_url": FALLBACK,
            "status_callback": f"{public_url}/voice/status#rc=2&rp=ct,rt,5xx",
            "status_callback_method": "POST",
        }

    def answer(self, method: str, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        split = urlsplit(path)
        what = split.path.rpartition("/")[2].removesuffix(".json")
        self.asked.append(f"{method} {what}")
        if status := self.refuse.get(what):
            return status, {"code": 20003, "message": "no", "status": status}
        assert f"/Accounts/{self.account_sid}" in split.path
        if what == self.account_sid:
            return 200, {"sid": what, "status": self.status, "type": self.kind}
        if what == "Balance":
            return 200, {"account_sid": self.account_sid, "balance": self.balance, "currency": "USD"}
        if what == "IncomingPhoneNumbers":
            wanted = parse_qs(split.query)["PhoneNumber"][0]
            ours = [self.number] if wanted == self.number["phone_number"] else []
            return 200, {"incoming_phone_numbers": ours, "next_page_uri": None}
        assert (method, what) == ("POST", self.number["sid"])
        self.number |= {_column(name): value for name, value in form.items()}
        return 200, self.number

    def serving(self) -> AbstractContextManager[str]:
        """Yields the address."""
        return web_server(self._answer)

    def _answer(self, asked: Asked) -> Answer:
        form = {name: values[0] for name, values in parse_qs(asked.body, keep_blank_values=True).items()}
        status, answer = self.answer(asked.method, asked.path, form)
        return status, {}, json.dumps(answer).encode()


def _column(name: str) -> str:
    """VoiceApplicationSid -> voice_application_sid."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).strip("_")
