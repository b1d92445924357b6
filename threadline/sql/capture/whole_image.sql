-- Returns SQL for the image of a row of a relation with its present columns, before any column
-- policy. The exact form fails where a value has no form in jsonb (\u0000 inside json[]). The
-- other form never fails: it keeps all values except numbers and the like as text, and replaces
-- what exceeds 200 MB by its length and digest.
CREATE OR REPLACE FUNCTION threadline.whole_image(relation regclass, row_name text, exact boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN exact THEN format('(SELECT to_jsonb(tl_image.*) FROM (SELECT %s) AS tl_image)',
            string_agg(format('%s AS %I', form.sql, c.name), ', ' ORDER BY c.number))
        ELSE format(
            $image$(SELECT jsonb_object_agg(tl_field.name, CASE
                WHEN tl_field.text IS NULL THEN tl_field.short
                WHEN octet_length(tl_field.text) > 100000000 OR tl_field.total > 200000000
                THEN to_jsonb(threadline.too_large(octet_length(tl_field.text), sha256(convert_to(tl_field.text, threadline.digest_encoding()))))
                ELSE to_jsonb(tl_field.text) END)
            FROM (
                SELECT name, short, text, sum(octet_length(text)) OVER (ORDER BY number) AS total
                FROM (VALUES %s) AS tl_value (number, name, short, text)
            ) AS tl_field)$image$,
            string_agg(
                format(
                    CASE WHEN base.oid = 'bytea'::regtype
                        -- Its text is twice as long and may exceed the limit.
                        THEN '(%s, %L, NULL::jsonb, CASE WHEN octet_length(%4$s) > 50000000 '
                             'THEN threadline.too_large(octet_length(%4$s), sha256(%4$s)) WHEN %4$s IS NOT NULL THEN concat(%4$s) END)'
                        WHEN base.oid < 16384 AND (base.typlen > 0 OR base.oid = 'numeric'::regtype)
                        THEN '(%s, %L, to_jsonb(%s), NULL::text)'
                        ELSE '(%s, %L, NULL::jsonb, %5$s)' END,
                    c.number, c.name, form.sql, value.reference, as_text.sql),
                ', ' ORDER BY c.number))
    END
    FROM threadline.present_columns(relation) AS c
    LEFT JOIN pg_type AS base ON base.oid = threadline.base_type(c.type)
    CROSS JOIN LATERAL (SELECT format('%s.%I', row_name, c.name) AS reference) AS value
    CROSS JOIN LATERAL (
        SELECT format('CASE WHEN %1$s IS DISTINCT FROM NULL THEN concat(%1$s) END', value.reference) AS sql
    ) AS as_text
    CROSS JOIN LATERAL (
        SELECT coalesce(
            threadline.json_form(c.type, value.reference),
            -- A type that is only in the snapshot is determined again, from the value.
            (SELECT format('CASE WHEN pg_typeof(%s) = %L::regtype THEN to_jsonb(%s) ELSE to_jsonb(%s) END',
                 value.reference, a.atttypid, threadline.json_form(a.atttypid, value.reference), as_text.sql)
             FROM pg_attribute AS a
             WHERE c.type IS NULL AND a.attrelid = relation AND a.attnum = c.number
               AND threadline.json_form(a.atttypid, value.reference) IS NOT NULL),
            as_text.sql) AS sql
    ) AS form;
END;
