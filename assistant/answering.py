"""Answer one call: from what the owner prefers and who is calling to a running bridge.

The parts of a call know nothing of preferences, files or the sandbox; here they are made for one call
and put together.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from assistant import prompt
from assistant.bridge import Bridge, CallClock, Phone
from assistant.call.machine import Call
from assistant.call.plan import CallPlan
from assistant.config import Settings
from assistant.live import Live
from assistant.live_calls import LiveCalls
from assistant.realtime.client import ModelAddress, RealtimeClient
from assistant.realtime.models import fitting_voice
from assistant.realtime.session import SessionWish
from assistant.store import callers
from assistant.store.preferences import Preferences, load
from assistant.store.recordings import DIRECTORY, CallRecorder
from assistant.store.writer import Store, directly
from assistant.tools.toolbox import Toolbox, ToolContext
from assistant.trust import Trust

log = logging.getLogger(__name__)


def call_plan(preferences: Preferences, *, transcribes: bool) -> CallPlan:
    """What the owner's preferences settle about a call."""
    return CallPlan(
        opening=preferences.opening,
        disclosure=preferences.disclosure if preferences.record_audio else "",
        max_call_ms=preferences.max_call_seconds * 1000,
        transcribes=transcribes,
        greet_ask=prompt.GREET_ASK,
        still_there_ask=prompt.STILL_THERE_ASK,
        silence_ask=prompt.SILENCE_GOODBYE_ASK,
        time_up_ask=prompt.TIME_UP_ASK,
        farewell_ask=prompt.FAREWELL_ASK,
    )


@dataclass
class Answering:
    """Everything calls have in common. `model_url`: the base address for a scenario of the sandbox.

    Handed in by `app.py`: `in_pool` and `within`, see DESIGN 5.
    """

    settings: Settings
    store: Store
    live: Live
    live_calls: LiveCalls
    in_pool: Callable[..., Any] = directly
    within: Callable[[float], AbstractContextManager[Any]] = nullcontext
    model_url: Callable[[str | None], str] | None = None

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
        preferences = self.store.read(load)
        context = ToolContext(call_sid=call_sid, caller_number=number, trust=trust, store=self.store)
        toolbox = Toolbox(context, within=self.within)
        wish = self._wish(preferences, toolbox, number, trust)
        address = self._address(scenario)
        bridge = Bridge(
            call_sid,
            Call(call_plan(preferences, transcribes=bool(self.settings.transcription_model))),
            phone,
            lambda clock: RealtimeClient(address, wish, clock=clock, within=self.within),
            toolbox,
            self.store,
            self.live,
            self._recorder(call_sid) if preferences.record_audio else None,
            clock,
        )
        self.live_calls.serve(bridge)
        return bridge.ended_because

    def _wish(
        self,
        preferences: Preferences,
        toolbox: Toolbox,
        number: str | None,
        trust: Trust,
    ) -> SessionWish:
        voice, warning = fitting_voice(preferences.voice)
        if warning:
            log.warning("%s", warning)
        name = self.store.read(callers.standing, number)["name"] if number else None
        instructions = prompt.instructions(
            owner_name=preferences.owner_name,
            persona=preferences.persona,
            language=preferences.language,
            timezone=preferences.timezone,
            now=datetime.now(UTC),
            trust=trust,
            caller_name=name,
            tools=toolbox.names(),
        )
        return SessionWish(
            model=self.settings.realtime_model,
            instructions=instructions,
            voice=voice,
            language=preferences.language.partition("-")[0],
            audio=self.settings.realtime_audio,
            transcription=self.settings.transcription_model,
            keywords=tuple(word for word in (preferences.owner_name, name) if word),
            tools=tuple(toolbox.declared()),
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
