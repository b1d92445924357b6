-- Returns the images of a change without the redacted columns, and the masked columns that it
-- changed.
CREATE OR REPLACE FUNCTION threadline.redacted_change(
    INOUT old_row jsonb, INOUT new_row jsonb, redaction jsonb, OUT changed text[]
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_plain text[];
    tl_old jsonb := old_row;
    tl_new jsonb := new_row;
BEGIN
    IF redaction ? 'plain' THEN
        tl_plain := ARRAY(SELECT jsonb_array_elements_text(redaction -> 'plain'));
        old_row := threadline.redacted_image(tl_old, tl_plain, redaction -> 'masks');
        new_row := threadline.redacted_image(tl_new, tl_plain, redaction -> 'masks');
        IF redaction -> 'hashes' <> '{}' THEN
            old_row := threadline.with_hashes(old_row, tl_old, redaction -> 'hashes');
            new_row := threadline.with_hashes(new_row, tl_new, redaction -> 'hashes');
        END IF;
        IF tl_old IS NOT NULL AND tl_new IS NOT NULL THEN
            changed := ARRAY(
                SELECT key FROM jsonb_object_keys(redaction -> 'masks') AS key
                WHERE tl_new ? key AND NOT redaction -> 'apart' ? key AND (tl_old -> key)::text IS DISTINCT FROM (tl_new -> key)::text);
        END IF;
    END IF;
END
$$;
