CREATE TABLE threadline.altered_columns (
    table_id   integer NOT NULL,
    name       text NOT NULL,
    what       text NOT NULL,
    altered_at timestamptz NOT NULL,
    noted_at   timestamptz NOT NULL,
    labels     jsonb
);
COMMENT ON TABLE threadline.altered_columns IS
    'Columns of audited tables that a command altered, noted by threadline.audit() and threadline.refresh(): of its values, no change is on record';
COMMENT ON COLUMN threadline.altered_columns.name IS
    'What the column was called when this was noted';
COMMENT ON COLUMN threadline.altered_columns.what IS
    'added, dropped, converted (another type, or all rows were written anew), relabelled (labels of its enum, or attributes of its composite type, got other names)';
COMMENT ON COLUMN threadline.altered_columns.altered_at IS
    'What was recorded before is of before';
COMMENT ON COLUMN threadline.altered_columns.labels IS
    'Relabelled: {"former": "now"}';
CREATE TABLE threadline.known_partitions (
    table_id integer NOT NULL,
    part     oid NOT NULL,
    name     text NOT NULL,
    rows_of  text,
    known_at timestamptz NOT NULL,
    left_at  timestamptz,
    PRIMARY KEY (table_id, part)
);
COMMENT ON TABLE threadline.known_partitions IS
    'The partitions of audited tables, noted by threadline.audit() and threadline.refresh(), also those that were detached or dropped since';
COMMENT ON COLUMN threadline.known_partitions.rows_of IS
    'The condition of the rows that it holds; NULL: not known, or not to be evaluated';
-- They belong to whom the others belong, and who reads those, reads these.
DO $step$
DECLARE
    tl_command text;
BEGIN
    FOR tl_command IN
        SELECT pg_catalog.format('ALTER TABLE threadline.%I OWNER TO %s', c.relname, n.nspowner::pg_catalog.regrole)
        FROM pg_catalog.pg_namespace AS n
        JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname IN ('altered_columns', 'known_partitions')
        WHERE n.nspname = 'threadline' AND c.relowner <> n.nspowner
        UNION ALL
        SELECT pg_catalog.format('GRANT SELECT ON threadline.altered_columns, threadline.known_partitions TO %s',
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::text END)
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
        WHERE c.oid = 'threadline.renamed_columns'::pg_catalog.regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
    LOOP
        EXECUTE tl_command;
    END LOOP;
END
$step$;
