-- Returns the names under which images contain the columns of a table that the audit knows, also
-- dropped ones, as threadline.names_over_time() does.
CREATE OR REPLACE FUNCTION threadline.known_names(audited_table integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
-- As text: a parsed body is shown differently after a restore.
AS $$
    SELECT threadline.names_over_time(t.id, ARRAY(
            SELECT k.name FROM jsonb_to_recordset(t.columns) AS k (name text)
            UNION
            SELECT unnest(t.masked_columns)
            UNION
            SELECT jsonb_array_elements_text(t.personal_data -> 'columns')
            UNION
            SELECT c.name
            FROM threadline.columns_of(threadline.locate_table(t.id)) AS c
            WHERE c.number NOT IN (SELECT k.number FROM jsonb_to_recordset(t.columns) AS k (number smallint)) OR t.relation <> threadline.locate_table(t.id)),
        coalesce(t.personal_data -> 'gone', '[]') || coalesce(t.personal_data -> 'dropped', '[]'),
        t.built_at)
    FROM threadline.audited_tables AS t
    WHERE t.id = known_names.audited_table;
$$;
