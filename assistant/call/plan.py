"""What is settled about a call before it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CallPlan:
    """The opening's words, the limits, and how the model is asked for the few sentences we choose.

    opening: disclosure and greeting, spoken word for word. greeting: their sound, kept from another call;
    empty when there is none. keep_opening: it is to be kept from this one. disclosure: "" when none has to
    be heard before the recording begins. notice_ends_ms: where in the kept sound it ends; 0: by the share of
    its letters. transcribes: the model's side puts the caller's words into text. keypad_pin: the caller shows
    the owner's number, so keys are a PIN, and no key is told to the model. ring_ms: how long the owner's
    phone rings. ask_for_owner: makes of a question of the owner's what the model is asked to ask.
    """

    opening: str = ""
    greeting: bytes = field(default=b"", repr=False)
    keep_opening: bool = False
    disclosure: str = ""
    notice_ends_ms: int = 0
    max_call_ms: int = 600_000
    transcribes: bool = True
    keypad_pin: bool = False
    ring_ms: int = 15_000
    greet_ask: str = "Greet the caller in one sentence and ask how you can help."
    still_there_ask: str = "Ask whether the caller is still there."
    silence_ask: str = "Say that you will hang up now, and goodbye."
    time_up_ask: str = "Say that the time is up, and goodbye."
    farewell_ask: str = "Say goodbye."
    pin_right_ask: str = "Say that you know the caller now, and ask what you can do."
    pin_wrong_ask: str = "Say that what the caller typed was not right."
    pin_unchecked_ask: str = "Say that what the caller typed could not be checked just now."
    ask_for_owner: Callable[[str], str] = 'The owner wants to know: "{}"'.format
