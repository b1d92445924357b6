-- Undoes what an AuditTransaction changed, as new audited changes: all of it, or
-- nothing and the reasons.
--
--   BEGIN; SELECT * FROM threadline.revert_transaction(7); COMMIT;
CREATE FUNCTION threadline.revert_transaction(
    audit_transaction bigint,
    OUT change_id bigint, OUT schema_name text, OUT table_name text, OUT key jsonb, OUT reason text
) RETURNS SETOF record
LANGUAGE sql
BEGIN ATOMIC
    SELECT r.*
    FROM threadline.revert_changes(ARRAY(
        SELECT c FROM threadline.audit_changes AS c WHERE c.transaction_id = audit_transaction
    )) AS r;
END;
COMMENT ON FUNCTION threadline.revert_transaction(bigint) IS
    'Undoes what a transaction changed, if nothing changed since; gives the reasons why not';
