"""The keys of the caller's telephone: what they mean, and who is told.

On most calls they are told to the model, pressed together as one number. On a call that shows the owner's
number they are the owner's PIN (`pin`), from the first key of the call to its last: of those the model learns
nothing but the level that was reached. And one key can be a yes, if it stays alone (`consent`).
"""

from __future__ import annotations

from assistant.call.commands import CheckPin, Command, SilenceRecording, StartTimer, StopTimer, TellModel
from assistant.call.consent import ALONE_MS, Consent
from assistant.call.ending import WENT_ON, Ending
from assistant.call.events import CallerPressed, PinChecked
from assistant.call.floor import Floor
from assistant.call.pin import LETTERS, PinEntry
from assistant.call.plan import CallPlan
from assistant.call.session import Session
from assistant.call.tools import ToolRuns

KEYS_MS = 2_000  # keys pressed within this of each other are one number
FIRST_TONE_MS = 1_000  # the tone of the key that opens the entry began before we were told of it

OWNER = "The caller's level is now: owner."
NOT_CONFIRMED = (
    "The key that a tool asked for was not pressed, or not by itself, so nothing was done. "
    "To ask for it again, call the tool again."
)


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
        self._consent = Consent(tools)
        self._keys = ""
        self._pressed_ms = -ALONE_MS  # the last key
        self._not_confirmed = False  # what the caller is typing has dropped what waited for a key

    def pressed(self, event: CallerPressed) -> list[Command]:
        """The caller has pressed a key."""
        if self._plan.keypad_pin:
            return [] if event.digit in LETTERS else [*self._answer(event), *self._pin_key(event.digit)]
        answer = self._answer(event)
        self._floor.caller_types = self._consent.pressed
        if self._too_late:
            return [*answer, *self._floor.settle()] if answer else []
        if self._consent.pressed:
            self.pin.hush(event.at_ms)  # its tone would sound like speech to the model
        self._keys += event.digit
        return [*answer, *self._goes_on(), StartTimer("keys", event.at_ms + KEYS_MS)]

    def timer_fired(self, timer: str) -> list[Command]:
        """One of the timers that are set here and by `consent`."""
        match timer:
            case "keys":
                return self._keys_complete()
            case "pin":
                return self._close_pin() if self.pin.open else []
            case "yes":
                return self._confirm()
        return self._asked_in_vain()

    @property
    def _too_late(self) -> bool:
        """True when nothing can call the end off: the time is up, or no model is there to go on with."""
        return self._ending.final or (self._ending.needs_no_model and not self._session.ready)

    def _goes_on(self) -> list[Command]:
        """A key is a sign of life. A session that is still to come need not know of a goodbye before it."""
        if self._too_late:
            return []
        went_on = self._ending.caller_began()
        if not self._session.ready and WENT_ON in went_on:
            went_on.remove(WENT_ON)
        return [StopTimer("silence"), *went_on]

    # --- keys for the model ---

    def _keys_complete(self) -> list[Command]:
        """No key for a while: these are told to the model, as soon as there is one."""
        if self._too_late:
            return []
        if not self._session.ready:
            return [StartTimer("keys", self._floor.now_ms + KEYS_MS)]
        keys, self._keys = self._keys, ""
        return self._floor.tell(f"The caller pressed these keys of the keypad: {' '.join(keys)}")

    # --- the owner's PIN ---

    def _pin_key(self, key: str) -> list[Command]:
        now_ms = self._floor.now_ms
        commands: list[Command] = []
        if not self.pin.open:
            self._session.hearing.silence(now_ms - FIRST_TONE_MS)
            commands.append(SilenceRecording(FIRST_TONE_MS))
        self.pin.press(key)
        self._floor.caller_types = True
        commands += self._goes_on()
        if key == "#" or self.pin.full:
            return commands + self._close_pin()
        return [*commands, StartTimer("pin", now_ms + self.pin.pause_ms)]

    def _close_pin(self) -> list[Command]:
        digits = self.pin.close(self._floor.now_ms, compare=not self._too_late)
        self._floor.caller_types = False
        check: list[Command] = [CheckPin(digits)] if digits else []
        return [StopTimer("pin"), *check, *self._tell_not_confirmed(), *self._floor.settle()]

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
        if event.granted:
            told = self._session.level_reached(OWNER)
            return [*went_on, *told, *self._floor.bring_up(self._plan.pin_right_ask)]
        ask = self._plan.pin_unchecked_ask if event.granted is None else self._plan.pin_wrong_ask
        return [*went_on, *self._floor.bring_up(ask)]

    # --- a key that is a yes ---

    def ask_for(self, key: str, tool_call_id: str) -> list[Command]:
        """This tool does what it was asked when the key is pressed; unless another waits for one."""
        return self._consent.ask(key, tool_call_id, self._floor.now_ms)

    def _answer(self, event: CallerPressed) -> list[Command]:
        """Is it a yes, or a no, to what was asked?"""
        after_others = self.pin.open or self._keys or event.at_ms < self._pressed_ms + ALONE_MS
        self._pressed_ms = event.at_ms
        first = not (after_others or self._too_late)
        wanted = self._consent.wanted
        commands = self._consent.press(event.digit, event.at_ms, first=first)
        self._not_confirmed |= wanted and not self._consent.wanted
        return commands

    def _confirm(self) -> list[Command]:
        """No other key has followed: it was no part of a PIN, nor of a number."""
        self._keys = ""
        self._floor.caller_types = False
        if self.pin.open:
            self.pin.close(self._floor.now_ms, compare=False)
        given = self._consent.give()
        return [StopTimer("keys"), StopTimer("pin"), *self._goes_on(), *given]

    def caller_is_away(self) -> list[Command]:
        """The stream is over and the call is not: half a PIN is none, and no key can answer a question."""
        given = self._consent.give()
        self._floor.caller_types = False
        if self.pin.open:
            self.pin.close(self._floor.now_ms, compare=False)
        return [StopTimer("pin"), *given, *(self._asked_in_vain() if self._consent.wanted else [])]

    def caller_is_back(self) -> list[Command]:
        """Keys that were pressed before are still to be told."""
        return [StartTimer("keys", self._floor.now_ms + KEYS_MS)] if self._keys else []

    def line_over(self) -> list[Command]:
        """No key can follow any more: what was pressed counts."""
        return self._consent.give()

    def _tell_not_confirmed(self) -> list[Command]:
        tell, self._not_confirmed = self._not_confirmed, False
        return self._floor.tell(NOT_CONFIRMED) if tell and self._session.ready and not self._too_late else []

    def _asked_in_vain(self) -> list[Command]:
        """Whoever presses the key from now on would hear nothing, if the model did not know. It need not
        speak of it by itself."""
        note = [TellModel(NOT_CONFIRMED)] if self._session.ready and not self._too_late else []
        return [*self._consent.drop(), *note]
