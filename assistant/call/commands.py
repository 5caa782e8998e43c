"""What a call asks its surroundings to do. See `events` for the other direction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Command:
    """Something to be done now, in the order given."""


# --- the phone ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Play(Command):
    """Queue a piece of the assistant's voice at the phone."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class PlaceMark(Command):
    """Ask the phone to say when everything queued so far has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class ClearPlayback(Command):
    """Throw away what the phone has not played yet."""


@dataclass(frozen=True, slots=True)
class HangUp(Command):
    """End the phone call. Failing for good comes back as HangUpFailed."""


@dataclass(frozen=True, slots=True)
class ClosePhone(Command):
    """Close the media stream without hanging up: the caller comes to the apology and the tone."""

    code: int
    reason: str


# --- the model ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HearCaller(Command):
    """Let the model hear a piece of the caller's sound."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class CommitCaller(Command):
    """Make what the caller has said so far an item of the conversation (and have it transcribed)."""


@dataclass(frozen=True, slots=True)
class CreateReply(Command):
    """Ask for a response.

    `say`: exactly these words and no tools. `ask`: an instruction for this one response, no tools.
    Neither: the plain answer to the conversation so far.
    """

    event_id: str
    say: str = ""
    ask: str = ""


@dataclass(frozen=True, slots=True)
class CancelReply(Command):
    """Stop generating."""


@dataclass(frozen=True, slots=True)
class TruncateReply(Command):
    """Tell the model how much of an item was heard. Never more than was sent."""

    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class TellModel(Command):
    """Put a note of ours into the conversation (a system item)."""

    text: str


@dataclass(frozen=True, slots=True)
class TellGreeting(Command):
    """Tell a session, before everything else in it, that these words were spoken without it.

    item_id: what this note is called. heard: how far, when they were cut off; None: they were not.
    """

    item_id: str
    words: str
    heard: str | None


@dataclass(frozen=True, slots=True)
class DeleteItem(Command):
    """Take a note of ours out of the conversation."""

    item_id: str


@dataclass(frozen=True, slots=True)
class AnswerTool(Command):
    """The output of a tool. Exactly one per tool_call_id."""

    tool_call_id: str
    output: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReportTool(Command):
    """Tell the model what a tool has answered that its session has not asked for.

    confirmed: the caller asked for it, by key; else a session that is lost did.
    """

    name: str
    output: dict[str, Any]
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class DeclareTools(Command):
    """Declare the tools this caller may use now, in place of those of before.

    The call knows when, its surroundings know which: it leaves `tools` empty.
    """

    tools: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectModel(Command):
    """Open a new model session in place of the lost one."""


@dataclass(frozen=True, slots=True)
class CloseModel(Command):
    """End the model's session, also one that is still being opened."""


# --- beside the call ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunTool(Command):
    """Run a tool beside the call; its answer comes back as ToolFinished."""

    tool_call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ConfirmTool(Command):
    """The caller has pressed the key a tool asked for: have it done. Comes back as ToolConfirmed."""

    tool_call_id: str


@dataclass(frozen=True, slots=True)
class DropTool(Command):
    """The key that a tool asked for will not come: it is not to be done."""

    tool_call_id: str


@dataclass(frozen=True, slots=True)
class CheckPin(Command):
    """Compare what the caller typed with the owner's PIN, beside the call. Comes back as PinChecked."""

    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StartTimer(Command):
    """Ask for TimerFired(timer) at `at_ms` on the call's clock; replaces a running one of that name."""

    timer: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class StopTimer(Command):
    """Forget a timer; harmless when it is not running."""

    timer: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said by either side.

    text: what was said or generated. heard_text: what the caller can have heard of it (an estimate when
    interrupted). position: sorts the turns of a call in conversation order. Times count from the first
    media stream's start. heard_ms: how much of the audio was heard (a caller's turn: its length).
    """

    item_id: str
    position: float
    speaker: Literal["caller", "assistant"]
    text: str
    heard_text: str
    interrupted: bool
    started_ms: int
    ended_ms: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class RemindModel(Command):
    """Tell a new session what was said before it began: one note, however many turns."""

    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class KeepTurn(Command):
    """A turn is finished: make it durable. The same item_id again replaces it."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class RecordCaller(Command):
    """Caller's sound for the call's recording, beginning at `at_ms`."""

    payload: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class SilenceRecording(Command):
    """The caller's last sound is for nobody: silence takes its place where it is not written yet."""

    length_ms: int


@dataclass(frozen=True, slots=True)
class RecordHeard(Command):
    """Assistant's sound the caller has heard, beginning at `at_ms`."""

    payload: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class KeepGreeting(Command):
    """The opening, spoken whole and word for word: the next call need not wait for a model to say it."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class NoteFirstSound(Command):
    """The assistant is heard for the first time: the piece before this command was the first."""


@dataclass(frozen=True, slots=True)
class NoteResponseTime(Command):
    """The piece before this command began an answer to speech whose end was read at `since_ms`."""

    since_ms: int


@dataclass(frozen=True, slots=True)
class Transfer(Command):
    """Ring the owner's phone in place of the assistant. `reason`: what the owner is told; may be empty.

    The stream's end follows, or TransferFailed.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Park(Command):
    """The stream is over, the call is not: nothing reaches the caller until CallerBack."""
