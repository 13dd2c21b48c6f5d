"""The schema of the file, as migrations from any older version."""

from __future__ import annotations

import sqlite3

FAR = 2**62  # above every id, number and offset; fits into an integer of SQLite

# One script a version. A released script never changes; another one follows it.
MIGRATIONS = (
    """
    CREATE TABLE IF NOT EXISTS lights (
        id TEXT PRIMARY KEY,
        look TEXT NOT NULL  -- JSON of models.LightSettings
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE people (
        name TEXT PRIMARY KEY  -- everybody who was ever here: gets private messages while away
    ) WITHOUT ROWID;

    CREATE TABLE threads (
        thread TEXT PRIMARY KEY,  -- models.Thread.key
        n INTEGER NOT NULL,       -- the number of its last message, also when that is not kept any more
        at REAL NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE members (  -- of private threads
        person TEXT NOT NULL,
        thread TEXT NOT NULL,
        PRIMARY KEY (person, thread)
    ) WITHOUT ROWID;

    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        thread TEXT NOT NULL,
        n INTEGER NOT NULL,
        sender TEXT NOT NULL,
        recipient TEXT,
        msg TEXT NOT NULL,  -- JSON
        at REAL NOT NULL,
        client_id TEXT
    );
    CREATE UNIQUE INDEX messages_in_order ON messages (thread, n);
    CREATE UNIQUE INDEX messages_once ON messages (sender, client_id) WHERE client_id IS NOT NULL;

    CREATE TABLE marks (
        thread TEXT NOT NULL,
        person TEXT NOT NULL,
        delivered INTEGER NOT NULL,
        read INTEGER NOT NULL,
        PRIMARY KEY (thread, person)
    ) WITHOUT ROWID;

    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        started REAL NOT NULL,
        ended REAL,
        run TEXT NOT NULL,  -- JSON of models.Run
        graph TEXT          -- JSON
    );
    CREATE INDEX runs_by_start ON runs (started);

    CREATE TABLE log (
        run TEXT NOT NULL,
        first INTEGER NOT NULL,  -- offset of the first line
        count INTEGER NOT NULL,
        lines TEXT NOT NULL,     -- JSON list
        PRIMARY KEY (run, first)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        who TEXT,
        via TEXT NOT NULL,
        role TEXT NOT NULL,
        how TEXT NOT NULL,      -- models.Identity.how
        address TEXT NOT NULL,
        what TEXT NOT NULL,
        subject TEXT,
        outcome TEXT NOT NULL,  -- done, refused
        times INTEGER NOT NULL,
        detail TEXT NOT NULL    -- JSON
    );
    CREATE INDEX audit_by_outcome ON audit (outcome, id);
    """,
    """
    CREATE TABLE claims (
        name TEXT PRIMARY KEY  -- that belongs to somebody, as its owner writes it: stays closed without the secrets
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE groups (
        id TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        content TEXT NOT NULL  -- JSON of models.Group
    ) WITHOUT ROWID;

    CREATE TABLE scenes (
        id TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        content TEXT NOT NULL  -- JSON of models.Scene
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE schedules (
        id TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        content TEXT NOT NULL  -- JSON of models.Schedule
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE deeds (  -- what a group or a scene has changed last
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,   -- group, scene
        id TEXT NOT NULL,
        lights TEXT NOT NULL, -- JSON: how it left each light, models.LightSettings
        UNIQUE (kind, id)
    );

    CREATE TABLE light_history (  -- the last day of each light
        light TEXT NOT NULL,
        began REAL NOT NULL,
        at REAL NOT NULL,       -- the last change of a drag
        level INTEGER NOT NULL, -- percent, 0: off
        effect TEXT,
        seconds REAL NOT NULL,  -- of the fade
        name TEXT NOT NULL,
        via TEXT NOT NULL,
        PRIMARY KEY (light, began)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE log ADD COLUMN words TEXT;  -- models.log_lines.searched; NULL: stored by an older version
    ALTER TABLE log ADD COLUMN marks TEXT;
    ALTER TABLE runs ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;  -- as in the JSON
    """,
    """
    CREATE TABLE shows (
        id TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        content TEXT NOT NULL  -- JSON of models.OwnShow
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE light_order (
        light TEXT PRIMARY KEY,
        position INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE messages ADD COLUMN edited_at REAL;
    ALTER TABLE messages ADD COLUMN deleted_at REAL;  -- then msg is null
    ALTER TABLE messages ADD COLUMN change INTEGER;   -- number of its last change in the thread
    CREATE INDEX messages_by_change ON messages (thread, change) WHERE change IS NOT NULL;
    ALTER TABLE threads ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;  -- number of the last change of a message
    """,
    """
    ALTER TABLE people ADD COLUMN since INTEGER NOT NULL DEFAULT 0;  -- id of the newest message when they came first

    CREATE TABLE chat_bytes (bytes INTEGER NOT NULL);  -- of all messages: the triggers keep it
    INSERT INTO chat_bytes SELECT coalesce(sum(length(CAST(msg AS BLOB)) + 200), 0) FROM messages;
    CREATE TRIGGER message_added AFTER INSERT ON messages BEGIN
        UPDATE chat_bytes SET bytes = bytes + length(CAST(new.msg AS BLOB)) + 200;
    END;
    CREATE TRIGGER message_changed AFTER UPDATE OF msg ON messages BEGIN
        UPDATE chat_bytes SET bytes = bytes + length(CAST(new.msg AS BLOB)) - length(CAST(old.msg AS BLOB));
    END;
    CREATE TRIGGER message_gone AFTER DELETE ON messages BEGIN
        UPDATE chat_bytes SET bytes = bytes - length(CAST(old.msg AS BLOB)) - 200;
    END;
    """,
)
SCHEMA_VERSION = len(MIGRATIONS)


def migrate(database: sqlite3.Connection) -> None:
    """Migrate the file, each version in one transaction. Raises `sqlite3.Error`."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    for number in range(version, SCHEMA_VERSION):
        try:
            database.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT")
        except sqlite3.Error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
