-- The record key of a row of key values: record_key(ROW(42)) is '42',
-- record_key(ROW(7, 'x')) is '["7", "x"]'. Pinned like capture is, so that
-- both sides write one instant, interval or byte string the same way. Blanks
-- at the end of a char(n) are not part of its value.
CREATE FUNCTION threadline.record_key(key_values record, key_types text[] DEFAULT '{}') RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
AS $$
DECLARE
    tl_texts text[];
BEGIN
    SELECT array_agg(threadline.bounded_key(part, parts) ORDER BY position)
    INTO tl_texts
    FROM (
        SELECT position, count(*) OVER ()::integer AS parts,
               CASE WHEN key_types[position] = 'character'
                    THEN rtrim(threadline.key_text(value), ' ') ELSE threadline.key_text(value) END AS part
        FROM jsonb_each(to_jsonb(key_values)) AS field (name, value)
        CROSS JOIN LATERAL (SELECT substr(name, 2)::integer AS position) AS place
    ) AS parts;
    RETURN CASE cardinality(tl_texts)
        WHEN 1 THEN tl_texts[1]
        ELSE to_jsonb(tl_texts)::text
    END;
END
$$;
