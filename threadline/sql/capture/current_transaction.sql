-- Returns the id of the AuditTransaction that a change made now belongs to: the id of the first
-- entry under the context. If there is none, appends an entry that holds only the context. The
-- settings are not trusted: posting checks that the entry exists and is of the same database
-- transaction.
CREATE OR REPLACE FUNCTION threadline.current_transaction() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_context text := coalesce(current_setting('threadline.context', true), '');
    tl_transaction bigint := CASE WHEN current_setting('threadline.transaction_context', true) = tl_context
        THEN substring(current_setting('threadline.transaction', true) FROM '^[0-9]{1,18}$') END;
    tl_place tid;
BEGIN
    IF tl_transaction IS NULL THEN
        tl_transaction := nextval('threadline.entry_ids');
        PERFORM set_config('threadline.transaction', tl_transaction::text, true),
                set_config('threadline.transaction_context', tl_context, true);
        INSERT INTO threadline.journal (
            id, transaction_id, xact_id, occurred_at, captured_at, op, context, session_user_name, application_name)
        VALUES (tl_transaction, tl_transaction, pg_current_xact_id(), now(), clock_timestamp(), 'C', tl_context, session_user, current_setting('application_name'))
        RETURNING ctid INTO tl_place;
        -- For threadline.own_transaction().
        PERFORM set_config('threadline.transaction_place', tl_place::text, true);
    END IF;
    RETURN tl_transaction;
END
$$;
