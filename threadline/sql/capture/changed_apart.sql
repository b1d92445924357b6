-- Returns the named columns that differ between two rows, even if their images are equal.
CREATE OR REPLACE FUNCTION threadline.changed_apart(old_record anyelement, new_record anyelement, columns jsonb) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_changed text[] := '{}';
BEGIN
    IF columns <> '[]' AND old_record IS DISTINCT FROM NULL AND new_record IS DISTINCT FROM NULL THEN
        EXECUTE (
            SELECT 'SELECT array_remove(ARRAY[' || string_agg(
                format('CASE WHEN record_image_ne(ROW(($1).%1$s), ROW(($2).%1$s)) THEN %2$L END', threadline.quoted(name), name), ', ')
                || '], NULL)'
            FROM jsonb_array_elements_text(columns) AS name)
        INTO tl_changed USING old_record, new_record;
    END IF;
    RETURN tl_changed;
END
$$;
