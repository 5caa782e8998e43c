"""What Twilio asks about a call, and what it is told: the decisions of a call that rings.

Only Twilio gets here (`signed`). Webhooks come twice, late and in any order: each view can be called again
and leaves the same behind. An answer never waits for a locked database: it is read without waiting for
writers, and what is to be written is queued. A bug here is not the caller's: they are asked for a message.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Flask

from assistant.call.events import OwnerAccepted, OwnerPickedUp
from assistant.errors import StoreBusy
from assistant.telephony import twiml
from assistant.telephony.dials import LONGER_THAN_RINGING_S
from assistant.telephony.rest import OVER, is_sid
from assistant.telephony.tokens import LIFETIME_S
from assistant.trust import Caller, level, read_caller
from assistant.web import books
from assistant.web.admission import Facts, Ringing, first_answer, look_up, over_a_cap
from assistant.web.parts import Answer, CallAtTheDoor, parts
from assistant.web.putting_through import dial_owner, who_calls
from assistant.web.signed import Form, webhook

log = logging.getLogger(__name__)

READ_S = 1.0  # reading and writing together stay well under the two seconds Twilio is to wait
BEGIN_S = 0.5
LONGEST_TEXT = 200


def register(app: Flask) -> None:
    """Put the webhooks on the map."""
    for path, view, otherwise in (
        ("/voice/incoming", incoming, _plain_voicemail),
        ("/voice/after-dial", after_dial, _plain_voicemail),
        ("/voice/screen", screen, _hang_up),
        ("/voice/screened", screened, _hang_up),
        ("/voice/recorded", recorded, _hang_up),
        ("/voice/recording", recording, None),
        ("/voice/status", status, None),
    ):
        app.add_url_rule(path, f"voice_{view.__name__}", webhook(view, otherwise), methods=["POST"])


def _plain_voicemail(call_sid: str) -> str:
    """Nothing is sure but that there is a caller: they are asked for a recording, and waited for."""
    parts().voicemails.add(call_sid)
    parts().lobby.give_up(call_sid, "the call goes to voicemail")
    with suppress(Exception):  # the database may be what has failed
        parts().store.put(books.offer_voicemail, call_sid, datetime.now(UTC))
    return twiml.voicemail(parts().settings.url)


def _hang_up(call_sid: str) -> str:
    return twiml.hang_up()


# --- a call rings -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rings:
    """A call that wants an answer, with all that is known of it."""

    call_sid: str
    form: Form
    caller: Caller
    facts: Facts
    call: CallAtTheDoor


def _rings(call_sid: str, form: Form) -> _Rings:
    caller = read_caller(form.get("From"))
    with parts().within(READ_S):
        facts = parts().store.read(look_up, call_sid, caller, datetime.now(UTC))
    call = parts().memory.of(call_sid)
    call.identity = caller.identity
    # Said when the call comes in; a later webhook that leaves it out must not raise the caller's level.
    call.stir_verstat = form.get("StirVerstat") or call.stir_verstat
    call.trust = level(facts.standing, call.stir_verstat)
    call.language = facts.preferences.language
    call.name = facts.name or _text(form, "CallerName") or call.name
    return _Rings(call_sid, form, caller, facts, call)


def incoming(call_sid: str, form: Form) -> str:
    """A call has come in: what is to happen?"""
    if parts().is_streaming(call_sid):
        return twiml.empty()
    rings = _rings(call_sid, form)
    answer = rings.call.answer or _first_answer(rings)
    is_over = rings.call.over_at is not None or rings.facts.status == "ended"
    if is_over and answer not in ("blocked", "loop"):
        return twiml.empty()
    rings.call.answer = rings.call.answer or answer
    if parts().live_calls.draining and answer in ("ring_owner", "assistant"):
        answer = "voicemail"
    log.info("%s: %s", call_sid, answer)
    match answer:
        case "blocked":
            parts().store.put(books.keep_blocked, call_sid, _row(rings), datetime.now(UTC))
            return twiml.reject()
        case "loop":
            return twiml.reject(busy=True)
        case "ring_owner":
            return _ring_owner(rings, _begin(rings))
        case "voicemail":
            _begin(rings)
            return _voicemail(rings)
        case "assistant":
            return _assistant(rings, _begin(rings))


def _first_answer(rings: _Rings) -> Answer:
    settings, forwarded_from = parts().settings, rings.form.get("ForwardedFrom")
    is_loop = parts().dials.is_loop(
        rings.call_sid,
        rings.caller,
        forwarded_from,
        twilio_number=settings.twilio_number,
        owner=settings.owner_phone,
    )
    ringing = Ringing(rings.caller, forwarded_from, rings.form.get("StirVerstat"), is_loop)
    return first_answer(
        ringing, rings.facts, owner_phone=settings.owner_phone, draining=parts().live_calls.draining
    )


def _begin(rings: _Rings) -> int:
    """Give the call its row. Returns how many calls of this number there were before it today.

    Counted in the same transaction: twenty calls at one moment are told apart. While the database is
    locked the row is queued, and what was read before has to do.
    """
    try:
        return parts().store.write(
            books.begin, rings.call_sid, _row(rings), rings.facts.midnight, timeout_s=BEGIN_S
        )
    except StoreBusy:
        log.warning("%s: the database is busy; the call's row is queued", rings.call_sid)
        return rings.facts.calls_before


def _row(rings: _Rings) -> dict[str, Any]:
    form = rings.form
    return {
        "direction": _text(form, "Direction") or "inbound",
        "from_number": rings.caller.identity,
        "to_number": read_caller(form.get("To")).identity,
        "forwarded_from": read_caller(form.get("ForwardedFrom")).identity,
        "caller_name": rings.facts.name or _text(form, "CallerName"),
        "trust": rings.call.trust,
        "stir_verstat": _text(form, "StirVerstat"),
        "started_at": datetime.now(UTC),
    }


def _text(form: Form, name: str) -> str | None:
    """A field on one line; None when it is empty, which it often is."""
    plain = "".join(character if character.isprintable() else " " for character in form.get(name, ""))
    return " ".join(plain.split())[:LONGEST_TEXT] or None


# --- the three ways a call can go ---------------------------------------------------


def _ring_owner(rings: _Rings, calls_before: int) -> str:
    kept = rings.facts.preferences
    document = dial_owner(parts(), rings.call_sid, rings.caller, kept.ring_seconds)
    others = parts().lobby.waiting(besides=rings.call_sid)
    if _cap_reached(rings, calls_before, parts().assistants_busy() + others) is None:
        # The owner may not answer: a session is opened meanwhile. Its place is the first to be given away.
        parts().expect(rings.call_sid, kept.ring_seconds + LONGER_THAN_RINGING_S, certain=False)
    return document


def _assistant(rings: _Rings, calls_before: int) -> str:
    """The assistant, or plain voicemail where a cap is reached."""
    parts().tokens.drop(rings.call_sid)
    cap = _cap_reached(rings, calls_before, parts().assistants_busy())
    if cap is not None:
        log.warning("%s: plain voicemail: %s is reached", rings.call_sid, cap)
        return _voicemail(rings)
    # Nothing that waits may come between the counting and the token: it is what is counted.
    document = _connect(rings)
    free = rings.facts.preferences.max_concurrent_calls - parts().assistants_busy()
    parts().lobby.make_room(free, besides=rings.call_sid)
    parts().expect(rings.call_sid, LIFETIME_S, certain=True)
    return document


def _assistant_again(rings: _Rings) -> str:
    """The assistant has this call, which comes back from the owner's phone: whatever the caps say."""
    if parts().live_calls.draining:
        return _voicemail(rings)
    return _connect(rings)


def _connect(rings: _Rings) -> str:
    settings = parts().settings
    token = parts().tokens.issue(rings.call_sid)
    return twiml.assistant(
        settings.url, stream_url=settings.stream_url, token=token, language=rings.call.language
    )


def _cap_reached(rings: _Rings, calls_before: int, assistants_busy: int) -> str | None:
    return over_a_cap(
        rings.caller,
        rings.facts,
        owner_phone=parts().settings.owner_phone,
        calls_before=calls_before,
        assistants_busy=assistants_busy,
        running_usd=parts().live_calls.cost_usd(),
    )


def _voicemail(rings: _Rings) -> str:
    kept = rings.facts.preferences
    parts().voicemails.add(rings.call_sid)
    parts().lobby.give_up(rings.call_sid, "the call goes to voicemail")
    parts().store.put(books.offer_voicemail, rings.call_sid, datetime.now(UTC))
    return twiml.voicemail(parts().settings.url, owner_name=kept.owner_name, language=kept.language)


# --- the owner's phone --------------------------------------------------------------


def screen(call_sid: str, form: Form) -> str:
    """Somebody, or something, has picked up the owner's phone. Runs on the owner's own leg."""
    parent_sid = form.get("ParentCallSid", "")
    call = parts().memory.of(parent_sid)
    if call.over_at:
        return twiml.hang_up()
    parts().live_calls.put(parent_sid, lambda at_ms: OwnerPickedUp(at_ms=at_ms))
    return twiml.screen(parts().settings.url, language=call.language, who=who_calls(call), why=call.why)


def screened(call_sid: str, form: Form) -> str:
    """A key was pressed, or none. An empty document connects the two."""
    parent_sid = form.get("ParentCallSid", "")
    if form.get("Digits") != "1" or not is_sid("CA", parent_sid) or parts().is_streaming(parent_sid):
        return twiml.hang_up()
    call = parts().memory.of(parent_sid)
    if call.over_at:
        return twiml.hang_up()
    log.info("%s: the owner takes the call", parent_sid)
    parts().dials.forget(parent_sid)
    parts().lobby.give_up(parent_sid, "the owner takes the call")
    call.accepted = True
    if not parts().live_calls.put(parent_sid, lambda at_ms: OwnerAccepted(at_ms=at_ms)):
        parts().store.put(books.owner_accepted, parent_sid, datetime.now(UTC))
    return twiml.empty()


def after_dial(call_sid: str, form: Form) -> str:
    """The owner's phone has been rung. Taken, it is over; else the assistant takes the call."""
    parts().dials.forget(call_sid)
    if parts().is_streaming(call_sid):
        # A dial that has failed before its stream's end was heard of must not end the call.
        left = parts().live_calls.ringing_owner(call_sid) and form.get("CallStatus") not in OVER
        return _plain_voicemail(call_sid) if left else twiml.empty()
    rings = _rings(call_sid, form)
    bridged = form.get("DialBridged", "").lower() != "false"
    # Who answered an unfinished call that we have no memory of? Before us, only the owner can have.
    forgotten = rings.call.answer is None and rings.facts.answered
    accepted = rings.call.accepted or rings.facts.taken or forgotten
    if accepted and bridged:
        parts().lobby.give_up(call_sid, "the owner has taken the call")
        return twiml.hang_up()
    if accepted:
        rings.call.accepted = False
        parts().store.put(books.owner_was_not_reached, call_sid)
    if form.get("CallStatus") in OVER or rings.call.over_at:
        parts().live_calls.hung_up(call_sid)
        parts().lobby.give_up(call_sid, "the caller has gone")
        return twiml.empty()
    if parts().live_calls.parked(call_sid):
        return _assistant_again(rings)
    if rings.facts.status == "ended" or parts().live_calls.away(call_sid):
        # The assistant's part is over (it was not waited for any longer, or has crashed); the call is not.
        return _voicemail(rings)
    calls_before = _begin(rings)
    if rings.call.answer == "voicemail" or parts().live_calls.draining:
        return _voicemail(rings)
    return _assistant(rings, calls_before)


# --- recordings, and the end ----------------------------------------------------------


def recorded(call_sid: str, form: Form) -> str:
    """The caller has left a recording. Where its sound is, `/voice/recording` says."""
    return twiml.thanks(language=parts().memory.of(call_sid).language)


def recording(call_sid: str, form: Form) -> None:
    """A recording is ready (its URL is not looked at)."""
    recording_sid = form.get("RecordingSid", "")
    if form.get("RecordingStatus") == "completed" and is_sid("RE", recording_sid):
        parts().fetch_recording(call_sid, recording_sid)


def status(call_sid: str, form: Form) -> None:
    """Twilio says how a call goes; what matters is that it is over."""
    if form.get("CallStatus") not in OVER:
        return
    call = parts().memory.of(call_sid)
    call.over_at = call.over_at or datetime.now(UTC)
    parts().dials.forget(call_sid)
    parts().tokens.drop(call_sid)
    parts().lobby.give_up(call_sid, "the call is over")
    parts().voicemails.over(call_sid)
    live_calls = parts().live_calls
    is_served = live_calls.has(call_sid) and not live_calls.away(call_sid)
    live_calls.hung_up(call_sid)
    if not is_served:  # else its stream closes the books; see media.py
        parts().store.put(books.caller_has_gone, call_sid, call.over_at)
