"""A telephone line in virtual time, to tell a call what happens and see what it does.

`Phone` is the telephone company's side by its own reading of the documents: it plays what it is sent at
the pace of speech, gives a mark back when everything before it has been played, and on a clear throws
the rest away and gives every outstanding mark back at once. It knows exactly what was heard, so what the
call believes can be compared with it. `Line` ties it to a `Call`: frames of the caller's sound, marks and
timers come when they are due, and nobody sleeps.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.commands import Command
from assistant.call.machine import Call
from assistant.call.plan import CallPlan

FRAME_MS = 20
NOTICE = "This call is answered by an assistant and recorded."
OPENING = NOTICE + " Hello, you've reached Sam's assistant. How can I help?"

END = ev.ToolCall("tc_end", "end_call", "{}")

C = TypeVar("C", bound=Command)
Delay = Callable[[], float]


def sound(ms: float, level: bytes = b"\x2a") -> bytes:
    """Some sound of that length."""
    return level * round(ms * 8)


@dataclass(slots=True)
class Sound:
    """A stretch of an item's sound as the phone plays it; cut short by a clear."""

    item_id: str
    begins_ms: float
    length_ms: float


class Phone:
    """Plays what it is sent. `way_back`: how long a mark takes to come back."""

    def __init__(self, way_back: Delay) -> None:
        self.sounds: list[Sound] = []
        self.given_back: list[str] = []  # marks
        self.way_back = way_back
        self._free_ms = 0.0  # when everything queued has been played
        self._marks: list[tuple[float, str]] = []  # (comes back at, name), in order

    def play(self, payload: bytes, item_id: str, now_ms: float) -> None:
        begins_ms = max(self._free_ms, now_ms)
        self._free_ms = begins_ms + len(payload) / 8
        self.sounds.append(Sound(item_id, begins_ms, len(payload) / 8))

    def mark(self, name: str, now_ms: float) -> None:
        self._queue_mark(max(self._free_ms, now_ms), name)

    def clear(self, now_ms: float) -> set[str]:
        """Returns the items of which 40 ms or more were thrown away."""
        thrown_away: dict[str, float] = {}
        for piece in self.sounds:
            played_ms = min(piece.length_ms, max(0.0, now_ms - piece.begins_ms))
            thrown_away[piece.item_id] = thrown_away.get(piece.item_id, 0) + piece.length_ms - played_ms
            piece.length_ms = played_ms
        self._free_ms = min(self._free_ms, now_ms)
        marks, self._marks = self._marks, []
        for due_ms, name in marks:
            self._queue_mark(min(due_ms, now_ms), name)
        return {item_id for item_id, lost_ms in thrown_away.items() if lost_ms >= 40}

    def _queue_mark(self, played_ms: float, name: str) -> None:
        latest = self._marks[-1][0] if self._marks else 0.0
        self._marks.append((max(latest, played_ms + self.way_back()), name))

    def heard_ms(self, item_id: str, now_ms: float) -> float:
        """How much of an item has left the loudspeaker."""
        return sum(
            min(piece.length_ms, max(0.0, now_ms - piece.begins_ms))
            for piece in self.sounds
            if piece.item_id == item_id
        )

    def sent_ms(self, item_id: str) -> float:
        return sum(piece.length_ms for piece in self.sounds if piece.item_id == item_id)

    def next_mark_ms(self) -> float | None:
        return self._marks[0][0] if self._marks else None

    def take_mark(self) -> str:
        self.given_back.append(self._marks.pop(0)[1])
        return self.given_back[-1]


def no_delay() -> float:
    return 0.0


class Line:
    """A call, its phone, and the clock.

    lateness: how long the wire from the phone holds back each thing it carries (in order, as TCP does).
    phone_ahead_ms: how much earlier than ours the phone's own clock began.
    """

    def __init__(
        self,
        plan: CallPlan | None = None,
        *,
        way_back: Delay = no_delay,
        lateness: Delay = no_delay,
        phone_ahead_ms: int = 0,
    ) -> None:
        self.plan = plan or CallPlan(opening=OPENING, disclosure=NOTICE)
        self.call = Call(self.plan)
        self.phone = Phone(way_back)
        self.now_ms = 0.0
        self.did: list[Command] = []  # since `forget`
        self.timers: dict[str, int] = {}
        self.truncations: list[tuple[do.TruncateReply, float]] = []  # with what the phone had played
        self.cut_short: set[str] = set()  # items of which a clear threw away more than can be overlooked
        self.gone = False  # the phone's stream is over
        self.hears_caller = True  # the phone sends frames of the caller's sound
        self.caller_sounds = b"\x2a"  # what is in them
        self._lateness = lateness
        self._phone_ahead_ms = phone_ahead_ms
        self._frames = 0
        self._wire: list[tuple[float, Callable[[], ev.Event]]] = []
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0

    # --- telling -------------------------------------------------------------

    def tell(self, kind: Callable[..., ev.Event], *args: Any, **kwargs: Any) -> list[Command]:
        """An event, now. Returns what the call did, which has been carried out."""
        return self._handle(kind(*args, at_ms=int(self.now_ms), **kwargs))

    def wait(self, ms: float) -> None:
        """Let time pass: frames, marks, timers and what was planned come when they are due."""
        end_ms = self.now_ms + ms
        while (due := self._next_due()) and due[0] <= end_ms and not self.call.ended:
            self.now_ms = max(self.now_ms, due[0])
            due[2]()
        self.now_ms = end_ms

    def later(self, ms: float, act: Callable[[], object]) -> None:
        """Plan something for a later time."""
        self._count += 1
        heapq.heappush(self._later, (self.now_ms + ms, self._count, act))

    def forget(self) -> None:
        """Look only at what is done from here on."""
        self.did.clear()

    def done(self, kind: type[C]) -> list[C]:
        """What the call did of this kind since `forget`."""
        return [command for command in self.did if isinstance(command, kind)]

    # --- the caller ----------------------------------------------------------

    def begins(self) -> None:
        self.tell(ev.CallStarted)

    def opens(self) -> None:
        """The call begins and the opening has been heard."""
        self.begins()
        self.wait(100)
        self.tell(ev.ModelReady)
        self.reply("opening", Said("greeting", 3_000, OPENING, previous=None))
        self.wait(3_000)

    def about_to_end(self) -> Line:
        """The caller has heard the opening and has nothing more to say."""
        self.opens()
        self.says("u1", "That's all, thank you.", previous="greeting")
        self.forget()
        return self

    def starts_speaking(self, item_id: str) -> list[Command]:
        return self.tell(ev.SpeechStarted, item_id)

    def stops_speaking(self, item_id: str, previous: str | None = "") -> list[Command]:
        commands = self.tell(ev.SpeechStopped, item_id)
        commands += self.tell(ev.CallerCommitted, item_id, previous)
        return commands + self.tell(ev.ItemAdded, item_id, previous, "caller")

    def says(self, item_id: str, words: str | None, *, ms: float = 1_000, previous: str | None = "") -> None:
        """The caller says something. words: None when they are not recognised (yet)."""
        self.starts_speaking(item_id)
        self.wait(ms)
        self.stops_speaking(item_id, previous)
        if words is not None:
            self.tell(ev.CallerTranscribed, item_id, words)

    def presses(self, keys: str, every_ms: float = 400) -> None:
        """The caller presses keys, one after the other, and waits as long after the last."""
        for key in keys:
            self.tell(ev.CallerPressed, key)
            self.wait(every_ms)

    def hangs_up(self) -> list[Command]:
        return self.tell(ev.CallerGone, hung_up=True)

    def comes_back(self) -> list[Command]:
        """A new stream of the same call: another phone, whose clock goes on with the call's."""
        self.phone = Phone(self.phone.way_back)
        self._frames, self.gone = int(self.now_ms) // FRAME_MS, False
        return self.tell(ev.CallerBack)

    # --- the model -----------------------------------------------------------

    def reply(
        self,
        response_id: str,
        *items: Said,
        tools: Iterable[ev.ToolCall] = (),
        status: str = "completed",
    ) -> list[Command]:
        """The model generates a whole response, faster than anybody can hear it."""
        begun = len(self.did)
        for event in self.reply_events(response_id, *items):
            event()
        self.tell(ev.ReplyDone, response_id, status, tuple(tools))
        return self.did[begun:]

    def begins_to_reply(self, response_id: str, item: Said, *, pieces: int) -> None:
        """The model generates the first pieces of an item's sound, and no end yet."""
        for event in list(self.reply_events(response_id, item))[: 3 + pieces]:
            event()

    def reply_events(self, response_id: str, *items: Said) -> Iterator[Callable[[], object]]:
        """What the model sends of a response, one by one and without its end."""
        yield lambda: self.tell(ev.ReplyStarted, response_id)
        for item in items:
            yield from self._item_events(response_id, item)

    def _item_events(self, response_id: str, item: Said) -> Iterator[Callable[[], object]]:
        yield lambda: self.tell(ev.ItemAdded, item.item_id, item.previous, "assistant")
        yield lambda: self.tell(ev.ReplyWords, response_id, item.item_id, item.text)
        for length_ms in item.deltas():
            yield lambda ms=length_ms: self.tell(  # type: ignore[misc]
                ev.ReplyAudio, response_id, item.item_id, 0, sound(ms)
            )
        yield lambda: self.tell(ev.ReplyAudioDone, response_id, item.item_id, 0)
        yield lambda: self.tell(ev.ReplyText, response_id, item.item_id, item.text)

    def wants_to_end(self, *said: Said, then: ev.Then | None = None) -> None:
        """The model says something, or nothing, and a tool of its wants the call ended or transferred."""
        self.reply("r_end", *said, tools=[END])
        self.tell(ev.ToolFinished, "tc_end", {"ok": True}, then or ev.ThenHangUp())

    # --- the clockwork -------------------------------------------------------

    def _handle(self, event: ev.Event) -> list[Command]:
        self.gone = self.gone or isinstance(event, ev.CallerGone | ev.CallOver)
        commands = self.call.handle(event)
        for command in commands:
            self.did.append(command)
            self._carry_out(command, event)
        return commands

    def _carry_out(self, command: Command, event: ev.Event) -> None:
        match command:
            case do.Play(payload):
                item_id = event.item_id if isinstance(event, ev.ReplyAudio) else self._speaking(event)
                self.phone.play(payload, item_id, self.now_ms)
            case do.PlaceMark(name):
                self.phone.mark(name, self.now_ms)
            case do.ClearPlayback():
                self.cut_short |= self.phone.clear(self.now_ms)
            case do.TruncateReply(item_id):
                self.truncations.append((command, self.phone.heard_ms(item_id, self.now_ms)))
            case do.ClosePhone():
                self.gone = True
            case do.StartTimer(timer, at_ms):
                self.timers[timer] = at_ms
            case do.StopTimer(timer):
                self.timers.pop(timer, None)

    @staticmethod
    def _speaking(event: ev.Event) -> str:
        """Whose sound is played when no sound of the model's has just come."""
        return "greeting" if isinstance(event, ev.CallStarted) else "late"

    def _next_due(self) -> tuple[float, int, Callable[[], object]] | None:
        """What is due next; of what is due at once the wire's comes first and timers last."""
        due: list[tuple[float, int, Callable[[], object]]] = []
        if self._wire:
            due.append((self._wire[0][0], 0, self._deliver))
        if self.hears_caller and not self.gone:
            due.append(((self._frames + 1) * FRAME_MS, 1, self._send_frame))
        mark_ms = self.phone.next_mark_ms()
        if mark_ms is not None and not self.gone:
            due.append((mark_ms, 2, self._send_mark))
        if self._later:
            due.append((self._later[0][0], 3, lambda: heapq.heappop(self._later)[2]()))
        for timer, at_ms in self.timers.items():
            due.append((at_ms, 4, lambda timer=timer: self._fire(timer)))  # type: ignore[misc]
        return min(due, key=lambda entry: entry[:2], default=None)

    def _send_frame(self) -> None:
        timestamp_ms = self._frames * FRAME_MS + self._phone_ahead_ms
        self._frames += 1
        payload = sound(FRAME_MS, self.caller_sounds)
        self._send(lambda: ev.CallerAudio(payload, timestamp_ms=timestamp_ms, at_ms=int(self.now_ms)))

    def _send_mark(self) -> None:
        name = self.phone.take_mark()
        self._send(lambda: ev.MarkReturned(name, at_ms=int(self.now_ms)))

    def _send(self, event: Callable[[], ev.Event]) -> None:
        latest = self._wire[-1][0] if self._wire else 0.0
        self._wire.append((max(latest, self.now_ms + self._lateness()), event))

    def _deliver(self) -> None:
        self._handle(self._wire.pop(0)[1]())

    def _fire(self, timer: str) -> None:
        del self.timers[timer]
        self.tell(ev.TimerFired, timer)


@dataclass(frozen=True, slots=True)
class Said:
    """One audio item of a reply. previous: the item it follows ("": not told)."""

    item_id: str
    ms: int
    text: str = "Some words of the assistant."
    delta_ms: int = 200
    previous: str | None = ""

    def deltas(self) -> Iterator[int]:
        for begin in range(0, self.ms, self.delta_ms):
            yield min(self.delta_ms, self.ms - begin)
