-- The partitions of audited tables, as threadline.watch() last saw them: nothing else identifies
-- a detached one.
CREATE TABLE threadline.watched_partitions (
    part     oid PRIMARY KEY,
    table_id integer NOT NULL
);
COMMENT ON TABLE threadline.watched_partitions IS
    'The partitions of audited tables that threadline.watch() has seen';
