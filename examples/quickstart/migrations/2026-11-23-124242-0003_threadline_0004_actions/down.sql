DROP VIEW threadline.actions;
DROP FUNCTION threadline.record_action(text, text, text, text, text, text, text, text, text, text, text, jsonb, boolean);
DELETE FROM threadline.schema_patches WHERE version = 4;
