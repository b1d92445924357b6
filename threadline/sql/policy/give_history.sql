-- Gives the history of an audited table to the table that replaces it, as the owner of the audit,
-- for threadline.audit(continues => ...).
CREATE OR REPLACE FUNCTION threadline.give_history(former regclass, target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(former);
    tl_keys text[] := ARRAY(SELECT k.name || ' ' || k.type FROM threadline.key_columns_of(target) AS k);
BEGIN
    PERFORM threadline.require_handed_over(former);
    PERFORM threadline.require_handed_over(target);
    IF tl_id IS NULL THEN
        RAISE EXCEPTION 'threadline: table % is not audited, so that % cannot continue its history', former, target;
    ELSIF threadline.audited_table_of(target) IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: table % has a history of its own, and cannot continue that of %', target, former;
    ELSIF tl_keys = '{}' OR tl_keys <> ARRAY(SELECT k.name || ' ' || k.type FROM threadline.key_columns_of(former) AS k) THEN
        RAISE EXCEPTION 'threadline: table % cannot continue the history of %: their primary keys are not the same', target, former;
    ELSIF EXISTS (SELECT FROM threadline.key_columns_of(target) AS k WHERE k.type::oid >= 16384) THEN
        RAISE EXCEPTION 'threadline: table % cannot continue the history of %: a column of the key has a type that is not PostgreSQL''s own', target, former;
    ELSIF threadline.readable(former) IS DISTINCT FROM former OR threadline.readable(target) IS DISTINCT FROM target THEN
        RAISE EXCEPTION 'threadline: table % cannot continue the history of %: the owner of the audit cannot compare their rows without running functions of others, of a row-level policy or a generated column', target, former;
    END IF;
    UPDATE threadline.audited_tables AS t
    SET schema_name = n.nspname, table_name = c.relname
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE t.id = tl_id AND c.oid = target;
    PERFORM threadline.own_action('audit.continued', jsonb_build_object('table', target, 'table_id', tl_id, 'former_table', former));
END
$$;
REVOKE ALL ON FUNCTION threadline.give_history(regclass, regclass) FROM PUBLIC;
