-- The source of the function that records what a statement did to an ordinary
-- table, from its transition tables: all rows in one query. For the one row that
-- most statements touch, expressions of PL/pgSQL are quicker than a query of
-- them.
--
-- What can fail for the values of a row is done in a block with a handler, and
-- written after it: a subtransaction that writes takes a transaction id, and many
-- of those in one transaction slow down everybody. Only what a statement did to
-- more rows than fit into memory is written inside.
CREATE FUNCTION threadline.statement_capture_source(audited_table integer, target regclass) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $statement_capture_source$
DECLARE
    tl_table threadline.audited_tables;
    tl_built_for jsonb := threadline.built_for(audited_table, target);
    -- Constants alone, so that it is asked when a query is planned.
    tl_stands text := format('threadline.columns_stand(%s, %L)', audited_table, threadline.fingerprint(target));
    tl_old_key text := threadline.key_expression(audited_table, 'tl_before');
    tl_new_key text := threadline.key_expression(audited_table, 'tl_after');
    tl_old_image text := threadline.image_expression(audited_table, target, 'tl_before');
    tl_new_image text := threadline.image_expression(audited_table, target, 'tl_after');
    tl_old_values text := threadline.changes_expression(audited_table, target, 'tl_before', 'tl_after', 'tl_before');
    tl_new_values text := threadline.changes_expression(audited_table, target, 'tl_before', 'tl_after', 'tl_after');
    tl_keys text;
    tl_same_key text;
    tl_record text;
    tl_updated text;
    tl_moved text;
    tl_inserted text;
    tl_deleted text;
    tl_keyless text;
    tl_has_actor text;
    tl_require_actor text;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;
    IF tl_table.key_columns = '{}' THEN
        -- Nothing but the whole row says which one it was.
        tl_keyless := ' OR true';
    END IF;
    SELECT coalesce(string_agg(format('array_agg(tl_row.%I)', k.name), ', ' ORDER BY k.ordinal), 'NULL'),
           string_agg(format('tl_before.%1$I = tl_after.%1$I', k.name), ' AND ' ORDER BY k.ordinal)
    INTO tl_keys, tl_same_key
    FROM unnest(tl_table.key_columns) WITH ORDINALITY AS k (name, ordinal);
    tl_record := format(
        $record$INSERT INTO threadline.audit_changes (
                    transaction_id, captured_at, table_id, statement, op,
                    record_key, previous_key, changed_from, changed_to, row_data)
                SELECT (SELECT threadline.current_transaction()), clock_timestamp(), %s,
                       CASE WHEN c.previous_key IS NOT NULL THEN (SELECT threadline.statement_number()) END, %%s::"char",
                       c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
                FROM$record$,
        audited_table);
    IF (tl_table.policy -> 'require_actor')::boolean THEN
        tl_has_actor := ' AND t.actor_type IS NOT NULL';
        tl_require_actor := format('PERFORM threadline.require_actor(%s, threadline.current_transaction());', audited_table);
    END IF;
    tl_updated := format(
        $rows$SELECT * FROM (
            SELECT %s AS record_key, NULL::text AS previous_key, %s AS changed_from, %s AS changed_to, NULL::jsonb AS row_data
            FROM tl_old AS tl_before
            JOIN tl_new AS tl_after ON %s
            OFFSET 0
        ) AS pair
        WHERE changed_from <> '{}'$rows$,
        tl_new_key, tl_old_values, tl_new_values, tl_same_key);
    tl_moved := format(
        $rows$SELECT record_key, previous_key, changed_from, changed_to,
               CASE WHEN previous_key IS NOT NULL%6$s THEN row_data - 'tl_position' END AS row_data
        FROM (
            SELECT %2$s AS record_key, nullif(%1$s, %2$s) AS previous_key, %3$s AS changed_from, %4$s AS changed_to,
                   %5$s AS row_data
            FROM (SELECT *, row_number() OVER () AS tl_position FROM tl_old) AS tl_before
            JOIN (SELECT *, row_number() OVER () AS tl_position FROM tl_new) AS tl_after USING (tl_position)
            ORDER BY tl_position
            OFFSET 0
        ) AS pair
        WHERE changed_from <> '{}' OR previous_key IS NOT NULL$rows$,
        tl_old_key, tl_new_key, tl_old_values, tl_new_values, tl_old_image, tl_keyless);
    IF tl_table.key_columns = '{}' THEN
        tl_updated := tl_moved;
    END IF;
    tl_inserted := format(
        $rows$SELECT %s AS record_key, NULL::text AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, %s AS row_data
        FROM tl_new AS tl_after$rows$,
        tl_new_key, tl_new_image);
    tl_deleted := format(
        $rows$SELECT %s AS record_key, NULL::text AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, %s AS row_data
        FROM tl_old AS tl_before$rows$,
        tl_old_key, tl_old_image);
    RETURN format(
        $template$
#variable_conflict use_column
DECLARE
    tl_rows text := 'one';
    tl_place tid;
    tl_transaction bigint;
    tl_statement integer;
    tl_before record;
    tl_after record;
    tl_key text;
    tl_previous_key text;
    tl_from jsonb;
    tl_to jsonb;
    tl_row_data jsonb;
    tl_unchanged text[];
    tl_count bigint;
    tl_keys_stay boolean;
    tl_few threadline.captured[];
    tl_depth integer := pg_trigger_depth();
    tl_nested integer;
    tl_first_change bigint;
BEGIN
    -- Written through its parent, a partition fires row triggers alone; they
    -- record whatever is written to it.
    IF pg_partition_root(TG_RELID) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    %24$s

    BEGIN
        tl_nested := nullif(current_setting('threadline.nested_%8$s', true), '');
        IF tl_nested > tl_depth THEN
            tl_first_change := nextval('threadline.audit_changes_id_seq'::regclass);
        END IF;
        IF current_setting('threadline.transaction_context', true) = coalesce(current_setting('threadline.context', true), '') THEN
            tl_place := nullif(split_part(current_setting('threadline.transaction', true), ' ', 2), '');
        END IF;
        IF TG_OP = 'UPDATE' THEN
            SELECT * INTO STRICT tl_after FROM tl_new WHERE %1$s;
            SELECT * INTO STRICT tl_before FROM tl_old;
            tl_key := %3$s;
            tl_previous_key := nullif(%2$s, tl_key);
            IF tl_place IS NULL THEN
                -- Expressions are made ready once in a transaction; of short ones
                -- the first is quicker, of long ones whatever follows.
                tl_unchanged := %25$s;
                tl_from := %6$s - tl_unchanged;
                tl_to := %7$s - tl_unchanged;
            ELSE
                tl_from := %4$s;
                tl_to := %5$s;
            END IF;
            IF tl_from = '{}' AND tl_previous_key IS NULL THEN
                RETURN NULL;
            ELSIF tl_previous_key IS NOT NULL%23$s THEN
                tl_row_data := %6$s;
                tl_statement := threadline.statement_number();
            END IF;
        ELSIF TG_OP = 'INSERT' THEN
            SELECT %3$s, %7$s INTO STRICT tl_key, tl_row_data FROM tl_new AS tl_after WHERE %1$s;
        ELSE
            SELECT %2$s, %6$s INTO STRICT tl_key, tl_row_data FROM tl_old AS tl_before WHERE %1$s;
        END IF;
    EXCEPTION
        WHEN too_many_rows THEN
            tl_rows := 'some';
        WHEN OTHERS THEN
            tl_rows := 'careful';
    END;

    IF tl_rows = 'one' THEN
        IF tl_place IS NOT NULL THEN
            INSERT INTO threadline.audit_changes (
                transaction_id, captured_at, table_id, statement, op,
                record_key, previous_key, changed_from, changed_to, row_data)
            SELECT t.id, clock_timestamp(), %8$s, tl_statement, left(TG_OP, 1)::"char",
                   tl_key, tl_previous_key, tl_from, tl_to, tl_row_data
            FROM threadline.audit_transactions AS t
            WHERE t.ctid = tl_place AND t.xact_id = pg_current_xact_id() AND t.occurred_at = now()
              AND clock_timestamp() < coalesce(t.extended_until, t.opened_at + interval '1 hour')%9$s;
            IF FOUND THEN
                tl_rows := 'done';
            END IF;
        END IF;
        IF tl_rows = 'one' THEN
            tl_transaction := CASE WHEN coalesce(current_setting('threadline.transaction', true), '') = ''
                THEN threadline.open_transaction(current_setting('threadline.context', true))
                ELSE threadline.current_transaction() END;
            INSERT INTO threadline.audit_changes (
                transaction_id, captured_at, table_id, statement, op,
                record_key, previous_key, changed_from, changed_to, row_data)
            VALUES (tl_transaction, clock_timestamp(), %8$s, tl_statement, left(TG_OP, 1)::"char",
                    tl_key, tl_previous_key, tl_from, tl_to, tl_row_data);
            %10$s
        END IF;
    END IF;

    IF tl_rows = 'some' THEN
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                -- Both tables have the rows in one order. Where a key changed, a row
                -- is found again by its position; that takes longer.
                SELECT now.count, former.keys *= now.keys AND now.count < 1000000
                INTO tl_count, tl_keys_stay
                FROM (SELECT ROW(%12$s) AS keys FROM (SELECT * FROM tl_old LIMIT 1000000) AS tl_row) AS former,
                     (SELECT ROW(%12$s) AS keys, count(*) FROM (SELECT * FROM tl_new LIMIT 1000000) AS tl_row) AS now;
            ELSIF TG_OP = 'INSERT' THEN
                SELECT count(*) INTO tl_count FROM (SELECT FROM tl_new LIMIT 101) AS tl_row;
            ELSE
                SELECT count(*) INTO tl_count FROM (SELECT FROM tl_old LIMIT 101) AS tl_row;
            END IF;
            IF tl_count > 100 THEN
                -- Planned for as many as they are.
                tl_rows := 'many';
                EXECUTE CASE WHEN TG_OP = 'INSERT' THEN %20$L WHEN TG_OP = 'DELETE' THEN %21$L
                             WHEN tl_keys_stay THEN %18$L ELSE %19$L END;
                GET DIAGNOSTICS tl_count = ROW_COUNT;
            ELSIF TG_OP = 'INSERT' THEN
                SELECT array_agg(ROW(c.*)::threadline.captured) INTO tl_few FROM (%16$s) AS c;
            ELSIF TG_OP = 'DELETE' THEN
                SELECT array_agg(ROW(c.*)::threadline.captured) INTO tl_few FROM (%17$s) AS c;
            ELSIF tl_keys_stay THEN
                SELECT array_agg(ROW(c.*)::threadline.captured) INTO tl_few FROM (%14$s) AS c;
            ELSE
                SELECT array_agg(ROW(c.*)::threadline.captured) INTO tl_few FROM (%15$s) AS c;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            tl_rows := 'careful';
        END;
        IF tl_rows = 'some' THEN
            %13$s unnest(tl_few) AS c;
            GET DIAGNOSTICS tl_count = ROW_COUNT;
        END IF;
    END IF;

    IF tl_rows = 'careful' THEN
        IF TG_OP = 'UPDATE' THEN
            %13$s (
                SELECT t.record_key, t.previous_key, t.old_image AS changed_from, t.new_image AS changed_to,
                       CASE WHEN t.previous_key IS NOT NULL%23$s THEN t.moved_row END AS row_data
                FROM (
                    SELECT image, row_number() OVER () AS position
                    FROM (SELECT threadline.row_image(tl_row, TG_RELID) AS image FROM tl_old AS tl_row OFFSET 0) AS i
                ) AS former
                JOIN (
                    SELECT image, row_number() OVER () AS position
                    FROM (SELECT threadline.row_image(tl_row, TG_RELID) AS image FROM tl_new AS tl_row OFFSET 0) AS i
                ) AS now USING (position)
                CROSS JOIN LATERAL threadline.capture_changed_table(TG_RELID, %11$L, former.image, now.image) AS t
                WHERE t.previous_key IS NOT NULL OR t.old_image <> '{}' OR t.new_image <> '{}'
            ) AS c;
        ELSIF TG_OP = 'INSERT' THEN
            %13$s (
                SELECT t.record_key, NULL AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, t.new_image AS row_data
                FROM tl_new AS tl_row
                CROSS JOIN LATERAL threadline.capture_changed_table(TG_RELID, %11$L, NULL, threadline.row_image(tl_row, TG_RELID)) AS t
            ) AS c;
        ELSE
            %13$s (
                SELECT t.record_key, NULL AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, t.old_image AS row_data
                FROM tl_old AS tl_row
                CROSS JOIN LATERAL threadline.capture_changed_table(TG_RELID, %11$L, threadline.row_image(tl_row, TG_RELID), NULL) AS t
            ) AS c;
        END IF;
        GET DIAGNOSTICS tl_count = ROW_COUNT;
    END IF;
    IF tl_count > 0 THEN
        %10$s
    END IF;
    IF tl_first_change IS NOT NULL THEN
        PERFORM threadline.put_in_order(%8$s, TG_RELID, %22$L, tl_first_change);
        PERFORM set_config('threadline.nested_%8$s', nullif(tl_depth, 1)::text, true);
    ELSIF tl_depth > 1 AND tl_depth > coalesce(tl_nested, 1) THEN
        PERFORM set_config('threadline.nested_%8$s', tl_depth::text, true);
    END IF;
    RETURN NULL;
END
$template$,
        tl_stands, tl_old_key, tl_new_key, tl_old_values, tl_new_values, tl_old_image, tl_new_image,
        audited_table, tl_has_actor, tl_require_actor, tl_built_for, tl_keys, format(tl_record, 'left(TG_OP, 1)'),
        tl_updated, tl_moved, tl_inserted, tl_deleted,
        format(tl_record || ' (%s) AS c', '''U''', tl_updated), format(tl_record || ' (%s) AS c', '''U''', tl_moved),
        format(tl_record || ' (%s) AS c', '''I''', tl_inserted), format(tl_record || ' (%s) AS c', '''D''', tl_deleted),
        threadline.image_expression(audited_table, target, 'tl_row'), tl_keyless,
        threadline.guard(audited_table, target),
        threadline.unchanged_expression(audited_table, target, 'tl_before', 'tl_after'));
END
$statement_capture_source$;
