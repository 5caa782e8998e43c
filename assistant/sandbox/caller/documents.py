"""TwiML as Twilio reads it: a list of verbs, and complaints about what it would not accept.

Names are case-sensitive, and Twilio says nothing to the caller about an unknown one: it skips it and
writes a line in its debugger. Here every such line is kept, because in a program that writes its own
documents each of them is a mistake. Pure. What the verbs do is in `verbs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.etree import ElementTree

MOST_SPOKEN = 4096
MOST_PARAMETER = 500
LOOPBACK = ("127.0.0.1", "localhost", "::1")

NOT_WELL_FORMED, UNKNOWN, WRONG_TYPE, WRONG_TEXT = 12100, 12200, 12300, 13521
STREAM_SCHEME, STREAM_URL, STREAM_TRACK = 31922, 31923, 31941
# Twilio would take a relative URL; this program has promised absolute ones, so it is a complaint of our own.
HOUSE_RULE = 0


@dataclass(frozen=True)
class Verb:
    """A verb or a noun inside one."""

    name: str
    attributes: dict[str, str]
    text: str
    children: tuple[Verb, ...] = ()

    def number(self, name: str, default: int) -> int:
        """A whole-number attribute; the default also stands in for nonsense, which is complained about."""
        value = self.attributes.get(name, "")
        return int(value) if value.isdigit() else default

    def is_true(self, name: str, *, default: bool = False) -> bool:
        """A yes-or-no attribute."""
        return self.attributes.get(name, str(default)).lower() == "true"


@dataclass(frozen=True)
class Complaint:
    """A line in the telephone company's debugger."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}" if self.code else self.text


@dataclass(frozen=True)
class Rule:
    """What may be written in one element."""

    attributes: frozenset[str]
    children: frozenset[str] = frozenset()
    text: bool = False


def _rule(attributes: str, children: str = "", *, text: bool = False) -> Rule:
    return Rule(frozenset(attributes.split()), frozenset(children.split()), text)


_CALLBACK = "recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent"
_MACHINE = (
    "machineDetection machineDetectionTimeout machineDetectionSpeechThreshold "
    "machineDetectionSpeechEndThreshold machineDetectionSilenceTimeout "
    "amdStatusCallback amdStatusCallbackMethod"
)
_SSML = "break emphasis lang p phoneme prosody s say-as sub w"

RULES = {
    "Response": _rule("", "Say Play Pause Redirect Reject Hangup Gather Record Dial Connect Start Stop"),
    "Say": _rule("voice language loop", _SSML, text=True),
    "Play": _rule("loop digits", text=True),
    "Pause": _rule("length"),
    "Redirect": _rule("method", text=True),
    "Reject": _rule("reason"),
    "Hangup": _rule(""),
    "Gather": _rule(
        "input action method timeout finishOnKey numDigits language speechTimeout speechModel hints "
        "profanityFilter actionOnEmptyResult maxSpeechTime bargeIn partialResultCallback enhanced debug",
        "Say Play Pause",
    ),
    "Record": _rule(
        f"action method timeout finishOnKey maxLength playBeep trim transcribe transcribeCallback {_CALLBACK}"
    ),
    "Dial": _rule(
        "action method timeout answerOnBridge callerId record timeLimit hangupOnStar ringTone sequential "
        f"trim recordingTrack referUrl recordingConfigurationId events passports {_CALLBACK}",
        "Number Sip Client",
        text=True,
    ),
    "Number": _rule(
        "url method statusCallback statusCallbackMethod statusCallbackEvent sendDigits byoc " + _MACHINE,
        text=True,
    ),
    "Connect": _rule("action method", "Stream"),
    "Start": _rule("action method", "Stream Recording"),
    "Stop": _rule("", "Stream"),
    "Stream": _rule("url name track statusCallback statusCallbackMethod", "Parameter"),
    "Parameter": _rule("name value"),
    "Recording": _rule(f"trim track channels {_CALLBACK}"),
}
_URLS = ("action", "url", "statusCallback", "recordingStatusCallback", "transcribeCallback")
_NUMBERS = {
    "timeout": (0, 600),
    "length": (1, 86_400),
    "maxLength": (1, 86_400),
    "numDigits": (1, 100),
    "timeLimit": (1, 86_400),
    "loop": (0, 1000),
}


def read_document(text: str, content_type: str = "text/xml") -> tuple[list[Verb], list[Complaint]]:
    """The verbs of a document in order. Nothing at all when it is not well-formed."""
    if content_type.split(";")[0].strip() not in ("text/xml", "application/xml"):
        return [], [Complaint(WRONG_TYPE, f"Content-Type is {content_type or 'missing'}, not text/xml")]
    try:
        root = ElementTree.fromstring(text.encode())  # noqa: S314  (written by the program under test)
    except ElementTree.ParseError as error:
        return [], [Complaint(NOT_WELL_FORMED, f"not well-formed: {error}")]
    if root.tag != "Response":
        return [], [Complaint(NOT_WELL_FORMED, f"the root is <{root.tag}>, not <Response>")]
    response = _read(root)
    return list(response.children), list(_complaints(response))


def _read(element: ElementTree.Element) -> Verb:
    text = "".join(element.itertext()).strip()
    return Verb(element.tag, dict(element.attrib), text, tuple(_read(child) for child in element))


def _complaints(verb: Verb) -> Iterator[Complaint]:
    rule = RULES.get(verb.name)
    if rule is None:
        return  # complained about where it stands; inside <Say> it is SSML
    for name in verb.attributes.keys() - rule.attributes:
        yield Complaint(UNKNOWN, f"<{verb.name}> has no attribute {name}")
    if verb.text and not rule.text and not verb.children:
        yield Complaint(UNKNOWN, f"<{verb.name}> takes no text")
    yield from _value_complaints(verb)
    for child in verb.children:
        if child.name not in rule.children:
            yield Complaint(UNKNOWN, f"<{child.name}> is not known inside <{verb.name}>")
        yield from _complaints(child)


def _value_complaints(verb: Verb) -> Iterator[Complaint]:
    for name, value in verb.attributes.items():
        if name in _URLS and verb.name != "Stream" and not _absolute(value):
            yield Complaint(HOUSE_RULE, f"<{verb.name} {name}> is not an absolute URL: {value}")
        if name in _NUMBERS and not _within(value, *_NUMBERS[name]):
            yield Complaint(UNKNOWN, f'<{verb.name} {name}="{value}"> is no number Twilio takes')
    check = _CHECKS.get(verb.name)
    if check:
        yield from check(verb)


def _absolute(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _within(value: str, least: int, most: int) -> bool:
    return value.isdigit() and least <= int(value) <= most


def _response(verb: Verb) -> Iterator[Complaint]:
    names = [child.name for child in verb.children]
    if "Reject" in names[1:]:
        yield Complaint(HOUSE_RULE, "<Reject> is not the first verb: the call is answered and billed")
    for last in ("Redirect", "Reject", "Hangup"):
        if last in names[:-1]:
            yield Complaint(HOUSE_RULE, f"verbs after <{last}> never run")


def _spoken(verb: Verb) -> Iterator[Complaint]:
    if not verb.text or len(verb.text) > MOST_SPOKEN:
        yield Complaint(WRONG_TEXT, f"<Say> has {len(verb.text)} characters; 1 to {MOST_SPOKEN} are spoken")


def _redirect(verb: Verb) -> Iterator[Complaint]:
    if not _absolute(verb.text):
        yield Complaint(HOUSE_RULE, f"<Redirect> is not an absolute URL: {verb.text}")


def _loops_without_action(verb: Verb) -> Iterator[Complaint]:
    if "action" not in verb.attributes:
        yield Complaint(HOUSE_RULE, f"<{verb.name}> has no action: it would run this document again")


def _connect(verb: Verb) -> Iterator[Complaint]:
    if len(verb.children) != 1:
        yield Complaint(UNKNOWN, f"<Connect> holds {len(verb.children)} nouns, not one")


def _stream(verb: Verb) -> Iterator[Complaint]:
    url = verb.attributes.get("url", "")
    parts = urlsplit(url)
    if parts.scheme != "wss" and not (parts.scheme == "ws" and parts.hostname in LOOPBACK):
        yield Complaint(STREAM_SCHEME, f"<Stream url> is not wss: {url}")
    if not parts.hostname or parts.query or parts.fragment:
        yield Complaint(STREAM_URL, f"<Stream url> needs a host and no query: {url}")
    if verb.attributes.get("track", "inbound_track") != "inbound_track":
        yield Complaint(STREAM_TRACK, "<Stream track> must be inbound_track inside <Connect>")


def _parameter(verb: Verb) -> Iterator[Complaint]:
    name, value = verb.attributes.get("name", ""), verb.attributes.get("value", "")
    if not name or len(name) + len(value) >= MOST_PARAMETER:
        yield Complaint(
            UNKNOWN, f"<Parameter> {name!r} needs a name and fewer than {MOST_PARAMETER} characters"
        )


def _number(verb: Verb) -> Iterator[Complaint]:
    if not (verb.text.startswith("+") and verb.text[1:].isdigit()):
        yield Complaint(UNKNOWN, f"<Number> is not E.164: {verb.text}")


_CHECKS = {
    "Response": _response,
    "Say": _spoken,
    "Redirect": _redirect,
    "Gather": _loops_without_action,
    "Record": _loops_without_action,
    "Connect": _connect,
    "Stream": _stream,
    "Parameter": _parameter,
    "Number": _number,
}
