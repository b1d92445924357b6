-- Returns the keyed hash of a value of a key column. For keys only: a reader of the audit can
-- test whether something is recorded for a known key value, and for no other column.
CREATE OR REPLACE FUNCTION threadline.key_hash(audited_table integer, column_name text, value jsonb) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
    SELECT threadline.hash(c.hash_key, value) #>> '{}'
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (name text, column_policy text, hash_key integer)
    WHERE t.id = audited_table AND c.name = column_name AND c.column_policy = 'hash' AND column_name = ANY (t.key_columns);
$$;
