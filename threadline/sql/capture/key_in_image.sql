-- Returns the record key from a row's image. Blanks at the end of a char(n) are not part of its
-- value.
CREATE OR REPLACE FUNCTION threadline.key_in_image(image jsonb, key_columns text[], key_types text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_parts text[] := '{}';
    tl_part text;
    tl_count integer := cardinality(key_columns);
BEGIN
    FOR tl_number IN 1..tl_count LOOP
        tl_part := threadline.key_text(image -> key_columns[tl_number]);
        IF key_types[tl_number] = 'character' THEN
            tl_part := rtrim(tl_part, ' ');
        END IF;
        tl_parts := tl_parts || threadline.bounded_key(tl_part, tl_count);
    END LOOP;
    RETURN CASE tl_count WHEN 0 THEN NULL WHEN 1 THEN tl_parts[1] ELSE to_jsonb(tl_parts)::text END;
END
$$;
