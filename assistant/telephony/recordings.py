"""Voicemails come home: recordings that Twilio made are fetched, kept here, and deleted there.

When the model's side fails, or this program is not there at all, callers leave a plain recording with
Twilio. `fetch_voicemail` brings one home when its webhook arrives; `catch_up` finds the calls and
recordings of which no webhook ever told us, because we were down or it was lost.

A recording is deleted at Twilio only when nothing can be lost any more: its file is on the disk, synced
with its folder, and its row is committed. Every step may be repeated, also by two at once: the file's
name is the RecordingSid, so both write the same thing.
"""

from __future__ import annotations

import logging
import os
import secrets
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assistant import trust
from assistant.errors import AssistantError, RestError, StoreError
from assistant.store import Database, Store, callers, calls, export
from assistant.store.recordings import DIRECTORY, sync
from assistant.telephony.rest import OVER, CallFact, Rest, is_sid

log = logging.getLogger(__name__)

WAITS_S = (1, 2, 4, 8, 16, 30, 30, 30)  # between tries: two minutes in all
TRIES = len(WAITS_S) + 1
CATCH_UP_TRIES = 3  # the next round is a quarter of an hour away, and ready is what they mostly are

NO_SOUND = {"absent", "deleted", "failed"}  # recordings that never will have any

MARGIN = timedelta(hours=1)
LONGEST_CALL = timedelta(hours=4)  # Twilio's own limit
GIVE_UP = timedelta(days=7)  # what has failed for so long is no reason to ask on

Wait = Callable[[float], object]


def fetch_voicemail(
    rest: Rest,
    store: Store,
    instance_path: Path,
    call_sid: str,
    recording_sid: str,
    *,
    wait: Wait = time.sleep,
    tries: int = TRIES,
) -> bool:
    """Bring one recording home; blocks, for two minutes when it has to. Never raises what is Twilio's fault.

    True: it is here (or its call was forgotten, and nobody wants it). False: left for the next catch-up.
    wait: waits so many seconds; True from it means that there is no time to wait (`Event.wait`).
    """
    voicemail = _Voicemail(rest, store, instance_path, call_sid, recording_sid)
    kept = voicemail.keep_in_the_end(wait, tries)
    if kept:
        voicemail.delete_there()
    return kept


@dataclass(frozen=True, slots=True)
class _Voicemail:
    """One recording on its way from Twilio to us."""

    rest: Rest
    store: Store
    instance_path: Path
    call_sid: str
    recording_sid: str

    @property
    def file(self) -> str:
        return f"{DIRECTORY}/{self.recording_sid}.wav"

    @property
    def path(self) -> Path:
        return self.instance_path / self.file

    def keep_in_the_end(self, wait: Wait, tries: int) -> bool:
        """Try until it is kept, is hopeless, or the tries are used up."""
        why = "no more time"
        for number in range(tries):
            if number and wait(WAITS_S[min(number, len(WAITS_S)) - 1]):
                break
            try:
                if self.keep():
                    return True
                why = "it is not ready"
            except (RestError, StoreError) as error:
                why = str(error)
                if isinstance(error, RestError) and error.status in (401, 403):
                    break
        log.warning("%s: a recording could not be fetched: %s", self.call_sid, why)
        return False

    def keep(self) -> bool:
        """One try. True: nothing of it can be lost any more. False: not ready yet."""
        if not is_sid("RE", self.recording_sid):
            raise RestError("this is no RecordingSid")
        if self._is_here() or self.store.read(_is_forgotten, self.call_sid):
            return True
        if self.store.read(calls.status_of, self.call_sid) == "unknown":
            raise StoreError("its call is not known here yet")
        wav = self.rest.fetch_recording(self.recording_sid)
        if wav is None:
            return False
        self._write(wav)
        return True

    def _is_here(self) -> bool:
        known = self.store.read(calls.known_recordings, [self.recording_sid])
        return bool(known) and self.path.is_file()  # a restored backup has the row and not the file

    def _write(self, wav: bytes) -> None:
        seconds = wav_seconds(wav)
        if seconds is None:
            raise RestError("what Twilio sent is not a WAV file with sound in it")
        if trouble := self.store.in_pool(write_synced, str(self.path), wav):
            raise StoreError(f"{self.file} cannot be written: {trouble}")
        if not self.store.write(_add, self.call_sid, self.file, seconds, self.recording_sid):
            self.store.in_pool(_remove, str(self.path))  # the caller was forgotten while we were at it

    def delete_there(self) -> bool:
        """Delete it at Twilio; what fails is tried again by the next catch-up."""
        try:
            self.rest.delete_recording(self.recording_sid)
        except RestError as error:
            log.warning("%s: a recording that is kept here is still at Twilio: %s", self.call_sid, error)
            return False
        return True


def _add(db: Database, call_sid: str, file: str, seconds: float, recording_sid: str) -> bool:
    """Give the recording its row. False: it has none, because its call was forgotten."""
    calls.add_recording(
        db, call_sid, kind="voicemail", file=file, seconds=seconds, recording_sid=recording_sid
    )
    return bool(calls.known_recordings(db, [recording_sid]))


def _is_forgotten(db: Database, call_sid: str) -> bool:
    """Whether the call was here once and was removed, by its owner's wish or by age."""
    return calls.status_of(db, call_sid) != "unknown" and export.export_call(db, call_sid) is None


# --- calls of which nobody told us ---------------------------------------------


def catch_up(
    rest: Rest,
    store: Store,
    instance_path: Path,
    number: str,
    since: datetime,
    *,
    is_live: Callable[[str], bool],
    now: datetime | None = None,
    wait: Wait = time.sleep,
) -> None:
    """Ask Twilio what became of the calls to `number` since then, an hour earlier to be sure.

    Unknown calls get a row, open ones that are over are finished, and the recordings of all of them are
    brought home. A call that is_live here, or running at Twilio, is left alone.
    Raises RestError when the calls cannot be listed, or when (after all the others) some could not be
    dealt with: ask again with the same `since`.
    """
    round_ = _Round(rest, store, instance_path, wait)
    failed = [
        call
        for call in _over_since(rest, number, since - MARGIN)
        if not is_live(call.call_sid) and not round_.deal_with(call)
    ]
    last_chance = (now or datetime.now(UTC)) - GIVE_UP
    if again := [call for call in failed if _ended_at(call) >= last_chance]:
        raise RestError(f"{len(again)} of the calls that Twilio told of could not be dealt with")


def _over_since(rest: Rest, number: str, since: datetime) -> list[CallFact]:
    """Calls that ended since then, oldest first. Twilio lists by the beginning, which may be hours before."""
    listed = rest.calls_to(number, since - LONGEST_CALL)
    over = [call for call in listed if call.status in OVER and _ended_at(call) >= since]
    return sorted(over, key=lambda call: call.started_at)


def _ended_at(call: CallFact) -> datetime:
    return call.ended_at or call.started_at + timedelta(seconds=call.duration_s)


@dataclass(frozen=True, slots=True)
class _Round:
    """One catch-up."""

    rest: Rest
    store: Store
    instance_path: Path
    wait: Wait

    def deal_with(self, call: CallFact) -> bool:
        """Everything about one call that is over. False: something is left to do."""
        try:
            if self._is_a_loop(call):
                return True
            self.store.write(_settle, call)
            made = self.rest.recordings_of(call.call_sid)
            sids = [one.recording_sid for one in made if one.status not in NO_SOUND]
            home = [self._bring_home(call, sid) for sid in sids]  # all of them, also when one fails
            return all(home)
        except AssistantError as error:
            log.warning("%s: could not be caught up with: %s", call.call_sid, error)
            return False

    def _is_a_loop(self, call: CallFact) -> bool:
        """Our own call to the owner's phone, come back to us: refused as busy, and without a row.

        Nobody else makes an inbound call busy; with us away, whatever answers in our place answers.
        """
        return call.status == "busy" and self.store.read(calls.status_of, call.call_sid) == "unknown"

    def _bring_home(self, call: CallFact, recording_sid: str) -> bool:
        voicemail = _Voicemail(self.rest, self.store, self.instance_path, call.call_sid, recording_sid)
        return voicemail.keep_in_the_end(self.wait, CATCH_UP_TRIES) and voicemail.delete_there()


def _settle(db: Database, call: CallFact) -> None:
    """A row for a call that has none, and its end where that is not settled yet."""
    caller = trust.read_caller(call.from_number).identity
    standing = callers.standing(db, caller)["standing"] if caller else "stranger"
    calls.begin(
        db,
        call.call_sid,
        direction="inbound",
        from_number=caller,
        to_number=call.to_number,
        forwarded_from=call.forwarded_from,
        caller_name=None,
        trust=trust.level(standing, None),
        stir_verstat=None,
        started_at=call.started_at,
    )
    calls.finish(db, call.call_sid, ended_at=_ended_at(call), ended_because="caller_hung_up")


# --- files: plain values in and out, for the pool --------------------------------


def wav_seconds(wav: bytes) -> float | None:
    """How long a WAV file plays; None when it is none, is cut short, or has no sound in it.

    Source: RIFF WAVE, a row of chunks: name, size, content, padded to an even size.
    """
    if wav[:4] != b"RIFF" or wav[8:12] != b"WAVE":
        return None
    at, bytes_per_second = 12, 0
    while at + 8 <= len(wav):
        name, size = struct.unpack_from("<4sI", wav, at)
        at += 8
        if name == b"data":
            return _sound_bytes(size, len(wav) - at) / bytes_per_second or None if bytes_per_second else None
        if name == b"fmt " and at + 12 <= len(wav):
            (bytes_per_second,) = struct.unpack_from("<I", wav, at + 8)
        at += size + size % 2
    return None


def _sound_bytes(told: int, there: int) -> int:
    """The size of the sound. A file written as a stream tells none, or the most there can be."""
    if told == 0 or told >= 0x7FFFF000:
        return there
    return told if told <= there else 0


def write_synced(path: str, content: bytes) -> str | None:
    """Write a file that is there whole or not at all, also after a loss of power. Returns what went wrong."""
    part = f"{path}.{secrets.token_hex(8)}.part"
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync(folder)
    except OSError as error:
        _remove(part)
        return error.strerror or type(error).__name__
    return None


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
