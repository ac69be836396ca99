-- The archive, version 1. Applied by `meridian archive migrate`, which records the version.
-- The hubs' rights are in roles.sql.

CREATE SCHEMA IF NOT EXISTS meridian;

CREATE TABLE meridian.schema_versions (
    version integer PRIMARY KEY,
    applied timestamptz NOT NULL DEFAULT now()
);

-- How far each log is archived. A log that was lost and begun again has another incarnation.
-- last_row moves by compare-and-set, in the transaction that stores the rows.
CREATE TABLE meridian.logs (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    region text NOT NULL,
    shard integer NOT NULL,
    incarnation bytea NOT NULL,
    last_row bigint NOT NULL DEFAULT 0,
    position bigint NOT NULL DEFAULT 0,
    updated timestamptz NOT NULL DEFAULT now(),
    UNIQUE (region, shard, incarnation)
);

-- A message in a mailbox. (epoch, seq) is its cursor, `at` the log's time, the same on every hub.
-- The key has `at` because a partition's key must be in it; a cursor has one `at`, so it is as
-- unique without. body is the JSON value exactly as the sender wrote it: bytes, because JSON may
-- hold what PostgreSQL's own types refuse (\u0000). Read it by convert_from(body, 'UTF8').
CREATE TABLE meridian.messages (
    at timestamptz NOT NULL,
    created timestamptz NOT NULL,
    seq bigint NOT NULL,
    row bigint NOT NULL,
    epoch bigint NOT NULL,
    log integer NOT NULL,
    ttl_s bigint NOT NULL,
    flags integer NOT NULL,
    recipient text COLLATE "C" NOT NULL,
    sender text COLLATE "C" NOT NULL,
    device text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    trace bytea,
    body bytea NOT NULL,
    PRIMARY KEY (recipient, epoch, seq, at)
) PARTITION BY RANGE (at);

-- What the database refused, with its reason; bytes, because that may have been why.
CREATE TABLE meridian.parked (
    log integer NOT NULL,
    row bigint NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    at_ms bigint NOT NULL,
    recipient bytea NOT NULL,
    sender bytea NOT NULL,
    device bytea NOT NULL,
    id bytea NOT NULL,
    body bytea NOT NULL,
    reason text NOT NULL,
    parked timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log, row)
);

-- Rows that no hub could archive, from first_row to last_row: trimmed from the views before.
CREATE TABLE meridian.gaps (
    log integer NOT NULL,
    first_row bigint NOT NULL,
    last_row bigint NOT NULL,
    reason text NOT NULL,
    noted timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log, first_row)
);

-- Makes the monthly partitions (in UTC) for messages of these times that are not there. Returns the
-- first moment that is not covered, in ms since 1970. As its owner, so that a hub needs no right to
-- make tables.
CREATE FUNCTION meridian.make_partitions(first timestamptz, last timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    month timestamp := date_trunc('month', first AT TIME ZONE 'UTC');
    name text;
BEGIN
    IF last < first OR last > first + interval '10 years' THEN
        RAISE EXCEPTION 'make_partitions: from % to %', first, last;
    END IF;
    PERFORM pg_advisory_xact_lock(557019330853);
    WHILE month <= last AT TIME ZONE 'UTC' LOOP
        name := 'messages_' || to_char(month, 'YYYYMM');
        IF to_regclass('meridian.' || name) IS NULL THEN
            -- Attached, not made in place: that would wait for everybody who reads.
            EXECUTE format('CREATE TABLE meridian.%I (LIKE meridian.messages INCLUDING ALL)', name);
            EXECUTE format('ALTER TABLE meridian.messages ATTACH PARTITION meridian.%I '
                           'FOR VALUES FROM (%L) TO (%L)', name, month AT TIME ZONE 'UTC',
                           (month + interval '1 month') AT TIME ZONE 'UTC');
        END IF;
        month := month + interval '1 month';
    END LOOP;
    RETURN extract(epoch FROM month AT TIME ZONE 'UTC')::bigint * 1000;
END $$;

-- Drops the partitions whose messages are all older. Returns how many.
CREATE FUNCTION meridian.drop_partitions(before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
    dropped bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(557019330853);
    FOR name IN SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid
                WHERE inhparent = 'meridian.messages'::regclass AND relname ~ '^messages_\d{6}$'
    LOOP
        IF (to_timestamp(right(name, 6) || '01 00+00', 'YYYYMMDD HH24TZH') AT TIME ZONE 'UTC'
            + interval '1 month') AT TIME ZONE 'UTC' <= before THEN
            EXECUTE format('DROP TABLE meridian.%I', name);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;

REVOKE ALL ON FUNCTION meridian.make_partitions(timestamptz, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION meridian.drop_partitions(timestamptz) FROM PUBLIC;
