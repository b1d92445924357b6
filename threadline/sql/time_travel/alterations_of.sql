-- Returns what must be known to read images of a table at other instants: the columns that a
-- command altered, under today's names, both those noted by threadline.audit() and those not yet
-- noted. NULL if there are none.
--
-- [{"name", "what", "at", "labels", "cuts"}], oldest first. A value that was recorded on one
-- side of an alteration that cuts does not hold on the other side.
CREATE OR REPLACE FUNCTION threadline.alterations_of(audited_table integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_relation oid;
    tl_renames jsonb;
    tl_alterations jsonb;
BEGIN
    SELECT t.relation INTO tl_relation FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    IF (EXISTS (SELECT FROM threadline.unnoted_alterations(audited_table, tl_relation))
        OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = audited_table AND jsonb_path_exists(t.columns, '$[*].plain_since')))
       AND threadline.audited_table_of(tl_relation) IS DISTINCT FROM audited_table THEN
        tl_relation := NULL;
    END IF;
    SELECT jsonb_agg(to_jsonb(a)) INTO tl_alterations
    FROM (
        SELECT n.name, n.what, n.altered_at, n.noted_at, n.labels
        FROM threadline.altered_columns AS n
        WHERE n.table_id = audited_table
        UNION ALL
        SELECT u.name, u.what, coalesce(u.altered_at, 'infinity'), 'infinity', u.labels
        FROM threadline.unnoted_alterations(audited_table, tl_relation) AS u
        WHERE tl_relation IS NOT NULL
        UNION ALL
        -- A recorded value of a column that was redacted then is no value.
        SELECT a.attname, 'cleared', k.plain_since, 'infinity', NULL
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text, plain_since timestamptz)
        JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attnum = k.number AND NOT a.attisdropped
        WHERE t.id = audited_table AND t.relation = tl_relation AND k.plain_since IS NOT NULL
    ) AS a;
    IF tl_alterations IS NULL THEN
        RETURN NULL;
    END IF;
    tl_renames := threadline.renames_of(audited_table);
    RETURN (
        WITH named AS (
            SELECT threadline.renamed_column(tl_renames, a.name, a.noted_at) AS name,
                   a.what, a.altered_at, a.labels
            FROM jsonb_to_recordset(tl_alterations) AS a (
                name text, what text, altered_at timestamptz, noted_at timestamptz, labels jsonb)
        )
        SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                   'name', n.name, 'what', n.what, 'at', n.altered_at, 'labels', n.labels,
                   'cuts', n.what <> 'added' OR EXISTS (
                       SELECT FROM named AS d WHERE d.name = n.name AND d.what = 'dropped' AND d.altered_at <= n.altered_at)))
                   ORDER BY n.altered_at)
        FROM named AS n
        WHERE n.name IS NOT NULL
        HAVING bool_or(n.what <> 'added'));
END
$$;
