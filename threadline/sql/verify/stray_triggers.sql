-- Returns triggers that record the changes of one table as if they were another's, or of a table
-- without a known policy.
CREATE OR REPLACE FUNCTION threadline.stray_triggers(target regclass DEFAULT NULL) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
BEGIN
    RETURN QUERY
    WITH capturing AS (
        SELECT g.tgrelid::regclass AS relation, g.tgname::text AS name, g.tgenabled <> 'D' AS fires,
               substring(p.proname FROM '^capture_([0-9]{1,9})')::integer AS table_id
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
        WHERE g.tgparentid = 0 AND p.proname ~ '^capture_[0-9]{1,9}$'
    )
    SELECT 'policy-missing', c.relation::text,
           format('its policy is not on record; its capture function is unchanged; declare the policy again with SELECT threadline.audit(%L, mask => ..., exclude => ...)', c.relation),
           NULL::text
    FROM capturing AS c
    WHERE NOT EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = c.table_id)
      AND c.name = '!threadline_capture_' || c.table_id AND (target IS NULL OR c.relation = target)
    UNION ALL
    SELECT 'trigger-stray', c.relation::text,
           format('trigger %I is that of %s, and records nothing here', c.name, coalesce(at.relation::text, 'a table that is gone')),
           format('DROP TRIGGER %I ON %s;', c.name, c.relation)
    FROM capturing AS c
    JOIN threadline.audited_tables AS t ON t.id = c.table_id
    CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
    WHERE c.fires AND (target IS NULL OR c.relation = target)
      AND c.relation <> at.relation
      AND c.relation NOT IN (SELECT p.relid FROM pg_partition_tree(at.relation) AS p)
      -- Otherwise it is reported as altered or duplicated there.
      AND c.relation NOT IN (
          SELECT threadline.locate_table(other.id) FROM threadline.audited_tables AS other
          WHERE other.unaudited_at IS NULL AND other.id <> t.id AND threadline.locate_table(other.id) IS NOT NULL)
    ORDER BY 2, 3;
END
$$;
