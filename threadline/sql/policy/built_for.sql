-- Returns the columns that a table's capture is built for, in the form that is written into the
-- capture function: redaction must not depend on rows that a restore may leave out.
CREATE OR REPLACE FUNCTION threadline.built_for(audited_table integer, target regclass) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'relation', target::oid::bigint,
        'columns', (
            SELECT coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(c)) ORDER BY c.number), '[]')
            FROM jsonb_to_recordset(t.columns) AS c (
                number smallint, name text, type text, column_policy text, hash_key integer, generation_expression text)),
        'signature', md5((
            SELECT string_agg(a.attname || ' ' || a.atttypid::regtype || ' ' || a.attgenerated::text, ',' ORDER BY a.attnum)
            FROM pg_attribute AS a
            WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
              -- Columns that it is not built for make it differ after a restore, too.
              AND (t.relation <> target OR EXISTS (
                  SELECT FROM jsonb_to_recordset(t.columns) AS k (number smallint, name text) WHERE k.number = a.attnum OR k.name = a.attname)))))
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
END;
