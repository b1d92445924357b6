-- How a table whose columns are not all recorded as they are has the images of a row
-- made.
CREATE FUNCTION threadline.named_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    FOR tl_way IN (CASE WHEN {stands} THEN 1 WHEN {plain} THEN 2 ELSE 3 END)..3 LOOP
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                IF tl_way = 1 THEN
                    tl_old := {old_image};
                ELSE
                    tl_old := CASE tl_way WHEN 2 THEN to_jsonb(OLD.*) ELSE threadline.row_image(OLD) END;
                END IF;
                tl_old_place := OLD.ctid;
            END IF;
            IF TG_OP <> 'DELETE' THEN
                IF tl_way = 1 THEN
                    tl_new := {new_image};
                ELSE
                    tl_new := CASE tl_way WHEN 2 THEN to_jsonb(NEW.*) ELSE threadline.row_image(NEW) END;
                END IF;
                tl_new_place := NEW.ctid;
            END IF;
            IF tl_way > 1 THEN
                SELECT r.old_row, r.new_row, r.changed INTO tl_old, tl_new, tl_changed
                FROM threadline.redacted_change(tl_old, tl_new, {redaction}) AS r;
            ELSIF TG_OP = 'UPDATE' THEN
                tl_changed := {changed};
            END IF;
            EXIT;
        EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
            IF tl_way = 3 THEN
                RAISE;
            END IF;
        END;
    END LOOP;
$template$;
