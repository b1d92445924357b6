-- Returns the names under which images contain the columns of a table that the audit knows, also
-- dropped ones, as threadline.names_over_time() does.
CREATE OR REPLACE FUNCTION threadline.known_names(audited_table integer) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
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
        (SELECT coalesce(jsonb_agg(jsonb_build_object('name', gone.name, 'at', gone.at)), '[]')
         FROM (
             SELECT r.former_name AS name, r.renamed_at AS at FROM threadline.renamed_columns AS r WHERE r.table_id = t.id AND r.name IS NULL
             UNION ALL
             SELECT a.name, a.altered_at FROM threadline.altered_columns AS a WHERE a.table_id = t.id AND a.what = 'dropped'
         ) AS gone) || coalesce(t.personal_data -> 'gone', '[]'),
        t.built_at)
    FROM threadline.audited_tables AS t
    WHERE t.id = known_names.audited_table;
$$;
