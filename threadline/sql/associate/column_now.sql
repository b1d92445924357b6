-- Returns today's name of the column that last had this name; NULL if there is none, or it was
-- dropped.
CREATE OR REPLACE FUNCTION threadline.column_now(renames jsonb, name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT threadline.renamed_column(column_now.renames, column_now.name, batch.known_since)
    FROM (
        SELECT b.value -> 'names' AS names, b.place, lag((b.value ->> 'at')::timestamptz, 1, '-infinity') OVER (ORDER BY b.place) AS known_since
        FROM jsonb_array_elements(column_now.renames) WITH ORDINALITY AS b (value, place)
    ) AS batch
    WHERE batch.names ? column_now.name
    ORDER BY batch.place DESC
    LIMIT 1;
END;
