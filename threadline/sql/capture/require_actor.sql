-- Refuses a write without an actor on a table audited with require_actor.
CREATE FUNCTION threadline.require_actor(audited_table integer, audit_transaction bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_transaction threadline.audit_transactions;
BEGIN
    SELECT * INTO tl_transaction
    FROM threadline.audit_transactions
    WHERE ctid = split_part(current_setting('threadline.transaction'), ' ', 2)::tid AND id = audit_transaction;
    IF tl_transaction.actor_type IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT * INTO tl_table FROM threadline.audited_tables WHERE id = audited_table;
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        SCHEMA = tl_table.schema_name,
        TABLE = tl_table.table_name,
        CONSTRAINT = 'threadline_actor_required',
        MESSAGE = format(
            'threadline: table %I.%I takes no write without an actor%s',
            tl_table.schema_name, tl_table.table_name,
            coalesce(', and the context was unreadable: ' || tl_transaction.context_error, '')),
        HINT = 'Write inside conn.audited_transaction(&context, ...), or set the context with set_config(''threadline.context'', ''{"actor": {"type": "user", "id": "..."}}'', true) in the same transaction.';
END
$$;
