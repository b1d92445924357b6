-- Returns the code that makes the images of a row for a table without redaction, for any columns.
-- Even compressed by the maximum factor of 255, 100 kB are far below the limits of jsonb.
CREATE OR REPLACE FUNCTION threadline.plain_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    IF ({plain}) THEN
        tl_old := CASE WHEN pg_catalog.texteq(TG_OP, 'INSERT') THEN NULL
                       WHEN pg_catalog.int4gt(pg_catalog.pg_column_size(OLD), 100000) THEN threadline.large_image(OLD) ELSE pg_catalog.to_jsonb(OLD.*) END;
        tl_new := CASE WHEN pg_catalog.texteq(TG_OP, 'DELETE') THEN NULL
                       WHEN pg_catalog.int4gt(pg_catalog.pg_column_size(NEW), 100000) THEN threadline.large_image(NEW) ELSE pg_catalog.to_jsonb(NEW.*) END;
    ELSE
        SELECT c.old_row, c.new_row, c.changed INTO tl_old, tl_new, tl_changed
        FROM threadline.careful_change(OLD, NEW, false, {redaction}) AS c;
    END IF;
$template$;
