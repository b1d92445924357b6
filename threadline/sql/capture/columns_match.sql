-- Do the columns still stand as they did when the capture function was built,
-- each under its number and name, and, where nothing is redacted, are there no more?
-- With redaction, one that came since is left out either way. The catalog cache is
-- asked, not the catalog: a REPEATABLE READ snapshot may be older than a rename. The
-- answer is remembered for the transaction, and believed there as long as the
-- transaction has not altered the table itself; nobody else can while it writes.
CREATE FUNCTION threadline.columns_match(audited_table integer, target oid, built_for jsonb) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_relation regclass := threadline.audited_relation(target, (built_for ->> 'relation')::oid);
    tl_match boolean;
BEGIN
    tl_match := NOT EXISTS (
        SELECT
        FROM jsonb_to_recordset(built_for -> 'columns') AS c (number integer, name text)
        WHERE (pg_identify_object_as_address('pg_class'::regclass, tl_relation, c.number)).object_names[3]
              IS DISTINCT FROM c.name
    ) AND (
        built_for @? '$.columns[*] ? (@.treatment != "clear")'
        OR NOT threadline.further_column(tl_relation, (SELECT max(number) FROM jsonb_to_recordset(built_for -> 'columns') AS c (number integer)))
    );
    PERFORM set_config(
        'threadline.columns_' || audited_table,
        CASE WHEN tl_match THEN target::text ELSE '' END,
        true);
    RETURN tl_match;
END
$$;
