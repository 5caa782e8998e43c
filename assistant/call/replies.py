"""One response at a time: who may ask the model to speak, and when.

Two writers start responses: we (the greeting, a tool's answer, a prompt) and the model's own voice
detection, after the caller has spoken. A second one while the first is running is refused, and what
was asked for would never be said. So at most one wish waits here, and is sent when nothing is active
or due.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assistant.call.commands import Command, CreateReply
from assistant.call.events import ReplyDone


@dataclass(slots=True)
class Replies:
    """What the model is saying, is about to say, and was asked to say."""

    active: str | None = None  # the response that is being generated
    due: bool = False  # one must come: we asked, or the caller has finished speaking
    stale: set[str] = field(default_factory=set)  # cut off: their late sound must not be played
    _waiting: CreateReply | None = None
    _sent: CreateReply | None = None  # asked for, not begun
    _running: CreateReply | None = None  # what the active response answers, if it was we who asked
    _failed: bool = False  # and is asked for again in a moment
    _retried: bool = False
    _count: int = 0

    @property
    def busy(self) -> bool:
        """True while a response is active, due, or waiting to be asked for (again)."""
        return self.active is not None or self.due or self._waiting is not None or self._failed

    def wish(self, say: str = "", ask: str = "") -> list[Command]:
        """A reply is wanted; now if nothing is active or due, else as soon as that is over."""
        wish = self._new(say, ask)
        if self.active is not None or self.due:
            # One reply answers everything so far; words we chose ourselves are not to be lost to it.
            if self._waiting is None or say or ask:
                self._waiting = wish
            return []
        return self._send(wish)

    @property
    def running(self) -> CreateReply | None:
        """The wish of ours that the active response answers; None for an answer of the model's own."""
        return self._running

    def insist(self, ask: str) -> list[Command]:
        """A reply is wanted whatever is due; anything that waited is forgotten."""
        self._waiting = None
        if self.active is None:
            self.due = False
        return self.wish(ask=ask)

    def caller_began(self) -> None:
        """The caller speaks: what was due or waiting is overtaken by what they say."""
        self.cut()
        self.due = self._failed = False
        self._waiting = self._sent = self._running = None

    def caller_stopped(self) -> None:
        """The model answers by itself now."""
        self.due = True

    def cut(self) -> None:
        """What is being generated must not be heard any more."""
        if self.active is not None:
            self.stale.add(self.active)

    def started(self, response_id: str) -> None:
        """The model has begun a response."""
        self.active = response_id
        self.due = False
        self._running, self._sent = self._sent, None

    def done(self, event: ReplyDone) -> list[Command]:
        """A response is over; the wish that waited for it may be sent."""
        self.stale.discard(event.response_id)
        if self.active == event.response_id:
            self.active = None
        elif self.active is None and event.status != "cancelled":
            # Its beginning was never told: it must be the one that was due.
            self.due, self._running, self._sent = False, self._sent, None
        if event.status == "completed":
            self._retried = False
        return self._send_waiting()

    def refused(self, event_id: str) -> None:
        """Another response was active already: ask again when it is over.

        event_id: "" when it was not we who asked: then it was the model's own answer to the caller.
        """
        ours = self._sent or self._running
        if ours is not None and event_id in (ours.event_id, ""):
            self._waiting = self._waiting or ours
            self._sent = self._running = None
        elif not event_id:
            self._waiting = self._waiting or self._new()
        else:
            return  # the caller has overtaken what we asked for
        # If we do not know the other one, its beginning is on the way to us.
        self.due = self.active is None

    def may_retry(self) -> bool:
        """True once for each reply that fails."""
        self._failed, self._retried = not self._retried, True
        return self._failed

    def again(self) -> list[Command]:
        """Ask once more for what failed."""
        self._failed = False
        failed = self._running or CreateReply("")
        return self.wish(failed.say, failed.ask)

    def lost(self) -> CreateReply | None:
        """The session is gone. Returns the reply that was due or cut off with it, if any."""
        owed = self._sent or self._waiting or (self._running if self.active or self._failed else None)
        was_busy = self.busy
        self.active = None
        self.due = self._failed = False
        self._waiting = self._sent = self._running = None
        self.stale.clear()
        return (owed or CreateReply("")) if was_busy else None

    def _send_waiting(self) -> list[Command]:
        waiting = self._waiting
        if waiting is None or self.active is not None or self.due:
            return []
        self._waiting = None
        return self._send(waiting)

    def _new(self, say: str = "", ask: str = "") -> CreateReply:
        self._count += 1
        return CreateReply(f"reply_{self._count}", say=say, ask=ask)

    def _send(self, wish: CreateReply) -> list[Command]:
        self.due = True
        self._sent = wish
        return [wish]
