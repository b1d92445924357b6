-- Records every row that a TRUNCATE is about to remove from a relation. Runs
-- for each relation that the statement names or reaches and that carries the
-- trigger; partitions without one are covered by their parent's. Of more rows than
-- audited_tables.truncate_limit, one record says how many there were: TRUNCATE is
-- called because it is quick.
CREATE FUNCTION threadline.capture_truncate(
    audited_table integer, target oid, key_expression text, image_expression text, built_for jsonb
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
-- With it, what a CHECK calls would run as the owner of the audit.
SET constraint_exclusion = off
SET jit = off
AS $$
DECLARE
    tl_transaction bigint;
    tl_part regclass;
    tl_limit bigint := coalesce((SELECT t.truncate_limit FROM threadline.audited_tables AS t WHERE t.id = audited_table), 100000);
    tl_count bigint;
    tl_readable regclass;
    tl_from text;
    tl_where text;
BEGIN
    FOR tl_part IN
        SELECT c.oid
        FROM pg_class AS c
        WHERE c.relkind IN ('r', 'p') AND (
            c.oid = target
            OR (c.oid IN (SELECT relid FROM pg_partition_tree(target)) AND NOT EXISTS (
                SELECT FROM pg_trigger AS t
                WHERE t.tgrelid = c.oid AND t.tgfoid = format('threadline.capture_%s', audited_table)::regproc
                  AND t.tgtype & 32 <> 0))
        )
    LOOP
        tl_transaction := coalesce(tl_transaction, threadline.current_transaction());
        tl_readable := threadline.readable(tl_part);
        IF tl_readable IS NULL THEN
            INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op)
            VALUES (tl_transaction, clock_timestamp(), audited_table, 'T');
            CONTINUE;
        END IF;
        BEGIN
            tl_from := format(CASE WHEN tl_readable = tl_part THEN 'ONLY %s AS tl_row' ELSE '%s AS tl_row' END, tl_readable);
            tl_where := CASE WHEN tl_readable <> tl_part THEN format('WHERE tl_row.tableoid = %s', tl_part::oid) END;
            EXECUTE format('SELECT count(*) FROM (SELECT FROM %s %s LIMIT %s) AS tl_some', tl_from, tl_where, tl_limit + 1) INTO tl_count;
            IF tl_count > tl_limit THEN
                EXECUTE format('SELECT count(*) FROM %s %s', tl_from, tl_where) INTO tl_count;
                INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, changed_from)
                VALUES (tl_transaction, clock_timestamp(), audited_table, 'T', jsonb_build_object('rows', tl_count));
                CONTINUE;
            END IF;
            BEGIN
                IF NOT threadline.columns_match(threadline.audited_relation(target, (built_for ->> 'relation')::oid), built_for) THEN
                    RAISE 'the columns have changed';
                END IF;
                EXECUTE format(
                    'INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, record_key, row_data)
                     SELECT $1, clock_timestamp(), $2, ''T'', %s, %s FROM %s %s',
                    key_expression, image_expression, tl_from, tl_where)
                USING tl_transaction, audited_table;
            EXCEPTION WHEN OTHERS THEN
                EXECUTE format(
                    'INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, record_key, row_data)
                     SELECT $1, clock_timestamp(), $2, ''T'', c.record_key, c.old_image
                     FROM %s
                     CROSS JOIN LATERAL threadline.capture_changed_table($3, $4, threadline.row_image(tl_row.*), NULL) AS c %s',
                    tl_from, tl_where)
                USING tl_transaction, audited_table, target, built_for;
            END;
        EXCEPTION WHEN OTHERS THEN
            -- A row-level policy failed, or may not be applied: that rows are gone is all that can be said.
            INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op)
            VALUES (tl_transaction, clock_timestamp(), audited_table, 'T');
            CONTINUE;
        END;
        -- TRUNCATE removes rows that this transaction cannot see. That they
        -- are not all here is said, by a record without a key.
        IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable')
           OR row_security_active(tl_part) THEN
            INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op)
            VALUES (tl_transaction, clock_timestamp(), audited_table, 'T');
        END IF;
    END LOOP;
    IF tl_transaction IS NOT NULL AND (
        SELECT (policy -> 'require_actor')::boolean FROM threadline.audited_tables WHERE id = audited_table
    ) THEN
        PERFORM threadline.require_actor(audited_table, tl_transaction);
    END IF;
END
$$;
