-- SQL for the record key of a row called row_name.
CREATE FUNCTION threadline.key_expression(audited_table integer, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE count(*)
        WHEN 0 THEN 'NULL::text'
        WHEN 1 THEN min(part)
        ELSE format('jsonb_build_array(%s)::text', string_agg(part, ', ' ORDER BY position))
    END
    FROM (
        SELECT k.position,
               format(
                   CASE WHEN k.type IN ('smallint', 'integer', 'bigint', 'text', 'character varying', 'character', 'uuid')
                       THEN '%s.%I::text'
                       ELSE 'threadline.key_text(to_jsonb(%s.%I))'
                   END, row_name, k.name) AS part
        FROM threadline.audited_tables AS t
        CROSS JOIN unnest(t.key_columns, t.key_types) WITH ORDINALITY AS k (name, type, position)
        WHERE t.id = audited_table
    ) AS parts;
END;
