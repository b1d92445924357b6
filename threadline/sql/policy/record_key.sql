-- Returns the record key of the row of an audited table that has the given values of its key:
-- record_key(7, ROW(42)) is '42', record_key(8, ROW(7, 'x')) is '["7", "x"]'. Pins the settings
-- that capture pins, so that both write an instant, an interval or a byte string the same way.
-- Blanks at the end of a char(n) are not part of its value.
CREATE OR REPLACE FUNCTION threadline.record_key(audited_table integer, key_values record) RETURNS text
LANGUAGE plpgsql STABLE
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
    SELECT array_agg(threadline.bounded_key(CASE
               WHEN k.is_hash THEN threadline.key_hash(audited_table, k.name, parts.value)
               WHEN k.type = 'character' THEN rtrim(threadline.key_text(parts.value), ' ')
               ELSE threadline.key_text(parts.value) END, parts.parts) ORDER BY parts.position)
    INTO tl_texts
    FROM (
        SELECT substr(name, 2)::integer AS position, value, count(*) OVER ()::integer AS parts
        FROM jsonb_each(to_jsonb(key_values)) AS field (name, value)
    ) AS parts
    LEFT JOIN (
        SELECT k.name, k.type, k.ordinal, threadline.is_hash(t.columns, k.name) AS is_hash
        FROM threadline.audited_tables AS t
        CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) WITH ORDINALITY AS k (name, type, ordinal)
        WHERE t.id = audited_table
    ) AS k ON k.ordinal = parts.position;
    RETURN CASE cardinality(tl_texts)
        WHEN 1 THEN tl_texts[1]
        ELSE to_jsonb(tl_texts)::text
    END;
END
$$;
