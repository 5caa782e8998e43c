"""The model: is the key accepted, may it use the model, did it fail lately?

A session is opened as for a call and closed as soon as it is agreed on. Nothing is said, so it costs nothing.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta

from assistant.call.events import Event, ModelLost, ModelReady
from assistant.doctor.patient import ASK_S, TRY_AGAIN, Check, Patient
from assistant.realtime.client import ModelAddress, RealtimeClient
from assistant.realtime.models import MODELS, TRANSCRIBERS, fitting_voice, known_as
from assistant.realtime.session import SessionWish
from assistant.store import preferences, program

NAME = "OpenAI"
SOON = timedelta(days=90)
INSTRUCTIONS = "Somebody looks whether the line works. Say nothing."

KEYS = "Make a key at platform.openai.com, API keys, write it into `.env` as OPENAI_API_KEY, and restart."
CREDIT = "Add credit at platform.openai.com, Billing, and look at the project's budget there."
OTHER_MODEL = "Set REALTIME_MODEL in `.env` to a model of yours, or leave it out, and restart."
# What a refusal has in it, and what that means.
MEANINGS = (
    (r"insufficient_quota|billing|credit", "The account has no credit left.", CREDIT),
    (r"\b401\b|invalid_api_key|unauthorized", "The key is not accepted.", KEYS),
    (r"account_deactivated", "The account is closed.", CREDIT),
    (r"\b404\b|model_not_found", "There is no such model for this key.", OTHER_MODEL),
    (r"\b403\b|permission|forbidden", "The key's project may not use this model.", OTHER_MODEL),
    (r"\b429\b|rate_limit", "Too much was asked in a short time, or the credit is used up.", CREDIT),
)


def look_at_the_model(patient: Patient) -> Iterator[Check]:
    """The handshake, and what the last calls say."""
    if patient.settings.sandbox:
        yield Check(NAME, "green", "The sandbox's own model answers.")
        return
    yield _handshake(patient)
    yield from _days_are_counted(patient)
    yield _last_failure(patient)


def _handshake(patient: Patient) -> Check:
    settings, began = patient.settings, time.monotonic()
    lost = _open_and_close(_session(patient))
    if lost is None:
        took = f"{time.monotonic() - began:.1f} s"
        return Check(
            NAME, "green", f"The key is accepted, and {settings.realtime_model} is there after {took}."
        )
    found = f"No session with {settings.realtime_model}."
    for pattern, cause, action in MEANINGS:
        if re.search(pattern, lost.reason, re.IGNORECASE):
            return Check(NAME, "red", found, f"{cause} ({lost.reason})", action)
    return Check(NAME, "red", found, f"{lost.reason[:1].upper()}{lost.reason[1:]}.", TRY_AGAIN)


def _session(patient: Patient) -> RealtimeClient:
    settings, held = patient.settings, patient.store.read(preferences.load)
    address = ModelAddress(
        settings.openai_base_url, settings.realtime_model, settings.openai_api_key.get_secret_value()
    )
    wish = SessionWish(
        model=settings.realtime_model,
        instructions=INSTRUCTIONS,
        voice=fitting_voice(held.voice)[0],
        language=held.language.partition("-")[0],
        audio=settings.realtime_audio,
        transcription=settings.transcription_model,
    )
    return RealtimeClient(address, wish, clock=lambda: 0, within=patient.within)


def _open_and_close(session: RealtimeClient) -> ModelLost | None:
    """Why the session did not come about; None when it did."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    threading.Thread(target=session.run, args=(events.put,), name="doctor: session", daemon=True).start()
    until = time.monotonic() + ASK_S
    try:
        while True:
            event = events.get(timeout=max(0.001, until - time.monotonic()))
            if isinstance(event, ModelReady | ModelLost):
                return event if isinstance(event, ModelLost) else None
    except queue.Empty:
        return ModelLost(f"it was not ready within {ASK_S:.0f} s", at_ms=0)
    finally:
        session.close()


def _days_are_counted(patient: Patient) -> Iterator[Check]:
    """Models that their maker has announced to switch off."""
    settings = patient.settings
    for setting, name, table in (
        ("REALTIME_MODEL", settings.realtime_model, MODELS),
        ("TRANSCRIPTION_MODEL", settings.transcription_model, TRANSCRIBERS),
    ):
        known = known_as(name, table)
        day = table[known].shutdown if known else ""
        if day and date.fromisoformat(day) - patient.now().date() < SOON:
            found = f"{name} is switched off on {day}."
            yield Check(
                setting, "amber", found, "OpenAI has announced it.", f"Leave {setting} out, or name another."
            )


def _last_failure(patient: Patient) -> Check:
    name, last = "The model in calls", patient.store.read(program.last_model_failure)
    if last is None:
        return Check(name, "green", "It has not failed in any call that is kept.")
    at, served = last
    found = f"It last failed on {patient.clock(at)}"
    if served:
        since = "one call has gone well" if served == 1 else f"{served} calls have gone well"
        return Check(name, "green", f"{found}; {since} since.")
    cause = "No call has gone well since; that caller could leave a recording."
    return Check(name, "amber", f"{found}.", cause, "See the line above; the program's log says more.")
