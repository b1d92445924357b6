-- Refuses a write without a known actor on a table audited with require_actor.
CREATE OR REPLACE FUNCTION threadline.require_actor(audited_table integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_context record;
BEGIN
    SELECT * INTO tl_context
    FROM threadline.read_context(coalesce(current_setting('threadline.context', true), ''), now());
    IF tl_context.actor_type <> 'anonymous' THEN
        RETURN;
    END IF;
    SELECT * INTO tl_table FROM threadline.audited_tables WHERE id = audited_table;
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        SCHEMA = tl_table.schema_name,
        TABLE = tl_table.table_name,
        CONSTRAINT = 'threadline_actor_required',
        MESSAGE = format(
            'threadline: table %I.%I takes no write without %s%s',
            tl_table.schema_name, tl_table.table_name,
            CASE WHEN tl_context.actor_type = 'anonymous' THEN 'a known actor, and this one is anonymous' ELSE 'an actor' END,
            coalesce(', and the context was unreadable: ' || tl_context.context_error, '')),
        HINT = 'Write inside conn.audited_transaction(&context, ...), or call SELECT threadline.set_context(''{"actor": {"type": "user", "id": "..."}}'') in the same transaction.';
END
$$;
