-- How a table whose columns are not all recorded as they are has the images of a row
-- made: as was generated for its columns, or carefully. The guard has constants for
-- arguments, so that PostgreSQL works it out when it plans, and again after each change
-- of the table. To catch an error costs each row: {try} is left empty where all types are
-- PostgreSQL's own, of which 100 kB are far from what jsonb can hold.
CREATE FUNCTION threadline.named_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    DECLARE
        tl_careful boolean := NOT {stands} OR coalesce(pg_column_size(OLD), 0) + coalesce(pg_column_size(NEW), 0) > 100000;
    BEGIN
        IF NOT tl_careful THEN{try}
            IF TG_OP <> 'INSERT' THEN
                tl_old := {old_image};
            END IF;
            IF TG_OP <> 'DELETE' THEN
                tl_new := {new_image};
            END IF;
            IF TG_OP = 'UPDATE' THEN
                tl_changed := {changed};
            END IF;{catch}
        END IF;
        IF tl_careful THEN
            SELECT c.old_row, c.new_row, c.changed INTO tl_old, tl_new, tl_changed
            FROM threadline.careful_change(OLD, NEW, {plain}, {redaction}) AS c;
        END IF;
    END;
$template$;
