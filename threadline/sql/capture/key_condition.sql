-- SQL that is true of the row called row_name that has a record key; by column,
-- so that the primary key's index serves. A cast to "character" or "bit" would
-- cut the value to one. Of a key that was too long for the index only a digest is
-- known, so that each row's is made.
CREATE FUNCTION threadline.key_condition(audited_table integer, record_key text, row_name text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF record_key ~ '[.]{3} sha256:[0-9a-f]{64}("|$)' THEN
        RETURN format('(%s) = %L', threadline.key_expression(audited_table, row_name), record_key);
    END IF;
    RETURN (SELECT string_agg(
        format(CASE WHEN k.base IN ('character'::regtype, 'bit'::regtype) THEN '%s.%I = %L' ELSE '%s.%I = %L::%s' END, row_name, k.name,
            CASE WHEN k.single THEN record_key
                 ELSE threadline.json_array_or_null(record_key) ->> (k.ordinal::integer - 1) END,
            k.base),
        ' AND ' ORDER BY k.ordinal)
    FROM (
        -- What a domain checks holds for every value in the table.
        SELECT live.*, threadline.base_type(live.type::regtype)::regtype AS base
        FROM threadline.live_key(audited_table) AS live
    ) AS k);
END
$$;
