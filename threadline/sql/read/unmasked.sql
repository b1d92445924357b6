-- Returns whether this transaction reads values recorded before their column was redacted. That
-- needs an action of threadline.unmask() in the same session, so that it is on record.
CREATE OR REPLACE FUNCTION threadline.unmasked() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_action text := coalesce(current_setting('threadline.unmasked', true), '');
BEGIN
    RETURN tl_action ~ '^[0-9]{1,18}$' AND EXISTS (
        SELECT FROM threadline.audit_actions AS a
        WHERE a.id = tl_action::bigint AND a.name = 'audit.unmasked'
          AND a.meta ->> 'pid' = pg_backend_pid()::text AND a.occurred_at > now() - interval '1 hour');
END
$$;
