"""The owner steps in on a running call without answering it: have something said or asked, ring, send away.

What is done is an event for the call, put there by `live_calls.put`; what comes of it is the call's own
affair and is seen in its transcript. Here it is only said whether that was possible, and at once.

A button is pressed twice more often than one would think, by fingers and by browsers that try again. Each
form has a key of its own (`step_key`): whatever comes with a key that was here before gets the same answer
and does nothing. The record of it is queued before the call hears of it, so it is always part of the call.
"""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from flask import Flask, abort, current_app, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from assistant.call import events as ev
from assistant.store import callers, news, step_ins
from assistant.store.step_ins import Kind
from assistant.web import calls
from assistant.web.live import running_call
from assistant.web.parts import parts
from assistant.web.phone.dialling import is_browser_call

LONGEST_TEXT = 500
MOST_REMEMBERED = 500  # presses
WAIT_S = 5.0  # of a second press for what came of the first
KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")

# Direction marks turn round what follows them, also what is not the owner's: in a log, on a page.
TURNS_TEXT = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

EVENTS: dict[Kind, Callable[[str, int], ev.Event]] = {
    "tell": lambda text, at_ms: ev.OwnerSays(text, ask=False, at_ms=at_ms),
    "ask": lambda text, at_ms: ev.OwnerSays(text, ask=True, at_ms=at_ms),
    "ring": lambda text, at_ms: ev.OwnerRings(at_ms=at_ms),
    "voicemail": lambda text, at_ms: ev.OwnerEnds(voicemail=True, at_ms=at_ms),
    "hang_up": lambda text, at_ms: ev.OwnerEnds(voicemail=False, at_ms=at_ms),
    "block": lambda text, at_ms: ev.OwnerEnds(voicemail=False, at_ms=at_ms),
}
DONE: dict[Kind, str] = {
    "tell": "The assistant will say this as soon as the caller pauses.",
    "ask": "The assistant will ask this as soon as the caller pauses.",
    "ring": "Your phone is ringing.",
    "voicemail": "The caller hears the tone.",
    "hang_up": "Hung up.",
    "block": "Blocked and hung up.",
}
OVER = "The call is over."
TWICE = "That was pressed twice. The call itself shows what came of it."
WITHHELD = "Withheld numbers cannot be blocked: they do not say whose they are. You can hang up."
LEAVING = "Afterbeep is about to stop: nobody could take the call back if you did not answer."
RINGING = "Your phone is ringing just now. Try again when the assistant is back on the line."


@dataclass(frozen=True, slots=True)
class Wish:
    """What the owner wants, as it was typed."""

    call_sid: str
    kind: Kind
    text: str
    step_key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a wish, for the owner. more: an address where a reason can be mended.

    mend: what is wrong is what was typed, and `text` is to be shown again.
    """

    ok: bool
    said: str
    text: str = ""
    mend: bool = False
    more: str = ""
    more_name: str = ""

    @property
    def status(self) -> int:
        """As HTTP has it."""
        return 200 if self.ok else 422 if self.mend else 409


@dataclass(slots=True)
class _Press:
    answer: Answer | None = None
    over: threading.Event = field(default_factory=threading.Event)


class Presses:
    """What came of the last presses, by key. A call lives no longer than the program: so does this."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._presses: OrderedDict[tuple[str, str], _Press] = OrderedDict()

    def once(self, wish: Wish, do: Callable[[Wish], Answer]) -> Answer:
        """Do what is wished, unless this very press was here before; then say what came of that."""
        key = (wish.call_sid, wish.step_key)
        with self._lock:
            before = self._presses.get(key)
            press = before or self._presses.setdefault(key, _Press())
            while len(self._presses) > MOST_REMEMBERED:
                self._presses.popitem(last=False)
        if before is not None:
            before.over.wait(WAIT_S)
            return before.answer or Answer(False, TWICE)
        try:
            press.answer = do(wish)
        finally:
            press.over.set()
            if press.answer is None or not press.answer.ok:
                self._presses.pop(key, None)  # nothing was done, so it may be tried again
        return press.answer


def register(app: Flask) -> None:
    """Put the buttons on the map."""
    app.extensions["afterbeep_presses"] = Presses()
    app.add_url_rule("/calls/<call_sid>/step-in", "step_in", step_in, methods=["POST"])
    app.jinja_env.globals.update(step_key=lambda: secrets.token_urlsafe(12))


def step_in(call_sid: str) -> ResponseReturnValue:
    """One press of one button."""
    kind, step_key = request.form.get("kind", ""), request.form.get("step_key", "")
    if kind not in get_args(Kind) or not KEY.fullmatch(step_key):
        abort(400)
    presses = cast(Presses, current_app.extensions["afterbeep_presses"])
    wish = Wish(call_sid, cast(Kind, kind), request.form.get("text", "").strip(), step_key)
    return _tell(call_sid, presses.once(wish, _do))


def _tell(call_sid: str, answer: Answer) -> ResponseReturnValue:
    """To a script, the words alone; else the page, with what was refused still in its field."""
    if request.headers.get("X-Afterbeep") == "fragment":
        return render_template("_step_in_result.html", answer=answer), answer.status
    if answer.mend:
        g.step_in = answer
        return current_app.make_response(calls.call(call_sid)), answer.status
    flash(answer.said, "done" if answer.ok else "problem")
    return redirect(url_for("call", call_sid=call_sid), 303)


# --- whether it can be done, and doing it -----------------------------------------


def _do(wish: Wish) -> Answer:
    call = parts().store.read(news.facts, [wish.call_sid]).get(wish.call_sid)
    if call is None:
        abort(404)
    return _why_not(wish, call) or (_block(wish, call) if wish.kind == "block" else _put(wish))


def _why_not(wish: Wish, call: dict[str, Any]) -> Answer | None:
    """What stands against it, as far as that is known before."""
    if wish.kind in ("tell", "ask") and (problem := what_is_wrong(wish.text)):
        return Answer(False, problem, wish.text, mend=True)
    if wish.kind == "block":
        return _why_not_blocked(call)
    running = running_call(wish.call_sid)
    if running is None or running.caller_gone:
        return Answer(False, OVER if call["ended_at"] else "The assistant is not on this call.", wish.text)
    if running.state == "ringing_owner" and wish.kind != "hang_up":
        return Answer(False, RINGING, wish.text, mend=wish.kind in ("tell", "ask"))
    return _why_not_rung(call) if wish.kind == "ring" else None


def what_is_wrong(text: str) -> str | None:
    """Why the assistant cannot be given this to say; None when it can."""
    if not text:
        return "Type what the caller is to hear first."
    if len(text) > LONGEST_TEXT:
        return f"That is {len(text)} characters; at most {LONGEST_TEXT} can be said at once."
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        return "There are line breaks or control characters in it. Type it as one line."
    if TURNS_TEXT & set(text):
        return "There are invisible characters in it that change the direction of writing. Type it anew."
    return None


def _why_not_blocked(call: dict[str, Any]) -> Answer | None:
    if not call["from"]:
        return Answer(False, WITHHELD)
    if call["from"] == parts().settings.owner_phone:
        return Answer(False, "This call comes from your own phone.")
    return None


def _why_not_rung(call: dict[str, Any]) -> Answer | None:
    settings = parts().settings
    if not settings.owner_phone:
        said = "No phone of yours is set (OWNER_PHONE)."
        return Answer(False, said, more=url_for("setup"), more_name="Set it up")
    if call["from"] == settings.owner_phone:
        return Answer(False, "This call comes from your own phone.")
    if is_browser_call(call["call_sid"]):
        return Answer(False, "This call comes from the browser: there is no line to put through.")
    if parts().live_calls.draining:
        return Answer(False, LEAVING)
    return None


def _put(wish: Wish) -> Answer:
    """Tell the call, and keep that it was told."""

    def event(at_ms: int) -> ev.Event:
        _keep(wish, at_ms)
        return EVENTS[wish.kind](wish.text, at_ms)

    if not parts().live_calls.put(wish.call_sid, event):
        return Answer(False, OVER, wish.text)
    return Answer(True, DONE[wish.kind])


def _keep(wish: Wish, at_ms: int) -> None:
    everything = parts()
    everything.store.put(
        step_ins.keep,
        wish.call_sid,
        step_key=wish.step_key,
        kind=wish.kind,
        text=wish.text if wish.kind in ("tell", "ask") else "",
        at_ms=at_ms,
        then=lambda kept: everything.live.tell(wish.call_sid, "kept"),
    )


def _block(wish: Wish, call: dict[str, Any]) -> Answer:
    """From now on; and this call, if it still runs."""
    # Under what the call is kept, as the webhooks look it up: also where that is no proper number.
    parts().store.write(callers.set_caller, call["from"], standing="blocked")
    hung_up = _put(wish)
    return hung_up if hung_up.ok else Answer(True, "Blocked. The call was over already.")
