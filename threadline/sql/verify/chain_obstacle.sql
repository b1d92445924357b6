-- Returns why the history of a table cannot be compared with its rows; NULL if it can.
CREATE OR REPLACE FUNCTION threadline.chain_obstacle(target regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
-- Names of types are compared.
SET quote_all_identifiers = off AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
BEGIN
    RETURN CASE
        WHEN NOT EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id)
            THEN 'it is not audited'
        WHEN EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.policy ?| '{operations,condition}')
            THEN 'by its policy, not every change is recorded'
        WHEN EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.key_columns = '{}')
            THEN 'it has no primary key'
        WHEN NOT has_table_privilege(target, 'SELECT')
            THEN format('%I has no right to read it', current_user)
        WHEN row_security_active(target)
            THEN format('row security hides rows from %I', current_user)
        WHEN EXISTS (SELECT FROM pg_constraint AS c WHERE c.conrelid = target AND c.contype = 'p' AND c.condeferred)
            THEN 'its key is deferred, and until a transaction ends two rows may have one'
        WHEN ARRAY(SELECT ROW(k.name, k.type::text)::text FROM threadline.key_columns_of(target) AS k)
             <> ARRAY(
                 SELECT ROW(k.name, CASE WHEN k.hash_of IS NULL THEN recorded.type ELSE k.column_type END)::text
                 FROM threadline.live_key(tl_id) AS k
                 JOIN threadline.audited_tables AS t ON t.id = tl_id
                 CROSS JOIN LATERAL (SELECT t.key_types[k.ordinal] AS type) AS recorded
                 ORDER BY k.ordinal)
            THEN 'its key has changed'
    END;
END
$$;
