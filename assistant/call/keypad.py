"""The keys of the caller's telephone: what they mean, and who is told.

Most are told to the model, pressed together as one number. On a call that shows the owner's number they are
the owner's PIN first (`pin`), of which the model learns nothing but the level that was reached. And one key
can be a yes: a tool that must not be talked into what it does asks for it, and only the hand of the caller
can press it.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.call.commands import CheckPin, Command, ConfirmTool, SilenceRecording, StartTimer, StopTimer
from assistant.call.ending import WENT_ON, Ending
from assistant.call.events import CallerPressed, PinChecked
from assistant.call.floor import Floor
from assistant.call.pin import LETTERS, TYPING_MS, PinEntry
from assistant.call.plan import CallPlan
from assistant.call.session import Session
from assistant.call.tools import ToolRuns

KEYS_MS = 2_000  # keys pressed within this of each other are one number
FIRST_TONE_MS = 1_000  # the tone of the key that opens the entry began before we were told of it
CONFIRM_MS = 60_000  # a key that was asked for is waited for so long

OWNER = "The caller's level is now: owner."


@dataclass(frozen=True, slots=True)
class _Asked:
    """A tool waits for a key, until then."""

    tool_call_id: str
    key: str
    until_ms: int


class Keypad:
    """The keys of one call. pin: what the caller's sound must be hushed for."""

    def __init__(
        self, plan: CallPlan, floor: Floor, ending: Ending, session: Session, tools: ToolRuns
    ) -> None:
        self.pin = PinEntry(wanted=plan.keypad_pin)
        self._plan = plan
        self._floor = floor
        self._ending = ending
        self._session = session
        self._tools = tools
        self._keys = ""
        self._asked: _Asked | None = None

    def pressed(self, event: CallerPressed) -> list[Command]:
        """The caller has pressed a key."""
        if self._asked is not None and self._is_yes(event, self._asked):
            return self._confirm(self._asked.tool_call_id)
        if self.pin.takes(event.digit, event.at_ms):
            return self._pin_key(event.digit)
        if self._too_late:
            return []
        self._asked = None
        self._keys += event.digit
        return [*self._goes_on(), StartTimer("keys", event.at_ms + KEYS_MS)]

    @property
    def _too_late(self) -> bool:
        """True when nothing can call the end off: the time is up, or no model is there to go on with."""
        return self._ending.final or (self._ending.needs_no_model and not self._session.ready)

    def _goes_on(self) -> list[Command]:
        """A key is a sign of life. A session that is still to come need not know of a goodbye before it."""
        went_on = self._ending.caller_began()
        if not self._session.ready and WENT_ON in went_on:
            went_on.remove(WENT_ON)
        return [StopTimer("silence"), *went_on]

    # --- keys for the model ---

    def keys_complete(self) -> list[Command]:
        """No key for a while: these are told to the model, as soon as there is one."""
        if self._too_late:
            return []
        if not self._session.ready:
            return [StartTimer("keys", self._floor.now_ms + KEYS_MS)]
        keys, self._keys = self._keys, ""
        return self._floor.tell(f"The caller pressed these keys of the keypad: {' '.join(keys)}")

    # --- the owner's PIN ---

    def _pin_key(self, key: str) -> list[Command]:
        if key in LETTERS or not (self.pin.open or self.pin.wanted):
            return []
        now_ms = self._floor.now_ms
        commands: list[Command] = []
        if not self.pin.open:
            self._session.hearing.silence(now_ms - FIRST_TONE_MS)
            commands.append(SilenceRecording(FIRST_TONE_MS))
        self.pin.press(key)
        self._floor.caller_types = True
        commands += [] if self._too_late else self._goes_on()
        if key == "#" or self.pin.full:
            return commands + self._close_pin(late=key != "#")
        return [*commands, StartTimer("pin", now_ms + TYPING_MS)]

    def pin_over(self) -> list[Command]:
        """No key for as long as a PIN may pause."""
        return self._close_pin(late=True) if self.pin.open else []

    def _close_pin(self, *, late: bool) -> list[Command]:
        digits = self.pin.close(self._floor.now_ms, compare=not self._too_late, late=late)
        self._floor.caller_types = False
        check: list[Command] = [CheckPin(digits)] if digits else []
        return [StopTimer("pin"), *check, *self._floor.settle()]

    def pin_checked(self, event: PinChecked) -> list[Command]:
        """What was typed has been compared; the caller hears of it, the model of the level alone."""
        if not self.pin.comparing:
            return []
        following = self.pin.compared(granted=event.granted)
        if self._too_late:
            return []
        if following:
            return [CheckPin(following)]
        went_on = self._goes_on()
        if not event.granted:
            return [*went_on, *self._floor.bring_up(self._plan.pin_wrong_ask)]
        told = self._session.level_reached(OWNER)
        return [*went_on, *told, *self._floor.bring_up(self._plan.pin_right_ask)]

    # --- a key that is a yes ---

    def ask_for(self, key: str, tool_call_id: str) -> None:
        """This tool does what it was asked when the key is pressed. What another waited for is dropped."""
        self._asked = _Asked(tool_call_id, key, self._floor.now_ms + CONFIRM_MS)

    def _is_yes(self, event: CallerPressed, asked: _Asked) -> bool:
        in_time = event.at_ms <= asked.until_ms and not self._too_late
        return event.digit == asked.key and in_time and not self.pin.open

    def _confirm(self, tool_call_id: str) -> list[Command]:
        self._asked = None
        self.pin.hush(self._floor.now_ms)  # the rest of its tone would sound like speech to the model
        self._tools.confirm(tool_call_id)
        return [*self._goes_on(), ConfirmTool(tool_call_id)]
