-- Returns a policy without the columns that a table does not have.
CREATE OR REPLACE FUNCTION threadline.present_part(target regclass, policy jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH present AS (
        SELECT array_agg(c.name) AS names FROM threadline.columns_of(target) AS c
    ), part AS (
        SELECT option.key, CASE
            WHEN option.key = 'subject' THEN (
                SELECT jsonb_object_agg(f.key, f.value) FROM jsonb_each(option.value) AS f WHERE f.key = ANY (present.names))
            WHEN option.key = 'operations' OR jsonb_typeof(option.value) <> 'array' THEN option.value
            ELSE coalesce((
                SELECT jsonb_agg(c.name ORDER BY c.place)
                FROM jsonb_array_elements_text(option.value) WITH ORDINALITY AS c (name, place)
                WHERE c.name = ANY (present.names)
            ), CASE
                WHEN option.key IN ('mask', 'exclude') THEN '[]'
                -- The key is recorded in any case, so naming it chooses no further column.
                WHEN option.key = 'columns' THEN (SELECT jsonb_agg(k.name ORDER BY k.name) FROM threadline.key_columns_of(target) AS k)
            END)
        END AS value
        FROM jsonb_each(policy) AS option
        CROSS JOIN present
    )
    SELECT jsonb_object_agg(part.key, part.value) FILTER (WHERE part.value IS NOT NULL) FROM part;
END;
