-- The image of the live row with a record key, as the audit would show it; NULL
-- if there is none.
CREATE FUNCTION threadline.live_image(audited_table integer, target regclass, record_key text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
AS $$
DECLARE
    tl_keys text;
    tl_image jsonb;
BEGIN
    -- By column, so that the primary key's index serves.
    SELECT string_agg(
        format('tl_live.%I = %L::%s', k.name,
            CASE WHEN cardinality(t.key_columns) = 1 THEN record_key
                 ELSE threadline.json_array_or_null(record_key) ->> (k.position::integer - 1) END,
            k.type),
        ' AND ' ORDER BY k.position)
    INTO tl_keys
    FROM threadline.audited_tables AS t
    CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) WITH ORDINALITY AS k (name, type, position)
    WHERE t.id = audited_table;
    EXECUTE format('SELECT %s FROM %s AS tl_live WHERE %s',
        threadline.live_expression(audited_table, target, 'tl_live'), target, tl_keys)
    INTO tl_image;
    RETURN tl_image;
END
$$;
