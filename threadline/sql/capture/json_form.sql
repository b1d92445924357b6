-- Returns SQL for the value that to_jsonb() gets in place of a column's, so that no foreign code
-- runs with the rights of the role that records: for a type that is not PostgreSQL's own,
-- to_jsonb() calls any cast to json that the type's owner created. Such a value is recorded as
-- the text from its output function. A json value that has no form in jsonb keeps its text, and
-- money, whose text depends on the locale, is a number.
CREATE OR REPLACE FUNCTION threadline.json_form(type oid, reference text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $form$
BEGIN
    RETURN (
        SELECT format(
            CASE
                WHEN base.oid = 'json'::regtype THEN 'threadline.json_image(%1$s)'
                WHEN base.oid = 'money'::regtype THEN '%1$s::numeric'
                -- PostgreSQL's own types have lower OIDs, and to_jsonb() looks for no cast of
                -- them.
                WHEN base.oid < 16384 OR element.oid < 16384 THEN '%1$s'
                WHEN base.typtype = 'c' THEN 'threadline.row_image(%1$s)'
                WHEN element.typtype = 'c' THEN
                    'CASE WHEN array_ndims(%1$s) > 1 THEN to_jsonb(concat(%1$s)::text[]) WHEN %1$s IS NOT NULL THEN '
                    '(SELECT coalesce(jsonb_agg(threadline.row_image(tl_element)), ''[]'') FROM (SELECT unnest(%1$s) AS tl_element) AS tl_elements) END'
                WHEN element.oid IS NOT NULL THEN 'CASE WHEN %1$s IS NOT NULL THEN concat(%1$s)::text[] END'
                ELSE 'CASE WHEN %1$s IS NOT NULL THEN concat(%1$s) END'
            END, reference)
        FROM pg_type AS base
        LEFT JOIN pg_type AS element ON element.oid = threadline.base_type(base.typelem) AND base.typsubscript = 'array_subscript_handler'::regproc
        WHERE base.oid = threadline.base_type(type));
END
$form$;
