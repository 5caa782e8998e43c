"""Settings: what callers hear first, and whether its sound is kept.

Recording the greeting opens a session of the model, which costs a little: one at a time, and a few an hour.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from flask import Flask, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from assistant.audio import decode_ulaw, wav_header
from assistant.errors import AssistantError
from assistant.greeting import greeting_key
from assistant.realtime.models import fitting_voice
from assistant.store import greetings, preferences
from assistant.web.parts import parts
from assistant.web.ranges import asks_for_a_part
from assistant.web.words import Words

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
    """Put the settings on the map, and the greeting's sound and button."""
    app.extensions["afterbeep_takes"] = Takes()
    app.add_url_rule("/settings", "settings", settings)
    app.add_url_rule("/settings/greeting.wav", "greeting_sound", greeting_sound)
    app.add_url_rule("/settings/greeting", "record_greeting", record_greeting, methods=["POST"])


def settings() -> ResponseReturnValue:
    """The page."""
    held, kept = _greeting()
    voice, other_voice = fitting_voice(held.voice)
    return render_template(
        "settings.html",
        preferences=held,
        voice=voice,
        other_voice=other_voice,
        kept=kept,
        show=Words(held.timezone, held.language, datetime.now(UTC)),
    )


def record_greeting() -> ResponseReturnValue:
    """The button: have the model speak the greeting, keep the sound, and go back to say how it went."""
    takes = cast(Takes, current_app.extensions["afterbeep_takes"])
    if refusal := takes.begin():
        flash(refusal, "problem")
    else:
        try:
            parts().make_greeting()
            flash("Recorded. Callers hear it from the next call on.", "done")
        except AssistantError as error:
            log.warning("the greeting was not recorded: %s", type(error).__name__)  # it may quote words
            flash(f"Nothing was recorded: {error}", "problem")
        finally:
            takes.end()
    return redirect(url_for("settings", _anchor="greeting"), 303)


def greeting_sound() -> ResponseReturnValue:
    """The kept greeting as a WAV file, or the part of it that is asked for."""
    kept = _greeting()[1]
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


def _greeting() -> tuple[preferences.Preferences, greetings.Kept | None]:
    """What callers hear first, as of now, and its sound."""
    store = parts().store
    held = store.read(preferences.load)
    return held, store.read(greetings.kept, greeting_key(parts().settings, held))


def _wav(payload: bytes) -> bytes:
    """Mu-law as 16-bit samples in a WAV file: what every browser plays."""
    pcm = decode_ulaw(payload).astype("<i2").tobytes()
    return wav_header(rate_hz=RATE_HZ, channels=1, pcm_bytes=len(pcm)) + pcm
