"""The assistant's voice on the line: what is sent, what was heard of it, what is cut off.

Ties together the queue at the phone (`playback`), the words (`transcript`), the recording, which
holds what was heard and not what was sent, and the disclosure, before which nothing of the caller's
is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from assistant.audio import BYTES_PER_MS
from assistant.call import events as ev
from assistant.call.commands import (
    ClearPlayback,
    Command,
    KeepTurn,
    NoteFirstSound,
    NoteResponseTime,
    PlaceMark,
    Play,
    RecordCaller,
    RecordHeard,
    TruncateReply,
    Turn,
)
from assistant.call.disclosure import Disclosure
from assistant.call.playback import Cut, Heard, Moment, Playback, SpokenItem, StreamClock
from assistant.call.transcript import Transcript


def keep(turns: Iterable[Turn]) -> list[Command]:
    """Make finished turns durable."""
    return [KeepTurn(turn) for turn in turns]


class Voice:
    """What the assistant says on one call, and how much of it arrives.

    notice_ends_ms: where the disclosure ends in the kept opening; 0: by the share of its letters.
    """

    def __init__(self, transcript: Transcript, disclosure: Disclosure, notice_ends_ms: int = 0) -> None:
        self.disclosure = disclosure
        self._transcript = transcript
        self._clock = StreamClock()
        self._playback = Playback()
        self._opening: str | None = None  # the response that was asked to say the disclosure
        self._opening_over = False
        self._sounded = False
        self._spoke_first_ms: int | None = None  # something was sent then, before the phone's clock was known
        self._answering_ms: int | None = None  # the caller's end of speech that is not answered yet
        self._items: dict[str, set[str]] = {}  # the items of each response that is not over
        self._unplayed: dict[tuple[str, int], str] = {}  # items of a cut reply that never sounded
        self._unknown: set[str] = set()  # items the model's session in use does not have
        self._kept: str | None = None  # the item that is the kept opening
        self._kept_notice_ends_ms = notice_ends_ms

    @property
    def idle(self) -> bool:
        """True when everything that was sent has been heard."""
        return self._playback.idle and not self._playback.items

    def remaining_ms(self, at_ms: int) -> int:
        """How long what is queued will still sound, by the clock."""
        return max(0, round(self._playback.ends_ms() - self._clock.at(at_ms).now_ms))

    # --- the caller's side of the line ---

    def began(self, at_ms: int) -> list[Command]:
        """Nothing is queued at the phone: measure how long the way there and back is."""
        return [PlaceMark(name) for name in self._playback.probe(at_ms)]

    def hear(self, event: ev.CallerAudio) -> list[Command]:
        """The caller's sound moves the stream's clock, and is recorded once they know that it is."""
        self._clock.frame(event.timestamp_ms, len(event.payload) / BYTES_PER_MS, event.at_ms)
        if self._spoke_first_ms is not None:
            known = self._playback.begun_at(self._clock.now_ms(self._spoke_first_ms))
            self._spoke_first_ms = self._spoke_first_ms if known else None
        return [RecordCaller(event.payload, event.timestamp_ms)] if self.disclosure.heard else []

    def answer_due(self, stopped_ms: int | None) -> None:
        """The next sound answers speech whose end was read at `stopped_ms` (None: it answers nothing)."""
        self._answering_ms = stopped_ms

    # --- the assistant's ---

    def opening(self, response_id: str | None) -> None:
        """This response was asked to say the disclosure, word for word. None: it was not, after all."""
        self._opening, self._opening_over = response_id, False

    def speak_kept(self, item_id: str, words: str, payload: bytes, at_ms: int) -> list[Command]:
        """Send the whole kept opening to the phone. The model does not know of it yet."""
        self._kept, self._opening = item_id, item_id
        self._unknown.add(item_id)
        self._transcript.place(item_id, None, "assistant")
        self._transcript.reply_text(item_id, words)
        commands = self.speak(ev.ReplyAudio(item_id, item_id, 0, payload, at_ms=at_ms), at_ms)
        return commands + self.reply_over(item_id, at_ms)

    def speak(self, event: ev.ReplyAudio, at_ms: int) -> list[Command]:
        """Send a piece of a reply to the phone."""
        now_ms = self._clock.now_ms(at_ms)
        if self._spoke_first_ms is None and not self._clock.runs:
            self._spoke_first_ms = at_ms
        parts = self._playback.send(
            event.response_id, event.item_id, event.content_index, event.payload, now_ms
        )
        commands: list[Command] = [
            Play(part) if isinstance(part, bytes) else PlaceMark(part) for part in parts
        ]
        if not self._sounded or self._answering_ms is not None:
            commands[1:1] = self._notes()  # measured as soon as the first piece is out
        item = self._playback.items[-1]
        self._sound(event, at_ms + round(item.begins_ms - now_ms))
        return commands

    def _sound(self, event: ev.ReplyAudio, begins_ms: int | None) -> None:
        items = self._items.get(event.response_id)
        if items is None:
            items = self._items[event.response_id] = set()
        items.add(event.item_id)
        self._transcript.reply_sound(event.item_id, len(event.payload) / BYTES_PER_MS, begins_ms)

    def _notes(self) -> list[Command]:
        notes: list[Command] = []
        if not self._sounded:
            self._sounded = True
            notes.append(NoteFirstSound())
        if self._answering_ms is not None:
            notes.append(NoteResponseTime(self._answering_ms))
            self._answering_ms = None
        return notes

    def drop(self, event: ev.ReplyAudio) -> None:
        """Sound of a reply that was cut off: it is counted, for the words' sake, and not played."""
        self._sound(event, None)
        if not self._transcript.was_heard(event.item_id):
            self._unplayed[(event.item_id, event.content_index)] = event.response_id

    def sound_done(self, item_id: str, at_ms: int) -> list[Command]:
        """All sound of an item has been sent."""
        marks: list[Command] = [PlaceMark(name) for name in self._playback.finish(item_id)]
        return marks + self._heard_whole(self._playback.retire(), at_ms)

    def reply_over(self, response_id: str, at_ms: int, *, failed: bool = False) -> list[Command]:
        """A response is over: nothing of its items is still to come, and some may never have sounded."""
        commands: list[Command] = []
        if response_id == self._opening:
            self._opening_over = not failed and response_id in self._items
        for item in list(self._playback.items):
            if item.response_id == response_id and not item.done:
                commands += self.sound_done(item.item_id, at_ms)
        for item_id in self._items.pop(response_id, ()):
            commands += keep(self._transcript.reply_settled(item_id))
        self._listen_for_opening()
        for (item_id, content_index), owner in list(self._unplayed.items()):
            if owner == response_id:
                del self._unplayed[(item_id, content_index)]
                if not self._transcript.was_heard(item_id):
                    commands.append(TruncateReply(item_id, content_index, 0))
                    commands += keep(self._transcript.reply_heard(item_id, 0, at_ms, interrupted=True))
        return commands

    def model_gone(self, at_ms: int) -> list[Command]:
        """No more sound or words will come; what is queued at the phone plays on."""
        self._unplayed.clear()
        self._unknown |= {item.item_id for item in self._playback.items}
        commands: list[Command] = []
        for item in list(self._playback.items):
            commands += self.sound_done(item.item_id, at_ms)
        return commands + keep(self._transcript.settle_replies())

    # --- what was heard ---

    def mark_returned(self, event: ev.MarkReturned) -> list[Command]:
        """Everything up to a mark has been played, or thrown away by a clear."""
        moment = self._clock.at(event.at_ms)
        probes: list[Command] = [PlaceMark(name) for name in self._playback.probed(event.name, event.at_ms)]
        heard, over = self._playback.returned(event.name, moment)
        if heard:
            probes += self.began(event.at_ms)
        commands = [*probes, *self._record(heard), *self._heard_whole(over, event.at_ms)]
        self._listen_for_disclosure(moment)
        return commands

    def cut(self, at_ms: int) -> tuple[list[Command], set[str]]:
        """Stop the voice now; returns commands and the responses that were cut off.

        Clear comes first: the voice must stop at once, and nobody notices if the model learns of it a
        few milliseconds later.
        """
        if self.idle:
            return [], set()
        cuts, commands = self._stop(at_ms)
        truncations = [
            TruncateReply(cut.item.item_id, cut.item.content_index, cut.heard_ms)
            for cut in cuts
            if not cut.whole and cut.item.item_id not in self._unknown
        ]
        responses = {cut.item.response_id for cut in cuts}
        return [ClearPlayback(), *truncations, *commands], responses

    def line_away(self, at_ms: int) -> tuple[list[Command], set[str]]:
        """The stream is over and the call is not: like `cut`, with nobody there to throw anything away."""
        commands, responses = self.cut(at_ms)
        return [command for command in commands if not isinstance(command, ClearPlayback)], responses

    def line_back(self, at_ms: int) -> list[Command]:
        """Another stream of the same call has begun: nothing is queued, and no mark of before will come."""
        self._clock = StreamClock()
        self._playback = Playback(generation=self._playback.generation + 1)
        self._spoke_first_ms = None
        return self.began(at_ms)

    def line_over(self, at_ms: int) -> list[Command]:
        """The phone's stream is over: settle what was heard, without telling anybody."""
        _, commands = self._stop(at_ms)
        return commands + keep(self._transcript.settle_replies())

    def _stop(self, at_ms: int) -> tuple[list[Cut], list[Command]]:
        moment = self._clock.at(at_ms)
        self._listen_for_disclosure(moment)
        heard, cuts = self._playback.clear(moment)
        self._opening = None
        commands = self._record(heard)
        for cut in cuts:
            turns = self._transcript.reply_heard(
                cut.item.item_id, cut.heard_ms, at_ms, interrupted=not cut.whole
            )
            commands += keep(turns)
        return cuts, commands

    def _heard_whole(self, over: list[SpokenItem], at_ms: int) -> list[Command]:
        commands: list[Command] = []
        for item in over:
            if self.disclosure.said_by(self._transcript.words_of(item.item_id)) is not None:
                self.disclosure.heard = True
            turns = self._transcript.reply_heard(item.item_id, item.sent_ms, at_ms, interrupted=False)
            commands += keep(turns)
        self._listen_for_opening()
        return commands

    def _listen_for_opening(self) -> None:
        """Heard to its end, it counts whatever its words are said to be."""
        playing = any(item.response_id == self._opening for item in self._playback.items)
        if self._opening is not None and self._opening_over and not playing:
            self.disclosure.heard = True

    def _listen_for_disclosure(self, moment: Moment) -> None:
        if self.disclosure.heard:
            return
        position = self._playback.position(moment)
        for item in self._playback.items:
            self.disclosure.listen(item.heard_ms(position), self._notice_ends_ms(item))

    def _notice_ends_ms(self, item: SpokenItem) -> float | None:
        """Where in this item the disclosure ends; None when that cannot be told (yet), or it is not in it."""
        if item.item_id == self._kept and self._kept_notice_ends_ms:
            return self._kept_notice_ends_ms
        words = self._transcript.words_of(item.item_id)
        return self.disclosure.ends_ms(words, item.sent_ms) if item.done else None

    def notice_remaining_ms(self, at_ms: int) -> int:
        """How long the disclosure that is being heard still takes; 0 when none is, or it is not all sent."""
        if self.disclosure.heard:
            return 0
        position = self._playback.position(self._clock.at(at_ms))
        for item in self._playback.items:
            ends_ms = self._notice_ends_ms(item)
            if ends_ms is not None:
                not_begun_ms = max(0.0, item.start - position) / BYTES_PER_MS
                return max(0, ceil(not_begun_ms + ends_ms - item.heard_ms(position)))
        return 0

    @staticmethod
    def _record(heard: list[Heard]) -> list[Command]:
        return [RecordHeard(part.payload, part.at_ms) for part in heard]
