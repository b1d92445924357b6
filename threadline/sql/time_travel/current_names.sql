-- Returns an image captured at an instant, its columns under today's names. For many images of
-- one table, query its renames once.
CREATE OR REPLACE FUNCTION threadline.current_names(audited_table integer, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
RETURN threadline.renamed_image(threadline.renames_of(audited_table), image, captured_at);
