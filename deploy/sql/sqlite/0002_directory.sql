-- The archive in a SQLite file, version 2: the directory, see ../postgresql/0002_directory.sql.

CREATE TABLE directory (
    user_id TEXT PRIMARY KEY,
    home TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    revision INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE directory_buckets (
    bucket INTEGER NOT NULL,
    buckets INTEGER NOT NULL,
    made TEXT NOT NULL,
    position INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (buckets, bucket, made)
);
