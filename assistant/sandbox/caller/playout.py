"""What the caller's ear gets: the telephone company's buffer, played at the pace of speech.

The app may send an hour of voice in a second; the ear hears 8 bytes a millisecond, in order, and
nothing while the buffer is empty. A mark comes back when everything queued before it has been
played; a `clear` throws away what has not been played and gives back every mark at once.

This is the sandbox's own truth about what was heard, to be compared with the app's. Pure: time comes in
as milliseconds since the stream began. Every byte ever queued has a number (its place in what was
sent), so "how much of what was sent after this mark was played" has an exact answer.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import takewhile

from assistant.audio import BYTES_PER_MS, SILENCE

# The stream is only "more than 10 minutes ahead" in a program that has lost count.
MOST_QUEUED_MS = 10 * 60 * 1000
# A reply generated as fast as it is spoken has gaps; shorter ones do not make it two.
GAP_WITHIN_A_REPLY_MS = 200


@dataclass
class Piece:
    """One `media` message of the app. Bytes are numbered by their place in everything sent."""

    sent_from: int
    size: int
    played: int = 0
    began: int | None = None  # where on the ear's timeline its first byte was heard, in bytes
    cleared: int | None = None  # number of the `clear` that threw the rest of it away


@dataclass
class Mark:
    """A mark the app placed. `position`: how many bytes had been sent before it."""

    name: str
    position: int
    placed_ms: float
    returned_ms: float | None = None
    by_clear: bool = False


@dataclass(frozen=True)
class Clear:
    """A `clear` of the app: when, and what had been played of everything sent until then."""

    at_ms: float
    sent_bytes: int
    thrown_away_bytes: int
    marks_returned: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """One stretch of voice without a longer pause. `cut`: a `clear` ended it before its end."""

    started_ms: float
    played_ms: float
    sent_ms: float
    cut: bool

    @property
    def ended_ms(self) -> float:
        return self.started_ms + self.played_ms


class PlayOut:
    """The buffer between the app and the ear. Methods return the names of marks to send back now."""

    def __init__(self) -> None:
        self.ear = bytearray()  # all that was heard, silence included: byte n is at n / 8 ms
        self.pieces: list[Piece] = []
        self.marks: list[Mark] = []
        self.clears: list[Clear] = []
        self.sent_bytes = 0
        self.played_bytes = 0
        self._queue: deque[tuple[Piece, bytes] | Mark] = deque()

    def advance(self, at_ms: float) -> list[str]:
        """Play up to that moment."""
        returned: list[str] = []
        until = int(at_ms * BYTES_PER_MS)
        while self._queue:
            head = self._queue[0]
            if isinstance(head, Mark):
                returned.append(self._give_back(head, len(self.ear) / BYTES_PER_MS))
            elif len(self.ear) < until:
                self._play(*head, until - len(self.ear))
            else:
                return returned
        self.ear += SILENCE * max(0, until - len(self.ear))
        return returned

    def push(self, payload: bytes, at_ms: float) -> list[str]:
        """Queue voice behind everything queued before."""
        returned = self.advance(at_ms)
        if payload:
            piece = Piece(sent_from=self.sent_bytes, size=len(payload))
            self.pieces.append(piece)
            self._queue.append((piece, payload))
            self.sent_bytes += len(payload)
        return returned

    def place(self, name: str, at_ms: float) -> list[str]:
        """Queue a mark; it comes back at once when nothing is waiting to be played."""
        returned = self.advance(at_ms)
        mark = Mark(name, self.sent_bytes, at_ms)
        self.marks.append(mark)
        self._queue.append(mark)
        return returned + self.advance(at_ms)

    def clear(self, at_ms: float) -> list[str]:
        """Throw away what was not played; every outstanding mark comes back."""
        returned = self.advance(at_ms)
        waiting = [entry for entry in self._queue if isinstance(entry, Mark)]
        thrown_away = self._throw_away()
        for mark in waiting:
            mark.by_clear = True
            self._give_back(mark, at_ms)
        names = tuple(mark.name for mark in waiting)
        self.clears.append(Clear(at_ms, self.sent_bytes, thrown_away, names))
        return [*returned, *names]

    def next_mark_ms(self) -> float | None:
        """When the next mark comes back if nothing else happens; None without one."""
        if not any(isinstance(entry, Mark) for entry in self._queue):
            return None
        before = takewhile(lambda entry: not isinstance(entry, Mark), self._queue)
        waiting = sum(entry[0].size - entry[0].played for entry in before if not isinstance(entry, Mark))
        return (len(self.ear) + waiting) / BYTES_PER_MS

    @property
    def queued_ms(self) -> float:
        """How much is waiting to be played."""
        gone = sum(clear.thrown_away_bytes for clear in self.clears)
        return (self.sent_bytes - self.played_bytes - gone) / BYTES_PER_MS

    @property
    def heard_ms(self) -> float:
        """How much voice has been played in all."""
        return self.played_bytes / BYTES_PER_MS

    def heard_ms_between(self, first: int, end: int) -> float:
        """How much was played of the bytes numbered `first` up to (not including) `end`."""
        played = 0
        for piece in self.pieces:
            start, stop = piece.sent_from, piece.sent_from + piece.played
            played += max(0, min(stop, end) - max(start, first))
        return played / BYTES_PER_MS

    def heard_ms_since_mark(self, name: str) -> float:
        """How much was played of what was sent after the newest mark of that name."""
        mark = next(mark for mark in reversed(self.marks) if mark.name == name)
        return self.heard_ms_between(mark.position, self.sent_bytes)

    def stretches(self) -> list[Heard]:
        """What was heard, in order, as stretches of voice; what was thrown away unheard is in none."""
        stretches: list[list[Piece]] = []
        for piece in self.pieces:
            if stretches and self._goes_on(stretches[-1], piece):
                stretches[-1].append(piece)
            elif piece.played:
                stretches.append([piece])
        return [_heard(pieces) for pieces in stretches]

    def _play(self, piece: Piece, payload: bytes, most: int) -> None:
        if piece.began is None:
            piece.began = len(self.ear)
        part = payload[piece.played : piece.played + most]
        self.ear += part
        piece.played += len(part)
        self.played_bytes += len(part)
        if piece.played == piece.size:
            self._queue.popleft()

    def _give_back(self, mark: Mark, at_ms: float) -> str:
        if self._queue and self._queue[0] is mark:
            self._queue.popleft()
        mark.returned_ms = at_ms
        return mark.name

    def _throw_away(self) -> int:
        thrown_away = 0
        for entry in self._queue:
            if not isinstance(entry, Mark):
                entry[0].cleared = len(self.clears)
                thrown_away += entry[0].size - entry[0].played
        self._queue.clear()
        return thrown_away

    def _goes_on(self, stretch: list[Piece], piece: Piece) -> bool:
        last = stretch[-1]
        if last.cleared is not None:
            # Thrown away by the same clear: part of the reply that was cut, though unheard.
            return piece.cleared == last.cleared
        gap = self._reached(piece) - (self._reached(last) + last.played)
        return gap <= GAP_WITHIN_A_REPLY_MS * BYTES_PER_MS

    def _reached(self, piece: Piece) -> int:
        """Where on the ear's timeline a piece began, or would have begun without the clear."""
        if piece.began is not None:
            return piece.began
        if piece.cleared is not None:
            return int(self.clears[piece.cleared].at_ms * BYTES_PER_MS)
        return len(self.ear)


def _heard(pieces: list[Piece]) -> Heard:
    started = pieces[0].began or 0
    return Heard(
        started_ms=started / BYTES_PER_MS,
        played_ms=sum(piece.played for piece in pieces) / BYTES_PER_MS,
        sent_ms=sum(piece.size for piece in pieces) / BYTES_PER_MS,
        cut=pieces[-1].cleared is not None,
    )
