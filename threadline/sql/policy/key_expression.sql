-- SQL for the record key of a row called row_name.
CREATE FUNCTION threadline.key_expression(audited_table integer, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE count(*)
        WHEN 0 THEN 'NULL::text'
        WHEN 1 THEN min(part)
        ELSE format('jsonb_build_array(%s)::text', string_agg(part, ', ' ORDER BY ordinal))
    END
    FROM (
        SELECT k.ordinal,
               CASE WHEN k.type IN ('smallint', 'integer', 'bigint', 'text', 'character varying', 'character', 'uuid')
                   THEN format('%s.%I::text', row_name, k.name)
                   ELSE format('threadline.key_text(to_jsonb(%s))',
                       threadline.json_form(k.type::regtype, format('%s.%I', row_name, k.name)))
               END AS part
        FROM threadline.live_key(audited_table) AS k
    ) AS parts;
END;
