"""What is kept: is there room, is the database whole, may nobody else read it, is there a copy?"""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from assistant.doctor.patient import NOT_IN_THE_SANDBOX, Check, Patient
from assistant.store import program
from assistant.store.program import Note
from assistant.store.recordings import DIRECTORY

MIB = 1 << 20
LITTLE, TOO_LITTLE = 1024 * MIB, 200 * MIB  # an hour of recordings is 110 MiB
QUICK = 64 * MIB  # what is looked through in a moment; of more, the running program looks once a day
LONG_LOG = 64 * MIB
LOOKED_THROUGH, BACKED_UP = timedelta(days=2), timedelta(days=30)
SETTLING_IN = timedelta(days=7)  # nobody misses a copy before
BACKUP = "Make one: `flask backup FILE`, and keep it on another machine."


def look_at_storage(patient: Patient) -> Iterator[Check]:
    """The disk, the database, who may read it, its copy."""
    yield _room(patient.settings.instance_path)
    yield _is_whole(patient)
    yield _log_size(patient.settings.database)
    yield _readers(patient)
    yield _recordings(patient.settings.instance_path)
    yield _copy(patient)


def _room(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    found = f"{free / MIB / 1024:.1f} GiB are free."
    if free >= LITTLE:
        return Check("Room on the disk", "green", found)
    cause = "Recordings and the database need room; without any, calls are not kept."
    action = "Free some, or shorten `retention_days_audio` and run `flask prune`."
    return Check("Room on the disk", "amber" if free >= TOO_LITTLE else "red", found, cause, action)


def _is_whole(patient: Patient) -> Check:
    name, size = "Database", patient.settings.database.stat().st_size
    kept, known = patient.store.read(program.version)
    if size <= QUICK:
        said = patient.store.read(program.quick_check)
        if said == "ok":
            return Check(name, "green", f"It is whole ({size / MIB:.1f} MiB, format {kept} of {known}).")
        return _damaged(said)
    return _last_looked_through(patient, patient.store.read(program.noted, program.INTEGRITY))


def _last_looked_through(patient: Patient, last: Note | None) -> Check:
    """A big one is looked through by the running program, once a day."""
    if last and last.facts.get("said") != "ok":
        return _damaged(str(last.facts.get("said")))
    if last and patient.now() - last.at <= LOOKED_THROUGH:
        return Check("Database", "green", f"It was whole on {patient.clock(last.at)}.")
    found = (
        f"It was last looked through on {patient.clock(last.at)}." if last else "It was never looked through."
    )
    return Check(
        "Database", "amber", found, "The running program does so once a day.", "Leave it running for a day."
    )


def _damaged(said: str) -> Check:
    action = "Stop Afterbeep, and put your last copy (`flask backup`) in its place."
    return Check("Database", "red", "It is damaged.", f"SQLite says: {said[:200]}.", action)


def _log_size(database: Path) -> Check:
    log = database.with_name(database.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    found = f"{size / MIB:.1f} MiB wait to be moved into the database."
    if size <= LONG_LOG:
        return Check("Write-ahead log", "green", found)
    cause = "Another program holds the database open and reads an old state of it."
    return Check(
        "Write-ahead log", "amber", found, cause, "Close what else has it open, then run `flask prune`."
    )


def _readers(patient: Patient) -> Check:
    """Secrets and callers' words are for this program's user alone."""
    instance = patient.settings.instance_path
    private = (instance, patient.settings.database, instance / "secret_key", patient.env_file)
    open_ones = [path for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    # A folder that is closed keeps what is in it.
    if instance not in open_ones:
        open_ones = [path for path in open_ones if instance not in path.parents]
    if not open_ones:
        return Check("Who may read it", "green", "This program's user alone.")
    named = " ".join(str(path) for path in open_ones)
    found = f"Others on this machine may read {named.replace(' ', ', ')}."
    return Check(
        "Who may read it", "amber", found, "The permissions are too wide.", f"Type: chmod go= {named}"
    )


def _recordings(instance: Path) -> Check:
    folder = instance / DIRECTORY
    try:
        with tempfile.TemporaryFile(dir=folder if folder.exists() else instance):
            return Check("Recordings", "green", "They can be written.")
    except OSError as error:
        cause = f"{folder}: {error.strerror}."
        action = f"Give {folder} to the user that runs Afterbeep: `chown`."
        return Check("Recordings", "red", "They cannot be written.", cause, action)


def _copy(patient: Patient) -> Check:
    name, last = "Backup", patient.store.read(program.noted, program.BACKUP)
    if last is not None and patient.now() - last.at <= BACKED_UP:
        return Check(name, "green", f"The last copy was made on {patient.clock(last.at)}.")
    if last is not None:
        cause = "That is long ago."
        return Check(name, "amber", f"The last copy was made on {patient.clock(last.at)}.", cause, BACKUP)
    if patient.settings.sandbox:
        return Check(name, "green", NOT_IN_THE_SANDBOX)
    first = patient.store.read(program.first_call_at)
    if first is None or patient.now() - first < SETTLING_IN:
        return Check(name, "green", "There is no copy yet, and little to lose.")
    return Check(name, "amber", "There is no copy.", "A broken disk would take every call with it.", BACKUP)
