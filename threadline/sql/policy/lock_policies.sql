-- Allows one policy change at a time, until the end of the transaction; readers and writers do
-- not wait.
CREATE OR REPLACE FUNCTION threadline.lock_policies() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    LOCK TABLE threadline.audited_tables IN SHARE ROW EXCLUSIVE MODE;
END
$$;
REVOKE ALL ON FUNCTION threadline.lock_policies() FROM PUBLIC;
