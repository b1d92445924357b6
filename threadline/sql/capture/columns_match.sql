-- Do the columns still stand as they did when the capture function was built,
-- each under its number and name? The catalog cache is asked, not the catalog:
-- a REPEATABLE READ snapshot may be older than a rename. The answer is
-- remembered for the transaction. Nobody else can rename a column while this
-- transaction writes the table; what the transaction itself has altered shows
-- by a row of pg_attribute no older than it, and is looked at anew.
CREATE FUNCTION threadline.columns_match(audited_table integer, target oid, built_for jsonb) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_setting text := 'threadline.columns_' || audited_table;
    tl_remembered text := current_setting(tl_setting, true);
    tl_relation regclass := threadline.audited_relation(target, (built_for ->> 'relation')::oid);
    tl_match boolean;
BEGIN
    IF tl_remembered = tl_relation::oid || ' false' THEN
        RETURN false;
    ELSIF tl_remembered = tl_relation::oid || ' true' AND NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = tl_relation AND age(xmin) <= age(pg_current_xact_id()::xid)
    ) THEN
        RETURN true;
    END IF;
    tl_match := NOT EXISTS (
        SELECT
        FROM jsonb_to_recordset(built_for -> 'columns') AS c (number integer, name text)
        WHERE (pg_identify_object_as_address('pg_class'::regclass, tl_relation, c.number)).object_names[3]
              IS DISTINCT FROM c.name
    );
    PERFORM set_config(tl_setting, tl_relation::oid || CASE WHEN tl_match THEN ' true' ELSE ' false' END, true);
    RETURN tl_match;
END
$$;
