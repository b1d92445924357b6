-- Builds a table's capture anew from its columns as they are now, under the
-- same policy. Call it in the migration that changes the columns. A redacted
-- column follows its column through a rename.
CREATE FUNCTION threadline.refresh(target regclass) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_mask text[];
    tl_exclude text[];
    tl_columns text[];
    tl_clear text[];
    tl_token text[];
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables WHERE id = threadline.audited_table_of(target);
    IF tl_table.id IS NULL AND threadline.audited_table_of(target) IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: what was decided for table % was not restored with it; say it again with SELECT threadline.audit(''%'', ...)',
            target, target;
    ELSIF tl_table.id IS NULL THEN
        RAISE EXCEPTION 'threadline: table % is not audited; start with SELECT threadline.audit(''%'')', target, target;
    END IF;
    IF tl_table.relation <> target::oid AND EXISTS (
        SELECT FROM jsonb_to_recordset(tl_table.columns) AS c (name text, treatment text)
        WHERE c.treatment <> 'clear' AND c.name NOT IN (SELECT name FROM threadline.columns_of(target))
    ) THEN
        RAISE EXCEPTION 'threadline: table % was restored or created anew, and a redacted column of it has another name now; say which with SELECT threadline.audit(''%'', mask => ..., exclude => ...)',
            target, target;
    END IF;
    SELECT coalesce(array_agg(live.name) FILTER (WHERE tl_table.policy -> 'mask' ? c.name), '{}'),
           coalesce(array_agg(live.name) FILTER (WHERE tl_table.policy -> 'exclude' ? c.name), '{}'),
           array_agg(live.name) FILTER (WHERE tl_table.policy -> 'columns' ? c.name),
           coalesce(array_agg(live.name) FILTER (WHERE tl_table.policy -> 'clear' ? c.name), '{}'),
           coalesce(array_agg(live.name) FILTER (WHERE tl_table.policy -> 'token' ? c.name), '{}')
    INTO tl_mask, tl_exclude, tl_columns, tl_clear, tl_token
    FROM jsonb_to_recordset(tl_table.columns) AS c (number smallint, name text, treatment text)
    JOIN threadline.columns_of(target) AS live
      ON CASE WHEN tl_table.relation = target::oid THEN live.number = c.number ELSE live.name = c.name END;
    RETURN threadline.audit(target, tl_mask, tl_exclude, (tl_table.policy -> 'require_actor')::boolean,
        keyless => tl_table.key_columns = '{}',
        columns => tl_columns,
        operations => (SELECT array_agg(o) FROM jsonb_array_elements_text(tl_table.policy -> 'operations') AS o),
        condition => tl_table.policy ->> 'condition',
        clear => tl_clear,
        token => tl_token);
END
$$;
