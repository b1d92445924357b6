-- Do the table's columns still stand as they did when its capture function was
-- built? Answered once in a transaction and remembered: a column cannot be
-- renamed by somebody else while this transaction writes the table.
CREATE FUNCTION threadline.columns_match(audited_table integer, target oid) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_setting text := 'threadline.columns_' || audited_table;
    tl_remembered text := current_setting(tl_setting, true);
    tl_match boolean;
BEGIN
    IF tl_remembered IN ('true', 'false') THEN
        RETURN tl_remembered = 'true';
    END IF;
    SELECT t.fingerprint = threadline.fingerprint(coalesce(pg_partition_root(target), target))
    INTO tl_match
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
    PERFORM set_config(tl_setting, tl_match::text, true);
    RETURN tl_match;
END
$$;
