-- Fails if the owner of a record is unknown: no change shows it, and the row cannot be read.
CREATE OR REPLACE FUNCTION threadline.refuse_unknown(plan jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_table integer := (plan -> 'table_id')::integer;
    tl_relation regclass := threadline.locate_table(tl_table);
    tl_columns text[] := threadline.all_names(threadline.erased_names(plan));
    tl_by text[] := threadline.all_owner_names(threadline.owner_names(plan));
BEGIN
    IF tl_relation IS NOT NULL AND threadline.readable(tl_relation) IS NULL AND EXISTS (
        SELECT
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = tl_table AND c.op = 'U' AND c.previous_key IS NULL AND c.changed_from ?| tl_columns
          AND NOT EXISTS (
              SELECT FROM threadline.ledger_changes AS said
              WHERE said.table_id = tl_table AND said.record_key = c.record_key
                AND (said.row_data ?| tl_by OR said.changed_from ?| tl_by)))
    THEN
        RAISE EXCEPTION 'threadline: the owner of the audit cannot read table % without running functions of others, and rows older than its audit have no change that names their owner', tl_relation
            USING HINT = format('GRANT SELECT ON %s TO %s;', tl_relation, current_user);
    END IF;
END
$$;
