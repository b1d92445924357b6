-- Returns the former names of a table's columns, [{"until": ..., "names": "{...}"}], oldest
-- first. Those of `dropped` count under a name also before another column got it.
CREATE OR REPLACE FUNCTION threadline.former_names(audited_table integer, names text[], dropped text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_names text[] := names;
    tl_former jsonb := jsonb_build_array(jsonb_build_object('until', 'infinity', 'names', tl_names::text));
    tl_batch record;
BEGIN
    FOR tl_batch IN
        SELECT r.renamed_at, jsonb_object_agg(r.former_name, r.name) AS names
        FROM threadline.renamed_columns AS r
        WHERE r.table_id = audited_table
        GROUP BY r.renamed_at
        ORDER BY r.renamed_at DESC
    LOOP
        tl_names := ARRAY(
            SELECT n.key FROM jsonb_each_text(tl_batch.names) AS n
            WHERE n.value = ANY (tl_names) OR n.value IS NULL AND n.key = ANY (dropped)
            UNION
            SELECT h.name FROM unnest(tl_names) AS h (name) WHERE NOT tl_batch.names ? h.name);
        tl_former := jsonb_build_array(jsonb_build_object('until', tl_batch.renamed_at, 'names', tl_names::text)) || tl_former;
    END LOOP;
    RETURN tl_former;
END
$$;
