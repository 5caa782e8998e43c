"""Answer one call: from what the owner prefers and who is calling to a running bridge.

The parts of a call know nothing of preferences, files or the sandbox; here they are made for one call
and put together. All that has to be looked up for it is looked up beforehand, while it still rings: when
the caller's stream begins, nothing waits for the database.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from assistant import prompt
from assistant.bridge import Bridge, CallClock, Phone
from assistant.calendars.diary import Diary
from assistant.call.disclosure import Disclosure
from assistant.call.machine import Call
from assistant.call.plan import CallPlan
from assistant.channel import Readiness
from assistant.config import Settings
from assistant.greeting import from_first_word, greeting_key, notice_ends_ms, record
from assistant.live import Live
from assistant.live_calls import LiveCalls
from assistant.lobby import Expected, Lobby
from assistant.owner_pin import OwnerPin
from assistant.realtime.client import ModelAddress, RealtimeClient
from assistant.realtime.models import fitting_voice
from assistant.realtime.session import SessionWish
from assistant.realtime.side import ModelSide
from assistant.store import Database, callers, greetings
from assistant.store.greetings import GreetingKey
from assistant.store.preferences import Preferences, load
from assistant.store.recordings import DIRECTORY, CallRecorder
from assistant.store.writer import Store, directly
from assistant.tools.toolbox import Toolbox, ToolContext
from assistant.trust import Trust, may_type_pin

log = logging.getLogger(__name__)


def call_plan(
    preferences: Preferences, *, transcribes: bool, greeting: bytes = b"", keypad_pin: bool = False
) -> CallPlan:
    """What the owner's preferences settle about a call. greeting: the opening's sound, if it is kept.

    keypad_pin: keys may be the owner's PIN.
    """
    disclosure = preferences.disclosure if preferences.record_audio else ""
    share = Disclosure(disclosure).said_by(preferences.opening)
    return CallPlan(
        opening=preferences.opening,
        greeting=greeting,
        keep_opening=not greeting,
        disclosure=disclosure,
        notice_ends_ms=notice_ends_ms(greeting, share) if greeting and share else 0,
        max_call_ms=preferences.max_call_seconds * 1000,
        transcribes=transcribes,
        keypad_pin=keypad_pin,
        greet_ask=prompt.GREET_ASK,
        still_there_ask=prompt.STILL_THERE_ASK,
        silence_ask=prompt.SILENCE_GOODBYE_ASK,
        time_up_ask=prompt.TIME_UP_ASK,
        farewell_ask=prompt.FAREWELL_ASK,
        pin_right_ask=prompt.PIN_RIGHT_ASK,
        pin_wrong_ask=prompt.PIN_WRONG_ASK,
        pin_unchecked_ask=prompt.PIN_UNCHECKED_ASK,
        ring_ms=preferences.ring_seconds * 1000,
        ask_for_owner=prompt.ask_for_owner,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database knows that a call needs."""

    preferences: Preferences
    caller_name: str | None
    key: GreetingKey
    greeting: bytes | None


def _look_up(db: Database, settings: Settings, number: str | None) -> _Known:
    preferences = load(db)
    key = greeting_key(settings, preferences)
    name = callers.standing(db, number)["name"] if number else None
    return _Known(preferences, name, key, greetings.find(db, key))


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call that has not begun: everything that had to be looked up for it."""

    preferences: Preferences
    plan: CallPlan
    key: GreetingKey
    toolbox: Toolbox
    connect: Callable[[Callable[[], int]], ModelSide]


@dataclass
class Answering:
    """Everything calls have in common.

    model_url: the base address for a scenario of the sandbox. own_greeting: the sandbox's own sound for an
    opening. Handed in by `app.py`: `in_pool`, `within` and `readiness`, see DESIGN 5.
    """

    settings: Settings
    store: Store
    diary: Diary
    live: Live
    live_calls: LiveCalls
    in_pool: Callable[..., Any] = directly
    within: Callable[[float], AbstractContextManager[Any]] = nullcontext
    model_url: Callable[[str | None], str] | None = None
    own_greeting: Callable[[str], bytes | None] | None = None
    readiness: Readiness | None = None
    lobby: Lobby[PreparedCall] = field(init=False)
    _greeting: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        self.lobby = Lobby(self.prepare)

    def prepare(self, expected: Expected) -> PreparedCall:
        """Everything about a call that can be known before it begins."""
        known = self.store.read(_look_up, self.settings, expected.number)
        context = ToolContext(
            call_sid=expected.call_sid,
            caller_number=expected.number,
            trust=expected.trust,
            store=self.store,
            diary=self.diary,
            can_ring_owner=self._can_ring_owner(expected),
        )
        toolbox = Toolbox(context, within=self.within)
        greeting = self._one_greeting(known.greeting or self._own_greeting(known))
        transcribes = bool(self.settings.transcription_model)
        return PreparedCall(
            preferences=known.preferences,
            plan=call_plan(
                known.preferences,
                transcribes=transcribes,
                greeting=greeting,
                keypad_pin=may_type_pin(expected.number, self.settings.owner_phone),
            ),
            key=known.key,
            toolbox=toolbox,
            connect=partial(self._connect_call, self._address(expected.scenario), known, toolbox),
        )

    def _can_ring_owner(self, expected: Expected) -> bool:
        """Not for a call from the browser, which has no line, nor for one from the owner's own phone."""
        on_a_line = self.settings.has_phone and expected.call_sid.startswith("CA")
        return on_a_line and not may_type_pin(expected.number, self.settings.owner_phone)

    def serve_call(
        self,
        phone: Phone,
        *,
        call_sid: str,
        number: str | None,
        trust: Trust,
        scenario: str | None = None,
    ) -> str | None:
        """Serve one call from its stream's start to its end; blocks. Returns its `ended_because`.

        number: None when withheld.
        """
        clock = CallClock()
        guest = self.lobby.take(call_sid, clock)
        prepared = guest.prepared if guest else self.prepare(Expected(call_sid, number, trust, scenario))
        bridge = Bridge(
            call_sid,
            Call(prepared.plan),
            phone,
            prepared.connect,
            prepared.toolbox,
            self.store,
            self.live,
            self._recorder(call_sid) if prepared.preferences.record_audio else None,
            clock,
            session=guest.session if guest else None,
            keep_greeting=partial(self._keep_greeting, prepared.key),
            check_pin=partial(OwnerPin(self.store, self.in_pool).is_right, call_sid),
        )
        self.live_calls.serve(bridge)
        return bridge.ended_because

    # --- the greeting ----------------------------------------------------------

    def make_greeting(self) -> None:
        """Have the opening spoken in a short session of the model, and keep its sound. Blocks.

        Raises AssistantError.
        """
        known = self.store.read(_look_up, self.settings, None)
        session = self._connect(self._address(None), self._wish(known, None), CallClock())
        payload = record(session, known.preferences.opening)
        self.store.write(greetings.keep, known.key, from_first_word(payload), datetime.now(UTC))

    def _keep_greeting(self, key: GreetingKey, payload: bytes) -> None:
        self.store.put(greetings.keep, key, from_first_word(payload), datetime.now(UTC))

    def _one_greeting(self, greeting: bytes) -> bytes:
        """The same sound for all calls, however often it is read."""
        if greeting != self._greeting:
            self._greeting = greeting
        return self._greeting

    def _own_greeting(self, known: _Known) -> bytes:
        """The sandbox's, kept from here on like any other."""
        own = self.own_greeting(known.preferences.opening) if self.own_greeting else None
        if own:
            self._keep_greeting(known.key, own)
        return own or b""

    # --- the model ---------------------------------------------------------------

    def _connect(self, address: ModelAddress, wish: SessionWish, clock: Callable[[], int]) -> RealtimeClient:
        return RealtimeClient(address, wish, clock=clock, within=self.within, readiness=self.readiness)

    def _connect_call(
        self, address: ModelAddress, known: _Known, toolbox: Toolbox, clock: Callable[[], int]
    ) -> RealtimeClient:
        # The wish is made now: a session that takes the place of a lost one has the level reached meanwhile.
        return self._connect(address, self._wish(known, toolbox), clock)

    def _wish(self, known: _Known, toolbox: Toolbox | None) -> SessionWish:
        preferences = known.preferences
        voice, warning = fitting_voice(preferences.voice)
        if warning:
            log.warning("%s", warning)
        instructions = prompt.instructions(
            owner_name=preferences.owner_name,
            persona=preferences.persona,
            language=preferences.language,
            timezone=preferences.timezone,
            now=datetime.now(UTC),
            trust=toolbox.trust if toolbox else "stranger",
            caller_name=known.caller_name,
            tools=toolbox.names() if toolbox else (),
        )
        return SessionWish(
            model=self.settings.realtime_model,
            instructions=instructions,
            voice=voice,
            language=preferences.language.partition("-")[0],
            audio=self.settings.realtime_audio,
            transcription=self.settings.transcription_model,
            keywords=tuple(word for word in (preferences.owner_name, known.caller_name) if word),
            tools=tuple(toolbox.declared()) if toolbox else (),
        )

    def _address(self, scenario: str | None) -> ModelAddress:
        settings = self.settings
        base_url = self.model_url(scenario) if self.model_url else settings.openai_base_url
        # Stable and tells nothing: which installation this is, not whose.
        identifier = hashlib.sha256(f"afterbeep {settings.owner_phone}".encode()).hexdigest()[:32]
        return ModelAddress(
            base_url=base_url,
            model=settings.realtime_model,
            api_key=settings.openai_api_key.get_secret_value() or "sandbox",
            safety_identifier=identifier,
        )

    def _recorder(self, call_sid: str) -> CallRecorder | None:
        try:
            return CallRecorder(self.settings.instance_path / DIRECTORY, call_sid, self.in_pool)
        except OSError as error:
            log.error("this call is not recorded: %s", error.strerror)
            return None
