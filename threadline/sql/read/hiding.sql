-- Of which columns of a table no value is shown, by the policy of now: each with the
-- names that it had, [{"until": ..., "names": "{...}"}], oldest first. A column that was
-- redacted when it was dropped stays hidden, also when another one has its name.
CREATE FUNCTION threadline.hiding(audited_table integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_redacted text[];
    tl_hidden text[];
    tl_hiding jsonb;
    tl_batch record;
BEGIN
    SELECT t.masked_columns || ARRAY(
               SELECT k.name FROM jsonb_to_recordset(t.columns) AS k (name text, treatment text)
               WHERE k.treatment <> 'clear' AND k.name <> ALL (t.masked_columns)),
           ARRAY(SELECT k.name FROM jsonb_to_recordset(t.columns) AS k (name text, treatment text) WHERE k.treatment = 'clear')
    INTO tl_redacted, tl_hidden
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
    tl_hidden := ARRAY(
        SELECT r.name FROM unnest(tl_redacted) WITH ORDINALITY AS r (name, place)
        WHERE r.name <> ALL (tl_hidden)
        ORDER BY r.place);
    tl_hiding := jsonb_build_array(jsonb_build_object('until', 'infinity', 'names', tl_hidden::text));
    FOR tl_batch IN
        SELECT r.renamed_at, jsonb_object_agg(r.former_name, r.name) AS names
        FROM threadline.renamed_columns AS r
        WHERE r.table_id = audited_table
        GROUP BY r.renamed_at
        ORDER BY r.renamed_at DESC
    LOOP
        tl_hidden := ARRAY(
            SELECT n.key FROM jsonb_each_text(tl_batch.names) AS n
            WHERE n.value = ANY (tl_hidden) OR n.value IS NULL AND n.key = ANY (tl_redacted)
            UNION
            SELECT h.name FROM unnest(tl_hidden) AS h (name) WHERE NOT tl_batch.names ? h.name);
        tl_hiding := jsonb_build_array(jsonb_build_object('until', tl_batch.renamed_at, 'names', tl_hidden::text)) || tl_hiding;
    END LOOP;
    RETURN tl_hiding;
END
$$;
