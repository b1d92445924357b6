DROP FUNCTION threadline.suspend(text, text, text);
DELETE FROM threadline.schema_patches WHERE version = 9;
