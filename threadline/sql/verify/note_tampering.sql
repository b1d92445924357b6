-- Records for threadline.watch() that a command removed a trigger of the audit.
CREATE OR REPLACE FUNCTION threadline.note_tampering(table_id integer, relation text, command text, what text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_meta jsonb := jsonb_build_object('table', relation, 'table_id', table_id, 'command', command, 'what', what);
BEGIN
    PERFORM threadline.own_action('audit.triggers_changed', tl_meta);
EXCEPTION
    -- An unusable context must not prevent the record.
    WHEN data_exception OR program_limit_exceeded OR integrity_constraint_violation OR internal_error OR raise_exception THEN
        INSERT INTO threadline.audit_actions (name, category, verb, actor_type, meta)
        VALUES ('audit.triggers_changed', 'audit', 'triggers_changed', 'anonymous',
            jsonb_build_object('session_user', session_user) || tl_meta);
END
$$;
REVOKE ALL ON FUNCTION threadline.note_tampering(integer, text, text, text) FROM PUBLIC;
