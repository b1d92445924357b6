-- Deletes the row that matches the condition, unless other rows refer to it. Returns NULL, or the
-- reason why not.
CREATE OR REPLACE FUNCTION threadline.delete_row(target regclass, key_condition text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    tl_child regclass := threadline.referencing(target, key_condition);
    tl_count bigint;
BEGIN
    IF tl_child IS NOT NULL THEN
        RETURN format('rows of %s refer to it', tl_child);
    END IF;
    EXECUTE format('DELETE FROM %s AS tl_row WHERE %s', threadline.own_rows(target), key_condition);
    GET DIAGNOSTICS tl_count = ROW_COUNT;
    RETURN CASE WHEN tl_count = 0 THEN 'a trigger of the table did not let it be deleted' END;
END
$$;
