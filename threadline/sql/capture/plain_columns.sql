-- Returns whether to_jsonb() may be given a row of a relation: every type is PostgreSQL's own, so
-- that no cast is called, and its text depends only on pinned settings. `apart` as in
-- threadline.is_plain_type(). Declared immutable and called only with constants, so that PostgreSQL
-- evaluates it once, when it plans the query around it, and again after any change of the relation.
CREATE OR REPLACE FUNCTION threadline.plain_columns(relation oid, pinned text[], apart boolean) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF current_setting('transaction_isolation') = 'read committed' AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation) AND NOT EXISTS (
        SELECT
        FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND (
            a.attgenerated = 'v' OR NOT threadline.is_plain_type(a.atttypid, pinned, apart)))
    THEN
        -- Most tables. Each connection looks once for each table that it writes to.
        RETURN true;
    END IF;
    -- PostgreSQL evaluates it ahead, also for a relation that does not exist after a restore.
    RETURN EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation) AND NOT EXISTS (
        SELECT
        FROM threadline.present_columns(relation) AS c
        WHERE CASE
            WHEN threadline.is_plain_type(c.type, pinned, apart) THEN false
            WHEN NOT apart AND threadline.merges_values(c.type) THEN true
            WHEN NOT threadline.settings_needed(relation) <@ pinned THEN true
            -- The content of a json value need not have a form in jsonb.
            WHEN c.type < 16384 THEN c.type IN ('json'::regtype, 'json[]'::regtype, 'money'::regtype)
            ELSE c.type IS NULL OR threadline.json_form(c.type, 'v') <> 'v' OR threadline.base_type(c.type) = 'json[]'::regtype END
    ) AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attgenerated = 'v');
END
$$;
