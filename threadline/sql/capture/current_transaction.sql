-- The AuditTransaction that a change made now belongs to. What the settings
-- say is believed only if such a row was opened by this very database
-- transaction, so a stale or forged id finds nothing and a row is opened.
CREATE FUNCTION threadline.current_transaction() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_context text := coalesce(current_setting('threadline.context', true), '');
    tl_cached text := current_setting('threadline.transaction', true);
    tl_id bigint;
BEGIN
    IF tl_cached ~ '^[0-9]{1,18} \([0-9]{1,9},[0-9]{1,4}\)$'
       AND tl_context = current_setting('threadline.transaction_context', true) THEN
        SELECT id INTO tl_id
        FROM threadline.audit_transactions
        WHERE ctid = split_part(tl_cached, ' ', 2)::tid AND id = split_part(tl_cached, ' ', 1)::bigint
          AND xact_id = pg_current_xact_id() AND occurred_at = now();
    END IF;
    RETURN coalesce(tl_id, threadline.open_transaction(tl_context));
END
$$;
