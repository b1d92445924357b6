-- Returns the code that makes the images of a row for a table without redaction, for any columns.
-- It ends the condition that threadline.capture_template() begins: first the rare rows, then the
-- usual ones.
CREATE OR REPLACE FUNCTION threadline.plain_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
        IF ({plain}) AND NOT {large} THEN
            tl_old := {old_image};
            tl_new := {new_image};
        ELSE
            SELECT c.old_row, c.new_row, c.changed INTO tl_old, tl_new, tl_changed
            FROM threadline.careful_change({id}, OLD, NEW, {plain}, {redaction}, {query}) AS c;
        END IF;
    ELSE
        tl_old := {old_image};
        tl_new := {new_image};
    END IF;
$template$;
