-- Returns the code that makes the images of a row for a table with column policies: the generated
-- form, or the careful one. It ends the condition that threadline.capture_template() begins. The
-- guard has only constant arguments, so that PostgreSQL evaluates it when it plans, and again after
-- each change of the table. An exception handler adds cost to each row: {try} is left empty where
-- all types are PostgreSQL's own, because 16 kB of these are far below the limits of jsonb.
CREATE OR REPLACE FUNCTION threadline.named_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    END IF;
    DECLARE
        tl_careful boolean := NOT {stands} OR {large};
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
            FROM threadline.careful_change({id}, OLD, NEW, {plain}, {redaction}, {query}) AS c;
        END IF;
    END;
$template$;
