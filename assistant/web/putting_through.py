"""The owner's phone is rung for a call the assistant has: what the line is told, and what the owner hears.

Asked for by a tool or by the owner, it is one path: another document takes the place of the one that holds
the stream, the call is parked (`call.parking`), and `/voice/after-dial` decides whether its caller comes
back.
"""

from __future__ import annotations

from assistant.errors import RestError
from assistant.store import preferences
from assistant.telephony import twiml
from assistant.trust import Caller, read_caller
from assistant.web.parts import CallAtTheDoor, Parts

ASKED = "You asked for this call"


def ring_owner(everything: Parts, call_sid: str, why: str) -> str:
    """The document that rings the owner's phone in place of the assistant. Beside the call; may wait.

    why: in the assistant's words; "" when it is the owner who wants the call. Raises RestError.
    """
    call = everything.memory.of(call_sid)
    if everything.live_calls.draining:
        raise RestError("the program is about to leave")
    call.why = why or ASKED
    kept = everything.store.read(preferences.load)
    return dial_owner(everything, call_sid, read_caller(call.identity), kept.ring_seconds, answered=True)


def dial_owner(
    everything: Parts, call_sid: str, caller: Caller, ring_seconds: int, *, answered: bool = False
) -> str:
    """The document that rings the owner for this caller; the dial is known from here on, for loops."""
    settings = everything.settings
    # Withheld, SIP and implausible numbers cannot be shown, and would make the owner's leg fail.
    own = caller.number if caller.sip is None else None
    shown = own or settings.twilio_number
    everything.dials.begin(call_sid, caller, shown=shown, ring_seconds=ring_seconds)
    return twiml.ring_owner(
        settings.url,
        owner_phone=settings.owner_phone,
        ring_seconds=ring_seconds,
        caller_id=None if own else shown,
        answered=answered,
    )


def who_calls(call: CallAtTheDoor) -> str:
    """The caller, as read out to the owner: a name, else the number digit by digit."""
    number = read_caller(call.identity).number or ""
    digits = " ".join(character for character in number if character.isdigit())
    return call.name or digits or "a withheld number"
