-- How a table whose columns are not all recorded as they are has the images of a row
-- made, in the first of three ways that works: as was generated for its columns; of the
-- whole row, from which what is redacted is taken by name; and slowly, for types that are
-- not PostgreSQL's own and for values that have no form in jsonb. The guards have
-- constants for arguments, so that PostgreSQL works them out when it plans, and again
-- after each change of the table.
CREATE FUNCTION threadline.named_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    FOR tl_way IN (CASE WHEN {stands} THEN 1 WHEN {plain} THEN 2 ELSE 3 END)..3 LOOP
        BEGIN
            IF tl_way = 1 THEN
                IF TG_OP <> 'INSERT' THEN
                    tl_old := {old_image};
                END IF;
                IF TG_OP <> 'DELETE' THEN
                    tl_new := {new_image};
                END IF;
                IF TG_OP = 'UPDATE' THEN
                    tl_changed := {changed};
                END IF;
            ELSE
                tl_old := CASE WHEN TG_OP = 'INSERT' THEN NULL WHEN tl_way = 2 THEN to_jsonb(OLD.*) ELSE threadline.row_image(OLD) END;
                tl_new := CASE WHEN TG_OP = 'DELETE' THEN NULL WHEN tl_way = 2 THEN to_jsonb(NEW.*) ELSE threadline.row_image(NEW) END;
                SELECT r.old_row, r.new_row, r.changed INTO tl_old, tl_new, tl_changed
                FROM threadline.redacted_change(tl_old, tl_new, {redaction}) AS r;
            END IF;
            EXIT;
        EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
            IF tl_way = 3 THEN
                RAISE;
            END IF;
        END;
    END LOOP;
$template$;
