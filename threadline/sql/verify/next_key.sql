-- Returns the key that ends a range of about a given number of posted changes of a table, for
-- threadline.chain_drift(); NULL if fewer follow the given key.
CREATE OR REPLACE FUNCTION threadline.next_key(target regclass, after text, changes integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT c.record_key
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = threadline.audited_table_of(target) AND c.record_key > coalesce(after, '') COLLATE "C"
    ORDER BY c.record_key
    OFFSET changes - 1
    LIMIT 1;
END;
