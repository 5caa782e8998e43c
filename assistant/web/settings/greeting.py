"""The sound of the first words: to be listened to, and recorded before anybody calls.

Recording the greeting opens a session of the model, which costs a little: one at a time, and a few an hour.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import cast

from flask import Flask, Response, abort, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from assistant.audio import decode_ulaw, wav_header
from assistant.errors import AssistantError
from assistant.greeting import greeting_key
from assistant.store import greetings, preferences
from assistant.web.parts import parts
from assistant.web.ranges import asks_for_a_part

log = logging.getLogger(__name__)

MOST_AN_HOUR = 6
RATE_HZ = 8000


class Takes:
    """When the greeting may be recorded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._one = threading.Lock()
        self._begun: deque[float] = deque(maxlen=MOST_AN_HOUR)

    def begin(self) -> str | None:
        """Begin one, to be ended with `end`; or why not now."""
        if not self._one.acquire(blocking=False):
            return "It is being recorded at this moment. Reload the page in a little while."
        now = self._clock()
        if len(self._begun) == MOST_AN_HOUR and now - self._begun[0] < 3600:
            self._one.release()
            minutes = int((self._begun[0] + 3600 - now) // 60) + 1
            return f"That was {MOST_AN_HOUR} times within an hour. Try again in {minutes} min."
        self._begun.append(now)
        return None

    def end(self) -> None:
        self._one.release()


def register(app: Flask) -> None:
    """Put the greeting's sound and button on the map."""
    app.extensions["afterbeep_takes"] = Takes()
    app.add_url_rule("/settings/greeting.wav", "greeting_sound", greeting_sound)
    app.add_url_rule("/settings/greeting", "record_greeting", record_greeting, methods=["POST"])


def record_greeting() -> ResponseReturnValue:
    """The button: have the model speak the greeting, keep the sound, and go back to say how it went."""
    takes = cast(Takes, current_app.extensions["afterbeep_takes"])
    if refusal := takes.begin():
        flash(refusal, "problem@greeting")
    else:
        try:
            parts().make_greeting()
            flash("Recorded. Callers hear it from the next call on.", "done@greeting")
        except AssistantError as error:
            log.warning("the greeting was not recorded: %s", type(error).__name__)  # it may quote words
            flash(f"Nothing was recorded: {error}", "problem@greeting")
        finally:
            takes.end()
    return redirect(url_for("settings", _anchor="greeting"), 303)


def greeting_sound() -> ResponseReturnValue:
    """The kept greeting as a WAV file, or the part of it that is asked for."""
    kept = kept_sound(parts().store.read(preferences.load))
    if kept is None:
        abort(404, "No sound of the greeting is kept.")
    wav = _wav(kept.payload)
    response = Response(io.BytesIO(wav), mimetype="audio/wav", direct_passthrough=True)
    response.content_length = len(wav)
    response.set_etag(f"{int(kept.made_at.timestamp() * 1000):x}-{len(wav):x}")
    response.accept_ranges = "bytes"
    return response.make_conditional(
        request.environ, accept_ranges=asks_for_a_part(len(wav)), complete_length=len(wav)
    )


def kept_sound(held: preferences.Preferences) -> greetings.Kept | None:
    """The sound of what callers hear first now; None when it is not kept."""
    kept: greetings.Kept | None = parts().store.read(greetings.kept, greeting_key(parts().settings, held))
    return kept


def _wav(payload: bytes) -> bytes:
    """Mu-law as 16-bit samples in a WAV file: what every browser plays."""
    pcm = decode_ulaw(payload).astype("<i2").tobytes()
    return wav_header(rate_hz=RATE_HZ, channels=1, pcm_bytes=len(pcm)) + pcm
