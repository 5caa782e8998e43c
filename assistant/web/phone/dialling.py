"""A call from the browser before its socket: may it be made, as whom, and the token that opens the socket.

What limits every call limits this one too: how many there may be at once, the day's budget, a program that is
about to leave. Only the cap for each caller does not: nobody but the owner gets here.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Flask, current_app

from assistant.errors import AssistantError
from assistant.telephony.tokens import LIFETIME_S
from assistant.trust import Caller, level, read_caller
from assistant.web.admission import Facts, look_up, over_a_cap
from assistant.web.parts import parts

BROWSER = "client:browser"  # as Twilio writes a caller who has no number
CALLER_NAME = "Browser phone"
AS = ("stranger", "known", "owner")
MOST_DIALLED = 50

REFUSALS = {
    "max_concurrent_calls": "As many calls are going on as you allow at once. Try again when one is over.",
    "daily_budget_usd": "The budget for today is used up. It is under Settings, and begins anew at midnight.",
}
BLOCKED = "You have blocked this caller, so the assistant does not answer. It can be undone under Callers."
LEAVING = "The program is about to stop, and takes no new calls. Try again in a moment."


class NotNow(AssistantError):
    """This call cannot be made now; `str` tells the owner why."""


class Dialled:
    """The calls that were dialled and have no socket yet, and by which login. The oldest are forgotten."""

    def __init__(self) -> None:
        self._login_ids: dict[str, str] = {}

    def add(self, call_sid: str, login_id: str) -> None:
        self._login_ids[call_sid] = login_id
        while len(self._login_ids) > MOST_DIALLED:
            del self._login_ids[next(iter(self._login_ids))]

    def put_down(self, login_id: str) -> list[str]:
        """Whoever dials anew has put down before what they had dialled: the calls that will not come."""
        calls = [call_sid for call_sid, theirs in self._login_ids.items() if theirs == login_id]
        for call_sid in calls:
            del self._login_ids[call_sid]
        return calls

    def take(self, call_sid: str, login_id: str) -> bool:
        """Whether this login has dialled this call. It has not any more afterwards."""
        if self._login_ids.get(call_sid) != login_id:
            return False
        del self._login_ids[call_sid]
        return True


def register(app: Flask) -> None:
    """Remember what is dialled."""
    app.extensions["afterbeep_dialled"] = Dialled()


def dialled() -> Dialled:
    """The calls of the app that is serving."""
    found: Dialled = current_app.extensions["afterbeep_dialled"]
    return found


@dataclass(frozen=True, slots=True)
class Ticket:
    """What opens the socket of one call, once, within a minute."""

    call_sid: str
    token: str


def is_browser_call(call_sid: str) -> bool:
    """Whether this is a call from the browser; none of Twilio's looks like it."""
    return re.fullmatch(r"BP[0-9a-f]{32}", call_sid) is not None


def dial(as_: str, login_id: str) -> Ticket:
    """Let the owner ring the assistant. as_: one of AS. Raises NotNow."""
    for put_down in dialled().put_down(login_id):
        parts().tokens.drop(put_down)
        parts().lobby.give_up(put_down, "it was put down before it began")
    call_sid = "BP" + secrets.token_hex(16)
    caller = read_caller(number_of(as_))
    facts = parts().store.read(look_up, call_sid, caller, datetime.now(UTC))
    _check_caps(caller, facts)
    # Nothing that waits may come between the counting and the token: it is what is counted.
    token = parts().tokens.issue(call_sid)
    call = parts().memory.of(call_sid)
    call.identity = caller.identity
    call.trust = "known" if as_ == "known" else level(facts.standing, None)
    call.language = facts.preferences.language
    dialled().add(call_sid, login_id)
    parts().expect(call_sid, LIFETIME_S, certain=True)
    return Ticket(call_sid, token)


def number_of(as_: str) -> str:
    """What the call shows as its caller's number."""
    return parts().settings.owner_phone if as_ == "owner" else BROWSER


def _check_caps(caller: Caller, facts: Facts) -> None:
    if parts().live_calls.draining:
        raise NotNow(LEAVING)
    if facts.standing == "blocked":
        raise NotNow(BLOCKED)
    cap = over_a_cap(
        caller,
        facts,
        owner_phone=parts().settings.owner_phone,
        calls_before=0,
        assistants_busy=parts().assistants_busy(),
        running_usd=parts().live_calls.cost_usd(),
    )
    if cap is not None:
        raise NotNow(REFUSALS[cap])


def row(call_sid: str) -> dict[str, Any]:
    """The call's row as it begins."""
    call = parts().memory.of(call_sid)
    return {
        "direction": "inbound",
        "from_number": call.identity,
        "to_number": parts().settings.twilio_number or None,
        "forwarded_from": None,
        "caller_name": CALLER_NAME,
        "trust": call.trust,
        "stir_verstat": None,
        "started_at": datetime.now(UTC),
    }
