DROP FUNCTION threadline.revert_record(regclass, text, timestamptz);
DROP FUNCTION threadline.revert_transaction(bigint);
DROP FUNCTION threadline.revert_changes(threadline.audit_changes[]);
DROP FUNCTION threadline.revert_change(threadline.audit_changes);
DROP FUNCTION threadline.put_row(regclass, jsonb, text);
DROP FUNCTION threadline.referencing(regclass, text);
DROP FUNCTION threadline.unrestorable(integer, jsonb, boolean);
DROP FUNCTION threadline.relation_of(integer);
DELETE FROM threadline.schema_patches WHERE version = 7;
