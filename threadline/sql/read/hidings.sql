-- Returns threadline.hiding() of each table that hides anything, by its id. Each query that reads
-- changes calls it once.
CREATE OR REPLACE FUNCTION threadline.hidings() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF threadline.unmasked() THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT jsonb_object_agg(t.id, threadline.hiding(t.id))
        FROM threadline.audited_tables AS t
        WHERE t.masked_columns <> '{}' OR jsonb_path_exists(t.columns, '$[*] ? (@.column_policy <> "plain")'));
END
$$;
