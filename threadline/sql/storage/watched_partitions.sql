-- The partitions of audited tables, as threadline.watch() saw them last: of one that was
-- detached, nothing else tells.
CREATE TABLE threadline.watched_partitions (
    part     oid PRIMARY KEY,
    table_id integer NOT NULL
);
COMMENT ON TABLE threadline.watched_partitions IS
    'The partitions of audited tables that threadline.watch() knows of';
