"""The first words of a call: the disclosure and the greeting, in a voice that need not be waited for.

A model takes a second to connect and another to speak, and a caller decides in the first one whether to
hang up. So the sound of the opening is kept, from a call that spoke it whole, and goes out the moment the
phone's stream begins, whatever the model is doing. Its session is told afterwards that the words were
spoken, by an item of ours; it cannot be truncated like a reply of the model's own, so when the caller
interrupts, it is deleted, and another that says how far they were heard takes its place, before everything
the caller has said.

Where nothing is kept the model is asked for the words, and what it speaks is gathered here: if it was these
words and nothing else, the next caller does not have to wait.
"""

from __future__ import annotations

from assistant.call.commands import Command, DeleteItem, KeepGreeting, TellGreeting
from assistant.call.events import ReplyAudio, ReplyDone
from assistant.call.plan import CallPlan
from assistant.call.transcript import Transcript
from assistant.call.voice import Voice, keep
from assistant.call.words import same_words

GREETING = "greeting"  # the item that says the words were spoken, and their turn in the transcript
GREETING_CUT = "greeting_cut"  # the one that says how far


class Opening:
    """The opening of one call, kept or asked for."""

    def __init__(self, plan: CallPlan, transcript: Transcript, voice: Voice) -> None:
        self._words = plan.opening
        self._kept = plan.greeting
        self._wants_sound = plan.keep_opening
        self._transcript = transcript
        self._voice = voice
        self._told = False  # the session in use has our item
        self._response_id: str | None = None  # the model's own, that was asked for these words
        self._sound: dict[str, bytearray] = {}  # of that response, by item

    @property
    def kept(self) -> bool:
        """True when the words need no model."""
        return bool(self._kept)

    def begin(self, at_ms: int) -> list[Command]:
        """The phone's stream has begun: the kept words go out."""
        return self._voice.speak_kept(GREETING, self._words, self._kept, at_ms) if self._kept else []

    # --- what the model is told ---

    @property
    def is_all_that_was_said(self) -> bool:
        """True while nothing but the kept opening is in the transcript."""
        return self.kept and [turn.item_id for turn in self._transcript.turns()] == [GREETING]

    def tell(self) -> list[Command]:
        """To a session that has just begun: these words were spoken, so far."""
        heard = self._heard_only()
        self._told = heard is None
        return [TellGreeting(GREETING if self._told else GREETING_CUT, self._words, heard)]

    def interrupted(self) -> list[Command]:
        """The voice was cut off. If it was the kept one, the model learns how far it was heard."""
        heard = self._heard_only()
        if not self._told or heard is None:
            return []
        self._told = False
        return [DeleteItem(GREETING), TellGreeting(GREETING_CUT, self._words, heard)]

    def _heard_only(self) -> str | None:
        """What was heard of the kept words; None when they were not cut off."""
        heard = self._transcript.heard_text_of(GREETING)
        return None if heard is None or same_words(heard, self._words) else heard

    def session_lost(self) -> None:
        """The next session is told everything at once."""
        self._told = False

    # --- what the model speaks ---

    def asked_of(self, response_id: str) -> None:
        """This response was asked to speak the opening, word for word."""
        self._voice.opening(response_id)
        self._response_id = response_id
        self._sound.clear()

    def listen(self, event: ReplyAudio) -> None:
        """Sound the model has generated."""
        if event.response_id == self._response_id:
            self._sound.setdefault(event.item_id, bytearray()).extend(event.payload)

    def reply_over(self, event: ReplyDone) -> list[Command]:
        """A response is over. Spoken whole, and in these words, the opening is worth keeping."""
        if event.response_id != self._response_id:
            return []
        sounds, self._sound, self._response_id = self._sound, {}, None
        said = " ".join(self._transcript.words_of(item_id) for item_id in sounds)
        if event.status != "completed" or not same_words(said, self._words):
            return []
        commands: list[Command] = []
        if len(sounds) == 1:
            # Written down as the owner wrote them, whoever speaks them.
            commands += keep(self._transcript.reply_text(next(iter(sounds)), self._words))
        if self._wants_sound:
            self._wants_sound = False
            commands.append(KeepGreeting(b"".join(sounds.values())))
        return commands
