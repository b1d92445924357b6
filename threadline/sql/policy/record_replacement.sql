-- Records the differences when one table replaces another: rows that are only in one of them, and
-- rows that differ in a column that both have with the same type. Runs as the owner of the audit,
-- for threadline.audit(continues => ...).
CREATE OR REPLACE FUNCTION threadline.record_replacement(former regclass, target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
-- Otherwise, functions that a CHECK calls would run as the owner of the audit.
SET constraint_exclusion = off
SET jit = off AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_table threadline.audited_tables;
    tl_common text[];
    tl_recorded bigint;
BEGIN
    PERFORM threadline.require_handed_over(former);
    PERFORM threadline.require_handed_over(target);
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables AS t WHERE t.id = tl_id;
    IF tl_table.policy ?| '{operations,condition}' THEN
        -- The policy does not record every change.
        RETURN;
    END IF;
    tl_common := ARRAY(
        SELECT n.name
        FROM threadline.columns_of(target) AS n
        JOIN threadline.columns_of(former) AS o ON o.name = n.name AND o.type = n.type
        JOIN jsonb_to_recordset(tl_table.columns) AS c (name text, column_policy text) ON c.name = n.name AND c.column_policy <> 'exclude'
        ORDER BY n.number);
    EXECUTE format(
        $query$
        INSERT INTO threadline.journal (
            id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth, old_row, new_row, changed)
        SELECT nextval('threadline.entry_ids'), $1, pg_current_xact_id(), now(), clock_timestamp(), d.op, $2, $3, 1,
               i.old_row - i.elsewhere, i.new_row - i.elsewhere, d.changed
        FROM (
            SELECT CASE WHEN o.tableoid IS NULL THEN 'I' WHEN n.tableoid IS NULL THEN 'D' ELSE 'U' END::"char" AS op,
                   CASE WHEN o.tableoid IS NOT NULL THEN %1$s END AS old_row,
                   CASE WHEN n.tableoid IS NOT NULL THEN %2$s END AS new_row,
                   CASE WHEN o.tableoid IS NOT NULL AND n.tableoid IS NOT NULL THEN array_remove(ARRAY[%3$s]::text[], NULL) END AS changed
            FROM %4$s AS o
            FULL JOIN %5$s AS n ON %6$s
        ) AS d
        CROSS JOIN LATERAL threadline.redacted_change(d.old_row, d.new_row, $4) AS r
        CROSS JOIN LATERAL (
            SELECT r.old_row, r.new_row, CASE d.op
                WHEN 'U' THEN ARRAY(SELECT key FROM jsonb_object_keys(r.old_row || r.new_row) AS key WHERE key <> ALL ($5))
                ELSE '{}' END AS elsewhere
        ) AS i
        WHERE d.op <> 'U' OR d.changed <> '{}'
        $query$,
        threadline.image_of(former, 'o'),
        threadline.image_of(target, 'n'),
        (SELECT string_agg(format('CASE WHEN record_image_ne(ROW(o.%1$s), ROW(n.%1$s)) THEN %2$L END', threadline.quoted(name), name), ', ')
         FROM unnest(tl_common) AS name),
        threadline.own_rows(former),
        threadline.own_rows(target),
        (SELECT string_agg(format('o.%1$s = n.%1$s', threadline.quoted(k.name)), ' AND ') FROM threadline.key_columns_of(target) AS k))
    USING threadline.current_transaction(), tl_id, target::oid,
        threadline.redaction_now(target, threadline.built_for(tl_id, target)), tl_common;
    GET DIAGNOSTICS tl_recorded = ROW_COUNT;
    IF tl_recorded > 0 AND (tl_table.policy -> 'require_actor')::boolean THEN
        PERFORM threadline.require_actor(tl_id);
    END IF;
END
$$;
SELECT threadline.pin_settings('threadline.record_replacement(regclass, regclass)');
REVOKE ALL ON FUNCTION threadline.record_replacement(regclass, regclass) FROM PUBLIC;
