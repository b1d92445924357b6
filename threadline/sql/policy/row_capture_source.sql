-- The source of the function that records each row written to a table. The block
-- that looks at columns ends in a handler: when they changed behind the library's
-- back the application's write goes through, and capture_changed_table() takes over.
CREATE FUNCTION threadline.row_capture_source(audited_table integer, target regclass) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $capture_source$
DECLARE
    tl_table threadline.audited_tables;
    tl_built_for jsonb := threadline.built_for(audited_table, target);
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;

    RETURN format(
        $template$
DECLARE
    tl_transaction bigint;
    tl_place tid;
    tl_statement integer;
    tl_key text;
    tl_previous_key text;
    tl_from jsonb;
    tl_to jsonb;
    tl_row_data jsonb;
    tl_unchanged text[];
    tl_depth integer;
    tl_nested integer;
    tl_first_change bigint;
    tl_recorded boolean := false;
BEGIN
    IF TG_NARGS > 0 AND current_setting('session_replication_role') <> 'replica' THEN
        -- The statement triggers record it.
        RETURN NULL;
    END IF;
    %14$s
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM threadline.capture_truncate(%1$s, TG_RELID, %2$L, %3$L, %12$L);
        RETURN NULL;
    END IF;

    BEGIN
        tl_place := CASE
            WHEN current_setting('threadline.transaction_context', true) = coalesce(current_setting('threadline.context', true), '')
            THEN nullif(split_part(current_setting('threadline.transaction', true), ' ', 2), '')::tid END;
        -- Before any expression that names a column is so much as parsed: it could call
        -- the cast of a type that came since.
        IF NOT (CASE WHEN %10$L::oid IN (TG_RELID, pg_partition_root(TG_RELID))
                     THEN threadline.columns_stand(%10$L::oid, %12$L, false)
                     ELSE threadline.columns_match(threadline.audited_relation(TG_RELID, %10$L::oid), %12$L) END) THEN
            RAISE 'the columns have changed';
        END IF;
        IF TG_OP = 'INSERT' THEN
            tl_key := %4$s;
            tl_row_data := %5$s;
        ELSIF TG_OP = 'DELETE' THEN
            tl_key := %6$s;
            tl_row_data := %7$s;
        ELSE
            IF OLD *= NEW THEN
                RETURN NULL;
            END IF;
            tl_unchanged := %8$s;
            tl_key := %4$s;
            tl_previous_key := nullif(%6$s, tl_key);
            tl_row_data := %7$s;
            tl_from := tl_row_data - tl_unchanged;
            tl_to := %5$s - tl_unchanged;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        SELECT c.record_key, c.previous_key, c.old_image, c.new_image, c.moved_row
        INTO tl_key, tl_previous_key, tl_from, tl_to, tl_row_data
        FROM threadline.capture_changed_table(TG_RELID, %12$L,
            CASE WHEN TG_OP <> 'INSERT' THEN threadline.row_image(OLD) END,
            CASE WHEN TG_OP <> 'DELETE' THEN threadline.row_image(NEW) END) AS c;
        IF TG_OP <> 'UPDATE' THEN
            tl_row_data := coalesce(tl_to, tl_from);
            tl_from := NULL;
            tl_to := NULL;
        END IF;
    END;

    IF TG_OP = 'UPDATE' THEN
        IF tl_to = '{}' AND tl_from = '{}' AND tl_previous_key IS NULL THEN
            RETURN NULL;
        END IF;
        IF tl_previous_key IS NOT NULL%13$s THEN
            tl_statement := NEW.cmin::text::integer;
        ELSE
            tl_row_data := NULL;
        END IF;
    END IF;

    IF tl_depth >= greatest(tl_nested, 2) THEN
        PERFORM set_config('threadline.nested_%1$s', tl_depth::text, true);
    END IF;

    IF tl_place IS NOT NULL THEN
        -- All columns in their order, so that nothing is put around the scan.
        INSERT INTO threadline.audit_changes (
            id, transaction_id, captured_at, table_id, statement, op,
            record_key, previous_key, changed_from, changed_to, row_data)
        OVERRIDING SYSTEM VALUE
        SELECT nextval('threadline.audit_changes_id_seq'::regclass), t.id, clock_timestamp(), %1$s, tl_statement,
               left(TG_OP, 1)::"char", tl_key, tl_previous_key, tl_from, tl_to, tl_row_data
        FROM threadline.audit_transactions AS t
        WHERE t.ctid = tl_place AND t.xact_id = pg_current_xact_id() AND t.occurred_at = now()
          AND clock_timestamp() < coalesce(t.extended_until, t.opened_at + interval '1 hour')%9$s;
        IF FOUND AND tl_first_change IS NULL THEN
            RETURN NULL;
        END IF;
        tl_recorded := FOUND;
    END IF;
    IF NOT tl_recorded THEN
        tl_transaction := threadline.current_transaction();
        %11$s
        INSERT INTO threadline.audit_changes (
            transaction_id, captured_at, table_id, statement, op,
            record_key, previous_key, changed_from, changed_to, row_data)
        VALUES (tl_transaction, clock_timestamp(), %1$s, tl_statement, left(TG_OP, 1)::"char",
                tl_key, tl_previous_key, tl_from, tl_to, tl_row_data);
    END IF;
    IF tl_first_change IS NOT NULL THEN
        PERFORM threadline.put_in_order(%1$s, TG_RELID, %3$L, %12$L, tl_first_change, tl_depth > 1);
    END IF;
    RETURN NULL;
END
$template$,
        tl_table.id,
        threadline.key_expression(audited_table, 'tl_row'),
        threadline.image_expression(audited_table, target, 'tl_row'),
        threadline.key_expression(audited_table, 'NEW'),
        threadline.image_expression(audited_table, target, 'NEW'),
        threadline.key_expression(audited_table, 'OLD'),
        threadline.image_expression(audited_table, target, 'OLD'),
        threadline.unchanged_expression(audited_table, target, 'OLD', 'NEW'),
        CASE WHEN (tl_table.policy -> 'require_actor')::boolean THEN ' AND t.actor_type IS NOT NULL' END,
        target::oid,
        CASE WHEN (tl_table.policy -> 'require_actor')::boolean THEN format(
            'PERFORM threadline.require_actor(%s, tl_transaction);', tl_table.id) END,
        tl_built_for,
        -- Nothing but the whole row says which one it was.
        CASE WHEN tl_table.key_columns = '{}' THEN ' OR true' END,
        threadline.guard(audited_table, target));
END
$capture_source$;
