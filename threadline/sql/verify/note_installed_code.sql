-- Notes the objects of the schema, for threadline.audit_drift() to compare.
CREATE OR REPLACE FUNCTION threadline.note_installed_code() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    DELETE FROM threadline.installed_code;
    INSERT INTO threadline.installed_code (object, digest, shown_digest, server_major)
    SELECT o.object, o.digest, o.shown_digest, current_setting('server_version_num')::integer / 10000
    FROM threadline.own_objects() AS o;
END
$$;
REVOKE ALL ON FUNCTION threadline.note_installed_code() FROM PUBLIC;
