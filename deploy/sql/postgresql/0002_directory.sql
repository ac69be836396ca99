-- The archive, version 2: the directory. After it, run roles.sql again.

-- Where each user is at home, as the directory's bucket said last. A row never goes back: the higher
-- epoch counts, then the higher revision (where the entry stood in its bucket).
CREATE TABLE meridian.directory (
    user_id text COLLATE "C" PRIMARY KEY,
    home text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    revision bigint NOT NULL,
    updated timestamptz NOT NULL DEFAULT now()
);

-- How far each bucket is copied. One that was made anew has another time of making, and begins at 0.
-- position moves by compare-and-set, in the transaction that stores the rows.
CREATE TABLE meridian.directory_buckets (
    bucket integer NOT NULL,
    buckets integer NOT NULL,
    made text NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    updated timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (buckets, bucket, made)
);
