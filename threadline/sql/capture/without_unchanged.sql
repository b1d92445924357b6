-- Returns the images of an update without the long values that stay the same: they are not needed,
-- unless the key of the record changes. Equal means the same bytes, because jsonb takes 1.0 for 1.00.
CREATE OR REPLACE FUNCTION threadline.without_unchanged(table_id integer, INOUT old_row jsonb, INOUT new_row jsonb, changed text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_key text[] := (SELECT t.key_columns FROM threadline.audited_tables AS t WHERE t.id = table_id);
    tl_unchanged text[];
BEGIN
    IF tl_key <> '{}' AND old_row ?& tl_key AND NOT EXISTS (
        SELECT FROM unnest(tl_key) AS k WHERE (old_row -> k)::text IS DISTINCT FROM (new_row -> k)::text)
    THEN
        tl_unchanged := ARRAY(
            SELECT o.key FROM jsonb_each(old_row) AS o
            WHERE pg_column_size(o.value) > 1000 AND record_image_eq(ROW(o.value), ROW(new_row -> o.key))
              AND o.key <> ALL (tl_key) AND (o.key = ANY (changed)) IS NOT true);
        old_row := old_row - tl_unchanged;
        new_row := new_row - tl_unchanged;
    END IF;
END
$$;
