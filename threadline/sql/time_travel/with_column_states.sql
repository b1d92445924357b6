-- Returns the columns of an audited table as threadline.audited_tables notes them, each with its
-- present state in the catalog, by which a later command that altered it is detected.
CREATE OR REPLACE FUNCTION threadline.with_column_states(target oid, columns jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(
        CASE WHEN a.attnum IS NULL OR k.column ? 'stored_in' THEN k.column
             ELSE k.column || jsonb_strip_nulls(jsonb_build_object(
                 'typmod', a.atttypmod, 'altered_by', a.xmin::text, 'stored_in', stored.files,
                 'labels', threadline.type_labels(a.atttypid))) END
        ORDER BY k.ordinality), '[]')
    FROM jsonb_array_elements(columns) WITH ORDINALITY AS k ("column", ordinality)
    CROSS JOIN (SELECT threadline.stored_in(target) AS files OFFSET 0) AS stored
    LEFT JOIN pg_attribute AS a ON a.attrelid = target AND a.attnum = (k.column ->> 'number')::integer
        AND a.attname = k.column ->> 'name' AND a.atttypid::regtype::text = k.column ->> 'type' AND NOT a.attisdropped;
END;
