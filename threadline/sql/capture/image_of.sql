-- Returns SQL for the image of a row called row_name of a relation with any columns. It never fails
-- because of a value.
CREATE OR REPLACE FUNCTION threadline.image_of(relation regclass, row_name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
RETURN pg_catalog.format(
    CASE WHEN threadline.plain_columns(relation, ARRAY(SELECT s.name FROM threadline.text_settings() AS s), apart => true)
         THEN 'CASE WHEN pg_catalog.pg_column_size(%1$s.*) > 100000 THEN threadline.large_image(%1$s.*) ELSE pg_catalog.to_jsonb(%1$s.*) END'
         ELSE 'threadline.row_image(%1$s.*)' END, row_name);
