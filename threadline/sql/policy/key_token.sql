-- What a value of a key column is recorded as where that is a token. For keys alone:
-- whoever may read the audit can find out of a value that they have whether something is
-- on record of it, and of no other column.
CREATE FUNCTION threadline.key_token(audited_table integer, column_name text, value jsonb) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
    SELECT threadline.token(c.token_key, value) #>> '{}'
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (name text, treatment text, token_key integer)
    WHERE t.id = audited_table AND c.name = column_name AND c.treatment = 'token' AND column_name = ANY (t.key_columns);
$$;
