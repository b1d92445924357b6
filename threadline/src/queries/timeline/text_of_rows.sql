({mentions} AND EXISTS (
        SELECT
        FROM unnest(ARRAY[{changed_from}, {changed_to}, {row_data}]) AS image
        CROSS JOIN LATERAL jsonb_each_text(CASE WHEN jsonb_typeof(image) = 'object' THEN image END) AS v (name, value)
        WHERE strpos(v.value, {text}) > 0)
    OR strpos(concat_ws(E'\n', c.record_key, c.previous_key), {text}) > 0)
