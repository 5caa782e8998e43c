"""The owner's phone, as far as a caller's call knows it: it rings, is answered or not, and may be screened.

Screening runs on the owner's own leg, with its own CallSid; the caller meanwhile hears it ring.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from assistant.sandbox.caller.documents import Verb
from assistant.sandbox.caller.far_ends import Quiet
from assistant.sandbox.caller.handset import CallIsOver, Handset
from assistant.sandbox.caller.leg import Leg, Perform

# The telephone company lets it ring about so much longer than it is told.
ADDED_RINGING_MS = 5000
BUSY_AFTER_MS = 1000
# How long after the first word of the question the owner reacts.
REACTION_MS = 1500


@dataclass(frozen=True)
class DialOutcome:
    """What the app is told when the dialled leg is over. `words`: for whoever watches."""

    status: str
    call_sid: str
    words: str
    seconds: int = 0
    bridged: bool = False


def ring_owner(leg: Leg, verb: Verb, verbs: Mapping[str, Perform]) -> DialOutcome:
    """Ring, and connect the caller when the owner takes the call. Blocks until that leg is over."""
    noun = next((child for child in verb.children if child.name == "Number"), verb)
    owner = leg.network.owner
    theirs = Leg(
        leg.network,
        Handset(hurry=leg.network.hurry),
        verbs,
        from_number=verb.attributes.get("callerId", leg.from_number),
        to_number=noun.text,
        label="owner",
        parent=leg,
    )
    leg.network.rest.add_call(theirs)
    leg.note("the owner's phone rings")
    rings_ms = verb.number("timeout", 30) * 1000 + ADDED_RINGING_MS
    unanswered = {"busy": ("busy", BUSY_AFTER_MS), "no-answer": ("no-answer", rings_ms)}.get(owner.kind)
    if unanswered is None and owner.answers_after_ms >= rings_ms:
        unanswered = ("no-answer", rings_ms)
    status, wait_ms = unanswered or ("", owner.answers_after_ms)
    leg.stay_with(Quiet(wait_ms))
    if leg.disturbed:
        return DialOutcome("canceled", theirs.call_sid, "the caller did not wait")
    if status:
        return DialOutcome(status, theirs.call_sid, status)
    return _answered(leg, theirs, noun.attributes.get("url", ""))


def _answered(leg: Leg, theirs: Leg, screen_url: str) -> DialOutcome:
    theirs.answer()
    theirs.handset.start()
    taken = not screen_url or _screened(leg, theirs, leg.absolute(screen_url))
    if taken:
        leg.answer()
        leg.note("the owner takes the call")
        leg.stay_with(Quiet(leg.network.owner.talks_ms))
    theirs.handset.end()
    words = "the owner talked with the caller" if taken else "answered, and nobody took the call"
    # "completed" is what is said of any leg that was answered, by whomever.
    return DialOutcome("completed", theirs.call_sid, words, theirs.duration_s, bridged=taken)


def _screened(leg: Leg, theirs: Leg, screen_url: str) -> bool:
    """Run the screening on the owner's leg; whether its documents ended without hanging up."""
    screening = threading.Thread(target=theirs.run, args=(screen_url,), daemon=True)
    reacting = threading.Thread(target=_react, args=(theirs, leg.network.owner.kind), daemon=True)
    screening.start()
    reacting.start()
    leg.handset.wait(lambda: theirs.ended_at is not None or leg.disturbed)
    if leg.disturbed:
        theirs.handset.hang_up()
    screening.join()
    reacting.join()
    return theirs.let_through and not leg.disturbed


def _react(theirs: Leg, kind: str) -> None:
    """What the one who answered does when asked to press a key."""
    handset = theirs.handset
    try:
        handset.wait(lambda: handset.ear.first_voice_after(0) is not None)
        handset.wait(lambda: handset.ear.now_ms - (handset.ear.first_voice_after(0) or 0) >= REACTION_MS)
        if kind == "presses-1":
            handset.press("1")
        elif kind == "hangs-up":
            handset.hang_up()
    except CallIsOver:
        return
