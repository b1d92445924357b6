-- SQL that is true of the row called row_name that has a record key; by column,
-- so that the primary key's index serves.
CREATE FUNCTION threadline.key_condition(audited_table integer, record_key text, row_name text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN (SELECT string_agg(
        format('%s.%I = %L::%s', row_name, k.name,
            CASE WHEN k.single THEN record_key
                 ELSE threadline.json_array_or_null(record_key) ->> (k.ordinal::integer - 1) END,
            k.type),
        ' AND ' ORDER BY k.ordinal)
    FROM threadline.live_key(audited_table) AS k);
END
$$;
