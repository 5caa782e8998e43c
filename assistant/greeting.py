"""The greeting kept as audio: what it is known by, how it is recorded, where its disclosure ends.

A caller hears the kept sound the moment the line opens. It comes from the first call that spoke the opening
whole, or from here: a short session of the model that is asked for these words and nothing else, because an
owner pressed a button. What is spoken is checked against the words before anybody keeps it: a model may
apologise, translate or answer in their place.
"""

from __future__ import annotations

import queue
import textwrap
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from assistant.audio import BYTES_PER_MS, decode_ulaw, duration_ms
from assistant.call.commands import CreateReply
from assistant.call.events import (
    Event,
    ModelError,
    ModelLost,
    ModelReady,
    ReplyAudio,
    ReplyDone,
    ReplyRefused,
    ReplyStarted,
    ReplyText,
)
from assistant.call.words import same_words
from assistant.config import Settings
from assistant.errors import ModelGone, NotRecorded
from assistant.realtime.models import fitting_voice
from assistant.realtime.side import ModelSide
from assistant.store.greetings import GreetingKey
from assistant.store.preferences import Preferences

# The sandbox's are for trying out: no voice has such a name, so none of them answers where there is a key.
SANDBOX_VOICE = "the sandbox's "
REQUEST_ID = "greeting"
READY_S = 10.0
SPOKEN_S = 30.0  # from the first attempt to connect to the last word, and for a long greeting longer:
LETTERS_PER_S = 10.0
MOST_SHOWN = 200  # characters of what the model said in place of the greeting


def greeting_key(settings: Settings, preferences: Preferences) -> GreetingKey:
    """What the kept greeting of these preferences is known by."""
    return GreetingKey(
        text=preferences.spoken_greeting,
        voice=SANDBOX_VOICE * settings.sandbox + fitting_voice(preferences.voice)[0],
        model=settings.realtime_model,
        disclosure=preferences.disclosure,
    )


# --- recording ---------------------------------------------------------------


@dataclass(slots=True)
class _Take:
    """What has been spoken so far of the response we asked for."""

    response_id: str
    payload: bytearray = field(default_factory=bytearray)
    texts: list[str] = field(default_factory=list)


def record(
    session: ModelSide, opening: str, *, ready_s: float = READY_S, spoken_s: float | None = None
) -> bytes:
    """Have a new session speak the opening word for word, and close it. Blocks; beside any call.

    Returns 8 kHz mu-law. Raises NotRecorded: the model was not ready or not finished in time, it failed,
    or it said something else.
    """
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    spoken_s = max(SPOKEN_S, len(opening) / LETTERS_PER_S) if spoken_s is None else spoken_s
    begun = time.monotonic()
    threading.Thread(target=session.run, args=(events.put,), name="greeting", daemon=True).start()
    try:
        _until_ready(events, begun + ready_s, ready_s)
        session.send(CreateReply(REQUEST_ID, say=opening))
        take = _listen(events, begun + spoken_s, spoken_s)
    except ModelGone as error:
        raise NotRecorded(f"the session with the model ended: {error}") from error
    finally:
        session.close()
    return _checked(take, opening)


def _until_ready(events: queue.SimpleQueue[Event], deadline: float, within_s: float) -> None:
    late = f"the model was not ready within {within_s:.0f} seconds"
    while not isinstance(_next(events, deadline, late), ModelReady):
        pass


def _listen(events: queue.SimpleQueue[Event], deadline: float, within_s: float) -> _Take:
    """Gather the response that begins now, to its end."""
    late = f"the model did not finish within {within_s:.0f} seconds"
    take: _Take | None = None
    while True:
        match _next(events, deadline, late), take:
            case ReplyStarted(response_id), None:
                take = _Take(response_id)
            case ModelError(code), None:
                raise NotRecorded(f"the model refused to speak: {code or 'it did not say why'}")
            case ReplyRefused(), None:
                raise NotRecorded("the model refused to speak: it is already speaking")
            case ReplyAudio(response_id, _, _, payload), _Take(ours) as take if response_id == ours:
                take.payload += payload
            case ReplyText(response_id, _, text), _Take(ours) as take if response_id == ours:
                take.texts.append(text)
            case ReplyDone(response_id) as done, _Take(ours) as take if response_id == ours:
                if done.status != "completed":
                    raise NotRecorded(f"the model broke off: {done.error_code or done.status}")
                return take


def _next(events: queue.SimpleQueue[Event], deadline: float, late: str) -> Event:
    try:
        event = events.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        raise NotRecorded(late) from None
    if isinstance(event, ModelLost):
        raise NotRecorded(f"the session with the model ended: {event.reason}")
    return event


def _checked(take: _Take, opening: str) -> bytes:
    said = " ".join(take.texts).strip()
    if not same_words(said, opening):
        shown = textwrap.shorten(said, MOST_SHOWN, placeholder=" …")
        raise NotRecorded(f"the model said something else: “{shown}”" if shown else "the model said nothing")
    if not take.payload:
        raise NotRecorded("the model sent the words, and no sound")
    return bytes(take.payload)


# --- where the words begin, and where the disclosure ends ---------------------

WINDOW_MS = 10
SHORTEST_PAUSE_MS = 80
QUIET = 0.05  # of the level of the louder windows: 26 dB below them
EARLIER_MS, LATER = 300, 0.2  # how far from where the letters say, the latter as a share of the whole sound
MARGIN = 0.05  # of the whole sound, where no pause is found
BREATH_MS = 40  # left before the first word: voices begin softly


def from_first_word(payload: bytes) -> bytes:
    """The sound without the silence that models begin with: a caller hears that as a line that is dead."""
    loud = _loud(payload)
    if not len(loud):
        return payload
    return payload[max(0, int(loud[0]) * WINDOW_MS - BREATH_MS) * BYTES_PER_MS :]


@lru_cache(maxsize=4)  # every call asks about the same sound
def notice_ends_ms(payload: bytes, share: float) -> int:
    """Where the disclosure ends in a whole opening's sound, so that a cut falls into the pause after it.

    share: that of its letters in the opening. The middle of the longest pause from a little before that share
    on, where a pause counts the less the further it is away; without any, a little after it. Rather too late
    than too early: what is cut off of the disclosure has not been said. Never beyond the sound.
    """
    whole_ms = duration_ms(payload)
    guess = min(max(share, 0.0), 1.0) * whole_ms
    if not 0 < guess < whole_ms:
        return round(guess)

    def weight(pause: tuple[int, int]) -> float:
        away_ms = sum(pause) / 2 - guess
        return (pause[1] - pause[0]) * (1 - abs(away_ms) / (EARLIER_MS if away_ms < 0 else LATER * whole_ms))

    best = max(_pauses(payload), key=weight, default=None)
    return sum(best) // 2 if best and weight(best) > 0 else round(min(guess + MARGIN * whole_ms, whole_ms))


def _pauses(payload: bytes) -> list[tuple[int, int]]:
    """Start and end, in ms, of the quiet stretches between two loud ones."""
    loud = _loud(payload)
    gaps = zip(loud[:-1] + 1, loud[1:], strict=True)
    pauses = ((int(begin) * WINDOW_MS, int(end) * WINDOW_MS) for begin, end in gaps)
    return [pause for pause in pauses if pause[1] - pause[0] >= SHORTEST_PAUSE_MS]


def _loud(payload: bytes) -> NDArray[np.intp]:
    """Which windows are not quiet."""
    levels = _levels(payload)
    return np.flatnonzero(levels > QUIET * np.percentile(levels, 90)) if len(levels) else np.zeros(0, np.intp)


def _levels(payload: bytes) -> NDArray[np.float64]:
    """The level of each whole window."""
    samples = WINDOW_MS * BYTES_PER_MS
    pcm = decode_ulaw(payload[: len(payload) // samples * samples]).astype(np.float64)
    return np.asarray(np.sqrt(np.mean(pcm.reshape(-1, samples) ** 2, axis=1)), np.float64)
