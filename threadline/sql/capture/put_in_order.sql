-- Puts changes of one record in the order in which they happened, where triggers
-- of the application wrote to rows of the very statement that fired them: what
-- these did is recorded before the statement itself is, which is the first moment
-- that it can be. The changes that were recorded from an id on take the place at
-- which each follows from the one before, and the live row from the last. No other
-- transaction has seen any of them. A statement that is itself a trigger's comes
-- after one that is not recorded yet: what follows from it is all that can be told.
-- The write goes through whatever happens here.
CREATE FUNCTION threadline.put_in_order(
    audited_table integer, target regclass, image_expression text, built_for jsonb, first_change bigint, nested boolean
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
-- With it, what a CHECK calls would run as the owner of the audit.
SET constraint_exclusion = off
SET jit = off
AS $$
DECLARE
    tl_own bigint[] := ARRAY(
        SELECT x.id FROM threadline.audit_transactions AS x WHERE x.xact_id = pg_current_xact_id() AND x.occurred_at = now());
    tl_record record;
    tl_live jsonb;
    tl_readable regclass := threadline.readable(target);
    tl_stand boolean;
    tl_where text;
BEGIN
    FOR tl_record IN
        WITH recorded AS (
            SELECT c AS change
            FROM threadline.audit_changes AS c
            WHERE c.transaction_id = ANY (tl_own) AND c.id > first_change AND c.table_id = audited_table
        )
        SELECT k.record_key,
               array_agg(r.change ORDER BY (r.change).previous_key = k.record_key DESC NULLS LAST, (r.change).id) AS recorded,
               former.changes AS former
        FROM recorded AS r
        CROSS JOIN LATERAL (VALUES ((r.change).record_key), ((r.change).previous_key)) AS k (record_key)
        CROSS JOIN LATERAL (
            SELECT array_agg(o.change ORDER BY (o.change).id) AS changes
            FROM (
                SELECT c FROM threadline.audit_changes AS c
                WHERE c.table_id = audited_table AND c.record_key = k.record_key AND c.id < first_change
                  AND c.transaction_id = ANY (tl_own)
                UNION ALL
                SELECT c FROM threadline.audit_changes AS c
                WHERE c.table_id = audited_table AND c.previous_key = k.record_key AND c.id < first_change
                  AND c.transaction_id = ANY (tl_own) AND c.previous_key IS NOT NULL
            ) AS o (change)
        ) AS former
        WHERE former.changes IS NOT NULL
        GROUP BY k.record_key, former.changes
    LOOP
        IF tl_readable IS NOT NULL THEN
            tl_where := threadline.key_condition(audited_table, tl_record.record_key, 'tl_row');
            tl_stand := coalesce(tl_stand, threadline.columns_match(threadline.audited_relation(target, (built_for ->> 'relation')::oid), built_for));
            BEGIN
                IF NOT tl_stand THEN
                    RAISE 'the columns have changed';
                END IF;
                EXECUTE format('SELECT %s FROM %s AS tl_row WHERE %s', image_expression, tl_readable, tl_where) INTO tl_live;
            EXCEPTION WHEN OTHERS THEN
                EXECUTE format(
                    'SELECT (threadline.capture_changed_table(%s, %L, threadline.row_image(tl_row.*), NULL)).old_image FROM %s AS tl_row WHERE %s',
                    target::oid, built_for, tl_readable, tl_where)
                INTO tl_live;
            END;
        END IF;
        FOR tl_place IN REVERSE cardinality(tl_record.former)..0 LOOP
            IF threadline.is_chain(
                CASE WHEN nested THEN '{}' ELSE tl_record.former[:tl_place] END
                    || tl_record.recorded || tl_record.former[tl_place + 1:],
                tl_record.record_key, tl_live, tl_readable IS NOT NULL)
            THEN
                FOR tl_later IN tl_place + 1..cardinality(tl_record.former) LOOP
                    UPDATE threadline.audit_changes AS c
                    SET id = DEFAULT
                    WHERE c.transaction_id = (tl_record.former[tl_later]).transaction_id AND c.id = (tl_record.former[tl_later]).id;
                END LOOP;
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    -- They stay in the order in which they were recorded.
END
$$;
