-- The archive in a SQLite file, version 1. The tables are those of PostgreSQL (see
-- ../postgresql/0001_archive.sql) with times in ms since 1970. Applied when a hub opens the file.

CREATE TABLE logs (
    id INTEGER PRIMARY KEY,
    region TEXT NOT NULL,
    shard INTEGER NOT NULL,
    incarnation BLOB NOT NULL,
    last_row INTEGER NOT NULL DEFAULT 0,
    position INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL DEFAULT 0,
    UNIQUE (region, shard, incarnation)
);

CREATE TABLE messages (
    recipient TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    created INTEGER NOT NULL,
    row INTEGER NOT NULL,
    log INTEGER NOT NULL,
    ttl_s INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    sender TEXT NOT NULL,
    device TEXT NOT NULL,
    id TEXT NOT NULL,
    trace BLOB,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX messages_by_cursor ON messages (recipient, epoch, seq, at);
CREATE INDEX messages_by_time ON messages (at);

CREATE TABLE parked (
    log INTEGER NOT NULL,
    row INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    recipient BLOB NOT NULL,
    sender BLOB NOT NULL,
    device BLOB NOT NULL,
    id BLOB NOT NULL,
    body BLOB NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (log, row)
);

CREATE TABLE gaps (
    log INTEGER NOT NULL,
    first_row INTEGER NOT NULL,
    last_row INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (log, first_row)
);
