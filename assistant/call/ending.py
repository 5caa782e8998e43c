"""How a call ends from our side, and what keeps it from ending in silence.

A goodbye is said and heard before the hang-up, with a time limit; a caller who goes on speaking calls
it off, unless the call's time is up. A hang-up that a tool wished for waits until it is polite: the
response that asked is complete, the caller is silent, and nothing newer has been said. Silence is met
with a prompt, another, and then a goodbye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assistant.call.commands import Command, HangUp, StartTimer, StopTimer, TellModel, Transfer
from assistant.call.events import Then, ThenHangUp, ThenTransfer
from assistant.call.plan import CallPlan
from assistant.call.replies import Replies
from assistant.call.voice import Voice

SILENCE_MS = 10_000  # from the last sound to a prompt, to another, to the goodbye
PROMPTS = 2
GOODBYE_MS = 10_000  # a goodbye that has not been heard by then is not waited for
MARGIN_MS = 2_000  # how much later than computed the last sound may be heard
STREAM_ENDS_MS = 15_000  # from asking for a transfer to the end of the stream, else it has failed
HANG_UP_MS = 10_000  # from the hang-up to the end of the stream, else the socket is closed
WISH_MS = 15_000  # what a tool wants happens then, though the caller never falls silent

WENT_ON = TellModel("The caller went on before the call was ended, so the call goes on.")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a tool wants done with the call. `spoke`: its response said something itself."""

    then: Then
    spoke: bool


class Ending:
    """Goodbyes, wishes and silence of one call."""

    def __init__(self, plan: CallPlan, replies: Replies, voice: Voice) -> None:
        self.hanging_up = False
        self.transferring = False  # the owner's phone is to be rung, or is ringing
        self.transferred_by: Literal["transferred", "owner_took_over"] = "transferred"
        self._plan = plan
        self._replies = replies
        self._voice = voice
        self._because: str | None = None  # why a goodbye is being said
        self._goodbye_ask = plan.farewell_ask
        self._said = False  # the goodbye has been generated
        self._time_is_up = False
        self._latest_ms: int | None = None  # when a goodbye at the time limit must have begun
        self._prompts = 0
        self._wish: _Wish | None = None

    @property
    def because(self) -> str | None:
        """Why the call is being ended by us; None while it is not."""
        return self._because

    @property
    def final(self) -> bool:
        """True when the caller cannot call the ending off any more."""
        return self.hanging_up or self._time_is_up

    @property
    def parted(self) -> bool:
        """True when both sides have taken leave: the caller has no message that a tone could take."""
        return self._because is not None and not self.final

    @property
    def decided(self) -> str | None:
        """Why the call ends, once that is in the telephone company's hands and not in the caller's."""
        return self._because if self.hanging_up else None

    @property
    def needs_no_model(self) -> bool:
        """True when everything has been said: the goodbye only has to be heard."""
        return self.hanging_up or (self._said and not self._replies.busy)

    @property
    def wished(self) -> bool:
        """True while something a tool wished for has not happened."""
        return self._wish is not None or self._because is not None

    # --- the caller ---

    def caller_began(self) -> list[Command]:
        """The caller speaks, or presses a key: a goodbye or a wished hang-up is off."""
        self._prompts = 0
        wished = self._wish is not None and isinstance(self._wish.then, ThenHangUp)
        if wished:
            self._wish = None
        if not (wished or self._because):
            return []
        self._because = None
        self._said = False
        return [
            StopTimer("closing"),
            WENT_ON,
        ]

    # --- wishes ---

    def wish(self, then: Then, *, spoke: bool, at_ms: int) -> list[Command]:
        """A tool wants something done with the call."""
        if self.final:
            return []
        self._wish = _Wish(then, spoke)
        return [StartTimer("wish", at_ms + WISH_MS)]

    def wish_overdue(self, at_ms: int) -> list[Command]:
        """The caller has not been silent for long enough; a hang-up would cut them off, the rest happens."""
        if self._wish is None or isinstance(self._wish.then, ThenHangUp) or self._because:
            return []
        return [] if self.transferring else self._grant(at_ms)

    def _grant(self, at_ms: int) -> list[Command]:
        wish, self._wish = self._wish, None
        if wish is None:
            return []
        if isinstance(wish.then, ThenTransfer):
            self.transferred_by = "transferred"
            return [StopTimer("wish"), *self._transfer(wish.then.reason, at_ms)]
        if wish.spoke:
            self._because = "assistant_ended"
            self._said = True
            return [StopTimer("wish"), *self._wait_until_heard(at_ms)]
        return [StopTimer("wish"), *self._goodbye("assistant_ended", self._plan.farewell_ask, at_ms)]

    def _transfer(self, reason: str, at_ms: int) -> list[Command]:
        self.transferring = True
        return [StartTimer("transfer", at_ms + STREAM_ENDS_MS), Transfer(reason)]

    def not_transferred(self) -> None:
        """The owner's phone could not be rung, or was in vain: the assistant goes on. What a tool wished
        for meanwhile was wished for another situation."""
        self.transferring, self._wish = False, None

    # --- the owner steps in ---

    def owner_rings(self, at_ms: int) -> list[Command]:
        """The owner wants the caller on their own phone, now. A goodbye that is being said is off, also one
        at the time limit: whoever comes back has some time left."""
        if self.hanging_up or self.transferring:
            return []
        went_on = self.caller_began()
        self._wish = self._latest_ms = None
        self._time_is_up = False
        self.transferred_by = "owner_took_over"
        return [*went_on, StopTimer("silence"), StopTimer("wish"), *self._transfer("", at_ms)]

    def owner_hangs_up(self, at_ms: int) -> list[Command]:
        """The owner ends the call, whatever is being said."""
        if not self.hanging_up:
            self._because = "owner_ended"
        return self.hang_up(at_ms)

    # --- goodbyes ---

    def time_up(self) -> bool:
        """The call has lasted as long as it may. False when a goodbye is being said already: it will do."""
        self._time_is_up = True
        if self._because:
            return False
        self._because, self._goodbye_ask = "time_limit", self._plan.time_up_ask
        self._wish = None
        return True

    def _goodbye(self, because: str, ask: str, at_ms: int) -> list[Command]:
        self._because, self._goodbye_ask = because, ask
        return self.say_goodbye(at_ms)

    def say_goodbye(self, at_ms: int) -> list[Command]:
        """Ask for the goodbye; again, when the session that was to say it is lost."""
        self._said = False
        due_ms = at_ms + GOODBYE_MS
        if self._time_is_up:
            # However many sessions fail to say it: the call does not go on for that.
            due_ms = self._latest_ms = min(due_ms, self._latest_ms or due_ms)
        return [*self._replies.insist(self._goodbye_ask), StartTimer("closing", due_ms)]

    def _wait_until_heard(self, at_ms: int) -> list[Command]:
        return [StartTimer("closing", at_ms + self._voice.remaining_ms(at_ms) + MARGIN_MS)]

    def reply_over(self, at_ms: int) -> list[Command]:
        """The goodbye, if it is one, has been generated: it is heard by then or never."""
        if self._because is None or self.hanging_up or self._replies.busy or self._said:
            return []
        self._said = True
        return self._wait_until_heard(at_ms)

    def hang_up(self, at_ms: int) -> list[Command]:
        """Now. If the stream has not ended long after, it is closed."""
        if self.hanging_up:
            return []
        self.hanging_up = True
        return [
            StopTimer("closing"),
            StopTimer("silence"),
            StopTimer("limit"),
            StartTimer("hung_up", at_ms + HANG_UP_MS),
            HangUp(),
        ]

    # --- quiet ---

    def settle(self, at_ms: int, *, caller_speaking: bool, tools_running: bool) -> list[Command]:
        """Something came to rest: grant a wish, hang up after a goodbye, or begin to count the silence."""
        if self.hanging_up or self.transferring or caller_speaking or tools_running or self._replies.busy:
            return []
        if self._wish is not None and self._because is None:
            if isinstance(self._wish.then, ThenTransfer) and not self._voice.idle:
                return []  # what is being said about it is heard first
            return [*self._grant(at_ms), *self._if_heard(at_ms)]
        if self._because:
            return self._if_heard(at_ms)
        return [StartTimer("silence", at_ms + self._voice.remaining_ms(at_ms) + SILENCE_MS)]

    def _if_heard(self, at_ms: int) -> list[Command]:
        """A goodbye that is heard to its end is followed by the hang-up."""
        if self._because and self._voice.idle and not self._replies.busy:
            return self.hang_up(at_ms)
        return []

    def silent(self, at_ms: int) -> list[Command]:
        """Nothing was heard for as long as a prompt waits."""
        if self._because or self.hanging_up or self.transferring or self._replies.busy:
            return []
        if sounding_ms := self._voice.remaining_ms(at_ms):
            return [StartTimer("silence", at_ms + sounding_ms + SILENCE_MS)]
        if self._prompts < PROMPTS:
            self._prompts += 1
            return self._replies.wish(ask=self._plan.still_there_ask)
        return self._goodbye("silence", self._plan.silence_ask, at_ms)
