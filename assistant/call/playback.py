"""How much of the assistant's voice the caller has heard.

The model speaks faster than real time; the phone buffers what we send and plays
it at the pace of speech. When the caller interrupts, the model has to be told
where its voice stopped, or it will believe it said things nobody heard.

Everything sent since the last clear is one row of bytes, and each audio item is a
stretch of it. Marks stand in the row every 100 to 200 ms; one that comes back says
that everything before it has been played. Between two marks the stream's own clock
fills in, not far past the next mark, which would have come back.

Neither source is exact: a mark needs a while to come back, and what we send needs one
to get there. So the phone is believed to be as late as its marks, less what their way takes: there and
back, as measured by marks on an empty queue, which come back at once.

A clear makes the phone send back every outstanding mark at once, exactly as if it
had been played. So marks carry a generation number, a clear begins a new generation,
and marks of older ones say nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from assistant.audio import BYTES_PER_MS

PIECE_BYTES = 200 * BYTES_PER_MS  # the longest stretch without a mark: what models like to send at once
MARK_AFTER_BYTES = 100 * BYTES_PER_MS  # the shortest, but for an item's end
MARK_TRAVEL_MS = 35  # there and back, while it has not been measured, and at the least
LONGEST_TRAVEL_MS = 500
PROBES = 3
WIRE_STALL_MS = 1_000  # without a frame for longer, the phone has stopped sending them: it is not the wire
CLOCK_DRIFT = 0.001  # more than two quartz clocks ever differ


class Moment(NamedTuple):
    """A time on the phone's clock. `told_ms`: up to when the phone has told us what it did."""

    now_ms: float
    told_ms: float


class StreamClock:
    """The phone's own clock, in ms since its stream began.

    The `timestamp` on the caller's audio ticks in whole frames, and the wire delivers some of them late,
    in bursts. The frame that was least late tells how the phone's clock stands to the call's, and the
    call's clock does the rest. The latest frame tells what the phone can have told us yet: marks travel
    in one row with the frames, so a wire that holds back the ones holds back the others.
    """

    def __init__(self) -> None:
        self._ahead_ms: float | None = None  # the phone's clock is so far ahead of the call's
        self._seen_ms = 0
        self._end_ms = 0.0
        self._length_ms = 0.0

    def frame(self, timestamp_ms: int, length_ms: float, at_ms: int) -> None:
        """A frame that begins at `timestamp_ms` was read at `at_ms`."""
        self._end_ms, self._length_ms = timestamp_ms + length_ms, length_ms
        ahead_ms = self._end_ms - at_ms
        if self._ahead_ms is not None:
            # Forgotten slowly: the two clocks may not run alike.
            ahead_ms = max(ahead_ms, self._ahead_ms - (at_ms - self._seen_ms) * CLOCK_DRIFT)
        self._ahead_ms, self._seen_ms = ahead_ms, at_ms

    @property
    def runs(self) -> bool:
        """False before the first frame: how the two clocks stand to each other is not known yet."""
        return self._ahead_ms is not None

    def now_ms(self, at_ms: int) -> float:
        """The stream's time at `at_ms` of the call's clock."""
        return at_ms + (self._ahead_ms or 0.0)

    def at(self, at_ms: int) -> Moment:
        """The same, and what can be known of the phone by then."""
        now_ms = at_ms + (self._ahead_ms or 0.0)
        overdue_ms = now_ms - self._end_ms - self._length_ms
        told_ms = self._end_ms + self._length_ms / 2 if 0 < overdue_ms < WIRE_STALL_MS else now_ms
        return Moment(now_ms, told_ms)


@dataclass(slots=True)
class SpokenItem:
    """One audio item of a reply: the stretch [start, end) of what was sent in this generation."""

    response_id: str
    item_id: str
    content_index: int
    start: int
    end: int
    begins_ms: float
    done: bool = False

    @property
    def sent_ms(self) -> int:
        return (self.end - self.start) // BYTES_PER_MS

    def heard_ms(self, position: float) -> int:
        """Whole milliseconds of this item before `position`; never more than was sent."""
        return int(min(max(position - self.start, 0), self.end - self.start)) // BYTES_PER_MS


@dataclass(frozen=True, slots=True)
class Cut:
    """What a clear did to one item. `whole`: it had been heard to its end and needs no truncation."""

    item: SpokenItem
    heard_ms: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of sound that was played, beginning at `at_ms` on the stream's clock."""

    payload: bytes
    at_ms: int


@dataclass(slots=True)
class _Piece:
    """Sound at the phone that is not known to be played."""

    end: int
    payload: bytes
    begins_ms: float


@dataclass(slots=True)
class Playback:
    """What is queued at the phone, and how far it has been played. Times: the stream's clock, in ms."""

    generation: int = 0
    _sent: int = 0
    _marked: int = 0
    _marks: deque[tuple[int, int]] = field(default_factory=deque)  # (number, position), oldest first
    _mark_count: int = 0
    _confirmed: int = 0
    _anchor: tuple[float, float] = (0, 0.0)  # at this position, at this time at the earliest
    _late_ms: deque[float] = field(default_factory=lambda: deque([0.0] * 4, 4))  # the latest marks
    _travel_ms: float = MARK_TRAVEL_MS
    _probed_at_ms: list[int] = field(default_factory=list)  # when each probe was sent, by the call's clock
    _probes_ms: list[int] = field(default_factory=list)  # how long each took
    _items: list[SpokenItem] = field(default_factory=list)
    _pieces: deque[_Piece] = field(default_factory=deque)

    @property
    def idle(self) -> bool:
        """True when everything that was sent is known to be played."""
        return self._confirmed >= self._sent

    def probe(self, at_ms: int) -> Iterator[str]:
        """The name of a mark that measures the way, when there is nothing that would hold it up.

        To be asked whenever the queue runs empty: a kept opening leaves room for one at the beginning.
        """
        if len(self._probed_at_ms) == len(self._probes_ms) < PROBES and self.idle:
            self._probed_at_ms.append(at_ms)
            yield f"way:{len(self._probed_at_ms)}"

    def probed(self, name: str, at_ms: int) -> Iterator[str]:
        """A mark came back. If it was a probe, that is how long the way is; yields the next probe."""
        if self._probed_at_ms and name == f"way:{len(self._probed_at_ms)}" and len(self._probes_ms) < PROBES:
            self._probes_ms.append(at_ms - self._probed_at_ms[-1])
            # The quickest: the others were held up on the way.
            self._travel_ms = min(max(MARK_TRAVEL_MS, min(self._probes_ms)), LONGEST_TRAVEL_MS)
            yield from self.probe(at_ms)

    @property
    def items(self) -> list[SpokenItem]:
        """Items not yet known to be heard to the end, in playing order."""
        return self._items

    def ends_ms(self) -> float:
        """When the queue will have been played, by the clock alone."""
        return self._anchor[1] + (self._sent - self._anchor[0]) / BYTES_PER_MS

    def position(self, moment: Moment) -> float:
        """How many bytes of this generation have been played at that moment."""
        position, at_ms = self._anchor
        late_ms = max(0.0, min(self._late_ms) - self._travel_ms)
        estimate = position + (moment.now_ms - at_ms - late_ms) * BYTES_PER_MS
        limit = float(self._sent)
        if self._marks:
            # Further than a little past the next mark cannot be: we would have been told.
            untold_ms = moment.now_ms - moment.told_ms + self._travel_ms
            limit = min(limit, self._marks[0][1] + untold_ms * BYTES_PER_MS)
        return min(max(estimate, self._confirmed), limit)

    def send(
        self, response_id: str, item_id: str, content_index: int, payload: bytes, now_ms: float
    ) -> list[bytes | str]:
        """Queue a piece of an item. Returns what the phone must be sent: payloads, and names of marks."""
        item = self._item(response_id, item_id, content_index, now_ms)
        parts: list[bytes | str] = []
        at = 0
        while at < len(payload):
            piece = payload[at : at + PIECE_BYTES - (self._sent - self._marked)]
            at += len(piece)
            self._queue(item, piece, now_ms)
            parts.append(piece)
            if self._sent - self._marked >= MARK_AFTER_BYTES:
                parts.append(self._place_mark())
        return parts

    def begun_at(self, now_ms: float) -> bool:
        """What was sent first of all, before the phone's clock was known, began then on it.

        Returns False when that does not matter any more.
        """
        if self._anchor[0] or self.generation or not self._pieces:
            return False
        moved_ms, self._anchor = now_ms - self._anchor[1], (0, now_ms)
        if moved_ms:
            for item in self._items:
                item.begins_ms += moved_ms
            for piece in self._pieces:
                piece.begins_ms += moved_ms
        return True

    def finish(self, item_id: str) -> Iterator[str]:
        """All of an item has been sent; yields the mark that tells when it was heard to the end."""
        for item in self._items:
            if item.item_id == item_id:
                item.done = True
        if self._sent > self._marked:
            yield self._place_mark()

    def returned(self, name: str, moment: Moment) -> tuple[list[Heard], list[SpokenItem]]:
        """A mark came back: what was newly heard, and the items that are now heard to the end."""
        generation, _, number = name.partition(":")
        if generation != str(self.generation) or not number.isdecimal():
            return [], []
        position = self._take_mark(int(number))
        if position is None or position <= self._confirmed:
            return [], []
        self._confirmed = position
        self._learn(position, moment.told_ms)
        return list(self._played_up_to(position)), self.retire()

    def retire(self) -> list[SpokenItem]:
        """Take out the items that are complete and heard to the end."""
        over = [item for item in self._items if item.done and item.end <= self._confirmed]
        self._items = [item for item in self._items if item not in over]
        return over

    def clear(self, moment: Moment) -> tuple[list[Heard], list[Cut]]:
        """The phone is told to throw its queue away: what was still heard, and what became of each item."""
        position = self.position(moment)
        cuts = [
            Cut(item, item.heard_ms(position), whole=item.done and item.end <= position)
            for item in self._items
        ]
        heard = list(self._played_up_to(int(position)))
        self._begin_generation(moment.now_ms)
        return heard, cuts

    def _item(self, response_id: str, item_id: str, content_index: int, now_ms: float) -> SpokenItem:
        last = self._items[-1] if self._items else None
        if last and (last.item_id, last.content_index) == (item_id, content_index):
            return last
        begins_ms = max(self.ends_ms(), now_ms)
        item = SpokenItem(response_id, item_id, content_index, self._sent, self._sent, begins_ms)
        self._items.append(item)
        return item

    def _queue(self, item: SpokenItem, piece: bytes, now_ms: float) -> None:
        begins_ms = self.ends_ms()
        if begins_ms <= now_ms:
            # The phone has run dry: this piece is heard at once.
            self._anchor, begins_ms = (self._sent, now_ms), now_ms
        self._sent += len(piece)
        item.end = self._sent
        self._pieces.append(_Piece(self._sent, piece, begins_ms))

    def _place_mark(self) -> str:
        self._mark_count += 1
        self._marked = self._sent
        self._marks.append((self._mark_count, self._sent))
        return f"{self.generation}:{self._mark_count}"

    def _take_mark(self, number: int) -> int | None:
        """The position of an outstanding mark; older ones count as returned with it."""
        if not any(number == outstanding for outstanding, _ in self._marks):
            return None
        while True:
            outstanding, position = self._marks.popleft()
            if outstanding == number:
                return position

    def _learn(self, position: int, told_ms: float) -> None:
        """A mark at that position came back: how late is the phone, or its word of it?"""
        position_then, at_ms = self._anchor
        if position <= position_then:
            return  # the phone has run dry since, so it says nothing about now
        late_ms = told_ms - at_ms - (position - position_then) / BYTES_PER_MS
        if late_ms < 0:
            self._anchor = (position, told_ms)
        self._late_ms.append(max(0.0, late_ms))

    def _played_up_to(self, position: int) -> Iterator[Heard]:
        while self._pieces and self._pieces[0].end <= position:
            piece = self._pieces.popleft()
            yield Heard(piece.payload, round(piece.begins_ms))
        if self._pieces:
            piece = self._pieces[0]
            played = position - (piece.end - len(piece.payload))
            if played > 0:
                yield Heard(piece.payload[:played], round(piece.begins_ms))
                piece.begins_ms += played / BYTES_PER_MS
                piece.payload = piece.payload[played:]

    def _begin_generation(self, now_ms: float) -> None:
        self.generation += 1
        self._sent = self._marked = self._confirmed = 0
        self._anchor = (0, now_ms)
        self._marks.clear()
        self._pieces.clear()
        self._items = []
