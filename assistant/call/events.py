"""What can happen on a call, in the call's own words.

Every wire format is read into these, and nothing below this line has heard of JSON,
Twilio or OpenAI. `at_ms` is the call's clock, in milliseconds since the first media
stream began; readers stamp it the moment the message is read.
Call audio is always 8 kHz mu-law (8 bytes = 1 ms).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `at_ms`: when it was read, on the call's clock."""

    at_ms: int = field(kw_only=True)


# --- the phone ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallStarted(Event):
    """The phone's media stream has begun; audio may be sent from now on."""


@dataclass(frozen=True, slots=True)
class CallerAudio(Event):
    """A piece of the caller's sound. `timestamp_ms`: where it begins on the stream's own clock."""

    payload: bytes
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class CallerPressed(Event):
    """A key of the caller's keypad: one of 0-9, *, #, A-D. Not to be seen in logs: it may be of a PIN."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MarkReturned(Event):
    """The phone sent back a mark: played, or thrown away by a clear (`playback` knows which)."""

    name: str


@dataclass(frozen=True, slots=True)
class CallerGone(Event):
    """The phone's stream is over. `hung_up`: the phone said so; else the socket was lost without a word."""

    hung_up: bool


@dataclass(frozen=True, slots=True)
class CallerBack(Event):
    """A new stream of the same call has begun: the owner's phone was rung in vain."""


@dataclass(frozen=True, slots=True)
class CallOver(Event):
    """The telephone company says that the call itself is over, whatever became of its stream."""


# --- the model ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelReady(Event):
    """The model's session is configured as wished and checked; audio and commands may flow."""


@dataclass(frozen=True, slots=True)
class ModelLost(Event):
    """The model's session was refused or has ended without our asking.

    `fatal`: an account or configuration error that no second try can mend.
    `reason` is for the log and the owner: no secrets, no words of the call.
    """

    reason: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class ModelError(Event):
    """The model complained about something and goes on; `code` may be empty."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SpeechStarted(Event):
    """The model's voice detection heard the caller begin to speak."""

    item_id: str


@dataclass(frozen=True, slots=True)
class SpeechStopped(Event):
    """The model's voice detection heard the caller stop; it answers by itself now."""

    item_id: str


@dataclass(frozen=True, slots=True)
class CallerCommitted(Event):
    """What the caller said has become an item of the conversation.

    previous_item_id: the item it follows; None: it is the first; "": the server did not say.
    """

    item_id: str
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class NothingCommitted(Event):
    """We asked to commit the caller's audio and there was none."""


@dataclass(frozen=True, slots=True)
class ItemAdded(Event):
    """An item has its place in the conversation.

    previous_item_id: the item it follows; None: it is the first; "": the server did not say.
    """

    item_id: str
    previous_item_id: str | None
    kind: Literal["caller", "assistant", "other"]


@dataclass(frozen=True, slots=True)
class CallerTranscribed(Event):
    """The words of a caller's item, final; "" when there were none."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptionFailed(Event):
    """The words of a caller's item will not come."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ReplyStarted(Event):
    """The model has begun a response."""

    response_id: str


@dataclass(frozen=True, slots=True)
class ReplyAudio(Event):
    """A piece of the assistant's voice."""

    response_id: str
    item_id: str
    content_index: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class ReplyAudioDone(Event):
    """All audio of this item has been generated (or it was cut off)."""

    response_id: str
    item_id: str
    content_index: int


@dataclass(frozen=True, slots=True)
class ReplyWords(Event):
    """More words of what the assistant is saying."""

    response_id: str
    item_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class ReplyText(Event):
    """All words the model generated for this item (not: what was heard)."""

    response_id: str
    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool run. `arguments` is its JSON text, unchecked."""

    tool_call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ReplyDone(Event):
    """A response is over.

    `tool_calls` holds only calls that were generated whole, and only when the response completed.
    `error_code` and `fatal` say why it failed: fatal account errors are never retried.
    """

    response_id: str
    status: Literal["completed", "cancelled", "incomplete", "failed"]
    tool_calls: tuple[ToolCall, ...] = ()
    error_code: str = ""
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class ReplyRefused(Event):
    """Our request for a response was refused because another is active. `event_id`: of the request."""

    event_id: str


# --- tools -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ThenHangUp:
    """A tool asks for the end of the call, once it is polite."""


@dataclass(frozen=True, slots=True)
class ThenTransfer:
    """A tool asks for the owner's phone to be rung."""

    reason: str


@dataclass(frozen=True, slots=True)
class ThenConfirm:
    """A tool does what it was asked only when the caller presses this key."""

    key: str = "1"


Then = ThenHangUp | ThenTransfer | ThenConfirm


@dataclass(frozen=True, slots=True)
class ToolFinished(Event):
    """A tool has an answer for the model, and perhaps a wish (`then`) for the call."""

    tool_call_id: str
    output: dict[str, Any]
    then: Then | None = None


@dataclass(frozen=True, slots=True)
class ToolConfirmed(Event):
    """A tool has done, or refused, what the caller confirmed by key.

    `tool_call_id`: of the run that asked for it.
    """

    tool_call_id: str
    name: str
    output: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PinChecked(Event):
    """What was typed has been compared. `granted`: the caller is the owner, and their tools are theirs.

    None: it could not be compared just now, so nobody knows.
    """

    granted: bool | None


@dataclass(frozen=True, slots=True)
class TransferFailed(Event):
    """The owner's phone could not be rung; the assistant is still on the line."""


@dataclass(frozen=True, slots=True)
class OwnerPickedUp(Event):
    """Somebody, or something, has picked up the owner's phone, and is being asked to press 1."""


@dataclass(frozen=True, slots=True)
class OwnerAccepted(Event):
    """The owner has pressed 1: the caller is theirs."""


# --- the owner steps in ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OwnerSays(Event):
    """The owner has typed something for the caller. `ask`: to be asked; else spoken as it is."""

    text: str
    ask: bool = False


@dataclass(frozen=True, slots=True)
class OwnerRings(Event):
    """The owner wants this call on their own phone."""


@dataclass(frozen=True, slots=True)
class OwnerEnds(Event):
    """The owner ends the assistant's part: hang up, or let the caller leave a recording (`voicemail`)."""

    voicemail: bool = False


# --- the house ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimerFired(Event):
    """A timer that was asked for is due."""

    timer: str


@dataclass(frozen=True, slots=True)
class HangUpFailed(Event):
    """The telephone company did not hang up, however often it was asked."""


@dataclass(frozen=True, slots=True)
class ShutDown(Event):
    """The program must leave now; the caller goes to the apology and the tone."""
