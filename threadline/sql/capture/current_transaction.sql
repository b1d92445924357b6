-- The AuditTransaction that a change made now belongs to. What the settings
-- say is believed only if such a row was opened by this very database
-- transaction, so a stale or forged id finds nothing and a row is opened. A row
-- says until when at most it was in use, within an hour: readers by time know
-- from that which transactions can have changes in a given hour.
CREATE FUNCTION threadline.current_transaction() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction threadline.audit_transactions;
    tl_place tid;
    tl_context text := coalesce(current_setting('threadline.context', true), '');
    tl_cached text := current_setting('threadline.transaction', true);
BEGIN
    IF tl_cached ~ '^[0-9]{1,18} [(][0-9]{1,9},[0-9]{1,4}[)]$'
       AND tl_context = current_setting('threadline.transaction_context', true) THEN
        SELECT * INTO tl_transaction
        FROM threadline.audit_transactions
        WHERE ctid = split_part(tl_cached, ' ', 2)::tid AND id = split_part(tl_cached, ' ', 1)::bigint
          AND xact_id = pg_current_xact_id() AND occurred_at = now();
    END IF;
    IF tl_transaction.id IS NULL THEN
        RETURN threadline.open_transaction(tl_context);
    END IF;
    IF clock_timestamp() >= coalesce(tl_transaction.extended_until, tl_transaction.opened_at + interval '1 hour') THEN
        UPDATE threadline.audit_transactions
        SET extended_until = clock_timestamp() + interval '1 hour'
        WHERE ctid = split_part(tl_cached, ' ', 2)::tid
        RETURNING ctid INTO tl_place;
        PERFORM set_config('threadline.transaction', tl_transaction.id || ' ' || tl_place, true);
    END IF;
    RETURN tl_transaction.id;
END
$$;
