-- How a table without redaction has the images of a row made: of whatever columns it has.
CREATE FUNCTION threadline.plain_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    BEGIN
        IF pg_catalog.textne(TG_OP, 'INSERT') THEN
            tl_old := CASE WHEN {plain} THEN pg_catalog.to_jsonb(OLD.*) ELSE threadline.row_image(OLD) END;
        END IF;
        IF pg_catalog.textne(TG_OP, 'DELETE') THEN
            tl_new := CASE WHEN {plain} THEN pg_catalog.to_jsonb(NEW.*) ELSE threadline.row_image(NEW) END;
        END IF;
    EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
        -- A value has no form in jsonb.
        tl_old := CASE WHEN pg_catalog.textne(TG_OP, 'INSERT') THEN threadline.row_image(OLD) END;
        tl_new := CASE WHEN pg_catalog.textne(TG_OP, 'DELETE') THEN threadline.row_image(NEW) END;
    END;
$template$;
