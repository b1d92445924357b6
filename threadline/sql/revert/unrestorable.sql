-- Returns the columns of an image captured at an instant whose values the audit does not have:
-- those that are masked, or were redacted then, and are not NULL, those that are erased, and for
-- a whole row those that were not recorded. Generated columns need no value.
CREATE OR REPLACE FUNCTION threadline.unrestorable(
    audited_table integer, target regclass, image jsonb, captured_at timestamptz, whole boolean
) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(c.name ORDER BY c.name), '{}')
    FROM threadline.column_policy(audited_table, target) AS c
    JOIN pg_attribute AS a ON a.attrelid = target AND a.attname = c.name AND a.attgenerated = ''
    WHERE threadline.is_erased(image -> c.name) OR (c.column_policy <> 'plain' OR c.plain_since > captured_at)
      AND CASE WHEN image ? c.name THEN image -> c.name <> 'null' ELSE whole END
      OR whole AND c.name = ANY (threadline.unrecorded(threadline.alterations_of(audited_table), image, captured_at));
END;
