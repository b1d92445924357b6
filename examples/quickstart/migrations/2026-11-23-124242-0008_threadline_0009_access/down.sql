DROP FUNCTION threadline.resume(text, text);
DROP FUNCTION threadline.suspend(text, text, text, boolean);
DELETE FROM threadline.schema_patches WHERE version = 9;
