-- Returns threadline.columns_match(), or without columns to match threadline.plain_columns(), for
-- a table whose OID is not the one in its capture function: it was restored, and PostgreSQL does
-- not know that a plan depends on it. Called for every write until threadline.refresh(), and
-- therefore kept minimal.
CREATE OR REPLACE FUNCTION threadline.columns_now(relation oid, built_for jsonb, pinned text[], apart boolean) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        -- The snapshot may be older than the columns.
        RETURN CASE WHEN pinned IS NULL THEN threadline.columns_match(relation, built_for)
                    ELSE threadline.plain_columns(relation, pinned, apart) END;
    ELSIF pinned IS NULL THEN
        RETURN md5((
            SELECT string_agg(a.attname || ' ' || a.atttypid::regtype || ' ' || a.attgenerated::text, ',' ORDER BY a.attnum)
            FROM pg_attribute AS a
            WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
        )) = built_for ->> 'signature';
    END IF;
    RETURN NOT EXISTS (
        SELECT
        FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND (
            a.attgenerated = 'v' OR NOT threadline.is_plain_type(a.atttypid, pinned, apart)));
END
$$;
