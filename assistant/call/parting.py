"""The caller and the assistant part: one hangs up, the line is lost, or we leave it.

When the caller is gone nothing more is said or heard. The model's session is kept only while words of the
caller are being recognised, and not for long; a sentence that was cut off by the hang-up counts too.
When we leave, the phone's stream is closed without a hang-up, and the caller comes to the tone.
"""

from __future__ import annotations

from assistant.audio import BYTES_PER_MS
from assistant.call import events as ev
from assistant.call.commands import (
    CancelReply,
    CloseModel,
    ClosePhone,
    Command,
    CommitCaller,
    StartTimer,
)
from assistant.call.transcript import Transcript
from assistant.call.voice import Voice, keep

WORDS_MS = 4_000  # late words are waited for so long, from the caller's end
COMMIT_MS = 800  # the last, unfinished sentence becomes an item within this


class Parting:
    """How a call came to its end.

    over: nothing more will happen. caller_gone: the phone's side is over. because: why the assistant's part
    ended, in the contract's words, once it is known.
    """

    def __init__(self, transcript: Transcript, voice: Voice) -> None:
        self.over = False
        self.caller_gone = False
        self.because: str | None = None
        self._transcript = transcript
        self._voice = voice
        self._speaking = False
        self._deadline_ms = 0

    def leave(self, because: str, code: int, reason: str, at_ms: int) -> list[Command]:
        """Close the phone's stream without hanging up."""
        self.because = because
        return [ClosePhone(code, reason), *self._voice.line_over(at_ms), *self.give_up(at_ms)]

    def caller_left(self, because: str, at_ms: int) -> list[Command]:
        """The phone's stream is over."""
        self.caller_gone, self.because = True, because
        return self._voice.line_over(at_ms)

    def wait_for_words(self, at_ms: int, *, speaking: bool, replying: bool) -> list[Command]:
        """The caller left, perhaps in the middle of a sentence (theirs, or ours)."""
        self._speaking = speaking
        self._deadline_ms = at_ms + WORDS_MS
        commands: list[Command] = [CancelReply()] if replying else []
        if speaking:
            # No more sound will come that would end the sentence: nobody else makes it an item.
            return [*commands, CommitCaller(), StartTimer("words", at_ms + COMMIT_MS)]
        return [*commands, StartTimer("words", self._deadline_ms), *self._unless_awaited(at_ms)]

    def handle(self, event: ev.Event) -> list[Command]:
        """Take one event that comes after the caller left."""
        match event:
            case ev.ModelLost() | ev.ShutDown() | ev.TimerFired(timer="words"):
                return self.give_up(event.at_ms)
            case ev.ReplyStarted():
                return [CancelReply()]  # nobody would hear it
            case ev.ReplyAudio():
                self._transcript.reply_sound(event.item_id, len(event.payload) / BYTES_PER_MS, None)
                return []
        commands = keep(self._transcript.take(event))
        if isinstance(event, ev.SpeechStopped | ev.CallerCommitted):
            commands.append(StartTimer("words", self._deadline_ms))
        if isinstance(event, ev.SpeechStopped | ev.CallerCommitted | ev.NothingCommitted):
            self._speaking = False
        return commands + self._unless_awaited(event.at_ms)

    def _unless_awaited(self, at_ms: int) -> list[Command]:
        return [] if self._speaking or self._transcript.awaiting_words() else self.give_up(at_ms)

    def give_up(self, at_ms: int) -> list[Command]:
        """Nothing more will happen; words that have not come will not."""
        self.over = True
        return [*keep(self._transcript.give_up_words(at_ms)), CloseModel()]
