-- The columns of an image whose values the audit does not have: masked ones
-- that are not NULL, and, for a whole row, those it was never given.
CREATE FUNCTION threadline.unrestorable(audited_table integer, image jsonb, whole boolean) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(c.name ORDER BY c.name), '{}')
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (name text, treatment text)
    WHERE t.id = audited_table
      AND CASE c.treatment
              WHEN 'mask' THEN coalesce(image -> c.name, 'null') <> 'null'
              WHEN 'exclude' THEN whole
              ELSE false
          END;
END;
