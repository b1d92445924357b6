-- Returns the images of a row whose columns differ from those that its capture was built for,
-- contain values without a form in jsonb, or are long: images of the whole row, from which redacted
-- columns are removed by name, and those of an update without long values that stay the same. Never
-- fails.
CREATE OR REPLACE FUNCTION threadline.careful_change(
    table_id integer, old_record anyelement, new_record anyelement, plain boolean, redaction jsonb, query text,
    OUT old_row jsonb, OUT new_row jsonb, OUT changed text[]
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF plain THEN
        BEGIN
            SELECT r.old_row, r.new_row, r.changed INTO old_row, new_row, changed
            FROM threadline.redacted_change(to_jsonb(old_record), to_jsonb(new_record), redaction) AS r;
        EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
            plain := false;
        END;
    END IF;
    IF NOT plain THEN
        SELECT r.old_row, r.new_row, r.changed INTO old_row, new_row, changed
        FROM threadline.redacted_change(threadline.row_image(old_record, query), threadline.row_image(new_record, query), redaction) AS r;
    END IF;
    changed := changed || threadline.changed_apart(old_record, new_record, redaction -> 'apart');
    IF old_row IS NOT NULL AND new_row IS NOT NULL THEN
        SELECT r.old_row, r.new_row INTO old_row, new_row
        FROM threadline.without_unchanged(table_id, old_row, new_row, changed) AS r;
    END IF;
END
$$;
