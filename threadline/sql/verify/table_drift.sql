-- Returns the faults in the capture of the audited tables, or of one of them.
CREATE OR REPLACE FUNCTION threadline.table_drift(target regclass DEFAULT NULL) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET jit = off AS $$
DECLARE
    tl_audited record;
    tl_columns threadline.finding[];
BEGIN
    FOR tl_audited IN
        SELECT t.id, t.schema_name, t.table_name, t.audited_since, at.relation,
               EXISTS (
                   SELECT FROM pg_trigger AS g
                   WHERE g.tgrelid = at.relation
                     AND g.tgfoid = to_regproc('threadline.capture_' || t.id)
               ) OR t.relation = at.relation AS known
        FROM threadline.audited_tables AS t
        CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
        WHERE t.unaudited_at IS NULL AND (target IS NULL OR at.relation = target)
        ORDER BY t.schema_name COLLATE "C", t.table_name COLLATE "C", t.id
    LOOP
        IF tl_audited.relation IS NULL THEN
            RETURN NEXT ROW('table-dropped', format('%I.%I', tl_audited.schema_name, tl_audited.table_name),
                'the table does not exist; its recorded changes remain readable',
                format('UPDATE threadline.audited_tables SET unaudited_at = now() WHERE id = %s;', tl_audited.id))::threadline.finding;
        ELSIF NOT tl_audited.known THEN
            RETURN NEXT ROW('table-recreated', tl_audited.relation::text,
                'the table was recreated, or restored without triggers; its changes are not recorded',
                threadline.successor_call(tl_audited.id, tl_audited.relation, tl_audited.relation))::threadline.finding;
        ELSE
            RETURN QUERY SELECT * FROM threadline.trigger_drift(tl_audited.id, tl_audited.relation);
            RETURN QUERY SELECT * FROM threadline.reading_drift(tl_audited.id, tl_audited.relation);
            RETURN QUERY
            SELECT 'partition-left', tl_audited.relation::text,
                   format('%s is no partition of it any more%s; its rows stay in the past until then', p.name,
                       CASE WHEN p.left_by IS NOT NULL THEN
                           format(', since %s, by role %s', to_char(p.left_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), p.left_by) END),
                   threadline.fix_for(tl_audited.id, tl_audited.relation)
            FROM threadline.partitions_left(tl_audited.id) AS p
            WHERE NOT p.is_noted
            ORDER BY p.name COLLATE "C";
            tl_columns := ARRAY(SELECT d FROM threadline.column_drift(tl_audited.id, tl_audited.relation) AS d);
            RETURN QUERY SELECT * FROM unnest(tl_columns);
            IF NOT EXISTS (SELECT FROM unnest(tl_columns) AS c WHERE c.code <> 'table-restored') THEN
                RETURN QUERY SELECT * FROM threadline.function_drift(tl_audited.id, tl_audited.relation);
            END IF;
        END IF;
    END LOOP;
    RETURN QUERY SELECT * FROM threadline.stray_triggers(target);
    IF target IS NULL THEN
        RETURN QUERY SELECT * FROM threadline.posting_drift();
        RETURN QUERY SELECT * FROM threadline.erasure_drift();
        RETURN QUERY SELECT * FROM threadline.audit_drift();
    END IF;
END
$$;
COMMENT ON FUNCTION threadline.table_drift(regclass) IS
    'Faults in the capture of audited tables, and the commands that fix them';
