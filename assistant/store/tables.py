"""Every table, in the order they came: a database of any older version is brought up step by step.

A migration that has once been released is never edited: what it made is on somebody's disk. All of them that
are missing run in one transaction (`schema.open_database`).
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

SCHEMA_VERSION = 5  # one more with every migration

migrations = Migrations("afterbeep")


def _make(db: Database, tables: str) -> None:
    """Statement by statement: a script would commit the migration's transaction first."""
    for statement in tables.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations()
def first_tables(db: Database) -> None:
    """Calls and what was said in them; what the owner set; who is logged in."""
    _make(db, FIRST_TABLES)


# Numbers are E.164 (or a sip: URI, or as they came), times UTC ISO 8601, `_ms` count from the stream's
# start. `n` keeps its value through a VACUUM, which a bare rowid does not. An `id` that is ours alone
# is an integer; the outside's identifiers are kept as they came.
FIRST_TABLES = """
CREATE TABLE calls (
  n INTEGER PRIMARY KEY,
  call_sid TEXT NOT NULL UNIQUE,
  direction TEXT NOT NULL,
  from_number TEXT,
  to_number TEXT,
  forwarded_from TEXT,
  caller_name TEXT,
  trust TEXT NOT NULL DEFAULT 'stranger' CHECK (trust IN ('stranger', 'known', 'owner')),
  stir_verstat TEXT,
  started_at TEXT NOT NULL,
  answered_at TEXT,
  ended_at TEXT,
  ended_because TEXT CHECK (ended_because IN ('caller_hung_up', 'assistant_ended', 'owner_ended',
    'transferred', 'owner_took_over', 'silence', 'time_limit', 'model_failed', 'line_lost', 'shut_down',
    'interrupted', 'rejected')),
  end_settled INTEGER NOT NULL DEFAULT 0 CHECK (end_settled IN (0, 1)),
  outcome TEXT CHECK (outcome IN ('message', 'booked', 'transferred', 'answered_by_owner', 'talked',
    'no_message', 'voicemail', 'blocked', 'missed')),
  summary TEXT,
  blocked INTEGER NOT NULL DEFAULT 0 CHECK (blocked IN (0, 1)),
  owner_accepted INTEGER NOT NULL DEFAULT 0 CHECK (owner_accepted IN (0, 1)),
  had_stream INTEGER NOT NULL DEFAULT 0 CHECK (had_stream IN (0, 1)),
  voicemail_offered INTEGER NOT NULL DEFAULT 0 CHECK (voicemail_offered IN (0, 1)),
  usage TEXT CHECK (usage IS NULL OR json_valid(usage)),
  cost_usd REAL NOT NULL DEFAULT 0,
  first_sound_ms INTEGER,
  response_ms TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(response_ms)),
  CHECK ((ended_at IS NULL) = (outcome IS NULL)),
  CHECK (ended_at IS NULL OR ended_because IS NOT NULL)
) STRICT;
CREATE INDEX calls_by_start ON calls (started_at, n);
CREATE INDEX calls_by_caller ON calls (from_number, started_at);
CREATE INDEX calls_by_end ON calls (ended_at);
CREATE TABLE turns (
  id INTEGER PRIMARY KEY,
  call_sid TEXT NOT NULL REFERENCES calls (call_sid) ON DELETE CASCADE,
  item_id TEXT NOT NULL,
  position REAL NOT NULL,
  speaker TEXT NOT NULL CHECK (speaker IN ('caller', 'assistant')),
  text TEXT NOT NULL,
  heard_text TEXT NOT NULL,
  interrupted INTEGER NOT NULL CHECK (interrupted IN (0, 1)),
  started_ms INTEGER NOT NULL,
  ended_ms INTEGER NOT NULL,
  heard_ms INTEGER NOT NULL,
  UNIQUE (call_sid, item_id)
) STRICT;
CREATE TABLE tool_runs (
  id INTEGER PRIMARY KEY,
  call_sid TEXT NOT NULL REFERENCES calls (call_sid) ON DELETE CASCADE,
  tool_call_id TEXT NOT NULL,
  name TEXT NOT NULL,
  arguments TEXT NOT NULL CHECK (json_valid(arguments)),
  result TEXT NOT NULL CHECK (json_valid(result)),
  refused INTEGER NOT NULL CHECK (refused IN (0, 1)),
  started_ms INTEGER NOT NULL,
  took_ms INTEGER NOT NULL,
  UNIQUE (call_sid, tool_call_id)
) STRICT;
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  call_sid TEXT NOT NULL REFERENCES calls (call_sid) ON DELETE CASCADE,
  name TEXT,
  callback_number TEXT,
  text TEXT NOT NULL,
  urgency TEXT NOT NULL CHECK (urgency IN ('low', 'normal', 'high')),
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX messages_by_call ON messages (call_sid, id);
CREATE TABLE recordings (
  id INTEGER PRIMARY KEY,
  call_sid TEXT NOT NULL REFERENCES calls (call_sid) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('call', 'voicemail')),
  file TEXT NOT NULL,
  seconds REAL NOT NULL,
  recording_sid TEXT UNIQUE,
  UNIQUE (call_sid, file)
) STRICT;
CREATE TABLE gone_calls (
  sid_hash TEXT PRIMARY KEY,
  gone_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE callers (
  number TEXT PRIMARY KEY,
  name TEXT,
  standing TEXT NOT NULL CHECK (standing IN ('stranger', 'known', 'blocked'))
) STRICT, WITHOUT ROWID;
CREATE TABLE preferences (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE logins (
  login_id TEXT PRIMARY KEY,
  created_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL,
  user_agent TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE house (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""


@migrations()
def kept_greetings(db: Database) -> None:
    """The sound of the first words. A higher id was kept later."""
    db.execute("""
CREATE TABLE greetings (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL,
  voice TEXT NOT NULL,
  model TEXT NOT NULL,
  disclosure TEXT NOT NULL,
  payload BLOB NOT NULL,
  made_at TEXT NOT NULL,
  UNIQUE (text, voice, model, disclosure)
) STRICT""")


@migrations()
def calendar_and_pin(db: Database) -> None:
    """The embedded calendar, what was booked on calls, the link with Google's, tries at the PIN."""
    _make(db, CALENDAR_TABLES)


# A booking is held as long as it is not settled: nobody else gets its time. It outlives its call, so
# `call_sid` is no foreign key. Times are as `as_text` writes them, of one width: their order as text is
# their order in time. The zone is kept beside them, for the day its rules change. `tokens` and `verifier` are
# encrypted by whoever writes them.
CALENDAR_TABLES = """
CREATE TABLE events (
  event_id TEXT PRIMARY KEY,
  starts_at TEXT NOT NULL,
  ends_at TEXT NOT NULL,
  timezone TEXT NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('confirmed', 'tentative')),
  all_day INTEGER NOT NULL CHECK (all_day IN (0, 1)),
  call_sid TEXT,
  CHECK (starts_at < ends_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_by_start ON events (starts_at, ends_at);
CREATE TABLE bookings (
  id INTEGER PRIMARY KEY,
  call_sid TEXT NOT NULL,
  tool_call_id TEXT NOT NULL,
  number TEXT,
  trust TEXT NOT NULL CHECK (trust IN ('stranger', 'known', 'owner')),
  caller_name TEXT NOT NULL,
  title TEXT NOT NULL,
  starts_at TEXT NOT NULL,
  ends_at TEXT NOT NULL,
  timezone TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('requested', 'proposed', 'unsure', 'booked', 'declined',
    'cancelled')),
  calendar TEXT NOT NULL CHECK (calendar IN ('', 'embedded', 'google')),
  event_id TEXT NOT NULL,
  created_at TEXT NOT NULL,
  settled_at TEXT,
  UNIQUE (call_sid, tool_call_id),
  CHECK (starts_at < ends_at),
  CHECK ((settled_at IS NULL) = (status IN ('requested', 'proposed', 'unsure')))
) STRICT;
CREATE INDEX bookings_held ON bookings (starts_at) WHERE settled_at IS NULL;
CREATE INDEX bookings_by_number ON bookings (number, starts_at);
CREATE INDEX bookings_by_event ON bookings (event_id);
CREATE TABLE google_link (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  account TEXT,
  client_id TEXT,
  scopes TEXT,
  tokens BLOB,
  linked_at TEXT,
  last_success_at TEXT,
  dies_at TEXT,
  broken_since TEXT,
  broken_why TEXT
) STRICT;
CREATE TABLE google_states (
  state_hash TEXT PRIMARY KEY,
  verifier BLOB,
  redirect_uri TEXT,
  made_at TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE pin_tries (
  id INTEGER PRIMARY KEY,
  call_sid TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;
"""


@migrations()
def owners_page(db: Database) -> None:
    """What the owner has read and done; in which order a call's record grew; notes about a caller."""
    _make(db, OWNERS_PAGE)


# Calls from before count as seen. `rev` counts what was kept of a call, from 1, also when a turn is kept
# anew: whoever has seen everything up to one `rev` asks for what is above it. A voicemail that arrives when
# the call was done with is news again. `step_key` is the button's own: pressed twice, it happened once.
OWNERS_PAGE = """
ALTER TABLE calls ADD COLUMN state TEXT NOT NULL DEFAULT 'unread' CHECK (state IN ('unread', 'open', 'done'));
UPDATE calls SET state = 'open';
CREATE INDEX calls_by_state ON calls (state, started_at, n);
ALTER TABLE turns ADD COLUMN rev INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tool_runs ADD COLUMN rev INTEGER NOT NULL DEFAULT 0;
ALTER TABLE callers ADD COLUMN notes TEXT NOT NULL DEFAULT '';
CREATE TABLE step_ins (
  id INTEGER PRIMARY KEY,
  call_sid TEXT NOT NULL REFERENCES calls (call_sid) ON DELETE CASCADE,
  step_key TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('tell', 'ask', 'ring', 'voicemail', 'hang_up', 'block')),
  text TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  rev INTEGER NOT NULL DEFAULT 0,
  UNIQUE (call_sid, step_key)
) STRICT;
CREATE TRIGGER news_of_a_call AFTER INSERT ON recordings WHEN new.kind = 'voicemail' BEGIN
  UPDATE calls SET state = 'unread' WHERE call_sid = new.call_sid; END
"""


@migrations()
def search(db: Database) -> None:
    """What the search looks in, kept right by triggers; what is there already is put in."""
    for statement in SEARCH:
        db.execute(statement)


# `said` has no text of its own, only which words are where (FTS5, contentless). Its rowid says of which
# call a line is, and where the line itself is kept, so that calls are found without reading a row of them:
#
#     calls.n * 2^32 + kind * 2^30 + id    kind 0: the call itself, 1: a message, 2: a turn of the caller,
#                                          3: a turn of the assistant; id: of the message or the turn
#
# To take a line out, FTS5 must be told what had been put in. When a call is removed, its turns and messages
# go first: the cascade comes when the call's `n` cannot be looked up any more.
SEARCH = (
    """
CREATE VIRTUAL TABLE said USING fts5 (text, name, content = '', columnsize = 0,
  tokenize = 'unicode61 remove_diacritics 2')""",
    """
CREATE VIRTUAL TABLE people USING fts5 (number UNINDEXED, name, notes,
  tokenize = 'unicode61 remove_diacritics 2')""",
    """
INSERT INTO said (rowid, text, name) SELECT n * 4294967296, summary, caller_name FROM calls""",
    """
INSERT INTO said (rowid, text, name)
  SELECT n * 4294967296 + 1073741824 + messages.id, text, name FROM messages JOIN calls USING (call_sid)""",
    """
INSERT INTO said (rowid, text)
  SELECT n * 4294967296 + (2 + (speaker = 'assistant')) * 1073741824 + turns.id, text
  FROM turns JOIN calls USING (call_sid)""",
    """
INSERT INTO people (number, name, notes) SELECT number, name, notes FROM callers""",
    """
CREATE TRIGGER search_new_call AFTER INSERT ON calls BEGIN
  INSERT INTO said (rowid, text, name) VALUES (new.n * 4294967296, new.summary, new.caller_name);
END""",
    """
CREATE TRIGGER search_changed_call AFTER UPDATE OF summary, caller_name ON calls
  WHEN new.summary IS NOT old.summary OR new.caller_name IS NOT old.caller_name BEGIN
  INSERT INTO said (said, rowid, text, name)
    VALUES ('delete', old.n * 4294967296, old.summary, old.caller_name);
  INSERT INTO said (rowid, text, name) VALUES (new.n * 4294967296, new.summary, new.caller_name);
END""",
    """
CREATE TRIGGER search_call_goes BEFORE DELETE ON calls BEGIN
  DELETE FROM turns WHERE call_sid = old.call_sid;
  DELETE FROM messages WHERE call_sid = old.call_sid;
  INSERT INTO said (said, rowid, text, name)
    VALUES ('delete', old.n * 4294967296, old.summary, old.caller_name);
END""",
    """
CREATE TRIGGER search_new_message AFTER INSERT ON messages BEGIN
  INSERT INTO said (rowid, text, name) SELECT n * 4294967296 + 1073741824 + new.id, new.text, new.name
    FROM calls WHERE call_sid = new.call_sid;
END""",
    """
CREATE TRIGGER search_message_goes AFTER DELETE ON messages BEGIN
  INSERT INTO said (said, rowid, text, name)
    SELECT 'delete', n * 4294967296 + 1073741824 + old.id, old.text, old.name
    FROM calls WHERE call_sid = old.call_sid;
END""",
    """
CREATE TRIGGER search_changed_message AFTER UPDATE OF text, name ON messages BEGIN
  INSERT INTO said (said, rowid, text, name)
    SELECT 'delete', n * 4294967296 + 1073741824 + old.id, old.text, old.name
    FROM calls WHERE call_sid = old.call_sid;
  INSERT INTO said (rowid, text, name) SELECT n * 4294967296 + 1073741824 + new.id, new.text, new.name
    FROM calls WHERE call_sid = new.call_sid;
END""",
    """
CREATE TRIGGER search_new_turn AFTER INSERT ON turns BEGIN
  INSERT INTO said (rowid, text)
    SELECT n * 4294967296 + (2 + (new.speaker = 'assistant')) * 1073741824 + new.id, new.text
    FROM calls WHERE call_sid = new.call_sid;
END""",
    """
CREATE TRIGGER search_turn_goes AFTER DELETE ON turns BEGIN
  INSERT INTO said (said, rowid, text)
    SELECT 'delete', n * 4294967296 + (2 + (old.speaker = 'assistant')) * 1073741824 + old.id, old.text
    FROM calls WHERE call_sid = old.call_sid;
END""",
    """
CREATE TRIGGER search_changed_turn AFTER UPDATE OF text, speaker ON turns
  WHEN new.text <> old.text OR new.speaker <> old.speaker BEGIN
  INSERT INTO said (said, rowid, text)
    SELECT 'delete', n * 4294967296 + (2 + (old.speaker = 'assistant')) * 1073741824 + old.id, old.text
    FROM calls WHERE call_sid = old.call_sid;
  INSERT INTO said (rowid, text)
    SELECT n * 4294967296 + (2 + (new.speaker = 'assistant')) * 1073741824 + new.id, new.text
    FROM calls WHERE call_sid = new.call_sid;
END""",
    """
CREATE TRIGGER search_new_caller AFTER INSERT ON callers BEGIN
  INSERT INTO people (number, name, notes) VALUES (new.number, new.name, new.notes);
END""",
    """
CREATE TRIGGER search_caller_goes AFTER DELETE ON callers BEGIN
  DELETE FROM people WHERE number = old.number;
END""",
    """
CREATE TRIGGER search_changed_caller AFTER UPDATE ON callers BEGIN
  DELETE FROM people WHERE number = old.number;
  INSERT INTO people (number, name, notes) VALUES (new.number, new.name, new.notes);
END""",
)
