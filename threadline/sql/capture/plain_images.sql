-- How a table without redaction has the images of a row made: of whatever columns it has.
CREATE FUNCTION threadline.plain_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    FOR tl_way IN (CASE WHEN {plain} THEN 1 ELSE 2 END)..2 LOOP
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                tl_old := CASE tl_way WHEN 1 THEN to_jsonb(OLD.*) ELSE threadline.row_image(OLD) END;
                tl_old_place := OLD.ctid;
            END IF;
            IF TG_OP <> 'DELETE' THEN
                tl_new := CASE tl_way WHEN 1 THEN to_jsonb(NEW.*) ELSE threadline.row_image(NEW) END;
                tl_new_place := NEW.ctid;
            END IF;
            EXIT;
        EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
            IF tl_way = 2 THEN
                RAISE;
            END IF;
        END;
    END LOOP;
$template$;
