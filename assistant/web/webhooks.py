"""What Twilio asks about a call, and what it is told: the decisions of a call that rings.

Every webhook is signed, over our own address and every field; without a good signature nothing is read
and nothing kept. Webhooks come twice, late and in any order: each view can be called again and leaves the
same behind. An answer never waits for a locked database: it is read without waiting for writers, and what
is to be written is queued. A bug here is not the caller's: they are asked for a message.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from assistant.config import is_loopback
from assistant.errors import StoreBusy
from assistant.telephony import twiml
from assistant.telephony.dials import LONGER_THAN_RINGING_S
from assistant.telephony.rest import OVER, is_sid
from assistant.telephony.signature import signature_ok
from assistant.telephony.tokens import LIFETIME_S
from assistant.trust import Caller, level, read_caller
from assistant.web import books
from assistant.web.admission import Facts, Ringing, first_answer, look_up, over_a_cap
from assistant.web.parts import Answer, CallAtTheDoor, parts

log = logging.getLogger(__name__)

SIGNATURE = "X-Twilio-Signature"
READ_S = 1.0  # reading and writing together stay well under the two seconds Twilio is to wait
BEGIN_S = 0.5
LONGEST_TEXT = 200

Form = Mapping[str, str]


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
        app.add_url_rule(path, f"voice_{view.__name__}", _webhook(view, otherwise), methods=["POST"])


def _plain_voicemail(call_sid: str) -> str:
    """Nothing is sure but that there is a caller: they are asked for a recording, and waited for."""
    parts().voicemails.add(call_sid)
    parts().lobby.give_up(call_sid, "the call goes to voicemail")
    with suppress(Exception):  # the database may be what has failed
        parts().store.put(books.offer_voicemail, call_sid, datetime.now(UTC))
    return twiml.voicemail(parts().settings.url)


def _hang_up(call_sid: str) -> str:
    return twiml.hang_up()


# --- the door ---------------------------------------------------------------------


def _webhook(
    view: Callable[[str, Form], str | None], otherwise: Callable[[str], str] | None
) -> Callable[[], ResponseReturnValue]:
    """A view for `view(call_sid, form)`. otherwise: its document when that fails; None: a 500."""

    def answer() -> ResponseReturnValue:
        call_sid, form = _checked()
        try:
            document = view(call_sid, form)
        except HTTPException:
            raise
        except Exception:
            if otherwise is None:
                raise
            log.exception("%s: %s failed", call_sid, view.__name__)
            document = otherwise(call_sid)
        return ("", 204) if document is None else Response(document, content_type="text/xml; charset=utf-8")

    return answer


def _checked() -> tuple[str, Form]:
    """The call and the form of a request that is Twilio's, about our account. Else 403 or 400."""
    form = request.form
    settings = parts().settings
    token = settings.twilio_auth_token.get_secret_value()
    if not signature_ok(token, signed_url(settings.url), form, request.headers.get(SIGNATURE)):
        # The fields' names tell which webhook this claims to be; their values are not ours to keep.
        log.warning("refused: %s is not signed by Twilio (%d fields)", request.url_rule, len(form))
        abort(403)
    if form.get("AccountSid") != settings.twilio_account_sid:
        log.warning("refused: %s is about another account", request.url_rule)
        abort(403)
    call_sid = form.get("CallSid", "")
    if not is_sid("CA", call_sid):
        abort(400, "CallSid is missing, or is none.")
    if settings.sandbox:
        _note_sandbox(call_sid, form)
    return call_sid, form


def signed_url(url: Callable[[str], str]) -> str:
    """The address as Twilio was given it: our own, with the query string byte for byte."""
    query = request.query_string.decode("utf-8", "replace")
    return url(request.path) + (f"?{query}" if query else "")


def _note_sandbox(call_sid: str, form: Form) -> None:
    """A simulated call says where its REST side is, and which scenario it plays."""
    api_url, scenario = form.get("SandboxApiUrl", ""), form.get("SandboxScenario", "")
    if api_url and not _is_local_address(api_url):
        abort(400, "SandboxApiUrl is not an address of this machine.")
    if not re.fullmatch(r"[a-z0-9-]{0,40}", scenario):
        abort(400, "SandboxScenario is not the name of one.")
    call = parts().memory.of(call_sid)
    call.api_url = api_url.rstrip("/") or call.api_url
    call.scenario = scenario or call.scenario


def _is_local_address(url: str) -> bool:
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError:
        return False
    plain = split.path in ("", "/") and not split.query and not split.fragment and split.username is None
    return split.scheme == "http" and is_loopback(split.hostname or "") and plain


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
    settings, kept = parts().settings, rings.facts.preferences
    # Withheld, SIP and implausible numbers cannot be shown, and would make the owner's leg fail.
    own_number = rings.caller.number is not None and rings.caller.sip is None
    shown = rings.caller.number if own_number and rings.caller.number else settings.twilio_number
    parts().dials.begin(rings.call_sid, rings.caller, shown=shown, ring_seconds=kept.ring_seconds)
    others = parts().lobby.waiting(besides=rings.call_sid)
    if _cap_reached(rings, calls_before, parts().assistants_busy() + others) is None:
        # The owner may not answer: a session is opened meanwhile. Its place is the first to be given away.
        parts().expect(rings.call_sid, kept.ring_seconds + LONGER_THAN_RINGING_S, certain=False)
    return twiml.ring_owner(
        settings.url,
        owner_phone=settings.owner_phone,
        ring_seconds=kept.ring_seconds,
        caller_id=None if own_number else shown,
    )


def _assistant(rings: _Rings, calls_before: int) -> str:
    """The assistant, or plain voicemail where a cap is reached."""
    parts().tokens.drop(rings.call_sid)
    cap = _cap_reached(rings, calls_before, parts().assistants_busy())
    if cap is not None:
        log.warning("%s: plain voicemail: %s is reached", rings.call_sid, cap)
        return _voicemail(rings)
    # Nothing that waits may come between the counting and the token: it is what is counted.
    token = parts().tokens.issue(rings.call_sid)
    free = rings.facts.preferences.max_concurrent_calls - parts().assistants_busy()
    parts().lobby.make_room(free, besides=rings.call_sid)
    parts().expect(rings.call_sid, LIFETIME_S, certain=True)
    settings = parts().settings
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
    call = parts().memory.of(form.get("ParentCallSid", ""))
    return twiml.hang_up() if call.over_at else twiml.screen(parts().settings.url, language=call.language)


def screened(call_sid: str, form: Form) -> str:
    """A key was pressed, or none. An empty document connects the two."""
    parent_sid = form.get("ParentCallSid", "")
    if form.get("Digits") != "1" or not is_sid("CA", parent_sid) or parts().is_streaming(parent_sid):
        return twiml.hang_up()
    log.info("%s: the owner takes the call", parent_sid)
    parts().dials.forget(parent_sid)
    parts().lobby.give_up(parent_sid, "the owner takes the call")
    parts().memory.of(parent_sid).accepted = True
    parts().store.put(books.owner_accepted, parent_sid, datetime.now(UTC))
    return twiml.empty()


def after_dial(call_sid: str, form: Form) -> str:
    """The owner's phone has been rung. Taken, it is over; else the assistant takes the call."""
    parts().dials.forget(call_sid)
    if parts().is_streaming(call_sid):
        return twiml.empty()
    rings = _rings(call_sid, form)
    bridged = form.get("DialBridged", "").lower() != "false"
    # Who answered an unfinished call that we have no memory of? Before us, only the owner can have.
    accepted = rings.call.accepted or (rings.call.answer is None and rings.facts.answered)
    if accepted and bridged:
        parts().lobby.give_up(call_sid, "the owner has taken the call")
        return twiml.hang_up()
    if accepted:
        rings.call.accepted = False
        parts().store.put(books.owner_was_not_reached, call_sid)
    if form.get("CallStatus") in OVER or rings.call.over_at or rings.facts.status == "ended":
        parts().lobby.give_up(call_sid, "the caller has gone")
        return twiml.empty()
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
    if parts().live_calls.has(call_sid):
        parts().live_calls.hung_up(call_sid)  # it closes its own books; see media.py
    else:
        parts().store.put(books.caller_has_gone, call_sid, call.over_at)
