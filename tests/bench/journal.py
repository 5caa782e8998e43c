"""What the two far ends note about each call, to be compared afterwards.

Times are `time.monotonic_ns`. Nothing is worked out while frames flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class CallNotes:
    """One call. The first three are indexed by the frame's count; 0 where it has not arrived."""

    sent_ns: list[int] = field(default_factory=list)  # by the caller
    heard_ns: list[int] = field(default_factory=list)  # by the model, which sends it back at once
    back_ns: list[int] = field(default_factory=list)  # at the caller
    started_ns: int = 0  # the stream's `start` was sent
    first_sound_ns: int = 0  # the first sound of any kind came
    barged_ns: list[int] = field(default_factory=list)  # the model said `speech_started`
    cleared_ns: list[int] = field(default_factory=list)  # `clear` came to the caller
    items: set[int] = field(default_factory=set)  # that this call's model made; a kept greeting is another's
    cut_ms: dict[int, tuple[float, float]] = field(default_factory=dict)  # by item: played, of how many
    truncated_ms: dict[int, int] = field(default_factory=dict)  # by item: what the model was told

    def send(self, now_ns: int) -> int:
        """A frame goes out now. Returns its count."""
        self.sent_ns.append(now_ns)
        self.heard_ns.append(0)
        self.back_ns.append(0)
        return len(self.sent_ns) - 1


@dataclass(frozen=True, slots=True)
class Trips:
    """The frames of a stretch of time, in ms. to_model and to_caller are the two halves of around."""

    around: list[float]
    to_model: list[float]
    to_caller: list[float]
    lost: int


def trips(calls: Iterable[CallNotes], since_ns: int, until_ns: int) -> Trips:
    """The trips of all frames sent from `since_ns` to before `until_ns`."""
    frames = list(_frames(calls, since_ns, until_ns))
    whole = [frame for frame in frames if frame[2]]
    return Trips(
        around=[(back - sent) / 1e6 for sent, _, back in whole],
        to_model=[(heard - sent) / 1e6 for sent, heard, _ in whole],
        to_caller=[(back - heard) / 1e6 for _, heard, back in whole],
        lost=len(frames) - len(whole),
    )


def _frames(calls: Iterable[CallNotes], since_ns: int, until_ns: int) -> Iterator[tuple[int, int, int]]:
    for call in calls:
        for frame in zip(call.sent_ns, call.heard_ns, call.back_ns, strict=True):
            if since_ns <= frame[0] < until_ns:
                yield frame
