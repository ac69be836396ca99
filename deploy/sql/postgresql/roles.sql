-- The rights that a hub needs, and those to erase, as roles without a login. Run it as the owner of
-- the schema after `meridian archive migrate`, again after each migration; twice changes nothing.
--
--   CREATE ROLE hub_sin LOGIN PASSWORD '...' IN ROLE meridian_hub;
--
-- A hub reads and adds messages and moves its position. It can change or delete no message.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'meridian_hub') THEN
        CREATE ROLE meridian_hub NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'meridian_erase') THEN
        CREATE ROLE meridian_erase NOLOGIN;
    END IF;
END $$;

GRANT USAGE ON SCHEMA meridian TO meridian_hub, meridian_erase;
GRANT SELECT ON meridian.schema_versions, meridian.logs, meridian.messages
    TO meridian_hub, meridian_erase;
GRANT SELECT ON meridian.gaps, meridian.parked TO meridian_hub, meridian_erase;

GRANT INSERT ON meridian.logs, meridian.messages, meridian.parked, meridian.gaps TO meridian_hub;
GRANT UPDATE (last_row, position, updated) ON meridian.logs TO meridian_hub;
GRANT EXECUTE ON FUNCTION meridian.make_partitions(timestamptz, timestamptz) TO meridian_hub;

-- The directory: a hub writes what its bucket says.
GRANT SELECT, INSERT ON meridian.directory, meridian.directory_buckets TO meridian_hub;
GRANT UPDATE (home, epoch, revision, updated) ON meridian.directory TO meridian_hub;
GRANT UPDATE (position, updated) ON meridian.directory_buckets TO meridian_hub;

GRANT DELETE ON meridian.messages, meridian.parked TO meridian_erase;
GRANT EXECUTE ON FUNCTION meridian.drop_partitions(timestamptz) TO meridian_erase;
