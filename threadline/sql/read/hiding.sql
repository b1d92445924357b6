-- Returns the columns of a table whose values the present policy hides: each with the names that
-- it had, [{"until": ..., "names": "{...}"}], oldest first. A column that was redacted when it
-- was dropped stays hidden, also when another one has its name.
CREATE OR REPLACE FUNCTION threadline.hiding(audited_table integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_redacted text[];
    tl_hidden text[];
BEGIN
    SELECT t.masked_columns || ARRAY(
               SELECT k.name FROM jsonb_to_recordset(t.columns) AS k (name text, column_policy text)
               WHERE k.column_policy <> 'plain' AND k.name <> ALL (t.masked_columns)),
           ARRAY(SELECT k.name FROM jsonb_to_recordset(t.columns) AS k (name text, column_policy text) WHERE k.column_policy = 'plain')
    INTO tl_redacted, tl_hidden
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
    tl_hidden := ARRAY(
        SELECT r.name FROM unnest(tl_redacted) WITH ORDINALITY AS r (name, place)
        WHERE r.name <> ALL (tl_hidden)
        ORDER BY r.place);
    RETURN threadline.former_names(audited_table, tl_hidden, tl_redacted);
END
$$;
