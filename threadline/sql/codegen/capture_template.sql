-- The source of a table's capture function, with holes in braces for the parts that depend on the
-- table. It appends one entry to the journal and looks nothing up.
--
-- Every write pays for each expression and each pinned setting. So there are few, and no
-- search_path: every call names its schema, and comparisons call the functions of the operators
-- by name, which no search_path can replace. One condition tests for all that is rare; its first
-- argument is evaluated when PostgreSQL plans it. The id of the transaction is read if the context
-- is that of the entry before; a text that is no id does not fail the write. The depth of a row
-- version that was replaced, or locked, before it is captured is negative.
CREATE OR REPLACE FUNCTION threadline.capture_template() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
DECLARE
    tl_context pg_catalog.text := coalesce(pg_catalog.current_setting('threadline.context', true), '');
    tl_said pg_catalog.text;
    tl_transaction bigint;
    tl_first bigint;
    tl_old pg_catalog.jsonb;
    tl_new pg_catalog.jsonb;
    tl_changed pg_catalog._text;
BEGIN
    IF pg_catalog.oidne(TG_RELID, {usual})
       OR pg_catalog.namene(TG_NAME, '!threadline_capture_{id}') OR pg_catalog.textne(TG_WHEN, 'AFTER') OR pg_catalog.textne(TG_LEVEL, 'ROW')
       OR pg_catalog.textne(pg_catalog.current_setting('threadline.suspended', true), '')
       {or_large}OR pg_catalog.texteq(TG_OP, 'UPDATE') AND pg_catalog.record_image_eq(OLD, NEW)
    THEN
        IF pg_catalog.oidne({captured}, CASE WHEN pg_catalog.oideq(TG_RELID, {built_for_oid}) THEN TG_RELID ELSE coalesce(pg_catalog.pg_partition_root(TG_RELID)::pg_catalog.oid, TG_RELID) END)
           OR pg_catalog.namene(TG_NAME, '!threadline_capture_{id}') OR pg_catalog.textne(TG_WHEN, 'AFTER') OR pg_catalog.textne(TG_LEVEL, 'ROW')
           OR pg_catalog.textne(pg_catalog.current_setting('threadline.suspended', true), '')
        THEN
            -- Another kind of trigger under this name would record changes falsely, or twice.
            IF NOT (CASE WHEN pg_catalog.texteq(TG_OP, 'TRUNCATE') THEN pg_catalog.nameeq(TG_NAME, '!threadline_truncate_{id}')
                        ELSE pg_catalog.texteq(TG_WHEN, 'AFTER') AND pg_catalog.texteq(TG_LEVEL, 'ROW') AND pg_catalog.nameeq(TG_NAME, '!threadline_capture_{id}') END)
               OR threadline.withheld({id}, TG_RELID, TG_NAME, {relation})
            THEN
                RETURN NULL;
            ELSIF pg_catalog.texteq(TG_OP, 'TRUNCATE') THEN
                PERFORM threadline.capture_truncate({id}, TG_RELID, {built_for});
                RETURN NULL;
            END IF;
        END IF;
        IF pg_catalog.texteq(TG_OP, 'UPDATE') AND pg_catalog.record_image_eq(OLD, NEW) THEN
            RETURN NULL;
        END IF;
{images}
    IF pg_catalog.texteq(pg_catalog.current_setting('threadline.transaction_context', true), tl_context) THEN
        tl_said := pg_catalog.current_setting('threadline.transaction', true);
        tl_transaction := CASE WHEN pg_catalog.texteq(pg_catalog.ltrim(tl_said, '0123456789'), '') AND pg_catalog.textne(tl_said, '')
                               THEN pg_catalog."left"(tl_said, 18)::bigint END;
    END IF;
    IF tl_transaction IS NULL THEN
        tl_first := CASE WHEN pg_catalog.set_config('threadline.transaction_context', tl_context, true) IS NOT NULL
                         THEN pg_catalog.set_config('threadline.transaction', pg_catalog.nextval('threadline.entry_ids')::pg_catalog.text, true)::bigint END;
    END IF;
    INSERT INTO threadline.journal (
        id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth,
        old_place, new_place, command, old_row, new_row, changed, context, session_user_name, application_name)
    VALUES (
        coalesce(tl_first, pg_catalog.nextval('threadline.entry_ids')), coalesce(tl_first, tl_transaction),
        pg_catalog.pg_current_xact_id(), CURRENT_TIMESTAMP, pg_catalog.clock_timestamp(),
        TG_OP::pg_catalog."char", {id}, TG_RELID, CASE WHEN pg_catalog.xidneq(NEW.xmax, '0') THEN pg_catalog.int4um(pg_catalog.pg_trigger_depth()) ELSE pg_catalog.pg_trigger_depth() END,
        OLD.ctid, NEW.ctid, coalesce(NEW.cmin, OLD.cmin), tl_old, tl_new, tl_changed,
        CASE WHEN tl_first IS NOT NULL THEN tl_context END, CASE WHEN tl_first IS NOT NULL THEN session_user END,
        CASE WHEN tl_first IS NOT NULL THEN pg_catalog.current_setting('application_name') END);
    RETURN NULL;
END
$template$;
