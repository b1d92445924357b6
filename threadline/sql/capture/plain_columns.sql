-- Whether to_jsonb() may be given a row of a relation: every type is PostgreSQL's own,
-- for which it calls nobody's cast, and its text depends on no setting but those that
-- are pinned. `apart` as in threadline.is_plain_type(). Declared immutable and called with constants alone, so that PostgreSQL
-- answers it once, when it plans what it stands in, and again after any change of the
-- relation.
CREATE FUNCTION threadline.plain_columns(relation oid, pinned text[], apart boolean) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    -- PostgreSQL asks ahead, also for what is not there after a restore.
    RETURN EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation) AND NOT EXISTS (
        SELECT
        FROM threadline.present_columns(relation) AS c
        WHERE CASE
            WHEN threadline.is_plain_type(c.type, pinned, apart) THEN false
            WHEN NOT apart AND threadline.merges_values(c.type) THEN true
            WHEN NOT threadline.settings_needed(relation) <@ pinned THEN true
            -- What a json holds need not have a form in jsonb.
            WHEN c.type < 16384 THEN c.type IN ('json'::regtype, 'json[]'::regtype, 'money'::regtype)
            ELSE c.type IS NULL OR threadline.json_form(c.type, 'v') <> 'v' OR threadline.base_type(c.type) = 'json[]'::regtype END
    ) AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attgenerated = 'v');
END
$$;
