-- Undoes the changes of an AuditTransaction, as new audited changes: all of them, or none with
-- the reasons. The records of the changes in leave_out stay unchanged.
--
--   BEGIN; SELECT * FROM threadline.revert_transaction(7); COMMIT;
--   BEGIN; SELECT * FROM threadline.revert_transaction(7, leave_out => ARRAY[12, 13]); COMMIT;
CREATE OR REPLACE FUNCTION threadline.revert_transaction(
    audit_transaction bigint,
    leave_out bigint[] DEFAULT '{}',
    OUT change_id bigint, OUT schema_name text, OUT table_name text, OUT key jsonb, OUT reason text
) RETURNS SETOF record
LANGUAGE plpgsql AS $$
DECLARE
    tl_left threadline.audit_changes[] := ARRAY(
        SELECT c FROM threadline.audit_changes AS c WHERE c.transaction_id = audit_transaction AND c.id = ANY (leave_out));
    tl_foreign bigint := (
        SELECT min(given.id) FROM unnest(leave_out) AS given (id)
        WHERE given.id NOT IN (SELECT l.id FROM unnest(tl_left) AS l));
BEGIN
    IF tl_foreign IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: change % is not one of transaction %, and cannot be left out', tl_foreign, audit_transaction;
    END IF;
    RETURN QUERY
    SELECT r.*
    FROM threadline.revert_changes(ARRAY(
        SELECT c
        FROM threadline.audit_changes AS c
        WHERE c.transaction_id = audit_transaction AND NOT EXISTS (
            SELECT FROM unnest(tl_left) AS l
            WHERE l.table_id = c.table_id AND ARRAY[l.record_key, l.previous_key] && ARRAY[c.record_key, c.previous_key])
    )) AS r;
END
$$;
COMMENT ON FUNCTION threadline.revert_transaction(bigint, bigint[]) IS
    'Undoes the changes of a transaction if nothing changed since; returns the reasons why not';
