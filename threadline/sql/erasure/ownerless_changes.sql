-- Returns the changes with personal values of a table of a plan whose owner is unknown, because a
-- legal hold kept them, and a purge removed the changes before them that named it.
CREATE OR REPLACE FUNCTION threadline.ownerless_changes(plan jsonb) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tl_names jsonb := threadline.erased_names(plan);
    tl_owners jsonb := threadline.owner_names(plan);
BEGIN
    IF tl_owners <> '{}' AND EXISTS (SELECT FROM threadline.legal_holds) THEN
        RETURN QUERY
        SELECT c.id
        FROM threadline.kept_images AS k
        JOIN threadline.ledger_changes AS c ON c.table_id = k.table_id AND c.record_key = k.record_key AND c.id < k.id
        WHERE k.table_id = (plan -> 'table_id')::integer AND c.op = 'U' AND c.row_data IS NULL
          AND EXISTS (
              SELECT
              FROM unnest(threadline.hidden_names(tl_names, c.captured_at)) AS n
              CROSS JOIN LATERAL (VALUES (c.changed_from -> n), (c.changed_to -> n)) AS v (value)
              WHERE v.value <> 'null' AND NOT threadline.is_erased(v.value))
          AND EXISTS (
              SELECT
              FROM jsonb_each(tl_owners) AS o
              CROSS JOIN LATERAL (SELECT threadline.hidden_names(o.value, c.captured_at) AS names) AS at
              WHERE at.names <> '{}' AND NOT c.changed_from ?| at.names);
    END IF;
END
$$;
