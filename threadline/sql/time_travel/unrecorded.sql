-- Returns the columns that an image of an instant lacks because a command altered them and their
-- values of that time are not on record: only the converted values are.
CREATE OR REPLACE FUNCTION threadline.unrecorded(alterations jsonb, image jsonb, instant timestamptz) RETURNS text[]
LANGUAGE sql STABLE
RETURN CASE
    WHEN alterations IS NULL OR image IS NULL THEN '{}'
    ELSE ARRAY(
        SELECT a.name
        FROM pg_catalog.jsonb_to_recordset(alterations) AS a (name text, what text, "at" timestamptz, cuts boolean)
        WHERE NOT image ? a.name
        GROUP BY a.name
        HAVING pg_catalog.bool_or(a.cuts)
           -- Without columns that did not exist then.
           AND CASE (pg_catalog.array_agg(a.what ORDER BY a.at DESC) FILTER (WHERE a.what IN ('added', 'dropped') AND a.at <= instant))[1]
               WHEN 'added' THEN true
               WHEN 'dropped' THEN false
               ELSE (pg_catalog.array_agg(a.what ORDER BY a.at) FILTER (WHERE a.what IN ('added', 'dropped') AND a.at > instant))[1] IS DISTINCT FROM 'added' END
        ORDER BY a.name)
END;
