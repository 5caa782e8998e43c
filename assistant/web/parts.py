"""What the views work with: the program's parts, and what is remembered of calls that are going on.

`app.py` puts the parts together; a view asks `parts()` for them. What is remembered here is only what
must not wait for the database, or is of no use after a restart; everything else is in the store.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, Protocol, cast

from flask import Flask, current_app

from assistant.calendars.diary import Diary
from assistant.calendars.google import Google
from assistant.channel import Readiness
from assistant.config import Settings
from assistant.errors import AssistantError
from assistant.live import Live
from assistant.live_calls import LiveCalls
from assistant.lobby import Expected, Lobby
from assistant.phone_side import Phone
from assistant.store.writer import Store
from assistant.telephony.dials import RunningDials
from assistant.telephony.recordings import catch_up, fetch_voicemail
from assistant.telephony.rest import Rest
from assistant.telephony.tokens import StreamTokens
from assistant.trust import Trust

log = logging.getLogger(__name__)

MOST_REMEMBERED = 2000
VOICEMAIL_S = 200.0  # the longest recording, the apology before it, and a little

Answer = Literal["blocked", "loop", "ring_owner", "assistant", "voicemail"]


class ServeCall(Protocol):
    """Serves a call until it is over; returns why the assistant's part ended."""

    def __call__(
        self, phone: Phone, *, call_sid: str, number: str | None, trust: Trust, scenario: str | None = None
    ) -> str | None: ...


def nobody_serves(
    phone: Phone, *, call_sid: str, number: str | None, trust: Trust, scenario: str | None = None
) -> str | None:
    """Where no assistant was put in: the caller comes to the apology."""
    return "model_failed"


def nobody_speaks() -> None:
    """Where no assistant was put in, there is no voice to keep a greeting of."""
    raise AssistantError("There is no assistant here that could speak the greeting.")


@dataclass(slots=True)
class CallAtTheDoor:
    """What is remembered of one call between its webhooks. `identity`: what it is kept under.

    stir_verstat: what the network thinks of its caller ID.
    """

    identity: str | None = None
    stir_verstat: str | None = None
    trust: Trust = "stranger"
    answer: Answer | None = None
    accepted: bool = False
    had_stream: bool = False
    over_at: datetime | None = None
    language: str = "en"
    name: str = ""  # what the owner, or the network, calls the caller
    why: str = ""  # they want to be put through, as the owner is told
    api_url: str = ""  # the sandbox caller's own REST side
    scenario: str | None = None


class Memory:
    """The calls lately heard of; the oldest are forgotten."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._calls: OrderedDict[str, CallAtTheDoor] = OrderedDict()

    def of(self, call_sid: str) -> CallAtTheDoor:
        """What is remembered of a call; nothing yet, for a new one."""
        call = self._calls.setdefault(call_sid, CallAtTheDoor())
        self._calls.move_to_end(call_sid)
        while len(self._calls) > self._most:
            self._calls.popitem(last=False)
        return call


class Voicemails:
    """Calls that were asked to leave a recording, until Twilio says they are over."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def add(self, call_sid: str) -> None:
        self._forget_old()
        self._until.setdefault(call_sid, self._clock() + VOICEMAIL_S)

    def over(self, call_sid: str) -> None:
        self._until.pop(call_sid, None)

    def has(self, call_sid: str) -> bool:
        return self._until.get(call_sid, 0.0) > self._clock()

    def count(self) -> int:
        self._forget_old()
        return len(self._until)

    def _forget_old(self) -> None:
        now = self._clock()
        self._until = {call_sid: until for call_sid, until in self._until.items() if until > now}


def in_a_thread(function: Callable[..., object], *args: Any) -> None:
    """Run it beside everything else; a bug in it is logged."""

    def run() -> None:
        try:
            function(*args)
        except Exception:
            log.exception("%s failed", getattr(function, "__name__", "a job"))

    threading.Thread(target=run, name="beside", daemon=True).start()


@dataclass
class Parts:
    """Everything the views need.

    beside: run a job without waiting for it. make_greeting: have the greeting spoken and kept; raises
    AssistantError.
    """

    settings: Settings
    store: Store
    diary: Diary
    google: Google
    live: Live = field(default_factory=Live)
    live_calls: LiveCalls = field(default_factory=LiveCalls)
    lobby: Lobby[Any] = field(default_factory=Lobby)
    serve_call: ServeCall = nobody_serves
    make_greeting: Callable[[], None] = nobody_speaks
    within: Callable[[float], AbstractContextManager[Any]] = nullcontext
    readiness: Readiness | None = None
    beside: Callable[..., None] = in_a_thread
    tokens: StreamTokens = field(default_factory=StreamTokens)
    dials: RunningDials = field(default_factory=RunningDials)
    voicemails: Voicemails = field(default_factory=Voicemails)
    memory: Memory = field(default_factory=Memory)
    streams: set[str] = field(default_factory=set)  # open media streams, from their token to their end
    fetching: set[str] = field(default_factory=set)  # recordings that are on their way

    @cached_property
    def rest(self) -> Rest:
        """The account's REST side."""
        return self._rest_at(self.settings.twilio_api_url)

    def rest_for(self, call_sid: str) -> Rest:
        """The REST side of this call: a call of the sandbox brings its own."""
        api_url = self.memory.of(call_sid).api_url
        return self._rest_at(api_url) if api_url else self.rest

    def _rest_at(self, api_url: str) -> Rest:
        token = self.settings.twilio_auth_token.get_secret_value()
        return Rest(self.settings.twilio_account_sid, token, api_url, within=self.within)

    def fetch_recording(self, call_sid: str, recording_sid: str) -> None:
        """Get a voicemail home, beside the calls; once at a time."""
        if recording_sid in self.fetching:
            return
        self.fetching.add(recording_sid)
        self.beside(self._fetch, call_sid, recording_sid)

    def _fetch(self, call_sid: str, recording_sid: str) -> None:
        rest, instance_path = self.rest_for(call_sid), self.settings.instance_path
        try:
            if fetch_voicemail(rest, self.store, instance_path, call_sid, recording_sid):
                self.live.tell(call_sid, "kept")
        finally:
            self.fetching.discard(recording_sid)

    def catch_up(self) -> Callable[[datetime], None]:
        """What asks Twilio for the calls since a time of which no webhook may have told us."""

        def ask(since: datetime) -> None:
            settings = self.settings
            catch_up(
                self.rest,
                self.store,
                settings.instance_path,
                settings.twilio_number,
                since,
                is_live=self.is_going_on,
            )

        return ask

    def is_streaming(self, call_sid: str) -> bool:
        """Whether the caller is with the assistant; not once they have left it for the owner's phone."""
        if self.live_calls.away(call_sid):
            return False  # its first stream may still be on the way out
        return call_sid in self.streams or self.live_calls.has(call_sid)

    def is_going_on(self, call_sid: str) -> bool:
        """Whether this call is being served in any way, as far as we know."""
        is_ours = call_sid in self.streams or self.live_calls.has(call_sid)
        return is_ours or self.voicemails.has(call_sid)

    def assistants_busy(self) -> int:
        """Calls the assistant has or will have in a moment: what `max_concurrent_calls` counts."""
        arriving = sum(not self.live_calls.has(call_sid) for call_sid in self.streams)
        return self.live_calls.count() + arriving + self.tokens.waiting()

    def expect(self, call_sid: str, wait_s: float, *, certain: bool) -> None:
        """Have a session of the model wait for this call. certain: it is on its way to the assistant."""
        call = self.memory.of(call_sid)
        if self.live_calls.draining or call.accepted or call.over_at is not None:
            return
        expected = Expected(call_sid, call.identity, call.trust, call.scenario)
        self.lobby.expect(expected, wait_s, certain=certain)

    def facts(self) -> dict[str, Any]:
        """How busy we are, for the doctor."""
        return {"open_calls": self.live_calls.count(), "running_usd": self.live_calls.cost_usd()}

    def still_live(self) -> int:
        """What a stop has to wait for: the assistant's calls, until their last words are kept; those on
        their way to it; callers who are recording, or for whom the owner is rung."""
        served = self.streams | {call.call_sid for call in self.live_calls.running()}
        return len(served) + self.tokens.waiting() + self.voicemails.count() + self.dials.running()

    def drain(self) -> None:
        """The program is about to leave: from now on callers get plain voicemail."""
        self.live_calls.draining = True
        self.lobby.give_up_all("the program is about to leave")


def parts(app: Flask | None = None) -> Parts:
    """The parts of `app`, or of the app that is serving."""
    return cast(Parts, (app or current_app).extensions["afterbeep"])
