-- Returns SQL for the image of a row called row_name of a relation with any columns.
CREATE OR REPLACE FUNCTION threadline.image_of(relation regclass, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN pg_catalog.format(
    CASE WHEN threadline.plain_columns(relation, '{array_nulls,bytea_output,datestyle,extra_float_digits,intervalstyle,timezone}', apart => true)
         THEN 'pg_catalog.to_jsonb(%s.*)' ELSE 'threadline.row_image(%s.*)' END, row_name);
