-- The source of the function that records what statements of one kind did to an
-- ordinary table, from their transition tables: all rows in one query. For the one
-- row that most statements touch, expressions of PL/pgSQL are quicker than a query
-- of them; each costs most when it is first used in a transaction, so they are few.
--
-- What can fail for the values of a row is done in a block with a handler, and
-- written after it: a subtransaction that writes takes a transaction id, and many
-- of those in one transaction slow down everybody. Only what a statement did to
-- more rows than fit into memory is written inside.
CREATE FUNCTION threadline.statement_capture_source(audited_table integer, target regclass, operation text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $statement_capture_source$
DECLARE
    tl_table threadline.audited_tables;
    tl_built_for jsonb := threadline.built_for(audited_table, target);
    -- What calls them has constants alone, so that they are asked when a query is planned.
    tl_stands text := format(
        'TG_RELID = threadline.captured_relation(%1$s, %2$L::oid) AND threadline.columns_stand(threadline.captured_relation(%1$s, %2$L::oid), %3$L, true)',
        audited_table, target::oid, tl_built_for);
    tl_record text := format(
        $record$INSERT INTO threadline.audit_changes (
                    transaction_id, captured_at, table_id, statement, op,
                    record_key, previous_key, changed_from, changed_to, row_data)
                SELECT (SELECT threadline.current_transaction()), clock_timestamp(), %s,
                       CASE WHEN c.previous_key IS NOT NULL THEN (SELECT threadline.statement_number()) END, %L::"char",
                       c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
                FROM$record$,
        audited_table, left(operation, 1));
    tl_rows text := threadline.captured_rows(audited_table, target, operation);
    tl_rows_by_position text := threadline.captured_rows(audited_table, target, operation, by_position => true);
    tl_keyless text;
    tl_has_actor text;
    tl_require_actor text;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;
    IF tl_table.key_columns = '{}' THEN
        -- Nothing but the whole row says which one it was.
        tl_keyless := ' OR true';
    END IF;
    IF (tl_table.policy -> 'require_actor')::boolean THEN
        tl_has_actor := ' AND t.actor_type IS NOT NULL';
        tl_require_actor := format('PERFORM threadline.require_actor(%s, threadline.current_transaction());', audited_table);
    END IF;
    RETURN format(
        $template$
#variable_conflict use_column
DECLARE
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
    tl_careful boolean;
    tl_image text;
    tl_count bigint;
    tl_keys_stay boolean;
    tl_few threadline.captured[];
    tl_jit text;
    tl_settings text[];
    tl_set text;
    tl_depth integer;
    tl_nested integer;
    tl_turns integer;
    tl_first_change bigint;
BEGIN
    %1$s

    <<recorded>>
    BEGIN
        <<one_row>>
        BEGIN
            BEGIN
                tl_place := CASE
                    WHEN current_setting('threadline.transaction_context', true) = coalesce(current_setting('threadline.context', true), '')
                    THEN nullif(split_part(current_setting('threadline.transaction', true), ' ', 2), '')::tid END;
                %2$s
                EXIT one_row;
            EXCEPTION
                WHEN too_many_rows THEN
                    tl_careful := false;
                WHEN OTHERS THEN
                    -- Written through its parent, a partition fires row triggers alone;
                    -- they record whatever is written to it.
                    IF pg_partition_root(TG_RELID) IS NOT NULL THEN
                        RETURN NULL;
                    END IF;
                    tl_careful := true;
            END;

            IF NOT tl_careful THEN
                BEGIN
                    %3$s
                EXCEPTION WHEN OTHERS THEN
                    tl_careful := true;
                END;
                IF tl_few IS NOT NULL AND NOT tl_careful THEN
                    %4$s unnest(tl_few) AS c;
                END IF;
            END IF;
            IF tl_careful THEN
                -- With the columns that there are now, and what their types need.
                tl_settings := threadline.pin_settings();
                tl_image := threadline.whole_image(TG_RELID, 'tl_row', exact => true);
                BEGIN
                    EXECUTE format('SELECT count(%%s) FROM (%12$s) AS tl_row', tl_image);
                EXCEPTION WHEN OTHERS THEN
                    tl_image := threadline.whole_image(TG_RELID, 'tl_row', exact => false);
                END;
                EXECUTE format(%5$L, tl_image) USING TG_RELID, %11$L::jsonb;
                GET DIAGNOSTICS tl_count = ROW_COUNT;
                tl_settings := threadline.pin_settings(tl_settings);
            END IF;
            IF tl_count > 0 THEN
                %6$s
            END IF;
            EXIT recorded;
        END;

        IF tl_place IS NOT NULL THEN
            -- All columns in their order, so that nothing is put around the scan.
            INSERT INTO threadline.audit_changes (
                id, transaction_id, captured_at, table_id, statement, op,
                record_key, previous_key, changed_from, changed_to, row_data)
            OVERRIDING SYSTEM VALUE
            SELECT nextval('threadline.audit_changes_id_seq'::regclass), t.id, clock_timestamp(), %7$s, tl_statement, %8$L::"char",
                   tl_key, tl_previous_key, tl_from, tl_to, tl_row_data
            FROM threadline.audit_transactions AS t
            WHERE t.ctid = tl_place AND t.xact_id = pg_current_xact_id() AND t.occurred_at = now()
              AND clock_timestamp() < coalesce(t.extended_until, t.opened_at + interval '1 hour')%9$s;
            EXIT recorded WHEN FOUND;
        END IF;
        tl_transaction := CASE WHEN coalesce(current_setting('threadline.transaction', true), '') = ''
            THEN threadline.open_transaction(current_setting('threadline.context', true))
            ELSE threadline.current_transaction() END;
        INSERT INTO threadline.audit_changes (
            transaction_id, captured_at, table_id, statement, op,
            record_key, previous_key, changed_from, changed_to, row_data)
        VALUES (tl_transaction, clock_timestamp(), %7$s, tl_statement, %8$L::"char",
                tl_key, tl_previous_key, tl_from, tl_to, tl_row_data);
        %6$s
    END;

    IF tl_depth IS NOT NULL THEN
        IF tl_first_change IS NOT NULL THEN
            PERFORM threadline.put_in_order(%7$s, TG_RELID, %10$L, %11$L, tl_first_change, tl_depth > 1);
            -- A MERGE comes here up to three times, at one depth.
            tl_turns := coalesce(substring(current_setting('threadline.nested_%7$s', true) FROM format(' %%s ([12])$', tl_depth))::integer, 3);
            PERFORM set_config('threadline.nested_%7$s',
                CASE tl_turns WHEN 1 THEN nullif(tl_depth, 1)::text ELSE format('%%s %%s %%s', tl_nested, tl_depth, tl_turns - 1) END, true);
        ELSIF tl_depth >= greatest(tl_nested, 2) THEN
            PERFORM set_config('threadline.nested_%7$s', tl_depth::text, true);
        END IF;
    END IF;
    RETURN NULL;
END
$template$,
        threadline.guard(audited_table, target),
        CASE operation
            WHEN 'UPDATE' THEN format(
                $one$SELECT * INTO STRICT tl_after FROM tl_new WHERE %1$s;
                SELECT * INTO STRICT tl_before FROM tl_old;
                tl_key := %3$s;
                tl_previous_key := nullif(%2$s, tl_key);
                IF tl_place IS NULL THEN
                    -- Of short expressions the first use is quicker, of long ones
                    -- whatever follows.
                    tl_unchanged := %6$s;
                    tl_from := %7$s - tl_unchanged;
                    tl_to := %8$s - tl_unchanged;
                ELSE
                    tl_from := %4$s;
                    tl_to := %5$s;
                END IF;
                IF tl_from = '{}' AND tl_previous_key IS NULL THEN
                    RETURN NULL;
                ELSIF tl_previous_key IS NOT NULL%9$s THEN
                    tl_row_data := %7$s;
                    tl_statement := threadline.statement_number();
                END IF;$one$,
                tl_stands,
                threadline.key_expression(audited_table, 'tl_before'), threadline.key_expression(audited_table, 'tl_after'),
                threadline.changes_expression(audited_table, target, 'tl_before', 'tl_after', 'tl_before'),
                threadline.changes_expression(audited_table, target, 'tl_before', 'tl_after', 'tl_after'),
                threadline.unchanged_expression(audited_table, target, 'tl_before', 'tl_after'),
                threadline.image_expression(audited_table, target, 'tl_before'),
                threadline.image_expression(audited_table, target, 'tl_after'),
                tl_keyless)
            ELSE format(
                'SELECT %s, %s INTO STRICT tl_key, tl_row_data FROM %s AS tl_row WHERE %s;',
                threadline.key_expression(audited_table, 'tl_row'), threadline.image_expression(audited_table, target, 'tl_row'),
                CASE operation WHEN 'INSERT' THEN 'tl_new' ELSE 'tl_old' END, tl_stands)
        END,
        CASE operation
            WHEN 'UPDATE' THEN format(
                $many$-- Two cascades may have updated a row twice within the statement. That is asked apart:
                    -- PostgreSQL may sort what it aggregates for a DISTINCT, and the keys are compared in their order.
                    SELECT now.count, former.keys *= now.keys AND now.count < 1000000 AND %6$s
                    INTO tl_count, tl_keys_stay
                    FROM (SELECT ROW(%1$s) AS keys FROM (SELECT * FROM tl_old LIMIT 1000000) AS tl_row) AS former,
                         (SELECT ROW(%1$s) AS keys, count(*) FROM (SELECT * FROM tl_new LIMIT 1000000) AS tl_row) AS now;
                    IF tl_count > 100 THEN
                        -- Planned for as many as they are. To compile it would take
                        -- longer than it saves.
                        tl_jit := current_setting('jit');
                        tl_set := set_config('jit', 'off', true);
                        EXECUTE CASE WHEN tl_keys_stay THEN %4$L ELSE %5$L END;
                        GET DIAGNOSTICS tl_count = ROW_COUNT;
                        tl_set := set_config('jit', tl_jit, true);
                    ELSIF tl_keys_stay THEN
                        SELECT array_agg(ROW(c.*)::threadline.captured), count(*) INTO tl_few, tl_count FROM (%2$s) AS c;
                    ELSE
                        SELECT array_agg(ROW(c.*)::threadline.captured), count(*) INTO tl_few, tl_count FROM (%3$s) AS c;
                    END IF;$many$,
                coalesce((
                    SELECT string_agg(format('array_agg(tl_row.%I)', k.name), ', ' ORDER BY k.ordinal)
                    FROM unnest(tl_table.key_columns) WITH ORDINALITY AS k (name, ordinal)), 'NULL'),
                tl_rows, tl_rows_by_position, format('%s (%s) AS c', tl_record, tl_rows), format('%s (%s) AS c', tl_record, tl_rows_by_position),
                CASE WHEN threadline.key_is_comparable(audited_table) THEN (
                    SELECT format(CASE count(*) WHEN 1 THEN '(SELECT count(DISTINCT %1$s) = count(*) FROM tl_new AS tl_row)'
                                  ELSE '(SELECT count(DISTINCT ROW(%1$s)) = count(*) AND bool_and(num_nulls(%1$s) = 0) FROM tl_new AS tl_row)' END,
                        string_agg(format('tl_row.%I', k.name), ', ' ORDER BY k.ordinal))
                    FROM unnest(tl_table.key_columns) WITH ORDINALITY AS k (name, ordinal))
                    ELSE 'false' END)
            ELSE format(
                $many$IF (SELECT count(*) FROM (SELECT FROM %1$s LIMIT 101) AS tl_row) > 100 THEN
                        -- Planned for as many as they are. To compile it would take
                        -- longer than it saves.
                        tl_jit := current_setting('jit');
                        tl_set := set_config('jit', 'off', true);
                        EXECUTE %3$L;
                        GET DIAGNOSTICS tl_count = ROW_COUNT;
                        tl_set := set_config('jit', tl_jit, true);
                    ELSE
                        SELECT array_agg(ROW(c.*)::threadline.captured), count(*) INTO tl_few, tl_count FROM (%2$s) AS c;
                    END IF;$many$,
                CASE operation WHEN 'INSERT' THEN 'tl_new' ELSE 'tl_old' END, tl_rows, format('%s (%s) AS c', tl_record, tl_rows))
        END,
        tl_record,
        format('%s (%s) AS c', tl_record, CASE operation
            WHEN 'UPDATE' THEN format(
                $careful$SELECT t.record_key, t.previous_key, t.old_image AS changed_from, t.new_image AS changed_to,
                           CASE WHEN t.previous_key IS NOT NULL%s THEN t.moved_row END AS row_data
                    FROM (
                        SELECT image, row_number() OVER () AS position
                        FROM (SELECT %%1$s AS image FROM tl_old AS tl_row OFFSET 0) AS i
                    ) AS former
                    JOIN (
                        SELECT image, row_number() OVER () AS position
                        FROM (SELECT %%1$s AS image FROM tl_new AS tl_row OFFSET 0) AS i
                    ) AS now USING (position)
                    CROSS JOIN LATERAL threadline.capture_changed_table($1, $2, former.image, now.image) AS t
                    WHERE t.previous_key IS NOT NULL OR t.old_image <> '{}' OR t.new_image <> '{}'$careful$, tl_keyless)
            WHEN 'INSERT' THEN
                $careful$SELECT t.record_key, NULL AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, t.new_image AS row_data
                    FROM tl_new AS tl_row
                    CROSS JOIN LATERAL threadline.capture_changed_table($1, $2, NULL, %1$s) AS t$careful$
            ELSE
                $careful$SELECT t.record_key, NULL AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, t.old_image AS row_data
                    FROM tl_old AS tl_row
                    CROSS JOIN LATERAL threadline.capture_changed_table($1, $2, %1$s, NULL) AS t$careful$
        END),
        tl_require_actor, audited_table, left(operation, 1), tl_has_actor,
        threadline.image_expression(audited_table, target, 'tl_row'), tl_built_for,
        CASE operation WHEN 'INSERT' THEN 'SELECT * FROM tl_new' WHEN 'DELETE' THEN 'SELECT * FROM tl_old'
            ELSE 'SELECT * FROM tl_old UNION ALL SELECT * FROM tl_new' END);
END
$statement_capture_source$;
