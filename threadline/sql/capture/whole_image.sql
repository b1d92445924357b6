-- SQL for the image of a row of a relation, with the columns that it has now, whatever
-- is decided for them. An exact one fails where a value has no form in jsonb (\u0000
-- inside json[]). The other never does: all but numbers and the like are kept as their
-- text, and what is beyond the 200 MB that fit in is marked as too large.
CREATE FUNCTION threadline.whole_image(relation regclass, row_name text, exact boolean) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN exact THEN format('(SELECT to_jsonb(tl_image.*) FROM (SELECT %s) AS tl_image)',
            string_agg(format('%s AS %I', form.sql, c.name), ', ' ORDER BY c.number))
        ELSE format(
            $image$(SELECT jsonb_object_agg(tl_field.name, CASE
                WHEN tl_field.text IS NULL THEN tl_field.short
                WHEN octet_length(tl_field.text) > 100000000 OR tl_field.total > 200000000 THEN '"[too large to record]"'
                ELSE to_jsonb(tl_field.text) END)
            FROM (
                SELECT name, short, text, sum(octet_length(text)) OVER (ORDER BY number) AS total
                FROM (VALUES %s) AS tl_value (number, name, short, text)
            ) AS tl_field)$image$,
            string_agg(
                format(
                    CASE WHEN base.oid < 16384 AND (base.typlen > 0 OR base.oid = 'numeric'::regtype)
                        THEN '(%s, %L, to_jsonb(%s), NULL)'
                        ELSE '(%s, %L, NULL, CASE WHEN %4$s IS DISTINCT FROM NULL THEN concat(%4$s) END)' END,
                    c.number, c.name, form.sql, value.reference),
                ', ' ORDER BY c.number))
    END
    FROM threadline.columns_of(relation) AS c
    JOIN pg_type AS base ON base.oid = threadline.base_type(c.type)
    CROSS JOIN LATERAL (SELECT format('%s.%I', row_name, c.name) AS reference) AS value
    CROSS JOIN LATERAL (SELECT threadline.json_form(c.type, value.reference) AS sql) AS form;
END;
