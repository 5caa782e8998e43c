"""The documents a call follows: TwiML, one function each. Pure.

Every URL is absolute (`url` makes it from a path), every text is stripped of characters that XML forbids.
The only numbers that are ever dialled are the owner's. What a caller says or shows gets into one document
alone, as words to be read out: the owner, asked to take a call, hears from whom and why.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from twilio.twiml.voice_response import Connect, Dial, Gather, VoiceResponse

Url = Callable[[str], str]

# Callbacks made while this program restarts come again (Twilio's "connection overrides").
AGAIN = "#rc=2&rp=ct,rt,5xx"
LONGEST_VOICEMAIL_S = 180
SILENCE_ENDS_VOICEMAIL_S = 8
SCREENING_S = 8  # short, or the owner's own mailbox would record the question
LONGEST_WHO, LONGEST_WHY = 60, 200  # characters read out to the owner

APOLOGY = "I'm sorry, the assistant is not available right now. Please leave a message after the tone."
LEAVE_A_MESSAGE = "Please leave a message after the tone."
THANKS = "Thank you. Your message has been recorded. Goodbye."
CALL_FOR_YOU = "There is a call for you"
TAKE_IT = "Press 1 to take it."

# The texts are English, so other languages' voices are never asked for.
ENGLISH = {"en-gb": "en-GB", "en-au": "en-AU", "en-in": "en-IN"}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def assistant(url: Url, *, stream_url: str, token: str, language: str = "en") -> str:
    """Talk to the assistant. Whenever its socket closes, or never opens, the rest is the fallback."""
    response = VoiceResponse()
    connect = Connect()  # no action: what follows it must run even if nobody is there to be asked
    connect.stream(url=stream_url).parameter(name="token", value=token)
    response.append(connect)
    return _with_voicemail(response, APOLOGY, url, language)


def voicemail(url: Url, *, owner_name: str = "", language: str = "en") -> str:
    """Plain voicemail, in place of the assistant."""
    whose = f"Hello, you've reached {owner_name}. " if owner_name else "Hello. "
    return _with_voicemail(VoiceResponse(), whose + LEAVE_A_MESSAGE, url, language)


def _with_voicemail(response: VoiceResponse, text: str, url: Url, language: str) -> str:
    _say(response, text, language)
    response.record(
        action=url("/voice/recorded"),
        max_length=LONGEST_VOICEMAIL_S,
        timeout=SILENCE_ENDS_VOICEMAIL_S,
        recording_status_callback=url("/voice/recording") + AGAIN,
    )
    response.hangup()  # an empty recording falls through to here
    return str(response)


def ring_owner(
    url: Url, *, owner_phone: str, ring_seconds: int, caller_id: str | None = None, answered: bool = False
) -> str:
    """Ring the owner's phone. `caller_id`: shown in place of the caller's own number.

    answered: the call is, already (the assistant has it); it hears ringing all the same.
    """
    shown = {"caller_id": caller_id} if caller_id else {}
    # answer_on_bridge: the caller hears ringing, and is not answered, until the owner has pressed 1.
    dial = Dial(action=url("/voice/after-dial"), timeout=ring_seconds, answer_on_bridge=not answered, **shown)
    dial.number(owner_phone, url=url("/voice/screen"))
    response = VoiceResponse()
    response.append(dial)
    return str(response)


def screen(url: Url, *, language: str = "en", who: str = "", why: str = "") -> str:
    """On the owner's side: only a person presses 1, a mailbox does not. who, why: read out before."""
    gather = Gather(
        action=url("/voice/screened"),
        input="dtmf",
        num_digits=1,
        timeout=SCREENING_S,
        action_on_empty_result=True,
    )
    _say(gather, call_for_you(who, why), language)
    response = VoiceResponse()
    response.append(gather)
    response.hangup()
    return str(response)


def call_for_you(who: str, why: str) -> str:
    """What the owner hears before they take a call."""
    call = f"{CALL_FOR_YOU}, from {_short(who, LONGEST_WHO)}." if who else f"{CALL_FOR_YOU}."
    reason = _short(why, LONGEST_WHY).rstrip(".")
    return " ".join(part for part in (call, reason and f"{reason}.", TAKE_IT) if part)


def _short(text: str, most: int) -> str:
    """On one line, and no longer than that: it is heard while a phone waits."""
    words = " ".join(speakable(text).split())
    return words if len(words) <= most else words[:most].rsplit(" ", 1)[0]


def thanks(*, language: str = "en") -> str:
    """After a recording: never a document that records again."""
    response = VoiceResponse()
    _say(response, THANKS, language)
    response.hangup()
    return str(response)


def reject(*, busy: bool = False) -> str:
    """Refuse the call: unanswered and unbilled, because it is the first verb."""
    response = VoiceResponse()
    response.reject(**({"reason": "busy"} if busy else {}))
    return str(response)


def hang_up() -> str:
    """End this leg."""
    response = VoiceResponse()
    response.hangup()
    return str(response)


def empty() -> str:
    """Nothing more to do here; on the owner's side: connect the two."""
    return str(VoiceResponse())


def _say(verb: VoiceResponse | Gather, text: str, language: str) -> None:
    verb.say(speakable(text), language=ENGLISH.get(language.lower(), "en-US"))


def speakable(text: str) -> str:
    """The text without characters that no XML parser accepts."""
    return _NOT_XML.sub("", text)
