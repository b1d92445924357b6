-- Notes columns of a policy that the table does not have now, so that a column of that name is
-- redacted from the moment it comes back.
CREATE OR REPLACE FUNCTION threadline.note_absent(target regclass, policy jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_id integer := threadline.known_table_of(target);
BEGIN
    PERFORM threadline.require_handed_over(target);
    UPDATE threadline.audited_tables AS t
    SET columns = t.columns || coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            -- No table has so many columns.
            'number', 20000 + absent.ordinal, 'name', absent.name, 'type', 'text',
            'column_policy', CASE absent.column_policy WHEN 'exclude' THEN 'exclude' ELSE 'mask' END))
        FROM threadline.column_policies(note_absent.policy) WITH ORDINALITY AS absent (name, column_policy, rank, ordinal)
        WHERE absent.column_policy <> 'plain'
          AND absent.name NOT IN (SELECT live.name FROM threadline.columns_of(target) AS live)
          AND NOT EXISTS (SELECT FROM jsonb_to_recordset(t.columns) AS c (name text) WHERE c.name = absent.name)), '[]')
    WHERE t.id = tl_id;
    PERFORM threadline.build_function(tl_id, target);
END
$$;
REVOKE ALL ON FUNCTION threadline.note_absent(regclass, jsonb) FROM PUBLIC;
