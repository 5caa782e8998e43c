"""What is kept: calls, messages, appointments, preferences, callers, logins, greetings, in one SQLite file.

All SQL of the program is in this package. Its functions take `db` first and plain values after, and
give plain values back; whoever is in the middle of a call reaches them through `Store`, which keeps
the disk away from the live audio:

    store.read(export.recent, limit=50, offset=0)      an own connection, beside the calls
    store.write(calls.begin, call_sid, ...)            through the one writer, waits for the commit
    store.put(calls.keep_turn, call_sid, turn, then=…) the same without waiting

    schema.py        opening the file, times as text
    tables.py        every table, as migrations
    writer.py        Store, and the one writer that commits in batches
    calls.py         the life of a call's row, its turns, tool runs and recordings
    outcome.py       what came of a call, by rule (pure)
    messages.py      what callers leave for the owner
    appointments.py  what callers have booked or asked for, in whichever calendar
    events.py        the embedded calendar
    google_link.py   the link with the owner's Google account, and what linking it needs meanwhile
    feed.py          the secret in the address of the calendar's feed
    export.py        calls as the contract shows them; one_call.py one of them with what stands around it
    news.py          what was kept of a call since a page last looked
    delays.py        how long callers waited
    preferences.py   what the owner may change while the program runs; working_hours.py reads one of them
    callers.py       what is kept about a number; people.py everybody who called or is kept
    inbox.py         calls as lists show them, and what the owner has dealt with
    search.py        finding what was said; query.py reads what was typed, lines.py marks it
    step_ins.py      what the owner did in the middle of a call
    program.py       what the running program notes about itself, and the doctor about everything
    greetings.py     the sound of the first words, so that nobody has to wait for them
    logins.py        browsers that are logged in, the password's hash
    pins.py          the keypad PIN's hash, and the tries at it
    housekeeping.py  backup, forget, prune
    recordings.py    sound on the disk
"""

from sqlite_utils import Database

from assistant.store.schema import open_database
from assistant.store.writer import Store

__all__ = ["Database", "Store", "open_database"]
