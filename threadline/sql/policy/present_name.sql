-- Returns the present name of a column that had another one when a policy named it; NULL if the
-- column is gone. Follows the renames that the audit noted, and those since.
CREATE OR REPLACE FUNCTION threadline.present_name(target regclass, former_name text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_id integer := threadline.known_table_of(target);
    tl_columns jsonb;
    tl_name text := former_name;
    tl_rename threadline.renamed_columns;
BEGIN
    IF EXISTS (SELECT FROM threadline.columns_of(target) AS c WHERE c.name = former_name) THEN
        RETURN former_name;
    END IF;
    SELECT t.columns INTO tl_columns FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.relation = target;
    IF NOT EXISTS (
        SELECT FROM jsonb_to_recordset(tl_columns) AS k (number smallint, name text)
        -- The others belong to no column: see threadline.note_absent().
        WHERE k.name = former_name AND k.number < 20000
    ) THEN
        SELECT r.* INTO tl_rename
        FROM threadline.renamed_columns AS r
        WHERE r.table_id = tl_id AND r.former_name = present_name.former_name AND r.name IS NOT NULL
        ORDER BY r.renamed_at DESC
        LIMIT 1;
        WHILE FOUND LOOP
            tl_name := tl_rename.name;
            SELECT r.* INTO tl_rename
            FROM threadline.renamed_columns AS r
            WHERE r.table_id = tl_id AND r.former_name = tl_name AND r.renamed_at > tl_rename.renamed_at
            ORDER BY r.renamed_at
            LIMIT 1;
        END LOOP;
    END IF;
    RETURN (
        SELECT live.name
        FROM threadline.columns_of(target) AS live
        LEFT JOIN jsonb_to_recordset(tl_columns) AS k (number smallint, name text) ON k.number = live.number
        WHERE coalesce(k.name, live.name) = tl_name
        ORDER BY k.name IS NULL
        LIMIT 1);
END
$$;
