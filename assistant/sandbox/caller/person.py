"""Somebody on the phone: does the steps of a script by what the ear hears, like a caller would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assistant.audio import BYTES_PER_MS
from assistant.sandbox.caller.far_ends import key_tone
from assistant.sandbox.caller.handset import CallIsOver, Handset
from assistant.sandbox.caller.script import Step, line

# A pause between words is shorter than this; a voice that has stopped for so long has stopped.
STILL_SPEAKING_MS = 300
KEY_MS = 100
KNOWN_BYTES = 40 * BYTES_PER_MS  # of a key's tone: what the exchange needs to know the key, and to tell it


@dataclass(frozen=True)
class Spoken:
    """What the caller said, and when on the phone's own clock."""

    line_id: str
    text: str
    started_ms: int
    ended_ms: int


class StepFailed(Exception):
    """What a step waits for did not come."""


class Person:
    """Carries out steps on a handset. `show(kind, text)` is told what the person does."""

    def __init__(self, handset: Handset, steps: tuple[Step, ...], show: Callable[[str, str], None]) -> None:
        self.spoken: list[Spoken] = []
        self.problems: list[str] = []
        self._handset = handset
        self._steps = steps
        self._show = show
        self._since_ms = 0  # what was heard before this has been answered
        self._tones = 0

    def run(self) -> None:
        """Do all steps; ends early when the call does, which is a problem unless that was waited for."""
        for step in self._steps:
            try:
                self._do(step)
            except CallIsOver:
                if (step.verb, step.value) != ("hear", "end"):
                    self.problems.append(f"the call was over before: {step}")
                return
            except StepFailed as failed:
                self.problems.append(f"{step}: {failed}")
                self._hang_up()
                return

    def _do(self, step: Step) -> None:
        match step.verb, step.value:
            case "hear", "reply":
                self._hear_reply(step)
            case "hear", "tone":
                self._hear_tone(step)
            case "hear", "end":
                self._wait(lambda: False, step, "the call did not end")
            case "say", line_id if step.while_asked:
                self._say_while_asked(step, line_id)
            case "say", line_id:
                self._say(line_id)
            case "interrupt", line_id:
                self._interrupt(step, line_id)
            case "press", keys:
                self._press(keys, aloud=step.aloud)
            case "be_quiet_ms", ms:
                self._handset.wait(lambda: False, ms)
            case _:
                self._hang_up()

    def _hear_reply(self, step: Step) -> None:
        ear = self._handset.ear
        judged_ms = self._since_ms  # up to here it was something else

        def has_finished() -> bool:
            nonlocal judged_ms
            if ear.last_loud_ms <= judged_ms or ear.quiet_for_ms() < step.quiet_ms:
                return False
            if not step.saying or self._was_told(step.saying):
                return True
            judged_ms = ear.last_loud_ms
            return False

        said = f"nobody said {line(step.saying, 'assistant').text!r}" if step.saying else ""
        self._wait(has_finished, step, said or "nobody spoke, or nobody stopped speaking")

    def _was_told(self, line_id: str) -> bool:
        """Whether the assistant has said this line since we spoke."""
        return self._handset.ear.heard(line(line_id, "assistant").payload, self._since_ms)

    def _hear_tone(self, step: Step) -> None:
        self._wait(lambda: self._handset.ear.tones > self._tones, step, "there was no tone")
        self._tones = self._handset.ear.tones

    def _say(self, line_id: str) -> None:
        spoken = line(line_id)
        self._show("says", spoken.text)
        began = self._handset.ear.now_ms
        self._handset.speak(spoken.payload)
        self._since_ms = self._handset.ear.now_ms
        self.spoken.append(Spoken(line_id, spoken.text, began, self._since_ms))

    def _say_while_asked(self, step: Step, line_id: str) -> None:
        while self._was_told(step.while_asked):
            self._say(line_id)
            self._hear_reply(step)

    def _interrupt(self, step: Step, line_id: str) -> None:
        ear = self._handset.ear
        self._wait(lambda: ear.first_voice_after(self._since_ms) is not None, step, "nobody spoke")
        began = ear.first_voice_after(self._since_ms) or 0
        self._handset.wait(lambda: ear.now_ms - began >= step.after_ms)
        if ear.quiet_for_ms() >= STILL_SPEAKING_MS:
            raise StepFailed("the assistant had finished before it could be interrupted")
        self._say(line_id)

    def _press(self, keys: str, *, aloud: bool) -> None:
        self._show("presses", keys)
        for key in keys:
            sound = key_tone(key, KEY_MS) if aloud else b""
            self._handset.speak(sound[:KNOWN_BYTES])
            self._handset.press(key)
            self._handset.speak(sound[KNOWN_BYTES:])
            self._handset.wait(lambda: False, KEY_MS)
        self._since_ms = self._handset.ear.now_ms

    def _hang_up(self) -> None:
        self._show("hangs_up", "")
        self._handset.hang_up()

    def _wait(self, condition: Callable[[], bool], step: Step, otherwise: str) -> None:
        if not self._handset.wait(condition, step.within_s * 1000):
            raise StepFailed(f"{otherwise} within {step.within_s:g} s")
