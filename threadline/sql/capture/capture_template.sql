-- The source of a table's capture function, with holes in braces for what is the
-- table's own. It appends one entry to the journal and looks nothing up.
--
-- The image of a row is made in the first of three ways that works: as it was generated
-- for the table's columns; of the whole row, from which what is redacted is taken by
-- name; and slowly, for types that are not PostgreSQL's own and for values that have no
-- form in jsonb. The guards have constants for arguments, so that PostgreSQL works them
-- out when it plans, and again after each change of the table.
CREATE FUNCTION threadline.capture_template() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
DECLARE
    tl_context text := coalesce(current_setting('threadline.context', true), '');
    tl_transaction bigint := CASE WHEN current_setting('threadline.transaction_context', true) = tl_context
        THEN substring(current_setting('threadline.transaction', true) FROM '^[0-9]{1,18}$') END;
    tl_id bigint;
    tl_old jsonb;
    tl_new jsonb;
    tl_changed text[];
    tl_old_place tid;
    tl_new_place tid;
    tl_command cid;
    tl_noted text;
BEGIN
    IF TG_RELID <> {captured} AND coalesce(pg_partition_root(TG_RELID)::oid, 0::oid) <> {captured}
       OR TG_NAME <> '!threadline_capture_{id}' OR TG_WHEN <> 'AFTER' OR TG_LEVEL <> 'ROW' OR current_setting('threadline.suspended', true) <> ''
    THEN
        -- A trigger of another kind under the name would record what did not happen, or happened once, twice.
        IF (TG_OP <> 'TRUNCATE' AND (TG_WHEN <> 'AFTER' OR TG_LEVEL <> 'ROW')) OR (TG_OP = 'TRUNCATE') <> (TG_NAME = '!threadline_truncate_{id}')
           OR threadline.withheld({id}, TG_RELID, TG_NAME, {relation})
        THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM threadline.capture_truncate({id}, TG_RELID, {built_for});
        RETURN NULL;
    ELSIF TG_OP = 'UPDATE' THEN
        IF OLD *= NEW THEN
            RETURN NULL;
        END IF;
        tl_command := NEW.cmin;
    END IF;
{images}
    tl_id := nextval('threadline.entry_ids');
    IF tl_transaction IS NULL THEN
        tl_transaction := tl_id;
        tl_noted := set_config('threadline.transaction', tl_id::text, true) || set_config('threadline.transaction_context', tl_context, true);
    END IF;
    INSERT INTO threadline.journal (
        id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth,
        old_place, new_place, command, old_row, new_row, changed, context, session_user_name)
    VALUES (
        tl_id, tl_transaction, pg_current_xact_id(), now(), clock_timestamp(), left(TG_OP, 1)::"char", {id}, TG_RELID, pg_trigger_depth(),
        tl_old_place, tl_new_place, tl_command, tl_old, tl_new, tl_changed,
        CASE WHEN tl_id = tl_transaction THEN tl_context END, CASE WHEN tl_id = tl_transaction THEN session_user END);
    RETURN NULL;
END
$template$;
