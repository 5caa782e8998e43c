"""The documents a call follows: TwiML, one function each. Pure.

Every URL is absolute (`url` makes it from a path), every text is stripped of characters that XML forbids,
and nothing a caller says or shows ever gets into a document: the only numbers here are the owner's.
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

APOLOGY = "I'm sorry, the assistant is not available right now. Please leave a message after the tone."
LEAVE_A_MESSAGE = "Please leave a message after the tone."
THANKS = "Thank you. Your message has been recorded. Goodbye."
CALL_FOR_YOU = "There is a call for you. Press 1 to take it."

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


def ring_owner(url: Url, *, owner_phone: str, ring_seconds: int, caller_id: str | None = None) -> str:
    """Ring the owner's phone first. `caller_id`: shown in place of the caller's own number."""
    shown = {"caller_id": caller_id} if caller_id else {}
    # answer_on_bridge: the caller hears ringing, and is not answered, until the owner has pressed 1.
    dial = Dial(action=url("/voice/after-dial"), timeout=ring_seconds, answer_on_bridge=True, **shown)
    dial.number(owner_phone, url=url("/voice/screen"))
    response = VoiceResponse()
    response.append(dial)
    return str(response)


def screen(url: Url, *, language: str = "en") -> str:
    """On the owner's side: only a person presses 1, a mailbox does not."""
    gather = Gather(
        action=url("/voice/screened"),
        input="dtmf",
        num_digits=1,
        timeout=SCREENING_S,
        action_on_empty_result=True,
    )
    _say(gather, CALL_FOR_YOU, language)
    response = VoiceResponse()
    response.append(gather)
    response.hangup()
    return str(response)


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
