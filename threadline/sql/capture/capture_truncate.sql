-- Records every row that a TRUNCATE is about to remove from a relation. Runs for each relation
-- that the statement names or reaches and that carries the trigger; partitions without one are
-- covered by their parent's. If the number of rows exceeds audited_tables.truncate_limit, one
-- record gives the number, so that TRUNCATE stays fast.
CREATE OR REPLACE FUNCTION threadline.capture_truncate(audited_table integer, target oid, built_for jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
-- Otherwise, functions that a CHECK calls would run as the owner of the audit.
SET constraint_exclusion = off
SET jit = off AS $$
DECLARE
    tl_limit bigint := coalesce((SELECT t.truncate_limit FROM threadline.audited_tables AS t WHERE t.id = audited_table), 100000);
    tl_redaction jsonb := threadline.redaction_now(
        threadline.audited_relation(target, (built_for ->> 'relation')::oid), built_for);
    tl_part regclass;
    tl_count bigint;
    tl_readable regclass;
    tl_from text;
    tl_where text;
BEGIN
    FOR tl_part IN
        SELECT c.oid
        FROM pg_class AS c
        WHERE c.relkind IN ('r', 'p', 'f') AND (
            c.oid = target
            OR (c.oid IN (SELECT relid FROM pg_partition_tree(target)) AND NOT EXISTS (
                SELECT FROM pg_trigger AS t
                WHERE t.tgrelid = c.oid AND t.tgfoid = format('threadline.capture_%s', audited_table)::regproc
                  AND t.tgtype & 32 <> 0))
        )
    LOOP
        tl_readable := threadline.readable(tl_part);
        IF tl_readable IS NULL THEN
            PERFORM threadline.append_truncated(audited_table, tl_part);
            CONTINUE;
        END IF;
        BEGIN
            tl_from := format(CASE WHEN tl_readable = tl_part THEN 'ONLY %s AS tl_row' ELSE '%s AS tl_row' END, tl_readable);
            tl_where := CASE WHEN tl_readable <> tl_part THEN format('WHERE tl_row.tableoid = %s', tl_part::oid) END;
            EXECUTE format('SELECT count(*) FROM (SELECT FROM %s %s LIMIT %s) AS tl_some', tl_from, tl_where, tl_limit + 1) INTO tl_count;
            IF tl_count > tl_limit THEN
                EXECUTE format('SELECT count(*) FROM %s %s', tl_from, tl_where) INTO tl_count;
                PERFORM threadline.append_truncated(audited_table, tl_part, new_row => jsonb_build_object('rows', tl_count));
                CONTINUE;
            END IF;
            EXECUTE format(
                'SELECT count(threadline.append_truncated($1, $2, (threadline.redacted_change(%s, NULL, $3)).old_row)) FROM %s %s',
                threadline.image_of(tl_readable, 'tl_row'), tl_from, tl_where)
            USING audited_table, tl_part, tl_redaction;
        EXCEPTION WHEN insufficient_privilege OR raise_exception OR data_exception OR undefined_function THEN
            -- A row-level policy failed, or may not be applied: only the fact that rows were
            -- removed can be recorded.
            PERFORM threadline.append_truncated(audited_table, tl_part);
            CONTINUE;
        END;
        -- TRUNCATE removes rows that this transaction cannot see. A record without a key shows
        -- that the recorded rows are not all.
        IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable')
           OR row_security_active(tl_part) THEN
            PERFORM threadline.append_truncated(audited_table, tl_part);
        END IF;
    END LOOP;
    IF (SELECT (t.policy -> 'require_actor')::boolean FROM threadline.audited_tables AS t WHERE t.id = audited_table) THEN
        PERFORM threadline.require_actor(audited_table);
    END IF;
END
$$;
SELECT threadline.pin_settings('threadline.capture_truncate(integer, oid, jsonb)');
